import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const installed = (path: string) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url))
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url))
const NPM = '@modelcontextprotocol/server-'
// biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the file
const env = { MCP_TEST_MARK: '${MCP_TEST_MARK}' }
const node = (...args: string[]) => ({ command: process.execPath, args, env })

/** As Claude Code and others have it, with comments; one server is remote. */
const text = (remote: string, more: object = {}) => `{
  // Written by hand.
  "mcpServers": ${JSON.stringify({
    everything: node(installed(`${NPM}everything/dist/index.js`), 'stdio'),
    own: { ...node(fixture('echo-server'), '--era', 'modern'), anyport: { deny: ['crash'] } },
    remote: { type: 'http', url: remote },
    off: { command: 'does-not-exist', disabled: true },
    ...more,
  })}
}`

let folder: string
let file: string
let far: Anyport
let anyport: Anyport

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-serve-config-'))
  file = join(folder, 'mcp.json')
  far = await startAnyport([process.execPath, fixture('echo-server')])
  writeFileSync(file, text(far.url))
  anyport = await startAnyport([], { config: file })
}, 60_000)

afterAll(async () => {
  await anyport?.stop()
  await far?.stop()
  rmSync(folder, { recursive: true, force: true })
})

const namesOf = async (peer: Peer): Promise<string[]> =>
  (await peer.listTools()).tools.map((tool: Json) => tool.name)

describe.each<readonly [string, (url: string) => Promise<Peer>]>([
  ['SDK v1', url => connectV1({ kind: 'http', url })],
  ['SDK v2, modern', url => connectV2({ kind: 'http', url }, 'modern')],
])('serve --config to %s', (_name, connected) => {
  test('shows the servers of the file as one', async () => {
    const peer = await connected(anyport.url)
    try {
      const names = await namesOf(peer)
      for (const name of ['everything__echo', 'own__echo', 'remote__echo']) expect(names).toContain(name)
      expect(names).not.toContain('own__crash')
      expect((await peer.callTool('everything__echo', { message: 'hi' })).content[0].text).toBe('Echo: hi')
      for (const name of ['own__echo', 'remote__echo'])
        expect((await peer.callTool(name, { words: 'hi' })).content[0].text).toContain('hi')
      await expect(peer.callTool('own__crash')).rejects.toThrow('Unknown tool')
    } finally {
      await peer.close()
    }
  })

  test('and each alone', async () => {
    const peer = await connected(new URL('/servers/remote/mcp', anyport.url).href)
    try {
      expect(await namesOf(peer)).toContain('echo')
      expect((await peer.callTool('echo', { words: 'hi' })).content[0].text).toContain('hi')
    } finally {
      await peer.close()
    }
  })
})

test('questions of a server behind the gateway reach the client', async () => {
  const peer = await connectV1({ kind: 'http', url: anyport.url })
  try {
    const names = await namesOf(peer)
    const asking = names.find(name => /^everything__.*elicitation/.test(name)) as string
    await peer.callTool(asking)
    expect(peer.questions.map(({ method }) => method)).toContain('elicitation/create')
  } finally {
    await peer.close()
  }
})

test('a changed file is applied, at once and on SIGHUP, and a broken one is not', async () => {
  const peer = await connectV1({ kind: 'http', url: anyport.url }, { asked: false })
  try {
    await namesOf(peer)
    await new Promise(resolve => setTimeout(resolve, 300))
    const before = peer.changes()
    writeFileSync(file, text(far.url, { added: node(fixture('echo-server')) }))
    await until(() => peer.changes() > before, 'the announcement', 15_000)
    expect(await namesOf(peer)).toContain('added__echo')
    writeFileSync(file, '{ "mcpServers": {')
    await anyport.line(line => line.event === 'config_broken', 15_000)
    expect(await namesOf(peer)).toContain('added__echo')
    writeFileSync(file, text(far.url))
    await until(
      () => anyport.log.filter(line => line.event === 'config_applied').length >= 3,
      'the third',
      15_000,
    )
    const applied = anyport.log.filter(line => line.event === 'config_applied').length
    anyport.process.kill('SIGHUP')
    await until(
      () => anyport.log.filter(line => line.event === 'config_applied').length > applied,
      'SIGHUP',
      15_000,
    )
    expect(await namesOf(peer)).not.toContain('added__echo')
  } finally {
    await peer.close()
  }
}, 60_000)

test('the log names servers, and holds no values of the environment', () => {
  expect(anyport.log.some(line => line.event === 'server_ready' && line.server === 'everything')).toBe(true)
  expect(JSON.stringify(anyport.log)).not.toContain(anyport.mark)
})

test('lists three tools where it is asked to', async () => {
  const lazy = await startAnyport([], { config: file, options: ['--lazy-tools'] })
  const peer = await connectV2({ kind: 'http', url: lazy.url }, 'modern')
  try {
    expect(await namesOf(peer)).toEqual(['search_tools', 'describe_tool', 'call_tool'])
    const found = await peer.callTool('search_tools', { query: 'echo a message' })
    expect(found.structuredContent.tools.map((tool: Json) => tool.name)).toContain('everything__echo')
    const called = await peer.callTool('call_tool', {
      name: 'everything__echo',
      arguments: { message: 'hi' },
    })
    expect(called.content[0].text).toBe('Echo: hi')
  } finally {
    await peer.close()
    await lazy.stop()
  }
}, 60_000)

test('all servers together keep to a limit', async () => {
  const two = join(folder, 'two.json')
  const servers = {
    everything: node(installed(`${NPM}everything/dist/index.js`), 'stdio'),
    own: node(fixture('echo-server'), '--era', 'modern'),
  }
  writeFileSync(two, JSON.stringify({ mcpServers: servers }))
  const options = ['--max-children-total', '1', '--queue-timeout', '2s']
  const narrow = await startAnyport([], { config: two, options })
  const peer = await connectV2({ kind: 'http', url: narrow.url }, 'modern')
  try {
    // One after the other: whoever is not needed makes room.
    expect((await peer.callTool('everything__echo', { message: 'hi' })).content[0].text).toBe('Echo: hi')
    expect(await peer.callTool('own__echo', { words: 'hi' })).toBeDefined()
    const long = peer.callTool('everything__trigger-long-running-operation', { duration: 8, steps: 1 })
    await new Promise(resolve => setTimeout(resolve, 2_500))
    await expect(peer.callTool('own__echo', { words: 'hi' })).rejects.toMatchObject({
      data: { option: '--max-children-total' },
    })
    expect((await long).content[0].text).toContain('completed')
  } finally {
    await peer.close()
    await narrow.stop()
  }
}, 60_000)

test('what cannot be served is wrong use, with its place', async () => {
  const broken = join(folder, 'broken.json')
  writeFileSync(broken, '{\n  "mcpServers": { "a": { "args": [] } }\n}')
  const refused = await ranAnyport('serve', '--config', broken)
  expect(refused.code).toBe(2)
  expect(refused.stderr).toMatch(/broken\.json:2:\d+: /)
  expect((await ranAnyport('serve', '--config', file, '--', 'x')).stderr).toContain('--config')
  expect((await ranAnyport('serve', '--config', file, '--cwd', '/')).code).toBe(2)
})
