/** Statements that write: what they are expected to do, and doing it. */

import pg from 'pg'
import { cells, columnsOf } from './select.js'

/** PostgreSQL plans these, so that it can say beforehand how many rows it expects. */
const PLANNED = /^\s*(insert|update|delete|merge|with|select|values|table)\b/i
const SYNTAX_ERROR = '42601'
const EXPLAIN = 'EXPLAIN (FORMAT JSON) '

/**
 * @typedef {import('./database.js').Session} Session
 * @typedef {{ operation: string, table: string | undefined, rows: number }} Estimate
 * @typedef {{ 'Node Type': string, Operation?: string, 'Relation Name'?: string, 'Plan Rows': number, Plans?: Plan[] }} Plan
 */

/**
 * What PostgreSQL expects of a statement, without running it; undefined for what it does not plan, such as CREATE TABLE. Throws what would be
 * wrong with the statement anyway.
 * @param {Session} session
 * @param {string} sql
 * @param {readonly unknown[]} parameters
 * @returns {Promise<Estimate | undefined>}
 */
export async function estimate(session, sql, parameters) {
  try {
    const { rows } = await session.run(EXPLAIN + sql, parameters)
    /** @type {[{ Plan: Plan }]} */
    const [{ Plan: plan }] = JSON.parse(rows[0]?.[0] ?? '')
    return estimateOf(plan)
  } catch (error) {
    if (error instanceof pg.DatabaseError && error.code === SYNTAX_ERROR && !PLANNED.test(sql))
      return undefined
    throw error
  }
}

/** How many characters stand before the statement when it is estimated. */
export const ESTIMATE_PREFIX = EXPLAIN.length

/**
 * Runs it. What it returns is shown up to the limit; it has all been done nevertheless.
 * @param {Session} session
 * @param {{ sql: string, parameters: readonly unknown[], limit: number }} options
 */
export async function write(session, { sql, parameters, limit }) {
  const { fields, rows, command, count } = await session.run(sql, parameters)
  return {
    command,
    count,
    columns: await columnsOf(session, fields),
    rows: rows.slice(0, limit).map(row => cells(row, fields)),
    truncated: rows.length > limit,
  }
}

/** @param {Plan} plan */
function estimateOf(plan) {
  const table = plan['Relation Name']
  const source = plan.Plans?.[0]
  // What is modified is what the plan below finds; the node itself counts what it returns.
  const rows = plan['Node Type'] === 'ModifyTable' ? (source?.['Plan Rows'] ?? 0) : plan['Plan Rows']
  return { operation: plan.Operation ?? plan['Node Type'], table, rows }
}
