/**
 * Where a database comes from.
 *
 * @typedef {object} Source
 * @property {string} name what the database is called in addresses of resources
 * @property {import('pg').PoolConfig} config how to connect
 * @property {number} connections the most at the same time
 * @property {string} [readRole] who reads, where that is not who connects
 * @property {string} [writeRole] who writes, where that is not who connects
 * @property {boolean} keepsTime whether `statement_timeout` works there
 * @property {readonly string[]} secrets what no text that leaves this program may hold
 * @property {(client: import('pg').PoolClient) => Promise<void>} prepare looks at a new connection; throws where it must not be used
 * @property {(client: import('pg').PoolClient) => Promise<void>} cancel asks the database to end what the connection is doing
 * @property {() => Promise<void>} abandon the connection in use is given up, in whatever state
 * @property {() => Promise<void>} close
 */

export {}
