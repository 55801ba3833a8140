/** One address for local files and a hosted database, for clients of both eras, while the database comes and goes. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, it } from 'node:test'
import { Client as V2Client, StreamableHTTPClientTransport as V2Http } from '@modelcontextprotocol/client'
import { Client as V1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as V1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { freePort, gatewayOnStdio, newKey, startDatabase, startGateway } from './processes.js'

const INFO = { name: 'test', version: '1.0.0' }
const LIMIT = { timeout: 60_000 }
const AGREED = { action: /** @type {const} */ ('accept'), content: { run: true } }

/** How the local server of mcp.json reads a file. */
const READ = 'files__read_lines'
const fileText = (/** @type {any} */ client, /** @type {string} */ path) => textOf(client, READ, { path })

const folder = mkdtempSync(join(tmpdir(), 'hybrid-test-'))
const keys = join(folder, 'keys.json')
/** @type {Awaited<ReturnType<typeof startDatabase>>} */
let database
/** @type {Awaited<ReturnType<typeof startGateway>>} */
let gateway
/** @type {Record<string, string>} */
let shop = {}
let port = 0
let key = ''

before(async () => {
  port = await freePort()
  key = await newKey(keys)
  database = await startDatabase(keys, port)
  shop = { SHOP_URL: `http://127.0.0.1:${port}/mcp`, SHOP_KEY: key }
  gateway = await startGateway(shop)
})
after(async () => {
  await gateway?.stop()
  await database?.stop()
  rmSync(folder, { recursive: true })
})

/** @type {{ close(): Promise<void> }[]} */
const clients = []
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close()
})

/** @typedef {{ name: string, connect: () => Promise<any> }} Kind */
/** @type {Kind[]} */
const KINDS = [
  { name: 'SDK v1, stdio', connect: () => v1(new StdioClientTransport(gatewayOnStdio(shop))) },
  { name: 'SDK v1, Streamable HTTP', connect: () => v1(new V1Http(new URL(gateway.url))) },
  { name: 'SDK v1, HTTP+SSE', connect: () => v1(new SSEClientTransport(new URL('/sse', gateway.url))) },
  { name: 'SDK v2, 2026-07-28', connect: v2 },
]

for (const { name, connect } of KINDS)
  it(`local and hosted tools at one address: ${name}`, async () => {
    const client = await connect()
    const tools = await toolsOf(client)
    assert.ok(tools.includes(READ))
    assert.ok(tools.includes('shop__query'))
    assert.ok(tools.includes('files__search_text'))

    assert.match(await fileText(client, 'refunds.md'), /within 30 days/)
    const sql = "SELECT count(*) AS returned FROM orders WHERE status = 'returned'"
    assert.match(await textOf(client, 'shop__query', { sql }), /\| 33 \|/)
    const write = { sql: 'UPDATE products SET price = price WHERE id = $1', parameters: [1] }
    assert.equal(await textOf(client, 'shop__execute', write), 'UPDATE: 1 row')

    const { resources } = await client.listResources()
    const orders = resources.find((/** @type {{ uri: string }} */ { uri }) =>
      uri.endsWith('/public/orders/schema'),
    )
    assert.match((await client.readResource({ uri: orders.uri })).contents[0].text, /"customer_id"/)
  })

it('is what README.md shows', () => {
  const [readme, file] = ['README.md', 'mcp.json'].map(name =>
    readFileSync(new URL(`../${name}`, import.meta.url), 'utf8'),
  )
  const [, shown] = /```json\n(.*?)\n```/s.exec(readme ?? '') ?? []
  assert.deepEqual(JSON.parse(shown ?? ''), JSON.parse(file ?? ''))
})

it('keeps the key to itself', async () => {
  const answer = await fetch(database.url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  })
  assert.equal(answer.status, 401)
  assert.equal(gateway.said().includes(key), false)
  assert.equal(database.said().includes(key), false)
})

it('keeps the local tools while the database is away, and has all again when it is back', async () => {
  const connected = await Promise.all(KINDS.map(({ connect }) => connect()))
  for (const client of connected) assert.ok((await toolsOf(client)).includes('shop__query'))
  await database.stop()
  for (const client of connected) {
    assert.match(await fileText(client, 'shipping.md'), /three days/)
    assert.ok((await toolsOf(client)).includes(READ))
  }
  const failures = await Promise.all(
    connected.map(client => failureOf(client, 'shop__query', { sql: 'SELECT 1' })),
  )
  for (const failure of failures) assert.match(failure, /Cannot reach/)
  // Who comes now gets the local tools as well.
  for (const { connect } of KINDS) assert.match(await fileText(await connect(), 'shipping.md'), /three days/)

  database = await startDatabase(keys, port)
  for (const client of connected)
    await eventually(async () => /\| 1 \|/.test(await textOf(client, 'shop__query', { sql: 'SELECT 1' })))
})

/** @param {any} transport */
async function v1(transport) {
  const client = new V1Client(INFO, { capabilities: { elicitation: {} } })
  client.setRequestHandler(ElicitRequestSchema, () => AGREED)
  clients.push(client)
  await client.connect(transport)
  return client
}

async function v2() {
  const client = new V2Client(INFO, {
    capabilities: { elicitation: { form: {} } },
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  })
  client.setRequestHandler('elicitation/create', () => AGREED)
  clients.push(client)
  await client.connect(new V2Http(new URL(gateway.url)))
  return client
}

/** @param {any} client @returns {Promise<string[]>} */
async function toolsOf(client) {
  return (await client.listTools()).tools.map((/** @type {{ name: string }} */ { name }) => name)
}

/**
 * @param {any} client
 * @param {string} name
 * @param {object} parameters
 * @returns {Promise<string>}
 */
async function textOf(client, name, parameters) {
  const result = await client.callTool({ name, arguments: parameters }, ...limitFor(client))
  return result.content[0].text
}

/**
 * @param {any} client
 * @param {string} name
 * @param {object} parameters
 */
async function failureOf(client, name, parameters) {
  try {
    const result = await client.callTool({ name, arguments: parameters }, ...limitFor(client))
    return result.isError ? String(result.content[0].text) : 'an answer'
  } catch (error) {
    return String(error)
  }
}

/** SDK v1 takes a schema before its options. @param {any} client */
function limitFor(client) {
  return client instanceof V1Client ? [undefined, LIMIT] : [LIMIT]
}

/** @param {() => Promise<boolean>} holds */
async function eventually(holds) {
  for (const until = Date.now() + 30_000; ; ) {
    const value = await holds().catch(error => error)
    if (value === true) return
    if (Date.now() > until) throw new Error('The database did not come back', { cause: value })
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}
