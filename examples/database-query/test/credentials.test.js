/** Roles that must not be used, credentials that must not be seen, and connections that end in other ways. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { postgresSource } from '../src/postgres/postgres-source.js'
import { connectV1, connectV2 } from './clients.js'
import { eventually, startServer } from './databases.js'
import { postgresPrograms, startPostgres } from './postgres-server.js'
import { runProgram, startProgram } from './program.js'

const programs = postgresPrograms()
/** @type {{ allowSuperuser: boolean, warn: (text: string) => void }} */
const NO_WARNING = { allowSuperuser: false, warn: () => {} }

describe('with DATABASE_URL', {
  skip: programs === undefined ? 'there is no PostgreSQL on this system' : undefined,
}, () => {
  /** @type {Awaited<ReturnType<typeof startPostgres>>} */
  let postgres
  before(async () => {
    postgres = await startPostgres(/** @type {string} */ (programs))
  })
  after(() => postgres?.stop())

  /** What a query gives with that address. @param {string} url @param {typeof NO_WARNING} [options] */
  const answerOf = async (url, options = NO_WARNING, sql = 'SELECT 1') => {
    const server = startServer(postgresSource(url, options))
    try {
      const client = await server.connect()
      return (await client.call('query', { sql })).content[0].text
    } finally {
      await server.close()
    }
  }

  it('refuses a superuser, and roles with other powers', async () => {
    assert.match(
      await answerOf(postgres.urlOf('postgres')),
      /^The role in DATABASE_URL is a superuser.*Nothing was run/,
    )
    await postgres.admin.query('GRANT pg_read_server_files, pg_signal_backend TO app_writer')
    assert.match(
      await answerOf(postgres.urlOf('app_writer')),
      /a member of pg_read_server_files, is a member of pg_signal_backend/,
    )
    await postgres.admin.query('REVOKE pg_read_server_files, pg_signal_backend FROM app_writer')
    await postgres.admin.query('ALTER ROLE app_writer REPLICATION')
    assert.match(await answerOf(postgres.urlOf('app_writer')), /may replicate/)
    await postgres.admin.query('ALTER ROLE app_writer NOREPLICATION')
    assert.match(await answerOf(postgres.urlOf('app_writer')), /1 row$/)
  })

  it('takes a superuser where that is wanted, and even then only reads', async () => {
    /** @type {string[]} */
    const warnings = []
    const options = { allowSuperuser: true, warn: (/** @type {string} */ text) => void warnings.push(text) }
    assert.match(await answerOf(postgres.urlOf('postgres'), options), /1 row$/)
    assert.match(warnings.join('\n'), /is a superuser: read-only transactions do not hold it/)
    for (const sql of [
      "COPY (SELECT 1) TO PROGRAM 'true'",
      'DELETE FROM order_lines',
      "SELECT nextval('customers_id_seq')",
    ])
      assert.match(await answerOf(postgres.urlOf('postgres'), options, sql), /^ERROR (42601|25006)/, sql)
  })

  it('warns of what anybody may do unless it is forbidden', async () => {
    /** @type {string[]} */
    const warnings = []
    const warn = (/** @type {string} */ text) => void warnings.push(text)
    await answerOf(postgres.urlOf('app_reader'), { allowSuperuser: false, warn })
    assert.match(warnings.join('\n'), /end sessions of the same role \(pg_terminate_backend/)
  })

  it('shows no credential in what it says', async () => {
    const wrong = postgres.urlOf('app_reader').replace(postgres.password, 'mistaken-password')
    const nobody = postgres.urlOf('nobody_known')
    const nowhere = `postgres://app_reader:${postgres.password}@127.0.0.1:1/postgres`
    const other = postgres.urlOf('app_reader').replace(/postgres$/, 'elsewhere_db')
    const words = /correct-horse|mistaken|app_reader|nobody_known|127\.0\.0\.1|elsewhere_db/
    for (const url of [wrong, nobody, nowhere, other]) {
      const text = await answerOf(url)
      assert.match(text, /^The database (refused the connection|cannot be reached)/)
      assert.doesNotMatch(text, words)
    }
    const echoed = await answerOf(
      postgres.urlOf('app_reader'),
      NO_WARNING,
      `SELECT '${postgres.password}'::int`,
    )
    assert.match(echoed, /invalid input syntax for type integer: "\*\*\*"/)
    const program = await runProgram([], { DATABASE_URL: 'postgres://app_reader:correct-horse@[bad/host' })
    assert.equal(program.code, 1)
    assert.doesNotMatch(program.stderr, words)
    assert.match(program.stderr, /DATABASE_URL: expected postgres:\/\//)
  })

  it('cancels over TLS', async () => {
    const server = startServer(
      postgresSource(`${postgres.urlOf('app_reader')}?sslmode=no-verify`, NO_WARNING),
    )
    const client = await server.connect()
    const encrypted = await client.call('query', {
      sql: 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    })
    assert.deepEqual(encrypted.structuredContent.rows, [[true]])
    const controller = new AbortController()
    const call = client
      .call('query', { sql: 'SELECT pg_sleep(600)' }, { signal: controller.signal })
      .catch(error => error)
    await eventually(isSleeping, 'it sleeps')
    controller.abort()
    await call
    await eventually(async () => !(await isSleeping()), 'it has ended', 5_000)
    await server.close()
  })

  it('ends what runs when the program is killed', async () => {
    const program = await startProgram([], { DATABASE_URL: postgres.urlOf('app_reader') })
    const client = await connectV2({ kind: 'http', url: program.url }, 'modern')
    const call = client.call('query', { sql: 'SELECT pg_sleep(600)' }).catch(error => error)
    await eventually(isSleeping, 'it sleeps')
    await program.stop('SIGKILL')
    await eventually(async () => !(await isSleeping()), 'it has ended', 5_000)
    await call
    await client.close()
  })

  it('ends what runs when the client leaves', async () => {
    const program = await startProgram([], { DATABASE_URL: postgres.urlOf('app_reader') })
    for (const connect of [
      () => connectV2({ kind: 'http', url: program.url }, 'modern'),
      () => connectV1({ kind: 'sse', url: program.sseUrl }),
    ]) {
      const client = await connect()
      const call = client.call('query', { sql: 'SELECT pg_sleep(600)' }).catch(error => error)
      await eventually(isSleeping, 'it sleeps')
      await client.close()
      await eventually(async () => !(await isSleeping()), 'it has ended')
      await call
    }
    await program.stop()
  })

  it('goes on when the database was away', async () => {
    const server = startServer(postgresSource(postgres.urlOf('app_reader'), NO_WARNING))
    const client = await server.connect()
    const call = client.call('query', { sql: 'SELECT pg_sleep(600)' })
    await eventually(isSleeping, 'it sleeps')
    const terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app_reader'"
    await postgres.admin.query(terminate)
    assert.match((await call).content[0].text, /terminating connection|cannot be reached/)
    assert.deepEqual((await client.call('query', { sql: 'SELECT 1' })).structuredContent.rows, [[1]])
    // All four, while nobody uses them: whoever comes next must not notice.
    const sleep = () => client.call('query', { sql: 'SELECT pg_sleep(0.3)' })
    await Promise.all([sleep(), sleep(), sleep(), sleep()])
    await postgres.admin.query(terminate)
    assert.deepEqual((await client.call('query', { sql: 'SELECT 1' })).structuredContent.rows, [[1]])
    await server.close()
  })

  it('has nothing to warn of where README.md was followed', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
    const [, statements = ''] = /```sql\n(.*?)\n```/s.exec(readme) ?? []
    // The shop has roles of that name, and the shop's own.
    await postgres.admin.query(
      statements.replaceAll('reader', 'readme_reader').replace("'...'", `'${postgres.password}'`),
    )
    /** @type {string[]} */
    const warnings = []
    const warn = (/** @type {string} */ text) => void warnings.push(text)
    const url = postgres.urlOf('readme_reader')
    assert.match(
      await answerOf(url, { allowSuperuser: false, warn }, 'SELECT count(*) FROM orders'),
      /\| 200 \|/,
    )
    assert.deepEqual(warnings, [])
  })

  async function isSleeping() {
    const sql =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app_reader' AND wait_event = 'PgSleep'"
    return (await postgres.admin.query(sql)).rows[0].n > 0
  }
})
