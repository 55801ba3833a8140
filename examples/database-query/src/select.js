/** Reads what a statement selects, a piece at a time, and stops when there is enough. */

import { cell } from './cells.js'

/** `DECLARE ... CURSOR FOR` takes what selects and nothing else; PostgreSQL's own parser sees to it. */
export const CURSOR = 'DECLARE answer NO SCROLL CURSOR FOR '
/** Rows of one piece. */
const MOST_ROWS = 200

/**
 * @typedef {object} Selected
 * @property {{ name: string, type: string }[]} columns
 * @property {unknown[][]} rows
 * @property {'rows' | 'bytes' | null} truncated which limit left something out
 */

/**
 * @param {import('./database.js').Session} session
 * @param {{ sql: string, parameters: readonly unknown[], limit: number, maxBytes: number, onRows: (rows: number) => Promise<void> }} options
 * @returns {Promise<Selected>}
 */
export async function select(session, { sql, parameters, limit, maxBytes, onRows }) {
  await session.run(CURSOR + sql, parameters)
  /** @type {(string | null)[][]} */
  const rows = []
  let bytes = 0
  /** @type {Selected['truncated']} */
  let truncated = null
  // One row tells how large they are.
  let next = 1
  let answer
  do {
    answer = await session.run(`FETCH FORWARD ${next} FROM answer`)
    for (const row of answer.rows) {
      bytes += bytesOf(row)
      if (rows.length === limit) truncated = 'rows'
      else if (bytes > maxBytes) truncated = 'bytes'
      if (truncated !== null) break
      rows.push(row)
    }
    if (truncated !== null || answer.rows.length < next) break
    await onRows(rows.length)
    // One more than may be shown, to know whether there are more.
    next = Math.min(limit + 1 - rows.length, MOST_ROWS, fitting(maxBytes - bytes, bytes / rows.length))
  } while (next > 0)
  return {
    columns: await columnsOf(session, answer.fields),
    rows: rows.map(row => cells(row, answer.fields)),
    truncated,
  }
}

/**
 * How many rows of that size fit, and one more.
 * @param {number} bytes
 * @param {number} each
 */
function fitting(bytes, each) {
  return Math.floor(bytes / Math.max(each, 1)) + 1
}

/** @param {readonly (string | null)[]} row */
function bytesOf(row) {
  let bytes = 0
  for (const text of row) bytes += text === null ? 4 : Buffer.byteLength(text) + 1
  return bytes
}

/**
 * @param {readonly (string | null)[]} row
 * @param {readonly import('pg').FieldDef[]} fields
 */
export function cells(row, fields) {
  return row.map((text, index) => cell(text, fields[index]?.dataTypeID ?? 0))
}

/**
 * @param {import('./database.js').Session} session
 * @param {readonly import('pg').FieldDef[]} fields
 */
export async function columnsOf(session, fields) {
  if (fields.length === 0) return []
  const { rows } = await session.run(
    `SELECT pg_catalog.format_type(type, modifier)
     FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS f (type, modifier, place) ORDER BY place`,
    [fields.map(field => field.dataTypeID), fields.map(field => field.dataTypeModifier)],
  )
  return fields.map((field, index) => ({ name: field.name, type: rows[index]?.[0] ?? 'unknown' }))
}
