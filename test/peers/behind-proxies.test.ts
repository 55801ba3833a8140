/** Behind a reverse proxy with its defaults: what comes late, what is cut, and what clients are told of the address. */

import { request } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Handler } from '../../src/exchange/exchange.js'
import { serve } from '../../src/node/serve.js'
import type { ServeOptions } from '../../src/node/serve-options.js'
import { notification, resultResponse } from '../../src/protocol/message.js'
import { modernServer } from '../fixtures/modern-server.js'
import { type StrictProxyOptions, strictProxy } from '../fixtures/strict-proxy.js'

const PREFIX = '/a/b'
const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function behind(
  options: ServeOptions,
  proxy: Partial<StrictProxyOptions> = {},
  handler: Handler = modernServer().handler,
) {
  const server = await serve(handler, { port: 0, ...options })
  ends.push(() => server.close({ drainTimeout: 0 }))
  const front = await strictProxy(new URL(server.url as string).origin, {
    prefix: PREFIX,
    idle: 3_000,
    ...proxy,
  })
  ends.push(() => front.close())
  return { front, origin: front.origin, base: front.origin + PREFIX }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

const modernPost = (
  url: string,
  method: string,
  params: object,
  headers: Readonly<Record<string, string>> = {},
) =>
  fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } }),
  })

/** How long a stream lasts at least; `ANYPORT_STREAM_SECONDS=60` for as long as proxies usually bear. */
const STREAM_SECONDS = Number(process.env.ANYPORT_STREAM_SECONDS ?? 8)
/** Milliseconds between events: longer than the proxy bears silence, too. */
const PAUSES = pauses()

function pauses(): readonly number[] {
  const all = [0]
  for (let sum = 0; sum < STREAM_SECONDS * 1_000; ) {
    const next = [100, 500, 4_500, 3_500, 50][(all.length - 1) % 5] as number
    sum += next
    all.push(next)
  }
  return all
}

/** Says what time it is, then nothing for long, then again; then ends. */
const clock: Handler = async function* (message, context) {
  if (message.method !== 'tools/call') return yield* modernServer().handler(message, context)
  const tell = () => notification('notifications/message', { level: 'info', data: Date.now() })
  for (const pause of PAUSES) {
    await sleep(pause)
    yield tell()
  }
  return resultResponse(message.id, { resultType: 'complete', content: [] })
}

describe('a proxy that buffers, withholds heads and cuts what is silent for 3 seconds', () => {
  it('passes a stream event by event, kept alive every second', {
    timeout: STREAM_SECONDS * 3_000 + 30_000,
  }, async () => {
    const { base, front } = await behind(
      { keepAliveInterval: 1_000, publicUrl: 'http://127.0.0.1/a/b' },
      {},
      clock,
    )
    // What is loaded with the first request.
    await (await modernPost(`${base}/mcp`, 'tools/list', {})).text()
    // Server, proxy and client are this process: for as long as the machine lets it wait, nothing can be in time.
    const waits = monitorEventLoopDelay({ resolution: 10 })
    waits.enable()
    const started = performance.now()
    const reply = await modernPost(
      `${base}/mcp`,
      'tools/call',
      { name: 'clock', arguments: {} },
      { 'mcp-name': 'clock' },
    )
    // Its head came although nothing of the body had been held back.
    const head = performance.now() - started
    expect(reply.headers.get('content-type')).toBe('text/event-stream')
    const late: number[] = []
    const text = new TextDecoder()
    let whole = ''
    for await (const chunk of reply.body as unknown as AsyncIterable<Uint8Array>) {
      const part = text.decode(chunk, { stream: true })
      whole += part
      for (const [, time] of part.matchAll(/"data":(\d+)/g)) late.push(Date.now() - Number(time))
    }
    waits.disable()
    const waited = 3 * (waits.max / 1e6)
    expect(head).toBeLessThan(100 + waited)
    expect(late.length).toBe(PAUSES.length)
    expect(Math.max(...late)).toBeLessThanOrEqual(300 + waited)
    expect(late.sort((one, other) => one - other)[late.length >> 1]).toBeLessThan(300)
    expect(whole).toContain('"resultType":"complete"')
    expect(front.cuts).toBe(0)
  })

  it('cuts it where nothing keeps it alive: the proxy is as bad as it should be', async () => {
    const { base, front } = await behind(
      { keepAliveInterval: 60_000, publicUrl: 'http://127.0.0.1/a/b' },
      {},
      clock,
    )
    const reply = await modernPost(
      `${base}/mcp`,
      'tools/call',
      { name: 'clock', arguments: {} },
      { 'mcp-name': 'clock' },
    )
    await expect(reply.text()).rejects.toThrow()
    expect(front.cuts).toBe(1)
  })
})

