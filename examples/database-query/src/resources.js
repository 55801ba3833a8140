/** Tables as resources: `postgres://DATABASE/SCHEMA/TABLE/schema`. */

import { ResourceNotFoundError, ResourceTemplate } from '@modelcontextprotocol/server'
import { completeName, describeTable, listTables, MOST_TABLES } from './catalog.js'
import { explainError, Refused } from './errors.js'

const JSON_TYPE = 'application/json'

/**
 * @param {string} database
 * @param {string} schema
 * @param {string} table
 */
export function tableUri(database, schema, table) {
  return `postgres://${[database, schema, table].map(encodeURIComponent).join('/')}/schema`
}

/**
 * @param {import('@modelcontextprotocol/server').McpServer} server
 * @param {import('./server.js').Parts} parts
 */
export function addResources(server, { database }) {
  const { secrets } = database
  /** @type {<T>(work: (session: import('./database.js').Session) => Promise<T>, signal?: AbortSignal) => Promise<T>} */
  const read = async (work, signal) => {
    try {
      return await database.read(work, signal)
    } catch (error) {
      if (error instanceof Refused) throw error
      throw new Error(explainError(error, { secrets }))
    }
  }

  const template = new ResourceTemplate(
    `postgres://${encodeURIComponent(database.name)}/{schema}/{table}/schema`,
    {
      async list({ mcpReq }) {
        const tables = await read(session => listTables(session), mcpReq.signal)
        const resources = tables.slice(0, MOST_TABLES).map(({ schema, name, kind, comment }) => ({
          uri: tableUri(database.name, schema, name),
          name: `${schema}.${name}`,
          description: comment ?? `Columns, keys and indexes of the ${kind}`,
          mimeType: JSON_TYPE,
        }))
        return { resources }
      },
      complete: {
        schema: typed => read(session => completeName(session, 'schema', typed)),
        table: (typed, context) =>
          read(session => completeName(session, 'table', typed, context?.arguments?.schema)),
      },
    },
  )
  server.registerResource(
    'table',
    template,
    { title: 'Table', description: 'Columns, keys and indexes of a table or view', mimeType: JSON_TYPE },
    async (uri, { schema, table }, { mcpReq }) => {
      try {
        const found = await read(
          session => describeTable(session, decoded(schema), decoded(table)),
          mcpReq.signal,
        )
        return {
          contents: [{ uri: uri.href, mimeType: JSON_TYPE, text: JSON.stringify(found, undefined, 2) }],
        }
      } catch (error) {
        if (error instanceof Refused) throw new ResourceNotFoundError(uri.href, error.message)
        throw error
      }
    },
  )
}

/** @param {string | string[] | undefined} value */
function decoded(value) {
  try {
    return decodeURIComponent(String(value))
  } catch {
    return String(value)
  }
}
