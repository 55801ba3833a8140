/** `explain`: how PostgreSQL would run something. */

import { z } from 'zod'
import { CURSOR } from '../select.js'
import { resultOf, textResult } from './results.js'
import { parametersSchema, sqlSchema } from './schemas.js'

/**
 * @param {import('@modelcontextprotocol/server').McpServer} server
 * @param {import('../server.js').Parts} parts
 */
export function addExplainTool(server, { database, allowWrites }) {
  server.registerTool(
    'explain',
    {
      title: 'Explain',
      description:
        'Shows the plan of a statement. Nothing is run, unless analyze is set, which takes SELECT only: that runs it, read-only, and measures.',
      inputSchema: z.object({
        sql: sqlSchema,
        parameters: parametersSchema,
        analyze: z.boolean().default(false).describe('Run it and measure'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ sql, parameters, analyze }, { mcpReq }) => {
      // A cursor again: what is run can only be what selects.
      const prefix = analyze ? `EXPLAIN (ANALYZE, BUFFERS) ${CURSOR}` : 'EXPLAIN (COSTS) '
      return resultOf(
        async () => {
          const work = (/** @type {import('../database.js').Session} */ session) =>
            session.run(prefix + sql, parameters)
          const { rows } = await (allowWrites && !analyze
            ? database.plan(work, mcpReq.signal)
            : database.read(work, mcpReq.signal))
          return textResult(rows.map(([line]) => line).join('\n'))
        },
        { sql, prefix: prefix.length, secrets: database.secrets },
      )
    },
  )
}
