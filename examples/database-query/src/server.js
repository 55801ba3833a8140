/** The server: what it offers, and for how long it listens. */

import { McpServer } from '@modelcontextprotocol/server'
import { addResources } from './resources.js'
import { addExecuteTool } from './tools/execute-tool.js'
import { addExplainTool } from './tools/explain-tool.js'
import { addQueryTool } from './tools/query-tool.js'
import { addTableTools } from './tools/table-tools.js'

/**
 * @typedef {object} Parts what all connections share
 * @property {import('./database.js').Database} database
 * @property {{ maxRows: number, maxBytes: number }} limits
 * @property {boolean} allowWrites
 * @property {ReturnType<typeof import('./schema-watch.js').schemaWatch>} watch
 * @property {ReturnType<typeof import('./questions.js').newQuestions>} questions
 */

/**
 * One for each connection.
 * @param {Parts} parts
 */
export function makeServer(parts) {
  const { database, allowWrites, watch, questions } = parts
  const server = new McpServer(
    { name: 'database-query', title: 'Database query', version: '0.1.0' },
    { instructions: instructions(database.name, allowWrites), requestState: { verify: questions.verify } },
  )
  addQueryTool(server, parts)
  addExplainTool(server, parts)
  addTableTools(server, parts)
  if (allowWrites) addExecuteTool(server, parts)
  addResources(server, parts)
  const stop = watch.listen(() => server.sendResourceListChanged())
  server.server.onclose = stop
  return server
}

/**
 * @param {string} name
 * @param {boolean} allowWrites
 */
function instructions(name, allowWrites) {
  return [
    `The PostgreSQL database "${name}". Begin with list_tables and describe_table; "query" reads, in read-only transactions.`,
    allowWrites ? '"execute" writes, after the user has agreed to the statement.' : 'Nothing can be written.',
  ].join(' ')
}
