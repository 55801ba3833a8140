/** Any era to any era, over any transport, without configuration, whatever a server does when the other era speaks to it. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { modernMeta, type RawClient, rawSse, rawStdio, rawStreamableHttp } from '../fixtures/raw-clients.js'
import { type RunningCommand, runAnyport, stopAll } from '../fixtures/run-anyport.js'

const program = (name: string) => fileURLToPath(new URL(`../fixtures/processes/${name}.mjs`, import.meta.url))
const SERVERS = [
  'legacy-error',
  'legacy-silent',
  'legacy-exit',
  'legacy-stall',
  'modern-only',
  'sse-2024',
] as const
const PROBE_TIMEOUT = 1_000

const folder = mkdtempSync(join(tmpdir(), 'anyport-eras-'))
const clients: RawClient[] = []
const remotes: ChildProcess[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await stopAll()
  for (const remote of remotes.splice(0)) remote.kill('SIGKILL')
})

interface Served {
  readonly anyport: RunningCommand
  /** What the tool wrote each time it ran. */
  counted(): string[]
}

async function serve(
  behaviour: string,
  { counter = join(folder, crypto.randomUUID()) }: { readonly counter?: string },
  ...options: string[]
): Promise<Served> {
  const target =
    behaviour === 'sse-2024'
      ? [await sseServer(counter)]
      : ['--strict-start', '--', process.execPath, program('era-server'), behaviour, counter]
  const anyport = runAnyport(
    'serve',
    ...options,
    '--log-format',
    'json',
    '--probe-timeout',
    `${PROBE_TIMEOUT}ms`,
    ...target,
  )
  return {
    anyport,
    counted: () => (existsSync(counter) ? readFileSync(counter, 'utf8').trim().split('\n') : []),
  }
}

/** The address of a server on HTTP+SSE. */
async function sseServer(counter: string): Promise<string> {
  const remote = spawn(process.execPath, [program('sse-server'), counter], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  remotes.push(remote)
  const [address] = await once(remote.stdout, 'data')
  return String(address).trim()
}

const FRONTS = {
  stdio: {
    options: ['--stdio'],
    connect: async ({ process }: RunningCommand, era: 'legacy' | 'modern') =>
      rawStdio(process.stdin, process.stdout, era),
  },
  'Streamable HTTP': {
    options: ['--port', '0'],
    connect: async ({ event }: RunningCommand, era: 'legacy' | 'modern') =>
      rawStreamableHttp((await event('listening')).url as string, era),
  },
  'HTTP+SSE': {
    options: ['--port', '0'],
    connect: async ({ event }: RunningCommand) => rawSse((await event('listening')).sse as string),
  },
} as const

type Front = keyof typeof FRONTS

const COMBINATIONS = SERVERS.flatMap(server =>
  (['stdio', 'Streamable HTTP', 'HTTP+SSE'] as const).flatMap(front =>
    (front === 'HTTP+SSE' ? (['legacy'] as const) : (['legacy', 'modern'] as const)).map(
      era => [server, front, era] as const,
    ),
  ),
)

async function connect(front: Front, anyport: RunningCommand, era: 'legacy' | 'modern'): Promise<RawClient> {
  const client = await FRONTS[front].connect(anyport, era)
  clients.push(client)
  return client
}

async function initialize(client: RawClient, protocolVersion: string) {
  const clientInfo = { name: 'raw', version: '1' }
  const reply = await client.request('initialize', { protocolVersion, capabilities: {}, clientInfo })
  await client.notify('notifications/initialized')
  return reply
}

it('there are thirty combinations', () => expect(COMBINATIONS).toHaveLength(30))

describe.each(COMBINATIONS)('%s, reached over %s by a %s client', (server, front, era) => {
  it('opens, lists its tools, and runs its tool once', async () => {
    const { anyport, counted } = await serve(server, {}, ...FRONTS[front].options)
    const client = await connect(front, anyport, era)
    const name = server === 'modern-only' ? 'unknown' : server
    if (era === 'legacy') {
      // A client that asks for a modern revision in this way gets the newest that knows this way.
      expect(await initialize(client, '2026-07-28')).toMatchObject({
        result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name } },
      })
    } else {
      const opened = await client.request('server/discover')
      expect(opened).toMatchObject({
        result: {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: {} },
        },
      })
    }
    const listed = await client.request('tools/list')
    expect(listed).toMatchObject({ result: { tools: [{ name: 'count' }] } })
    const called = await client.request('tools/call', { name: 'count', arguments: { word: `${front} é😀` } })
    expect(called).toMatchObject({
      result: { content: [{ type: 'text', text: `counted ${front} é😀` }] },
    })
    for (const reply of [listed, called]) {
      const { resultType } = (reply as { result: { resultType?: string } }).result
      expect(resultType).toBe(era === 'modern' ? 'complete' : undefined)
    }
    expect(counted()).toEqual([`${front} é😀`])
    // No question, no noise: only what was asked for.
    expect(client.received).toHaveLength(3)
  })
})

describe('a server that ignores the question for its era', () => {
  it('costs the probe timeout once, and not again while its era is remembered', async () => {
    const cache = join(folder, 'cache', 'eras.json')
    const counter = join(folder, 'never')
    const readyWithin = async (...options: string[]) => {
      const { anyport } = await serve(
        'legacy-silent',
        { counter },
        '--port',
        '0',
        '--era-cache',
        cache,
        ...options,
      )
      const client = await connect('Streamable HTTP', anyport, 'modern')
      expect(await client.request('tools/list')).toMatchObject({ result: { tools: [{ name: 'count' }] } })
      const { ms } = await anyport.event('server_ready')
      await stopAll()
      return ms as number
    }
    const known = await readyWithin('--protocol', 'legacy')
    expect(known).toBeLessThan(PROBE_TIMEOUT)
    expect(existsSync(cache)).toBe(false)
    const first = await readyWithin()
    expect(first).toBeGreaterThanOrEqual(PROBE_TIMEOUT - 1)
    expect(first).toBeLessThan(PROBE_TIMEOUT + 1_000)
    expect(await readyWithin()).toBeLessThan(known + 300)
  })
})

describe('a request that is wrong for its era', () => {
  const post = async (url: string, headers: Record<string, string>, params: object) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        ...headers,
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  it.each(['legacy-error', 'modern-only', 'sse-2024'])('is refused before %s hears of it', async server => {
    const { anyport, counted } = await serve(server, {}, '--port', '0')
    const url = (await anyport.event('listening')).url as string
    const params = { name: 'count', arguments: { word: 'never' }, _meta: modernMeta() }
    for (const headers of [
      {},
      { 'mcp-name': 'other' },
      { 'mcp-name': 'count', 'mcp-method': 'tools/list' },
    ]) {
      expect(await post(url, headers as Record<string, string>, params)).toMatchObject({
        status: 400,
        body: { id: 1, error: { code: -32020 } },
      })
    }
    const unknown = { ...modernMeta(), 'io.modelcontextprotocol/protocolVersion': '2031-01-01' }
    expect(
      await post(
        url,
        { 'mcp-name': 'count', 'mcp-protocol-version': '2031-01-01' },
        { ...params, _meta: unknown },
      ),
    ).toEqual({
      status: 400,
      body: {
        jsonrpc: '2.0',
        id: 1,
        error: {
          code: -32022,
          message: expect.any(String),
          data: { supported: ['2026-07-28'], requested: '2031-01-01' },
        },
      },
    })
    expect(counted()).toEqual([])
  })
})
