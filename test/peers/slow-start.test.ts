/** Packages that take longer to be installed than clients wait. */

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, test } from 'vitest'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { postModern } from './raw-clients.js'
import { connectV1 } from './sdk-peers.js'
import { ANYPORT, startAnyport } from './start-anyport.js'

const SLOW = fileURLToPath(new URL('../fixtures/processes/slow-npx.mjs', import.meta.url))
/** Milliseconds that the package takes: longer than the client of the tests waits for anything but a call. */
const INSTALL = 6_000
const CLIENT_TIMEOUT = 5_000
/** Milliseconds in which an answer comes that waits for nothing: three times as many as promised, for a busy machine. */
const AT_ONCE = 900
const ERAS = ['legacy', 'modern'] as const

const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** A folder with an `npx` for the PATH, and what it wrote down. */
function fakeNpx(install = INSTALL, era: string = 'legacy', ...tools: string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-npx-'))
  const log = join(folder, 'log')
  writeFileSync(log, '')
  const npx = join(folder, 'npx')
  const write = (...tools: string[]) => {
    const words = [process.execPath, SLOW, String(install), era, log, ...tools].map(word => `'${word}'`)
    writeFileSync(npx, `#!/bin/sh\nexec ${words.join(' ')}\n`)
    chmodSync(npx, 0o755)
  }
  write(...tools)
  const cache = join(folder, 'cache')
  mkdirSync(cache)
  return {
    write,
    cache,
    log: () => readFileSync(log, 'utf8').split('\n').slice(0, -1),
    environment: {
      ...(process.env as Record<string, string>),
      PATH: `${folder}${delimiter}${process.env.PATH}`,
      XDG_CACHE_HOME: cache,
    },
  }
}

type FakeNpx = ReturnType<typeof fakeNpx>

const SERVE = ['serve', '--stdio', '--log-format', 'json', '--', 'npx', '-y', 'some-server']

/** An editor with the timeout that many have. */
async function connect(npx: FakeNpx, capabilities = {}) {
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [ANYPORT, ...SERVE],
    env: npx.environment,
    stderr: 'ignore',
  })
  const client = new Client({ name: 'editor', version: '1' }, { capabilities })
  let changes = 0
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => void changes++)
  await client.connect(transport, { timeout: CLIENT_TIMEOUT })
  ends.push(() => client.close())
  return {
    client,
    changes: () => changes,
    tools: async () =>
      (await client.listTools({}, { timeout: CLIENT_TIMEOUT })).tools.map(({ name }) => name),
    call: (name: string, onprogress?: () => void) =>
      client.callTool({ name }, undefined, {
        timeout: CLIENT_TIMEOUT,
        resetTimeoutOnProgress: true,
        ...(onprogress === undefined ? {} : { onprogress }),
      }),
  }
}

describe('a legacy editor over stdio', () => {
  test.each([
    ['mute', {}],
    ['that can be asked', { roots: {}, elicitation: {} }],
  ])(
    '%s, whose server was never seen: it connects, its early call is made, and it hears of the tools',
    async (_who, capabilities) => {
      const npx = fakeNpx(INSTALL, 'legacy', 'one', 'two')
      const { client, tools, call, changes } = await connect(npx, capabilities)
      expect(client.getServerCapabilities()).toMatchObject({ tools: { listChanged: true } })
      let signs = 0
      const early = call('one', () => void signs++)
      expect(await tools()).toEqual([])
      expect(npx.log()).toEqual(['start'])
      expect((await early).content).toEqual([{ type: 'text', text: 'called one' }])
      expect(signs).toBeGreaterThan(1)
      await until(() => changes() > 0, 'the announcement')
      expect(await tools()).toEqual(['one', 'two'])
      // One process, which learned who its client is, and which nobody ended.
      const sent = JSON.stringify(capabilities)
      expect(npx.log()).toEqual(['start', 'installed', `initialize ${sent}`, 'call one'])
    },
  )

  test('whose server was seen before gets its tools at once, and hears if they are others now', async () => {
    const npx = fakeNpx(0, 'legacy', 'one', 'two')
    const first = await connect(npx, { roots: {} })
    await until(() => npx.log().includes('installed'), 'the start')
    expect((await first.call('one')).content).toBeDefined()
    const files = () => readdirSync(join(npx.cache, 'anyport', 'servers'))
    await until(() => {
      try {
        return files().length === 1
      } catch {
        return false
      }
    }, 'the memory')
    await first.client.close()
    const [file] = files()
    const path = join(npx.cache, 'anyport', 'servers', String(file))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(join(path, '..')).mode & 0o777).toBe(0o700)
    expect(readFileSync(path, 'utf8')).not.toMatch(/npx|some-server/)

    const slow = fakeNpx(INSTALL, 'legacy', 'one', 'three')
    const second = await connect({ ...slow, environment: withCache(slow, npx) }, { roots: {} })
    const began = performance.now()
    expect(await second.tools()).toEqual(['one', 'two'])
    expect(performance.now() - began).toBeLessThan(AT_ONCE)
    expect(slow.log()).not.toContain('installed')
    expect(second.client.getInstructions()).toBe('As it is')
    await until(() => second.changes() > 0, 'the announcement', 20_000)
    expect(await second.tools()).toEqual(['one', 'three'])
    expect(slow.log().filter(line => line === 'start')).toHaveLength(1)
  })
})

