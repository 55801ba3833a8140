import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../src/node/connect.js'
import { gateway, type ServerGateway } from '../../src/node/gateway.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { until } from '../fixtures/until.js'
import { markedProcesses } from '../unit/node/marked-processes.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'

const installed = (path: string) => fileURLToPath(new URL(`../../node_modules/${path}`, import.meta.url))
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url))
const NPM = '@modelcontextprotocol/server-'

/** Servers as they are on npm beside some of our own, of both eras. */
const PROGRAMS = (folder: string): Record<string, readonly string[]> => ({
  everything: [installed(`${NPM}everything/dist/index.js`), 'stdio'],
  filesystem: [installed(`${NPM}filesystem/dist/index.js`), folder],
  memory: [installed(`${NPM}memory/dist/index.js`)],
  'sdk-v2': [fixture('sdk-v2-server')],
  'own-legacy': [fixture('everything-legacy')],
  'own-modern': [fixture('everything-modern')],
})

/** A call of each kind of server, with what shows that it was answered by the right one. */
const CALLS = (folder: string): readonly (readonly [string, Json, RegExp])[] => [
  ['everything__echo', { message: 'over here' }, /Echo: over here/],
  ['everything__get-sum', { a: 2, b: 40 }, /42/],
  ['filesystem__read_text_file', { path: join(folder, 'note.txt') }, /written by hand/],
  ['filesystem__list_allowed_directories', {}, /Allowed directories/],
  ['memory__read_graph', {}, /entities/],
]
/** They take their time, or change what the others show. */
const SKIPPED = /long-running|simulat|toggle|gzip|agentic|hang|exit|crash/

let folder: string
let server: Server
let gate: ServerGateway
const marks = new Map<string, string>()

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anyport-gateway-'))
  await writeFile(join(folder, 'note.txt'), 'written by hand')
  const servers = Object.entries(PROGRAMS(folder)).map(([name, args]) => {
    const mark = randomUUID()
    marks.set(name, mark)
    const env = { MCP_TEST_MARK: mark, MEMORY_FILE_PATH: join(folder, 'memory.jsonl') }
    return [name, connect({ command: process.execPath, args, env }, { name })] as const
  })
  gate = gateway({ servers: Object.fromEntries(servers) }, { listTimeout: 20_000 })
  server = await serve(gate, { port: 0 })
})

afterAll(async () => {
  await server?.close({ drainTimeout: 100 })
  for (const mark of marks.values()) expect(markedProcesses(mark)).toEqual([])
  await rm(folder, { recursive: true, force: true })
})

const CLIENTS: readonly (readonly [string, (url: string) => Promise<Peer>])[] = [
  ['SDK v1', url => connectV1({ kind: 'http', url }, { asked: false })],
  [
    'SDK v1 over HTTP+SSE',
    url => connectV1({ kind: 'sse', url: url.replace(/mcp$/, 'sse') }, { asked: false }),
  ],
  ['SDK v2, modern', url => connectV2({ kind: 'http', url }, 'modern', { asked: false })],
]

const namesOf = async (peer: Peer): Promise<string[]> =>
  (await peer.listTools()).tools.map((tool: Json) => tool.name)
const textOf = (result: Json): string => JSON.stringify(result.content)

