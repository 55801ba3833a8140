/** PostgreSQL's own way to end a query: a second connection that names the first, with a key that only the first was told. */

import pg from 'pg'

const LIMIT = 2_000

/**
 * Resolves when the request was taken, which says nothing about whether the query has ended.
 * @param {import('pg').PoolClient} client the connection that runs the query
 * @returns {Promise<void>}
 */
export function cancelRequest(client) {
  // Both are there once it is connected, though the types do not know.
  const { processID, secretKey, host, port, ssl } = /** @type {any} */ (client)
  const connection = /** @type {any} */ (new pg.Connection({ ssl }))
  return new Promise(resolve => {
    const timer = setTimeout(() => connection.stream.destroy(), LIMIT)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    connection.on('error', () => connection.stream.destroy())
    connection.on('end', done)
    // Encrypted where the query's own connection is: the key ends queries of whoever has it.
    connection.on('connect', () => (ssl ? connection.requestSsl() : connection.cancel(processID, secretKey)))
    connection.on('sslconnect', () => connection.cancel(processID, secretKey))
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
    else connection.connect(port, host)
  })
}