/** The first event of the HTTP+SSE stream. */
function endpointAt(url: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { headers: { accept: 'text/event-stream', ...headers } }, answer => {
      if (answer.statusCode !== 200) return reject(new Error(`status ${answer.statusCode}`))
      return answer.setEncoding('utf8').once('data', chunk => {
        resolve(/^data: ?(.*)$/m.exec(chunk)?.[1] ?? chunk)
        call.destroy()
      })
    })
    call.on('error', reject).end()
  })
}

describe('where clients of HTTP+SSE are sent', () => {
  it.each([
    ['by the public address', { publicUrl: `http://127.0.0.1${PREFIX}` }, {}],
    [
      'by the headers of a trusted proxy',
      { trustProxy: { addresses: ['loopback'] } },
      { 'x-forwarded-prefix': PREFIX, 'x-forwarded-for': '203.0.113.9' },
    ],
  ] as const)('is behind the prefix %s, and they get there', async (_, options, headers) => {
    const { base } = await behind(options, { headers })
    expect(await endpointAt(`${base}/sse`)).toMatch(/^\/a\/b\/messages\?sessionId=/)
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(new SSEClientTransport(new URL(`${base}/sse`)))
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo')
    await client.close()
  })

  it('is not what somebody says who is no trusted proxy, nor another host', async () => {
    const headers = { 'x-forwarded-prefix': '/evil', 'x-forwarded-host': 'evil.example' }
    const { base } = await behind({}, { headers })
    expect(await endpointAt(`${base}/sse`)).toMatch(/^\/messages\?/)
    const other = await behind({ trustProxy: { addresses: ['10.0.0.1'] } }, { headers })
    expect(await endpointAt(`${other.base}/sse`)).toMatch(/^\/messages\?/)
    for (const prefix of [
      '//evil.example',
      '/a/../..',
      'https://evil.example',
      '/a b',
      '/a?x=',
      '/\\evil.example',
    ]) {
      const trusting = await behind(
        { trustProxy: { addresses: ['loopback'] } },
        { headers: { 'x-forwarded-prefix': prefix } },
      )
      await expect(endpointAt(`${trusting.base}/sse`), prefix).rejects.toThrow('status 400')
    }
  })
})

describe('the name by which a proxy calls', () => {
  it('is refused with the option to set, and accepted once it is set', async () => {
    const closed = await behind({}, { host: 'mcp.example.com' })
    const refused = await modernPost(`${closed.base}/mcp`, 'tools/list', {})
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('--allow-host mcp.example.com')
    for (const options of [
      { allowHosts: ['mcp.example.com'] },
      { publicUrl: `https://mcp.example.com${PREFIX}` },
    ]) {
      const open = await behind(options, { host: 'mcp.example.com' })
      expect((await modernPost(`${open.base}/mcp`, 'tools/list', {})).status).toBe(200)
    }
  })

  it('so is the origin of a page', async () => {
    const { base } = await behind({})
    const refused = await modernPost(`${base}/mcp`, 'tools/list', {}, { origin: 'https://app.example.com' })
    expect(refused.status).toBe(403)
    expect(await refused.text()).toContain('--allow-origin https://app.example.com')
  })
})

describe('what clients accept', () => {
  const asking = async (accept: string, options: ServeOptions = {}) => {
    const { base } = await behind(options)
    const reply = await modernPost(`${base}/mcp`, 'tools/list', {}, { accept })
    await reply.body?.cancel()
    return [reply.status, reply.headers.get('content-type')]
  }

  it.each([
    ['application/json, text/event-stream', 'application/json'],
    ['text/event-stream, application/json', 'application/json'],
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['text/event-stream', 'text/event-stream'],
  ])('%s gets %s', async (accept, type) => {
    expect(await asking(accept)).toEqual([200, type])
  })

  it('less than both is refused by the letter', async () => {
    expect((await asking('application/json', { strictAccept: true }))[0]).toBe(406)
    expect((await asking('text/event-stream', { strictAccept: true }))[0]).toBe(406)
    expect((await asking('text/event-stream, application/json', { strictAccept: true }))[0]).toBe(200)
  })
})
