/** `list_tables` and `describe_table`: what there is. */

import { z } from 'zod'
import { describeTable, listTables, MOST_TABLES } from '../catalog.js'
import { tableUri } from '../resources.js'
import { tableText } from '../table-text.js'
import { resultOf, structuredResult } from './results.js'
import { nameSchema } from './schemas.js'

const TABLE = {
  schema: z.string(),
  name: z.string(),
  kind: z.string(),
  rows: z.number().nullable().describe('How many PostgreSQL believes there are; null where it does not know'),
  comment: z.string().nullable(),
}
const NAMED = z.array(z.object({ name: z.string(), definition: z.string() }))

/**
 * @param {import('@modelcontextprotocol/server').McpServer} server
 * @param {import('../server.js').Parts} parts
 */
export function addTableTools(server, { database }) {
  const { secrets } = database

  server.registerTool(
    'list_tables',
    {
      title: 'List tables',
      description: 'Lists tables and views that can be read.',
      inputSchema: z.object({ schema: nameSchema.optional().describe('Only those of this schema') }),
      outputSchema: z.object({ tables: z.array(z.object(TABLE)), truncated: z.boolean() }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ schema }, { mcpReq }) =>
      resultOf(
        async () => {
          const all = await database.read(session => listTables(session, schema ?? null), mcpReq.signal)
          const tables = all.slice(0, MOST_TABLES)
          const truncated = all.length > tables.length
          const rows = tables.map(table => [
            `${table.schema}.${table.name}`,
            table.kind,
            table.rows ?? '',
            table.comment ?? '',
          ])
          const text = tableText(
            ['table', 'kind', 'rows', 'comment'].map(name => ({ name })),
            rows,
          )
          return structuredResult(truncated ? `${text}\n\nThere are more: name a schema.` : text, {
            tables,
            truncated,
          })
        },
        { secrets },
      ),
  )

  server.registerTool(
    'describe_table',
    {
      title: 'Describe a table',
      description: 'Columns, keys and indexes of a table or view.',
      inputSchema: z.object({ table: nameSchema, schema: nameSchema.default('public') }),
      outputSchema: z.object({
        ...TABLE,
        columns: z.array(
          z.object({
            name: z.string(),
            type: z.string(),
            nullable: z.boolean(),
            default: z.string().nullable(),
            comment: z.string().nullable(),
          }),
        ),
        constraints: NAMED,
        indexes: NAMED,
      }),
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ table, schema }, { mcpReq }) =>
      resultOf(
        async () => {
          const found = await database.read(session => describeTable(session, schema, table), mcpReq.signal)
          const result = structuredResult(descriptionText(found), { ...found })
          const uri = tableUri(database.name, schema, table)
          const link = { type: /** @type {const} */ ('resource_link'), uri, name: `${schema}.${table}` }
          return { ...result, content: [...result.content, link] }
        },
        { secrets },
      ),
  )
}

/** @param {import('../catalog.js').Description} description */
function descriptionText({ schema, name, kind, comment, columns, constraints, indexes }) {
  const rows = columns.map(column => [
    column.name,
    column.type,
    column.nullable ? 'yes' : 'no',
    column.default ?? '',
    column.comment ?? '',
  ])
  const parts = [
    `${schema}.${name}: ${kind}${comment === null ? '' : `. ${comment}`}`,
    tableText(
      ['column', 'type', 'nullable', 'default', 'comment'].map(title => ({ name: title })),
      rows,
    ),
    ...listed(
      'Constraints',
      constraints.map(({ name: title, definition }) => `${title}: ${definition}`),
    ),
    ...listed(
      'Indexes',
      indexes.map(({ definition }) => definition),
    ),
  ]
  return parts.join('\n\n')
}

/**
 * @param {string} title
 * @param {readonly string[]} lines
 */
function listed(title, lines) {
  return lines.length === 0 ? [] : [[`${title}:`, ...lines.map(text => `- ${text}`)].join('\n')]
}