describe.each(ERAS)('initialize and server/discover of a server of the %s era', era => {
  test('are answered at once over stdio', async () => {
    const npx = fakeNpx(INSTALL, era, 'one')
    const child = spawn(process.execPath, [ANYPORT, ...SERVE], { env: npx.environment })
    ends.push(() => child.kill())
    // What is asked is only how long an answer takes, not how long a program takes to load.
    const ask = wire(child)
    await ask.logged('listening')
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    }
    const [initialize, initializeTook] = await ask('initialize', params)
    expect(initialize.result.capabilities.tools).toEqual({ listChanged: true })
    expect(initializeTook).toBeLessThan(AT_ONCE)
    expect(npx.log()).toEqual(['start'])
  })

  test('are answered at once over HTTP, and a call of a modern client waits with progress', async () => {
    const npx = fakeNpx(INSTALL, era, 'one')
    const anyport = await startAnyport(['npx', '-y', 'some-server'], {
      early: true,
      environment: npx.environment,
    })
    ends.push(() => anyport.stop())
    const began = performance.now()
    const discovered = await postModern(anyport.url, { id: 1, method: 'server/discover', params: {} })
    expect(performance.now() - began).toBeLessThan(AT_ONCE)
    expect(discovered.messages.at(-1)).toMatchObject({
      result: { capabilities: { tools: { listChanged: true } }, ttlMs: 0 },
    })
    const progress: unknown[] = []
    const params = { name: 'one', arguments: {}, _meta: { progressToken: 'p' } }
    const call = await postModern(anyport.url, { id: 2, method: 'tools/call', params }, message => {
      if (message.method === 'notifications/progress') progress.push(message.params.progressToken)
    })
    expect(call.messages.at(-1).result.content).toEqual([{ type: 'text', text: 'called one' }])
    expect(progress.length).toBeGreaterThan(1)
    expect(new Set(progress)).toEqual(new Set(['p']))
    expect(npx.log().filter(line => line === 'killed')).toEqual([])
  })
})

test('--strict-start makes clients wait', async () => {
  const npx = fakeNpx(1_500, 'legacy', 'one')
  const anyport = await startAnyport(['npx', '-y', 'some-server'], { environment: npx.environment })
  ends.push(() => anyport.stop())
  const { messages } = await postModern(anyport.url, { id: 1, method: 'server/discover', params: {} })
  expect(npx.log()).toContain('installed')
  expect(messages.at(-1).result.instructions).toBe('As it is')
})

test('a package that cannot be installed: whoever calls gets the cause, and so does whoever connects later', async () => {
  const npx = fakeNpx(2_000, 'broken')
  const anyport = await startAnyport(['npx', '-y', 'some-server'], {
    early: true,
    environment: npx.environment,
  })
  ends.push(() => anyport.stop())
  const ask = (method: string, params = {}) => postModern(anyport.url, { id: 1, method, params })
  expect((await ask('server/discover')).messages.at(-1).result).toBeDefined()
  const failures = [await ask('tools/call', { name: 'one', arguments: {} }), await ask('server/discover')]
  for (const { messages } of failures) {
    expect(JSON.stringify(messages.at(-1).error)).toContain('npm error code E404')
    expect(messages.at(-1).error.data).toMatchObject({ exitCode: 3 })
  }
})

test('--warm: a session finds its server up, though its start is slow', async () => {
  const npx = fakeNpx(1_500, 'legacy', 'one')
  const anyport = await startAnyport(['npx', '-y', 'some-server'], {
    options: ['--isolation', 'session', '--warm', '1', '--log-level', 'debug'],
    environment: npx.environment,
  })
  ends.push(() => anyport.stop())
  const installed = (count: number) =>
    until(() => npx.log().filter(line => line === 'installed').length >= count, `${count} to be installed`)
  // The first one tells the era; the second is the spare.
  await installed(2)
  const began = performance.now()
  const peer = await connectV1({ kind: 'http', url: anyport.url }, { asked: false })
  expect(performance.now() - began).toBeLessThan(AT_ONCE)
  expect(peer.instructions()).toBe('As it is')
  expect((await peer.callTool('one')).content).toEqual([{ type: 'text', text: 'called one' }])
  await anyport.line(({ event }) => event === 'server_taken')
  await installed(3)
  await peer.close()
})

test('options that contradict each other are refused', async () => {
  const { code, stderr } = await ranAnyport('serve', '--lazy', '--eager', '--', 'npx', 'some-server')
  expect(code).toBe(2)
  expect(stderr).toContain('--eager and --lazy')
})

function withCache(npx: FakeNpx, other: FakeNpx) {
  return { ...npx.environment, XDG_CACHE_HOME: other.environment.XDG_CACHE_HOME }
}

/** A client that is nothing but lines, and says how long each answer took. */
function wire(child: ChildProcessWithoutNullStreams) {
  const answers = new Map<unknown, (message: Answer) => void>()
  const records: string[] = []
  createInterface({ input: child.stdout }).on('line', line => {
    const message = JSON.parse(line)
    answers.get(message.id)?.(message)
  })
  createInterface({ input: child.stderr }).on('line', line => {
    if (line.startsWith('{')) records.push(JSON.parse(line).event)
  })
  const ask = async (method: string, params: object): Promise<[Answer, number]> => {
    const id = `${method} ${Math.random()}`
    const began = performance.now()
    const answer = new Promise<Answer>(resolve => answers.set(id, resolve))
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`)
    return [await answer, performance.now() - began]
  }
  const logged = (event: string) => until(() => records.includes(event), event)
  return Object.assign(ask, { logged })
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of a peer
type Answer = any
