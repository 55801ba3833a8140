/** Writing: only after a person has seen the statement and agreed, all or nothing, and once. */

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { DATABASES, eventually, startServer } from './databases.js'

const AGREED = { action: 'accept', content: { run: true } }

for (const { name, skip, start } of DATABASES) {
  describe(`${name}, writing`, { skip }, () => {
    /** @type {Awaited<ReturnType<typeof start>>} */
    let place
    /** @type {ReturnType<typeof startServer>} */
    let server
    /** @type {Awaited<ReturnType<ReturnType<typeof startServer>['connect']>>} */
    let client
    /** @type {any[]} */
    let questions = []
    /** @type {(params: any) => any} */
    let answer = () => AGREED

    const elicit = (/** @type {any} */ params) => {
      questions.push(params)
      return answer(params)
    }
    /** @type {(sql: string, parameters?: unknown[], options?: object) => Promise<any>} */
    const execute = (sql, parameters = [], options = {}) =>
      client.call('execute', { sql, parameters }, options)
    const count = async (/** @type {string} */ from) =>
      (await client.call('query', { sql: `SELECT count(*) FROM ${from}` })).structuredContent?.rows[0][0]

    before(async () => {
      place = await start()
      server = startServer(place.sourceOf('app_writer'), { allowWrites: true })
      client = await server.connect('modern', { elicit })
    })
    after(async () => {
      await server?.close()
      await place?.stop()
    })

    it('is not offered unless it is allowed', async () => {
      const reading = startServer(place.sourceOf('app_reader'))
      const reader = await reading.connect('modern', { elicit })
      const { tools } = await reader.tools()
      assert.equal(
        tools.some((/** @type {{ name: string }} */ tool) => tool.name === 'execute'),
        false,
      )
      await reading.close()
    })

    for (const era of /** @type {const} */ (['modern', 'legacy']))
      it(`asks with the statement, its values and an estimate, ${era}`, async () => {
        const asked = await server.connect(era, { elicit })
        questions = []
        const sql = 'UPDATE products SET price = price + $1 WHERE id <= 2 RETURNING id'
        const result = await asked.call('execute', { sql, parameters: [1] })
        assert.equal(questions.length, 1)
        assert.match(questions[0].message, new RegExp(`on the database "${place.name}"`))
        assert.ok(questions[0].message.includes(sql))
        assert.ok(questions[0].message.includes('$1 = 1'))
        assert.match(questions[0].message, /estimates [1-5] rows? \(Update on "products"\)/)
        assert.deepEqual(result.structuredContent, {
          written: true,
          command: 'UPDATE',
          rowCount: 2,
          columns: [{ name: 'id', type: 'integer' }],
          rows: [[1], [2]],
        })
      })

    it('writes nothing when the answer is not yes', async () => {
      for (const no of [
        { action: 'decline' },
        { action: 'cancel' },
        { action: 'accept', content: { run: false } },
      ]) {
        answer = () => no
        const result = await execute('DELETE FROM order_lines')
        assert.deepEqual(result.structuredContent, { written: false }, JSON.stringify(no))
      }
      answer = () => AGREED
      assert.equal(await count('order_lines'), 520)
    })

    for (const era of /** @type {const} */ (['modern', 'legacy']))
      it(`writes nothing for a client that cannot ask, ${era}`, async () => {
        const mute = await server.connect(era)
        const result = await mute.call('execute', { sql: 'DELETE FROM order_lines' })
        assert.equal(result.isError, true)
        assert.match(result.content[0].text, /Nothing was written: this client cannot ask/)
        assert.equal(await count('order_lines'), 520)
      })

    it('asks nothing where the statement is wrong anyway', async () => {
      questions = []
      for (const sql of [
        'DELETE FROM nowhere',
        'UPDATE products SET',
        'DELETE FROM orders; DELETE FROM customers',
      ])
        assert.equal((await execute(sql)).isError, true, sql)
      const long = await execute(`INSERT INTO products (name, price) VALUES ('${'x'.repeat(5_000)}', 1)`)
      assert.match(long.content[0].text, /longer than what a person can be asked to read/)
      assert.deepEqual(questions, [])
    })

    it('shows what would hide', async () => {
      questions = []
      answer = () => ({ action: 'decline' })
      await execute("DELETE FROM customers WHERE name = 'a\u202ename\u200b'")
      answer = () => AGREED
      assert.match(questions[0].message, /'a\\u\{202e\}name\\u\{200b\}'/)
    })

    it('writes all or nothing, and one statement', async () => {
      const wrong = await execute("INSERT INTO products (name, price) VALUES ('one', 1), ('two', -1)")
      assert.match(wrong.content[0].text, /^ERROR 23514/)
      assert.equal(await count('products'), 5)
      const two = await execute('CREATE TABLE one (id int); CREATE TABLE two (id int)')
      assert.match(two.content[0].text, /multiple commands/)
      for (const sql of ['COMMIT', 'ROLLBACK', 'PREPARE TRANSACTION $$one$$'])
        assert.equal((await execute(sql)).isError, true, sql)
      const broken = await execute('COPY products FROM STDIN')
      assert.equal(broken.isError, true)
    })

    it('takes back what was cancelled', async () => {
      const controller = new AbortController()
      answer = () => {
        setTimeout(() => controller.abort(), 300)
        return AGREED
      }
      const sql = "INSERT INTO products (name, price) SELECT 'many', 1 FROM generate_series(1, 100000000)"
      await assert.rejects(execute(sql, [], { signal: controller.signal }))
      answer = () => AGREED
      assert.equal(await count('products'), 5)
      assert.equal(
        (await execute("INSERT INTO products (name, price) VALUES ('one', 1)")).structuredContent.rowCount,
        1,
      )
      assert.equal(await count('products'), 6)
    })

    it('takes consent for the statement that was shown, and once', async () => {
      const mutable = /** @type {any} */ ({
        sql: "INSERT INTO products (name, price) VALUES ('shown', 1)",
        parameters: [],
      })
      /** @type {any} */
      let retried
      const tapped = await server.connect('modern', { elicit: () => AGREED }, transport => {
        const send = transport.send.bind(transport)
        transport.send = (/** @type {any} */ message, /** @type {any} */ options) => {
          if (message.params?.inputResponses !== undefined) {
            retried ??= structuredClone(message.params)
            if (mutable.other !== undefined)
              message.params.arguments = { ...message.params.arguments, sql: mutable.other }
          }
          return send(message, options)
        }
      })
      assert.equal((await tapped.call('execute', mutable)).structuredContent.written, true)
      const before = await count('products')
      const again = await tapped.raw('tools/call', retried)
      assert.match(again.content[0].text, /used before/)
      mutable.other = 'DELETE FROM order_lines'
      const swapped = await tapped.call('execute', { sql: mutable.sql })
      assert.match(swapped.content[0].text, /consent was given to another statement/)
      assert.equal(await count('products'), before)
      assert.equal(await count('order_lines'), 520)
    })

    for (const era of /** @type {const} */ (['modern', 'legacy']))
      it(`tells that tables have changed, ${era}`, async () => {
        const listener = await server.connect(era, { elicit })
        await server.watch.look()
        const { listChanges } = listener.seen
        await execute(`CREATE TABLE fresh_${era} (id int)`)
        await eventually(() => listener.seen.listChanges > listChanges, 'the list has changed')
        const { resources } = await listener.resources()
        assert.ok(
          resources.some(
            (/** @type {{ name: string }} */ { name: table }) => table === `public.fresh_${era}`,
          ),
        )
        await execute(`DROP TABLE fresh_${era}`)
      })

    it('notices what others change', {
      skip: name === 'embedded' ? 'there are no others' : undefined,
    }, async () => {
      const watching = startServer(place.sourceOf('app_reader'), { schemaInterval: 100 })
      const listener = await watching.connect()
      await watching.watch.look()
      await place.postgres?.admin.query('SET ROLE keeper; CREATE TABLE theirs (id int); RESET ROLE')
      await eventually(() => listener.seen.listChanges > 0, 'the list has changed')
      await watching.close()
    })
  })
}
