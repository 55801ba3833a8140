/** What the command line and the environment say. */

import { parseArgs } from 'node:util'

export const HELP = `database-query [options]

An MCP server that queries PostgreSQL. Without DATABASE_URL it queries a small shop in a PostgreSQL of its own.

  --allow-writes              offer "execute", which writes after the user has agreed
  --max-rows NUMBER           rows of one answer at most (1000)
  --max-bytes NUMBER          bytes of one answer at most (262144)
  --timeout SECONDS           time that a statement may take (30)
  --schema-interval SECONDS   how often to look whether tables have changed, 0 for never (10)
  --keys FILE                 over HTTP, ask for an API key of this file ("anyport keys create NAME --file FILE" makes one)
  --allow-superuser           use a role that read-only transactions do not hold
  --help                      this text

  DATABASE_URL   postgres://USER:PASSWORD@HOST:PORT/DATABASE
  TRANSPORT      stdio, http, sse, or a comma list; stdio where a client has started it, else http
  PORT, HOST     for HTTP; 3000 and 127.0.0.1
`

/**
 * Throws `TypeError` for what cannot work, naming it.
 * @param {readonly string[]} words
 */
export function readOptions(words) {
  const { values } = parse(words)
  return {
    help: values.help === true,
    allowWrites: values['allow-writes'] === true,
    allowSuperuser: values['allow-superuser'] === true,
    keys: values.keys,
    maxRows: number('--max-rows', values['max-rows'], 1_000, { least: 1, most: 100_000 }),
    maxBytes: number('--max-bytes', values['max-bytes'], 262_144, { least: 1_000, most: 100_000_000 }),
    timeout: 1000 * number('--timeout', values.timeout, 30, { least: 0.1, most: 3_600 }),
    schemaInterval:
      1000 * number('--schema-interval', values['schema-interval'], 10, { least: 0, most: 86_400 }),
  }
}

/** @param {readonly string[]} words */
function parse(words) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        'allow-writes': { type: 'boolean' },
        'allow-superuser': { type: 'boolean' },
        'max-rows': { type: 'string' },
        'max-bytes': { type: 'string' },
        timeout: { type: 'string' },
        'schema-interval': { type: 'string' },
        keys: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new TypeError(error instanceof Error ? error.message : String(error))
  }
}

/**
 * @param {string} name
 * @param {string | undefined} text
 * @param {number} otherwise
 * @param {{ least: number, most: number }} range
 */
function number(name, text, otherwise, { least, most }) {
  if (text === undefined) return otherwise
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= least && value <= most) return value
  throw new TypeError(`${name}: expected a number from ${least} to ${most}, got "${text}"`)
}
