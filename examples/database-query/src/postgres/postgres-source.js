/** A PostgreSQL elsewhere, by DATABASE_URL. */

import pg from 'pg'
import { cancelRequest } from './cancel-request.js'
import { checkRole } from './check-role.js'

/** Milliseconds to wait for a connection: a new one, or one that others use. */
const CONNECT_LIMIT = 10_000

/**
 * `url` is `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=...`; what it leaves out comes from PGHOST, PGUSER, PGPASSWORD and so on, as with
 * psql. Throws `TypeError`, which does not repeat it, where it is none.
 * @param {string} url
 * @param {{ allowSuperuser: boolean, warn: (text: string) => void }} options
 * @returns {import('../source.js').Source}
 */
export function postgresSource(url, { allowSuperuser, warn }) {
  // Not connected: it knows what the defaults are.
  const { database = 'postgres', password } = clientOf(url)
  const warned = new Set()
  return {
    name: database,
    config: {
      connectionString: url,
      connectionTimeoutMillis: CONNECT_LIMIT,
      application_name: 'database-query',
      keepAlive: true,
    },
    connections: 4,
    keepsTime: true,
    secrets: [url, ...(password ? [password, encodeURIComponent(password)] : [])].filter(isSecret),
    async prepare(client) {
      for (const warning of await checkRole(client, { allowSuperuser })) {
        if (!warned.has(warning)) warn(warning)
        warned.add(warning)
      }
    },
    cancel: cancelRequest,
    async abandon() {},
    async close() {},
  }
}

/** @param {string} url */
function clientOf(url) {
  if (!/^postgres(ql)?:\/\//.test(url)) throw notAnAddress()
  try {
    return new pg.Client({ connectionString: url })
  } catch {
    // What it says may hold the password.
    throw notAnAddress()
  }
}

function notAnAddress() {
  return new TypeError('DATABASE_URL: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE')
}

/** One of three letters hides nothing, and would garble every text. */
function isSecret(/** @type {string} */ text) {
  return text.length > 3
}
