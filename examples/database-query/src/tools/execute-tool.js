/** `execute`: writes, after a person has seen the statement and agreed. */

import { createHash, randomUUID } from 'node:crypto'
import { CLIENT_CAPABILITIES_META_KEY, inputRequired, inputResponse } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { printable } from '../printable.js'
import { tableText } from '../table-text.js'
import { ESTIMATE_PREFIX, estimate, write } from '../write.js'
import { failedResult, resultOf, structuredResult } from './results.js'
import { parametersSchema, sqlSchema } from './schemas.js'

/** What a person can be asked to read. */
const MOST_SHOWN = 4_000

/**
 * @param {import('@modelcontextprotocol/server').McpServer} server
 * @param {import('../server.js').Parts} parts
 */
export function addExecuteTool(server, { database, limits, watch, questions }) {
  server.registerTool(
    'execute',
    {
      title: 'Execute',
      description:
        'Runs one statement that writes (INSERT, UPDATE, DELETE, CREATE and so on) in a transaction of its own. The user is shown the statement ' +
        'and asked first; nothing is written without their consent.',
      inputSchema: z.object({ sql: sqlSchema, parameters: parametersSchema }),
      outputSchema: z.object({
        written: z.boolean(),
        command: z.string().optional(),
        rowCount: z.int().nullable().optional().describe('Rows written, where PostgreSQL counts them'),
        columns: z.array(z.object({ name: z.string(), type: z.string() })).optional(),
        rows: z.array(z.array(z.unknown())).optional().describe('What RETURNING gave'),
      }),
      annotations: {
        readOnlyHint: false,
        destructiveHint: true,
        idempotentHint: false,
        openWorldHint: false,
      },
    },
    ({ sql, parameters }, { mcpReq }) =>
      resultOf(
        async () => {
          const asked = /** @type {import('../questions.js').Question | undefined} */ (mcpReq.requestState())
          const answer = inputResponse(mcpReq.inputResponses, 'consent')
          const statement = hashOf(sql, parameters)
          if (asked === undefined || answer.kind === 'missing') {
            const why = whyNotAsked(
              /** @type {any} */ (mcpReq.envelope)?.[CLIENT_CAPABILITIES_META_KEY] ??
                server.server.getClientCapabilities(),
              sql,
              parameters,
            )
            if (why !== undefined) return failedResult(`Nothing was written: ${why}`)
            const expected = await database.plan(session => estimate(session, sql, parameters), mcpReq.signal)
            return inputRequired({
              inputRequests: { consent: question(sql, parameters, expected, database.name) },
              requestState: await questions.mint({ statement, id: randomUUID() }),
            })
          }
          if (asked.statement !== statement)
            return failedResult('Nothing was written: consent was given to another statement.')
          if (answer.kind !== 'elicit' || answer.action !== 'accept' || answer.content?.run !== true)
            return { ...structuredResult('Nothing was written: the user did not agree.', { written: false }) }
          if (!questions.take(asked.id))
            return failedResult('This consent was used before: ask again to run it again.')
          const options = { sql, parameters, limit: limits.maxRows }
          const done = await database.write(session => write(session, options), mcpReq.signal)
          void watch.look()
          return structuredResult(textOf(done), {
            written: true,
            command: done.command,
            rowCount: done.count,
            ...(done.columns.length === 0 ? {} : { columns: done.columns, rows: done.rows }),
          })
        },
        { sql, prefix: mcpReq.inputResponses === undefined ? ESTIMATE_PREFIX : 0, secrets: database.secrets },
      ),
  )
}

/**
 * @param {import('@modelcontextprotocol/server').ClientCapabilities | undefined} capabilities
 * @param {string} sql
 * @param {readonly unknown[]} parameters
 */
function whyNotAsked(capabilities, sql, parameters) {
  if (!canAsk(capabilities?.elicitation))
    return 'this client cannot ask its user (it does not declare elicitation with forms).'
  const length = sql.length + JSON.stringify(parameters).length
  if (length <= MOST_SHOWN) return undefined
  return `with ${length} characters it is longer than what a person can be asked to read (${MOST_SHOWN}).`
}

/** Forms are what is meant where nothing is said. @param {{ form?: object, url?: object } | undefined} elicitation */
function canAsk(elicitation) {
  return elicitation !== undefined && (elicitation.form !== undefined || elicitation.url === undefined)
}

/**
 * @param {string} sql
 * @param {readonly unknown[]} parameters
 * @param {import('../write.js').Estimate | undefined} expected
 * @param {string} database
 */
function question(sql, parameters, expected, database) {
  const values = parameters.map((value, index) => `$${index + 1} = ${JSON.stringify(value)}`)
  const message = [
    `Run this on the database "${database}"?`,
    printable(sql),
    ...(values.length === 0 ? [] : [printable(values.join('\n'))]),
    expectation(expected),
  ].join('\n\n')
  return inputRequired.elicit({
    message,
    requestedSchema: {
      type: 'object',
      properties: { run: { type: 'boolean', title: 'Run it', default: false } },
      required: ['run'],
    },
  })
}

/** @param {import('../write.js').Estimate | undefined} expected */
function expectation(expected) {
  if (expected === undefined) return 'PostgreSQL gives no estimate for this kind of statement.'
  const { operation, table, rows } = expected
  const where = table === undefined ? '' : ` on "${printable(table)}"`
  return `PostgreSQL estimates ${rows} ${rows === 1 ? 'row' : 'rows'} (${operation}${where}).`
}

/**
 * @param {string} sql
 * @param {readonly unknown[]} parameters
 */
function hashOf(sql, parameters) {
  return createHash('sha256')
    .update(JSON.stringify([sql, parameters]))
    .digest('base64url')
}

/** @param {Awaited<ReturnType<typeof write>>} done */
function textOf({ command, count, columns, rows, truncated }) {
  const head = `${command}${count === null ? '' : `: ${count} ${count === 1 ? 'row' : 'rows'}`}`
  if (columns.length === 0) return head
  return `${head}\n\n${tableText(columns, rows)}${truncated ? '\n\nMore was returned than is shown.' : ''}`
}
