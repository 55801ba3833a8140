/** Reading: what the tools, resources and completions give, and that nothing escapes from reading. */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DATABASES, eventually, startServer } from './databases.js'

for (const { name, skip, start } of DATABASES) {
  describe(`${name}, reading`, { skip }, () => {
    /** @type {Awaited<ReturnType<typeof start>>} */
    let place
    /** @type {ReturnType<typeof startServer>} */
    let server
    /** @type {Awaited<ReturnType<ReturnType<typeof startServer>['connect']>>} */
    let client

    before(async () => {
      place = await start()
      server = startServer(place.sourceOf('app_reader'))
      client = await server.connect()
    })
    after(async () => {
      await server?.close()
      await place?.stop()
    })

    /** @type {(sql: string, more?: object, options?: object) => Promise<any>} */
    const query = (sql, more = {}, options = {}) => client.call('query', { sql, ...more }, options)
    /** @type {(sql: string, more?: object) => Promise<string>} */
    const refused = async (sql, more) => {
      const result = await query(sql, more)
      assert.equal(result.isError, true, `${sql} gave ${JSON.stringify(result.structuredContent)}`)
      return result.content[0].text
    }

    it('gives rows with columns and types', async () => {
      const result = await query(
        `SELECT id, name, price, tags, details, price > 10 AS dear, 9007199254740993 AS big, 1.5::float8 AS half, NULL AS none
         FROM products WHERE id = $1`,
        { parameters: [2] },
      )
      assert.deepEqual(result.structuredContent, {
        columns: [
          { name: 'id', type: 'integer' },
          { name: 'name', type: 'text' },
          { name: 'price', type: 'numeric(10,2)' },
          { name: 'tags', type: 'text[]' },
          { name: 'details', type: 'jsonb' },
          { name: 'dear', type: 'boolean' },
          { name: 'big', type: 'bigint' },
          { name: 'half', type: 'double precision' },
          { name: 'none', type: 'text' },
        ],
        rows: [
          [2, 'Fountain pen', '29.00', '{writing,gift}', { nib: 'F' }, true, '9007199254740993', 1.5, null],
        ],
        rowCount: 1,
        truncated: null,
      })
      assert.match(result.content[0].text, /^\| id \| name \|/)
      assert.match(result.content[0].text, /\| 2 \| Fountain pen \| 29\.00 \|/)
    })

    it('takes what selects in any form, with comments and a semicolon', async () => {
      for (const sql of [
        'VALUES (1)',
        'TABLE customers',
        'WITH a AS (SELECT 1 AS one) SELECT * FROM a;',
        '-- first\nSELECT 1 -- last',
        '(SELECT 1) UNION (SELECT 2)',
      ])
        assert.notEqual((await query(sql)).isError, true, sql)
      assert.deepEqual((await query('SELECT')).structuredContent.columns, [])
    })

    it('stops at the limit of rows, and says so', async () => {
      const some = await query('SELECT * FROM generate_series(1, 5000) AS n', { limit: 450 })
      assert.equal(some.structuredContent.rows.length, 450)
      assert.deepEqual(some.structuredContent.rows.at(-1), [450])
      assert.equal(some.structuredContent.truncated, 'rows')
      assert.match(some.content[0].text, /450 rows, and there are more/)
      const all = await query('SELECT * FROM generate_series(1, 450) AS n', { limit: 450 })
      assert.equal(all.structuredContent.truncated, null)
      await assert.rejects(
        query('SELECT 1', { limit: 1001 }).then(result => assert.notEqual(result.isError, true)),
      )
    })

    it('stops at the limit of bytes, however much there is', async () => {
      const result = await query("SELECT generate_series(1, 1000000000) AS n, repeat('x', 5000)", {
        limit: 1000,
      })
      assert.equal(result.structuredContent.truncated, 'bytes')
      assert.equal(result.structuredContent.rows.length, 19)
      const wide = await query("SELECT repeat('x', 200000)")
      assert.deepEqual(wide.structuredContent.rows, [])
      assert.equal(wide.structuredContent.truncated, 'bytes')
    })

    it('does not load a row that is larger than anything it would show', async () => {
      const before = process.memoryUsage().rss
      assert.match(await refused("SELECT repeat('x', 20000000)"), /larger than 1400000 bytes/)
      // In a thread of this process the embedded one has made all of it.
      if (place.postgres !== undefined) assert.ok(process.memoryUsage().rss - before < 100_000_000)
      assert.deepEqual((await query('SELECT 1')).structuredContent.rows, [[1]])
    })

    it('tells of progress while rows come', async () => {
      const onprogress = () => {}
      client.seen.progress.length = 0
      await query('SELECT * FROM generate_series(1, 1000)', { limit: 1000 }, { onprogress })
      assert.deepEqual(client.seen.progress, [1, 201, 401, 601, 801])
    })

    it('says what is wrong, and where', async () => {
      assert.equal(
        await refused('SELECT *\nFROM nowhere'),
        'ERROR 42P01: relation "nowhere" does not exist, at line 2, column 6',
      )
      assert.match(await refused('SELECT nme FROM customers'), /42703.*Hint: Perhaps/s)
    })

    it('runs one statement that selects, and nothing else', async () => {
      for (const sql of [
        'SELECT 1; DELETE FROM order_lines',
        'SELECT 1; COMMIT; DELETE FROM order_lines',
        'COMMIT',
        'ROLLBACK; DELETE FROM order_lines',
        'DELETE FROM order_lines',
        'WITH gone AS (DELETE FROM order_lines RETURNING 1) SELECT * FROM gone',
        'SELECT * INTO copy_of_orders FROM orders',
        'SELECT * FROM orders FOR UPDATE',
        'CREATE TABLE mine (id int)',
        'SET TRANSACTION READ WRITE',
        'SET ROLE postgres',
        'RESET ROLE',
        'PREPARE one AS SELECT 1',
        'DO $$ BEGIN DELETE FROM order_lines; END $$',
        'CALL something()',
        "COPY orders TO '/tmp/orders'",
        "COPY (SELECT 1) TO PROGRAM 'touch /tmp/there'",
        'EXPLAIN ANALYZE DELETE FROM order_lines',
        'VACUUM',
        'LISTEN something',
        "LOAD 'plpgsql'",
        'SHOW server_version',
      ])
        assert.match(await refused(sql), /^ERROR (42601|0A000|25006|42501|42P11)/, sql)
      const { structuredContent } = await query('SELECT count(*) FROM order_lines')
      assert.deepEqual(structuredContent.rows, [[520]])
    })

    it('lets no function write, change the role, read files or connect elsewhere', async () => {
      for (const sql of [
        "SELECT nextval('customers_id_seq')",
        "SELECT set_config('transaction_read_only', 'off', true), set_config('role', 'keeper', true)",
        "SELECT pg_catalog.set_config('session_authorization', 'postgres', false)",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/there')",
        "SELECT dblink('host=localhost', 'DELETE FROM order_lines')",
        'SELECT pg_reload_conf()',
        "SELECT query_to_xml('DELETE FROM order_lines', true, true, '')",
        'SELECT * FROM pg_authid',
      ])
        assert.match(await refused(sql), /^ERROR (42501|42883|25006)/, sql)
      // Before PostgreSQL 16 a read-only transaction may make large objects; they go with it.
      await query("SELECT lo_from_bytea(0, 'x')")
      assert.deepEqual((await query('SELECT count(*) FROM pg_largeobject_metadata')).structuredContent.rows, [
        [0],
      ])
    })

    it('leaves nothing behind in the session', async () => {
      await query('SELECT pg_advisory_lock(4711)')
      await query("SELECT pg_notify('channel', 'word')")
      const { structuredContent } = await query(
        `SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), current_setting('transaction_read_only'),
           (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_cursors WHERE name NOT IN ('', 'answer'))`,
      )
      assert.deepEqual(structuredContent.rows, [[0, 'on', 0, 0]])
    })

    it('ends what takes too long', async () => {
      const hasty = startServer(place.sourceOf('app_reader'), { timeout: 1_000 })
      const impatient = await hasty.connect()
      await impatient.call('query', { sql: 'SELECT 1' })
      for (const sql of ['SELECT pg_sleep(600)', 'SELECT count(*) FROM generate_series(1, 1000000000000)']) {
        const began = Date.now()
        const result = await impatient.call('query', { sql })
        assert.match(result.content[0].text, /statement timeout|took longer than 1 s/, sql)
        assert.ok(Date.now() - began < 10_000)
      }
      // Piece by piece, each of which is quick.
      const slowly = 'SELECT n, pg_sleep(0.02) FROM generate_series(1, 10000) AS n'
      assert.match(
        (await impatient.call('query', { sql: slowly, limit: 1000 })).content[0].text,
        /timeout|took longer/,
      )
      assert.deepEqual((await impatient.call('query', { sql: 'SELECT 1' })).structuredContent.rows, [[1]])
      await hasty.close()
    })

    it('cancels, in the database too', async () => {
      await query('SELECT 1')
      const controller = new AbortController()
      const sql = 'SELECT count(*) AS cancelled_one FROM generate_series(1, 1000000000000)'
      const call = query(sql, {}, { signal: controller.signal }).catch(error => error)
      const running = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE query LIKE '%answer%' AND state = 'active' AND usename = 'app_reader'`
      const isRunning = async () => (await place.postgres?.admin.query(running))?.rows[0].n > 0
      if (place.postgres === undefined) await new Promise(resolve => setTimeout(resolve, 500))
      else await eventually(isRunning, 'the query runs')
      const began = Date.now()
      controller.abort('enough')
      await call
      if (place.postgres !== undefined) {
        await eventually(async () => !(await isRunning()), 'the query has ended', 5_000)
        console.log(`# ended in the database ${Date.now() - began} ms after it was cancelled`)
      }
      assert.deepEqual((await query('SELECT 1')).structuredContent.rows, [[1]])
      console.log(`# the next answer came ${Date.now() - began} ms after it was cancelled`)
    })

    it('explains, and measures what selects only', async () => {
      const plan = await client.call('explain', {
        sql: 'SELECT * FROM orders WHERE customer_id = $1',
        parameters: [3],
      })
      assert.match(plan.content[0].text, /on orders/)
      assert.doesNotMatch(plan.content[0].text, /actual time/)
      const measured = await client.call('explain', { sql: 'SELECT count(*) FROM orders', analyze: true })
      assert.match(measured.content[0].text, /actual time.*rows=200/)
      for (const sql of [
        'DELETE FROM orders',
        'ANALYZE DELETE FROM orders',
        'SELECT 1; SELECT 2',
        '(ANALYZE) DELETE FROM orders',
      ])
        for (const analyze of [true, false])
          assert.equal((await client.call('explain', { sql, analyze })).isError, true, sql)
    })

    it('lists and describes tables', async () => {
      const { tables } = (await client.call('list_tables')).structuredContent
      assert.deepEqual(
        tables.map((/** @type {{ name: string }} */ table) => table.name),
        ['customers', 'order_lines', 'orders', 'products', 'revenue_by_country'],
      )
      assert.deepEqual(tables[0], {
        schema: 'public',
        name: 'customers',
        kind: 'table',
        rows: 6,
        comment: 'People who have an account',
      })
      assert.deepEqual(
        (await client.call('list_tables', { schema: 'pg_catalog' })).structuredContent.tables,
        [],
      )
      const described = await client.call('describe_table', { table: 'orders' })
      assert.deepEqual(described.structuredContent.columns[3], {
        name: 'status',
        type: 'text',
        nullable: false,
        default: "'open'::text",
        comment: null,
      })
      assert.match(JSON.stringify(described.structuredContent.constraints), /FOREIGN KEY \(customer_id\)/)
      assert.equal(described.content[1].uri, `postgres://${place.name}/public/orders/schema`)
      const none = await client.call('describe_table', { table: 'pg_authid', schema: 'pg_catalog' })
      assert.equal(none.isError, true)
    })

    it('shows tables as resources, and completes their names', async () => {
      const uri = `postgres://${place.name}/{schema}/{table}/schema`
      const { resources } = await client.resources()
      assert.equal(resources.length, 5)
      const { contents } = await client.read(resources[0].uri)
      assert.equal(JSON.parse(contents[0].text).columns[1].name, 'name')
      await assert.rejects(
        client.read(`postgres://${place.name}/public/nowhere/schema`),
        /no table "nowhere"/,
      )
      assert.equal((await client.templates()).resourceTemplates[0].uriTemplate, uri)
      /** @type {(name: string, value: string, more?: object) => Promise<any>} */
      const complete = async (variable, value, more) =>
        (
          await client.complete({
            ref: { type: 'ref/resource', uri },
            argument: { name: variable, value },
            ...more,
          })
        ).completion.values
      assert.deepEqual(await complete('schema', 'P'), ['public'])
      assert.deepEqual(await complete('table', 'ord', { context: { arguments: { schema: 'public' } } }), [
        'order_lines',
        'orders',
      ])
      assert.deepEqual(await complete('table', 'ord', { context: { arguments: { schema: 'other' } } }), [])
    })

    it('answers several at once', async () => {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) =>
          query('SELECT $1::int, pg_sleep(0.01)', { parameters: [index] }),
        ),
      )
      assert.deepEqual(
        answers.map(answer => answer.structuredContent.rows[0][0]),
        [...answers.keys()],
      )
    })
  })
}