describe.each(CLIENTS)('a gateway over real servers, to %s', (_name, connected) => {
  let peer: Peer
  beforeAll(async () => {
    peer = await connected(server.url as string)
  })
  afterAll(async () => {
    await peer?.close()
  })

  test('lists the tools of all, every name once', async () => {
    const names = await namesOf(peer)
    expect(new Set(names).size).toBe(names.length)
    for (const prefix of marks.keys())
      expect(
        names.some(name => name.startsWith(`${prefix}__`)),
        prefix,
      ).toBe(true)
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
  })

  test('reaches every tool', async () => {
    for (const name of (await namesOf(peer)).filter(name => !SKIPPED.test(name))) {
      // Arguments are missing for most: then it is the tool that says so, by a result or an error of its own.
      const outcome = await peer.callTool(name).then(textOf, (error: Error) => error.message)
      expect(outcome, name).not.toMatch(/Unknown tool: \w+__|cannot be asked/)
    }
  })

  test('gives each call to the right server', async () => {
    for (const [name, parameters, expected] of CALLS(folder))
      expect(textOf(await peer.callTool(name, parameters)), name).toMatch(expected)
  })

  test('finds resources, prompts and completions', async () => {
    const { resources } = await peer.listResources()
    const { uri } = resources.find((one: Json) => one.uri.startsWith('demo://resource/static'))
    expect((await peer.readResource(uri)).contents[0].uri).toBe(uri)
    expect((await peer.readResource('demo://resource/dynamic/text/7')).contents[0].text).toContain('7')
    const prompt = await peer.getPrompt('everything__args-prompt', { city: 'Oslo', state: 'None' })
    expect(JSON.stringify(prompt.messages)).toContain('Oslo')
    const completed = await peer.complete({
      ref: { type: 'ref/prompt', name: 'everything__completable-prompt' },
      argument: { name: 'department', value: 'E' },
    })
    expect(completed.completion.values).toContain('Engineering')
  })

  test('serves each of them alone, with its own names', async () => {
    const alone = await connected(new URL('/servers/memory/mcp', server.url).href)
    try {
      expect(await namesOf(alone)).toContain('read_graph')
      expect(textOf(await alone.callTool('read_graph'))).toContain('entities')
    } finally {
      await alone.close()
    }
  })
})

test('a server that is killed again and again costs nobody else anything', async () => {
  const peers = await Promise.all(CLIENTS.map(([, connected]) => connected(server.url as string)))
  const victim = 'memory'
  const victims = marks.get(victim) as string
  let kills = 0
  let over = false
  try {
    for (const peer of peers) await namesOf(peer)
    const killing = (async () => {
      for (const end = performance.now() + 8_000; performance.now() < end; ) {
        for (const pid of markedProcesses(victims)) {
          process.kill(pid, 'SIGKILL')
          kills++
        }
        await new Promise(resolve => setTimeout(resolve, 1_500))
      }
      over = true
    })()
    const others = CALLS(folder).filter(([name]) => !name.startsWith(victim))
    const failures: string[] = []
    let calls = 0
    await Promise.all(
      peers.map(async peer => {
        while (!over) {
          const names = await namesOf(peer)
          for (const [name, parameters, expected] of others) {
            expect(names).toContain(name)
            const outcome = await peer
              .callTool(name, parameters)
              .then(textOf, (error: Error) => error.message)
            if (!expected.test(outcome)) failures.push(`${name}: ${outcome}`)
            calls++
          }
          // Its own calls may fail, and must say so at once or succeed.
          await peer.callTool('memory__read_graph').catch(() => {})
          await new Promise(resolve => setTimeout(resolve, 20))
        }
      }),
    )
    await killing
    expect(failures).toEqual([])
    expect(kills).toBeGreaterThan(2)
    expect(calls).toBeGreaterThan(20)
    for (const peer of peers) {
      await expect
        .poll(() => peer.callTool('memory__read_graph').then(textOf, () => ''), { timeout: 20_000 })
        .toContain('entities')
      expect(await namesOf(peer)).toContain('memory__read_graph')
    }
  } finally {
    await Promise.all(peers.map(peer => peer.close()))
  }
}, 60_000)

test('a server that is added, and one that is removed, are announced once', async () => {
  const peer = await connectV1({ kind: 'http', url: server.url as string }, { asked: false })
  try {
    await namesOf(peer)
    await new Promise(resolve => setTimeout(resolve, 500))
    const before = peer.changes()
    const args = [installed(`${NPM}everything/dist/index.js`), 'stdio']
    gate.update({ set: { another: connect({ command: process.execPath, args }) }, remove: ['own-legacy'] })
    await until(() => peer.changes() > before, 'the announcement', 20_000)
    const names = await namesOf(peer)
    expect(names).toContain('another__echo')
    expect(names.filter(name => name.startsWith('own-legacy'))).toEqual([])
    await new Promise(resolve => setTimeout(resolve, 500))
    expect(peer.changes()).toBe(before + 1)
    await until(() => markedProcesses(marks.get('own-legacy') as string).length === 0, 'its end', 10_000)
  } finally {
    await peer.close()
  }
}, 60_000)
