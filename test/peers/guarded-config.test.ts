import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { anyportServe, type RunningCommand, runAnyport } from '../fixtures/run-anyport.js'

const echo = [fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]

let folder = ''
let anyport: RunningCommand | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'guarded-config-'))
})
afterEach(async () => {
  await anyport?.stop()
  anyport = undefined
  rmSync(folder, { recursive: true, force: true })
})

async function call(url: string, method: string, params: object, headers: Record<string, string>) {
  const name = (params as { readonly name?: string }).name
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }),
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method,
      params: {
        ...params,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  })
  return { status: response.status, text: await response.text() }
}

test('a file alone says who may come in, what callers may do, and where it is on record; the command line wins', async () => {
  const made = runAnyport('keys', 'create', 'alice', '--file', join(folder, 'keys.json'))
  expect(await made.exited).toBe(0)
  const key = /anyport_[0-9a-f]+_[0-9a-f]+/.exec(made.stdout())?.[0] as string
  mkdirSync(join(folder, 'logs'))
  const config = join(folder, 'anyport.json')
  const server = { command: process.execPath, args: echo }
  writeFileSync(
    config,
    JSON.stringify({
      mcpServers: { one: { ...server, anyport: { rules: [{ allow: { tools: ['echo'] } }] } }, two: server },
      anyport: {
        keys: 'keys.json',
        rules: [{ allow: {}, principals: ['alice'] }, { deny: { servers: ['two'], tools: ['echo'] } }],
        rateLimit: 'tool:*echo=1/h,2',
        audit: 'logs/audit.jsonl',
        auditArguments: true,
        auditRedact: ['wor?s'],
        denyAddress: '192.0.2.0/24',
      },
    }),
  )
  const start = async (...more: string[]) => {
    anyport = anyportServe('--port', '0', '--config', config, ...more)
    return await anyport.address()
  }
  const url = await start()
  const alice = { 'x-api-key': key }
  expect((await call(url, 'tools/list', {}, {})).status).toBe(401)
  const listed = await call(url, 'tools/list', {}, alice)
  expect(listed.text).toContain('one__echo')
  expect(listed.text).toContain('two__')
  expect(listed.text).not.toContain('two__echo')
  expect(listed.text.match(/"name":"one__/g)?.length).toBe(1)
  const statuses = []
  for (let count = 0; count < 3; count++)
    statuses.push(
      (await call(url, 'tools/call', { name: 'one__echo', arguments: { words: 'planted' } }, alice)).status,
    )
  expect(statuses).toEqual([200, 200, 429])
  await anyport?.stop()
  const records = readFileSync(join(folder, 'logs', 'audit.jsonl'), 'utf8')
  expect(records).toContain('"principal":"alice"')
  expect(records).toContain('"refusedBy":"limits"')
  expect(records).not.toContain('planted')
  expect(records).not.toContain(key)

  const other = await start('--rate-limit', 'all=100/s', '--audit', join(folder, 'other.jsonl'))
  for (let count = 0; count < 3; count++)
    expect((await call(other, 'tools/call', { name: 'one__echo', arguments: {} }, alice)).status).toBe(200)
  expect((await call(other, 'tools/list', {}, {})).status).toBe(401)
  await anyport?.stop()
  anyport = undefined
  expect(readFileSync(join(folder, 'other.jsonl'), 'utf8')).not.toContain('"refusedBy":"limits"')
}, 60_000)

test('what is wrong is said with its line, all at once, and without values', async () => {
  const config = join(folder, 'anyport.json')
  writeFileSync(
    config,
    `{ "mcpServers": {}, "anyport": {
  "rateLimit": ["sometimes"],
  "authIntrospection": "https://user:planted@login.example.com/x",
  "tls": true } }`,
  )
  const run = runAnyport('serve', '--port', '0', '--config', config)
  expect(await run.exited).toBe(2)
  for (const place of ['2:17: anyport: rateLimit', '3:24: anyport: authIntrospection', '4:10: anyport: tls'])
    expect(run.stderr()).toContain(`${config}:${place}`)
  expect(run.stderr()).not.toContain('planted')

  writeFileSync(config, `{ "mcpServers": {}, "anyport": { "auditDurable": true } }`)
  const alone = runAnyport('serve', '--port', '0', '--config', config)
  expect([await alone.exited, alone.stderr()]).toEqual([2, expect.stringContaining('is for --audit')])
}, 60_000)
