/** anyport as a process, with a proxy between it and the server that delays, holds back, cuts, resets, loses and lies. */

import { afterEach, describe, expect, it } from 'vitest'
import type { Exchange, Handler } from '../../src/exchange/exchange.js'
import { connect } from '../../src/node/connect.js'
import { serve } from '../../src/node/serve.js'
import type { ServeOptions } from '../../src/node/serve-options.js'
import { RpcError } from '../../src/protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCResponse,
  notification,
  resultResponse,
} from '../../src/protocol/message.js'
import { progressTokenOf } from '../../src/protocol/meta.js'
import { RawClient } from '../fixtures/raw-client.js'
import {
  type Mischief,
  type PassingRequest,
  type UnrulyProxy,
  unrulyProxy,
} from '../fixtures/unruly-proxy.js'
import { ANYPORT } from './start-anyport.js'

const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const complete = { resultType: 'complete' }

/** Counts how often each call ran, by the number in its arguments. */
function countingHandler(): { readonly handler: Handler; readonly runs: Map<number, number> } {
  const runs = new Map<number, number>()
  const handler: Handler = async function* (request): Exchange {
    const { id, method, params } = request
    switch (method) {
      case 'server/discover':
        return resultResponse(id, {
          ...complete,
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: {} },
        })
      case 'tools/list':
        return resultResponse(id, {
          ...complete,
          tools: ['once', 'again', 'events'].map(name => ({
            name,
            inputSchema: { type: 'object' },
            ...(name === 'again' ? { annotations: { idempotentHint: true } } : {}),
          })),
        })
      case 'tools/call': {
        const { number = 0, events = 0 } = (params?.arguments ?? {}) as { number?: number; events?: number }
        runs.set(number, (runs.get(number) ?? 0) + 1)
        const progressToken = progressTokenOf(request)
        if (progressToken !== undefined)
          for (let progress = 1; progress <= events; progress++)
            yield notification('notifications/progress', {
              progressToken,
              progress,
              message: 'x'.repeat(progress % 50),
            })
        return resultResponse(id, { ...complete, content: [{ type: 'text', text: String(number) }] })
      }
      default:
        throw new RpcError(-32601, `Unknown method: ${method}`)
    }
  }
  return { handler, runs }
}

interface Chain {
  readonly client: RawClient
  readonly proxy: UnrulyProxy
  readonly runs: ReadonlyMap<number, number>
}

/** A client, `anyport connect`, the proxy, and a server. */
async function chain(
  path: '/mcp' | '/sse',
  argv: readonly string[],
  mischief: (request: PassingRequest) => Mischief,
  options: ServeOptions = {},
): Promise<Chain> {
  const { handler, runs } = countingHandler()
  const server = await serve(handler, { port: 0, ...options })
  const proxy = await unrulyProxy(new URL(server.url as string).origin, mischief)
  const target = connect({
    command: process.execPath,
    args: [ANYPORT, 'connect', proxy.origin + path, ...argv],
    env: { XDG_CACHE_HOME: '/dev/null/none' },
  })
  const channel = await target.open()
  ends.push(
    () => server.close({ drainTimeout: 0 }),
    () => proxy.close(),
    () => channel.close(),
  )
  const client = new RawClient(channel, { version: '2025-11-25', capabilities: {} })
  await client.open()
  return { client, proxy, runs }
}

function textOf(response: JSONRPCResponse | undefined): string | undefined {
  if (response === undefined || !('result' in response)) return undefined
  return ((response.result as JSONObject).content as { text: string }[])[0]?.text
}

describe('10,000 events, with a cut within every hundredth', () => {
  it('come once each, in order, where the server can resume', async () => {
    let cutting = false
    const { client, proxy, runs } = await chain(
      '/mcp',
      ['--protocol', 'legacy'],
      // A reset takes along what is under way: of the first answer that would be all, and nothing to resume from.
      ({ method, index }) =>
        cutting ? { cutAfterEvents: 100, reset: method === 'GET' && index % 3 === 0 } : {},
      { replayEvents: 20_000, replayBytes: 16 * 1024 * 1024, retry: 20 },
    )
    cutting = true
    const response = await client.request(7, 'tools/call', {
      name: 'events',
      arguments: { number: 7, events: 10_000 },
      _meta: { progressToken: 'mine' },
    })
    expect(textOf(response)).toBe('7')
    const got = client.notifications.map(({ params }) => params?.progress)
    expect(got).toEqual(Array.from({ length: 10_000 }, (_, index) => index + 1))
    expect(runs.get(7)).toBe(1)
    expect(proxy.cuts).toBeGreaterThanOrEqual(99)
  })
})

/** Of each ten requests some pass, so that something comes through. */
const MANNERS: readonly Mischief[] = [
  {},
  { delay: 30 },
  { lose: true },
  { lose: true, reset: true },
  { cutAfter: -1 },
  { cutAfter: -1, reset: true },
  { refuse: 502 },
  { replace: 504 },
  { hold: 20 },
  { pieces: 1 },
  { cutAfter: 10 },
  {},
]

describe.each([
  ['Streamable HTTP of 2026-07-28', '/mcp', []],
  ['Streamable HTTP with sessions', '/mcp', ['--protocol', 'legacy']],
  ['HTTP+SSE', '/sse', ['--transport', 'sse']],
] as const)('on %s', (_name, path, argv) => {
  it('no call hangs, none runs twice, and each is answered or told why not', async () => {
    let manners: (index: number) => Mischief = () => ({})
    const { client, runs, proxy } = await chain(path, argv, ({ method, index }) =>
      method === 'POST' ? manners(index) : {},
    )
    manners = index => MANNERS[index % MANNERS.length] as Mischief
    let answered = 0
    for (let round = 0; round < 12; round++) {
      const numbers = Array.from({ length: 12 }, (_, index) => round * 12 + index + 1)
      const responses = await Promise.all(
        numbers.map(number => client.request(number, 'tools/call', { name: 'once', arguments: { number } })),
      )
      for (const [index, response] of responses.entries()) {
        const number = numbers[index] as number
        expect(runs.get(number) ?? 0).toBeLessThanOrEqual(1)
        if (response !== undefined && 'result' in response) {
          expect([textOf(response), runs.get(number)]).toEqual([String(number), 1])
          answered += 1
        } else expect(response?.error.message).toMatch(/127\.0\.0\.1/)
      }
    }
    expect(answered).toBeGreaterThan(24)
    expect(proxy.cuts).toBeGreaterThan(10)

    // A call that may run twice does, where its answer is lost.
    manners = () => {
      manners = () => ({})
      return { cutAfter: -1 }
    }
    const more = await client.request(1_000, 'tools/call', { name: 'again', arguments: { number: 1_000 } })
    expect(textOf(more)).toBe('1000')
    // On HTTP+SSE answers come elsewhere.
    expect(runs.get(1_000)).toBe(path === '/sse' ? 1 : 2)
  })
})
