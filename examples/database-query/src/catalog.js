/** What there is in the database, as far as the role may see it. */

import { Refused } from './errors.js'

/** Entries of one list. */
export const MOST_TABLES = 1_000
const MOST_NAMES = 100

const KINDS = `CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
  WHEN 'p' THEN 'partitioned table' ELSE 'table' END`

/** Tables of people, that the role may read. */
const VISIBLE = `
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')`

/**
 * @typedef {{ schema: string, name: string, kind: string, rows: number | null, comment: string | null }} Table
 * @typedef {{ name: string, type: string, nullable: boolean, default: string | null, comment: string | null }} Column
 * @typedef {{ name: string, definition: string }} Named
 * @typedef {Table & { columns: Column[], constraints: Named[], indexes: Named[] }} Description
 * @typedef {import('./database.js').Session} Session
 */

/**
 * One more than `MOST_TABLES` where there are more.
 * @param {Session} session
 * @param {string | null} schema
 * @returns {Promise<Table[]>}
 */
export async function listTables(session, schema = null) {
  const { rows } = await session.run(
    `SELECT n.nspname, c.relname, ${KINDS}, CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'p', 'm') THEN c.reltuples END,
       pg_catalog.obj_description(c.oid, 'pg_class')
     ${VISIBLE} AND ($1::text IS NULL OR n.nspname = $1) ORDER BY 1, 2 LIMIT ${MOST_TABLES + 1}`,
    [schema],
  )
  return rows.map(tableOf)
}

/**
 * Throws `Refused` where there is none of that name.
 * @param {Session} session
 * @param {string} schema
 * @param {string} name
 * @returns {Promise<Description>}
 */
export async function describeTable(session, schema, name) {
  const found = await session.run(
    `SELECT n.nspname, c.relname, ${KINDS}, CASE WHEN c.reltuples >= 0 AND c.relkind IN ('r', 'p', 'm') THEN c.reltuples END,
       pg_catalog.obj_description(c.oid, 'pg_class'), c.oid
     ${VISIBLE} AND n.nspname = $1 AND c.relname = $2`,
    [schema, name],
  )
  const [row] = found.rows
  if (row === undefined)
    throw new Refused(`There is no table "${name}" in the schema "${schema}" that may be read here.`)
  const of = [row[5]]
  const columns = await session.run(
    `SELECT attname, pg_catalog.format_type(atttypid, atttypmod), NOT attnotnull,
       CASE WHEN attidentity <> '' THEN 'identity' ELSE pg_catalog.pg_get_expr(adbin, adrelid) END,
       pg_catalog.col_description(attrelid, attnum)
     FROM pg_catalog.pg_attribute LEFT JOIN pg_catalog.pg_attrdef ON adrelid = attrelid AND adnum = attnum
     WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped
       AND pg_catalog.has_column_privilege(attrelid, attnum, 'SELECT') ORDER BY attnum`,
    of,
  )
  // What is not null is said with the column.
  const constraints = await session.run(
    `SELECT conname, pg_catalog.pg_get_constraintdef(oid) FROM pg_catalog.pg_constraint
     WHERE conrelid = $1::oid AND contype IN ('p', 'u', 'f', 'c', 'x') ORDER BY contype DESC, conname`,
    of,
  )
  const indexes = await session.run(
    `SELECT relname, pg_catalog.pg_get_indexdef(indexrelid) FROM pg_catalog.pg_index
     JOIN pg_catalog.pg_class ON pg_class.oid = indexrelid WHERE indrelid = $1::oid ORDER BY relname`,
    of,
  )
  return {
    ...tableOf(row),
    columns: columns.rows.map(([column, type, nullable, value, comment]) => ({
      name: String(column),
      type: String(type),
      nullable: nullable === 't',
      default: value ?? null,
      comment: comment ?? null,
    })),
    constraints: constraints.rows.map(namedOf),
    indexes: indexes.rows.map(namedOf),
  }
}

/**
 * Names of schemas, or of the tables of one (or of all), that begin with what was typed.
 * @param {Session} session
 * @param {'schema' | 'table'} what
 * @param {string} typed
 * @param {string} [schema]
 */
export async function completeName(session, what, typed, schema) {
  const { rows } = await session.run(
    `SELECT DISTINCT ${what === 'schema' ? 'n.nspname' : 'c.relname'} AS name ${VISIBLE}
     AND ($2::text IS NULL OR n.nspname = $2)
     AND pg_catalog.starts_with(pg_catalog.lower(${what === 'schema' ? 'n.nspname' : 'c.relname'}), pg_catalog.lower($1))
     ORDER BY name LIMIT ${MOST_NAMES}`,
    [typed, schema ?? null],
  )
  return rows.map(([name]) => String(name))
}

/**
 * A text that changes with the tables that can be seen, and with anything about them.
 * @param {Session} session
 */
export async function fingerprint(session) {
  const { rows } = await session.run(
    `SELECT pg_catalog.md5(string_agg(detail, ',' ORDER BY detail))
     FROM (SELECT concat_ws(' ', c.oid, n.nspname, c.relname, c.relkind, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef,
         pg_catalog.obj_description(c.oid, 'pg_class'), pg_catalog.col_description(c.oid, a.attnum)) AS detail
       FROM (SELECT c.oid, c.relname, c.relkind, c.relnamespace ${VISIBLE}) AS c
       JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
       LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS details`,
  )
  return rows[0]?.[0] ?? ''
}

/** @param {(string | null)[]} row */
function tableOf([schema, name, kind, rows, comment]) {
  return {
    schema: String(schema),
    name: String(name),
    kind: String(kind),
    rows: rows === null || rows === undefined ? null : Number(rows),
    comment: comment ?? null,
  }
}

/** @param {(string | null)[]} row */
function namedOf([name, definition]) {
  return { name: String(name), definition: String(definition) }
}
