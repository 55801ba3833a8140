/** What goes wrong, in words that may be shown to who asked: no address, no name of a user, no password. */

import pg from 'pg'

/** The connection's role could do what read-only transactions do not prevent. */
export class UnsafeRole extends Error {
  /** @param {readonly string[]} powers */
  constructor(powers) {
    super(
      `The role in DATABASE_URL ${powers.join(', ')}. Nothing was run: a read-only transaction does not hold such a role. ` +
        'Give a role that may only read (README.md has the statements), or --allow-superuser for a database that may be lost.',
    )
  }
}

/** The answer was larger than this program takes. */
export class TooLarge extends Error {
  /** @param {number} limit */
  constructor(limit) {
    super(
      `A row, or what the statement returned at once, is larger than ${limit} bytes. Select fewer columns, or a part of them, such as left(column, 1000).`,
    )
  }
}

/** Somebody, or the time limit, ended it. */
export class Ended extends Error {}

/** It cannot be done, and whoever asked should know why. */
export class Refused extends Error {}

/**
 * A text for whoever asked.
 * @param {unknown} error
 * @param {{ sql?: string, prefix?: number, syntax?: string, secrets: readonly string[] }} about `prefix` is how many characters this program put
 *   before the statement, `syntax` what it takes
 * @returns {string}
 */
export function explainError(error, { sql, prefix = 0, syntax, secrets }) {
  const isSyntax = error instanceof pg.DatabaseError && error.code === '42601'
  const hint = isSyntax && syntax !== undefined ? `\nHint: ${syntax}` : ''
  return withoutSecrets(wordsFor(error, sql, prefix) + hint, secrets)
}

/**
 * @param {unknown} error
 * @param {string | undefined} sql
 * @param {number} prefix
 */
function wordsFor(error, sql, prefix) {
  if (error instanceof pg.DatabaseError) return databaseWords(error, sql, prefix)
  if (
    error instanceof UnsafeRole ||
    error instanceof TooLarge ||
    error instanceof Ended ||
    error instanceof Refused
  )
    return error.message
  if (error instanceof Error && error.message.startsWith('timeout exceeded when trying to connect'))
    return 'Everybody is asking at once: no connection to the database was free in time.'
  const code = /** @type {{ code?: unknown }} */ (error)?.code
  return `The database cannot be reached${typeof code === 'string' ? ` (${code})` : ''}.`
}

/**
 * @param {import('pg').DatabaseError} error
 * @param {string | undefined} sql
 * @param {number} prefix
 */
function databaseWords(error, sql, prefix) {
  // Classes 28 and 3D, and refusals of new connections, name users and databases.
  if (/^(28|3D|53300)/.test(error.code ?? '')) return `The database refused the connection (${error.code}).`
  const position = Number(error.position) - prefix
  const isInside = sql !== undefined && position > 0 && position <= sql.length + 1
  const where = isInside ? `, ${placeOf(sql, position)}` : ''
  const lines = [`${error.severity ?? 'ERROR'} ${error.code}: ${error.message}${where}`]
  if (error.detail) lines.push(`Detail: ${error.detail}`)
  if (error.hint) lines.push(`Hint: ${error.hint}`)
  return lines.join('\n')
}

/**
 * @param {string} sql
 * @param {number} position
 */
function placeOf(sql, position) {
  const before = Array.from(sql)
    .slice(0, position - 1)
    .join('')
  const line = before.split('\n').length
  const column = before.length - before.lastIndexOf('\n')
  return `at line ${line}, column ${column}`
}

/**
 * @param {string} text
 * @param {readonly string[]} secrets
 */
function withoutSecrets(text, secrets) {
  return secrets.reduce((result, secret) => result.replaceAll(secret, '***'), text)
}
