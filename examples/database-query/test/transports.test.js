/** The program on every transport, with clients of both SDKs and both eras. */

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { connectV1, connectV2 } from './clients.js'
import { command, runProgram, startProgram } from './program.js'

const elicit = () => ({ action: 'accept', content: { run: true } })

/** Everything that the program does, by one client. @param {Awaited<ReturnType<typeof connectV2>>} client */
async function session(client) {
  assert.match(client.instructions() ?? '', /database "shop"/)
  const names = (await client.tools()).tools.map((/** @type {{ name: string }} */ tool) => tool.name)
  assert.deepEqual(names, ['query', 'explain', 'list_tables', 'describe_table', 'execute'])

  const onprogress = () => {}
  client.seen.progress.length = 0
  const sql = 'SELECT n, n * 2 AS twice FROM generate_series(1, 300) AS n'
  const result = await client.call('query', { sql, limit: 300 }, { onprogress })
  assert.deepEqual(result.structuredContent.rows.at(-1), [300, 600])
  assert.deepEqual(client.seen.progress, [1, 201])

  const { resources } = await client.resources()
  const orders = resources.find(
    (/** @type {{ name: string }} */ resource) => resource.name === 'public.orders',
  )
  assert.equal(JSON.parse((await client.read(orders.uri)).contents[0].text).columns.length, 4)
  const completion = await client.complete({
    ref: { type: 'ref/resource', uri: 'postgres://shop/{schema}/{table}/schema' },
    argument: { name: 'table', value: 'cu' },
    context: { arguments: { schema: 'public' } },
  })
  assert.deepEqual(completion.completion.values, ['customers'])

  const insert = 'INSERT INTO products (name, price) VALUES ($1, 1) RETURNING name'
  const written = await client.call('execute', { sql: insert, parameters: ['Eraser'] })
  assert.deepEqual(written.structuredContent.rows, [['Eraser']])

  const controller = new AbortController()
  setTimeout(() => controller.abort(), 200)
  const endless = { sql: 'SELECT count(*) FROM generate_series(1, 1000000000000)' }
  await assert.rejects(client.call('query', endless, { signal: controller.signal }))
  const count = await client.call('query', { sql: "SELECT count(*) > 0 FROM products WHERE name = 'Eraser'" })
  assert.deepEqual(count.structuredContent.rows, [[true]])
  await client.close()
}

describe('stdio, started by the client', () => {
  const program = () => command(['--allow-writes'])
  it('SDK v1', async () => session(await connectV1(program(), { elicit })))
  it('SDK v2, 2026-07-28', async () => session(await connectV2(program(), 'modern', { elicit })))
  it('SDK v2, legacy', async () => session(await connectV2(program(), 'legacy', { elicit })))
})

describe('HTTP, one program for all', () => {
  /** @type {Awaited<ReturnType<typeof startProgram>>} */
  let program
  before(async () => {
    program = await startProgram(['--allow-writes'])
  })
  after(() => program?.stop())

  const http = () => ({ kind: /** @type {const} */ ('http'), url: program.url })
  it('SDK v1, Streamable HTTP', async () => session(await connectV1(http(), { elicit })))
  it('SDK v1, HTTP+SSE', async () =>
    session(await connectV1({ kind: 'sse', url: program.sseUrl }, { elicit })))
  it('SDK v2, Streamable HTTP, 2026-07-28', async () =>
    session(await connectV2(http(), 'modern', { elicit })))
  it('SDK v2, Streamable HTTP, legacy', async () => session(await connectV2(http(), 'legacy', { elicit })))
})

it('asks for an API key where there are some', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'database-query-test-'))
  const keys = join(folder, 'keys.json')
  const anyport = fileURLToPath(new URL('../node_modules/anyport/dist/bin/anyport.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [
    anyport,
    'keys',
    'create',
    'ann',
    '--file',
    keys,
  ])
  const key = /\S{40,}/.exec(stdout)?.[0] ?? ''
  const program = await startProgram(['--keys', keys])
  try {
    await assert.rejects(connectV2({ kind: 'http', url: program.url }, 'modern'), /401|nauthorized/)
    const headers = { Authorization: `Bearer ${key}` }
    const client = await connectV2({ kind: 'http', url: program.url, headers }, 'modern')
    assert.equal((await client.tools()).tools.length, 4)
    await client.close()
  } finally {
    await program.stop()
    rmSync(folder, { recursive: true })
  }
})

it('leaves no data behind', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'database-query-test-'))
  const program = await startProgram([], { TMPDIR: folder })
  const client = await connectV2({ kind: 'http', url: program.url }, 'modern')
  await client.call('query', { sql: 'SELECT 1' })
  assert.equal(readdirSync(folder).length, 1)
  await client.close()
  assert.equal(await program.stop(), 0)
  assert.deepEqual(readdirSync(folder), [])
  rmSync(folder, { recursive: true })
})

it('says what is wrong with an option, and what there are', async () => {
  for (const args of [['--timeout', 'soon'], ['--max-rows', '0'], ['--nonsense'], ['stray']]) {
    const { code, stdout, stderr } = await runProgram(args)
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.ok(stderr.includes(String(args[0])), stderr)
  }
  const { code, stdout } = await runProgram(['--help'])
  assert.equal(code, 0)
  assert.match(stdout, /--allow-writes/)
})
