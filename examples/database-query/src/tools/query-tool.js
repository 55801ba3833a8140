/** `query`: reads rows. */

import { z } from 'zod'
import { CURSOR, select } from '../select.js'
import { tableText } from '../table-text.js'
import { resultOf, structuredResult } from './results.js'
import { parametersSchema, sqlSchema } from './schemas.js'

/**
 * @param {import('@modelcontextprotocol/server').McpServer} server
 * @param {import('../server.js').Parts} parts
 */
export function addQueryTool(server, { database, limits }) {
  server.registerTool(
    'query',
    {
      title: 'Query',
      description:
        'Runs one SELECT (or WITH, VALUES, TABLE) in a read-only PostgreSQL transaction and gives its rows. ' +
        'Pass values as parameters ($1, $2), not in the text. For plans there is "explain", for columns "describe_table".',
      inputSchema: z.object({
        sql: sqlSchema,
        parameters: parametersSchema,
        limit: z
          .int()
          .min(1)
          .max(limits.maxRows)
          .default(Math.min(100, limits.maxRows))
          .describe(`How many rows at most, up to ${limits.maxRows}`),
      }),
      outputSchema: z.object({
        columns: z.array(z.object({ name: z.string(), type: z.string() })),
        rows: z.array(z.array(z.unknown())).describe('Values in the order of the columns'),
        rowCount: z.int(),
        truncated: z.enum(['rows', 'bytes']).nullable().describe('Which limit left rows out, if one did'),
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ sql, parameters, limit }, { mcpReq }) =>
      resultOf(
        async () => {
          const token = mcpReq._meta?.progressToken
          const onRows = async (/** @type {number} */ rows) => {
            if (token === undefined) return
            const params = { progressToken: token, progress: rows, message: `rows: ${rows}` }
            await mcpReq.notify({ method: 'notifications/progress', params })
          }
          const options = { sql, parameters, limit, maxBytes: limits.maxBytes, onRows }
          const selected = await database.read(session => select(session, options), mcpReq.signal)
          const text = `${tableText(selected.columns, selected.rows)}\n\n${summary(selected)}`
          return structuredResult(text, { ...selected, rowCount: selected.rows.length })
        },
        {
          sql,
          prefix: CURSOR.length,
          syntax: 'one statement, which selects: SELECT, WITH, VALUES or TABLE',
          secrets: database.secrets,
        },
      ),
  )
}

/** @param {import('../select.js').Selected} selected */
function summary({ rows, truncated }) {
  const count = `${rows.length} ${rows.length === 1 ? 'row' : 'rows'}`
  if (truncated === null) return count
  if (truncated === 'rows')
    return `${count}, and there are more: raise limit, add WHERE or OFFSET, or count and group.`
  return `${count}, and there are more than fit: select fewer columns, or a part of them, such as left(column, 100).`
}
