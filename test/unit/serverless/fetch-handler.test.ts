import {
  Client as SdkV2Client,
  StreamableHTTPClientTransport as SdkV2Transport,
} from '@modelcontextprotocol/client'
import { Client as SdkV1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as SdkV1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { describe, expect, it } from 'vitest'
import { type FetchHandlerOptions, fetchHandler, type Handler, RpcError } from '../../../src/fetch.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { within } from '../../fixtures/http-request.js'
import { initialize } from '../../fixtures/legacy-http-client.js'
import { type ModernServer, modernServer } from '../../fixtures/modern-server.js'
import { until } from '../../fixtures/until.js'

const URL_OF_ENDPOINT = 'https://mcp.example.com/mcp'
const ACCEPT = 'application/json, text/event-stream'

type Fetch = (request: Request) => Promise<Response>

function serve(options: FetchHandlerOptions = {}): { fetch: Fetch; server: ModernServer } {
  const server = modernServer()
  return { fetch: fetchHandler(server.handler, options), server }
}

interface Parts {
  readonly url?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

function post(body: BodyInit | object, { url = URL_OF_ENDPOINT, headers = {}, signal }: Parts = {}): Request {
  const isText = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream
  return new Request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: ACCEPT, ...headers },
    body: isText ? (body as BodyInit) : JSON.stringify(body),
    ...(signal === undefined ? {} : { signal }),
    // Node wants to be told that a body which is a stream goes out before the reply comes.
    ...{ duplex: 'half' },
  })
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

function modernCall(name: string, args: object = {}, parts: Parts = {}): Request {
  const headers = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': name,
    ...parts.headers,
  }
  const params = { name, arguments: args, _meta: META }
  return post({ jsonrpc: '2.0', id: 7, method: 'tools/call', params }, { ...parts, headers })
}

function listen(parts: Parts = {}): Request {
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' }
  const params = { notifications: { toolsListChanged: true }, _meta: META }
  return post({ jsonrpc: '2.0', id: 'l', method: 'subscriptions/listen', params }, { ...parts, headers })
}

function isCalled(server: ModernServer, tool: string): boolean {
  return server.requests.some(({ params }) => params?.name === tool)
}

/** The text that arrives until it holds what is waited for. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, part: string): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  while (!text.includes(part)) {
    const step = await within(2_000, reader.read(), `${part} after ${text}`)
    if (step.done) throw new Error(`The stream ended before ${part}: ${text}`)
    text += decoder.decode(step.value, { stream: true })
  }
  return text
}

// biome-ignore lint/suspicious/noExplicitAny: tests look inside
function messagesIn(text: string): any[] {
  return text.split('\n').flatMap(line => (/^data: ./.test(line) ? [JSON.parse(line.slice(6))] : []))
}

describe('replies', () => {
  it('a modern call is answered as JSON', async () => {
    const { fetch, server } = serve()
    const response = await fetch(modernCall('echo', { text: 'hällo' }))
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: 7,
      result: { resultType: 'complete', content: [{ type: 'text', text: 'hällo' }] },
    })
    expect(server.contexts[0]?.caller.header?.('mcp-name')).toBe('echo')
    expect(server.contexts[0]?.cancelled).toBeUndefined()
  })

  it('a call with notifications is an event stream', async () => {
    const { fetch } = serve()
    const response = await fetch(modernCall('count', { to: 500 }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const messages = messagesIn(await response.text())
    expect(messages.length).toBe(501)
    expect(messages.slice(0, 500).map(message => message.params.data)).toEqual(
      Array.from({ length: 500 }, (_, index) => String(index)),
    )
    expect(messages[500].result.content[0].text).toBe('counted ')
  })

  it('a result that is bytes arrives as these bytes', async () => {
    const json = `{"resultType":"complete","text":"${'ü'.repeat(100_000)}"}`
    const result = RawJson.fromBytes(new TextEncoder().encode(json))
    const handler: Handler = async function* (request) {
      return { jsonrpc: '2.0', id: request.id, result }
    }
    const text = await (await fetchHandler(handler)(modernCall('large'))).text()
    expect(text.includes(json)).toBe(true)
    expect(JSON.parse(text).id).toBe(7)
  })

  it('a legacy session: initialize, call, standalone stream, end', async () => {
    const { fetch, server } = serve({ sessionless: false })
    const initialized = await fetch(post(initialize('2025-11-25')))
    expect((await initialized.json()).result.protocolVersion).toBe('2025-11-25')
    const headers = {
      'mcp-session-id': initialized.headers.get('mcp-session-id') ?? '',
      'mcp-protocol-version': '2025-11-25',
    }
    const taken = await fetch(post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { headers }))
    expect([taken.status, await taken.text()]).toEqual([202, ''])
    const params = { name: 'echo', arguments: { text: 'x' } }
    const called = await fetch(post({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, { headers }))
    expect((await called.json()).result.content).toEqual([{ type: 'text', text: 'x' }])

    const get = new Request(URL_OF_ENDPOINT, { headers: { ...headers, accept: 'text/event-stream' } })
    const stream = (await fetch(get)).body!.getReader()
    await until(() => server.listeners() === 1, 'the subscription')
    server.change()
    expect(messagesIn(await readUntil(stream, 'list_changed'))[0].method).toBe(
      'notifications/tools/list_changed',
    )
    const end = () => fetch(new Request(URL_OF_ENDPOINT, { method: 'DELETE', headers }))
    expect((await end()).status).toBeLessThan(300)
    expect((await end()).status).toBe(404)
    await stream.cancel()
  })

  it('HTTP+SSE', async () => {
    const { fetch } = serve({ sessionless: false })
    const stream = (await fetch(new Request('https://mcp.example.com/sse'))).body!.getReader()
    const endpoint = /data: (\S+)/.exec(await readUntil(stream, '\n\n'))?.[1] as string
    const url = new URL(endpoint, URL_OF_ENDPOINT).href
    expect((await fetch(post(initialize('2024-11-05'), { url }))).status).toBe(202)
    expect(messagesIn(await readUntil(stream, '"protocolVersion"'))[0].result.protocolVersion).toBe(
      '2024-11-05',
    )
    await stream.cancel()
    expect((await fetch(post(initialize('2024-11-05'), { url }))).status).toBe(404)
  })

  it('tells of what a handler throws, and keeps it from the client', async () => {
    const errors: unknown[] = []
    const secret = new Error('secret detail')
    const principal = () => {
      throw secret
    }
    const { fetch } = serve({ principal, onError: error => errors.push(error) })
    const response = await fetch(modernCall('echo'))
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    expect(errors).toEqual([secret])
  })

  it('an RpcError of the handler travels as it is', async () => {
    const handler: Handler = () => {
      throw new RpcError(-32602, 'No such thing', { name: 'x' })
    }
    const response = await fetchHandler(async function* (request, context) {
      return yield* handler(request, context)
    })(modernCall('echo'))
    expect((await response.json()).error).toEqual({
      code: -32602,
      message: 'No such thing',
      data: { name: 'x' },
    })
  })
})

describe('bodies', () => {
  const chunks = (...given: readonly Uint8Array[]) => {
    const state = { pulled: 0, cancelled: false }
    const stream = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          const next = given[state.pulled++]
          if (next === undefined) controller.close()
          else controller.enqueue(next)
        },
        cancel() {
          state.cancelled = true
        },
      },
      { highWaterMark: 0 },
    )
    return { state, stream }
  }

  it('too large by their own word are not read', async () => {
    const { fetch } = serve({ maxBody: 100 })
    const { state, stream } = chunks(new Uint8Array(10))
    const response = await fetch(post(stream, { headers: { 'content-length': '101' } }))
    expect(response.status).toBe(413)
    expect((await response.json()).error.data).toEqual({ option: '--max-body', limit: 100 })
    expect(state).toEqual({ pulled: 0, cancelled: true })
  })

  it('too large in fact are read up to the limit', async () => {
    const { fetch } = serve({ maxBody: 100 })
    const { state, stream } = chunks(...Array.from({ length: 50 }, () => new Uint8Array(40).fill(32)))
    const response = await fetch(post(stream))
    expect(response.status).toBe(413)
    expect(state.pulled).toBeLessThan(6)
    expect(state.cancelled).toBe(true)
  })

  it('of exactly the limit pass', async () => {
    const text = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/x' })
    const { fetch } = serve({ maxBody: text.length })
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'notifications/x' }
    expect((await fetch(post(text, { headers }))).status).toBe(202)
    expect((await fetch(post(`${text} `, { headers }))).status).toBe(413)
  })

  it('may be cut anywhere, within a letter too', async () => {
    const whole = new Uint8Array(await modernCall('echo', { text: 'hällo €' }).arrayBuffer())
    const { stream } = chunks(...Array.from(whole, byte => Uint8Array.of(byte)))
    const { headers } = modernCall('echo')
    const { fetch } = serve()
    const response = await fetch(post(stream, { headers: Object.fromEntries(headers) }))
    expect((await response.json()).result.content[0].text).toBe('hällo €')
  })

  it('that are no UTF-8 are refused', async () => {
    const { fetch } = serve()
    for (const bytes of [
      [0x22, 0xff, 0x22],
      [0x22, 0xe2, 0x82],
    ]) {
      const response = await fetch(post(Uint8Array.from(bytes)))
      expect(response.status).toBe(400)
      expect((await response.json()).error).toMatchObject({ code: -32700, message: /UTF-8/ })
    }
  })

  it('that never end are given up with their client', async () => {
    const { fetch } = serve()
    const client = new AbortController()
    const stream = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) })
    const response = fetch(post(stream, { signal: client.signal }))
    client.abort()
    expect((await within(1_000, response, 'the reply')).status).toBe(400)
  })
})

describe('hang-up', () => {
  it('of the request, before the reply has begun', async () => {
    const { fetch, server } = serve()
    const client = new AbortController()
    const response = fetch(modernCall('wait', {}, { signal: client.signal }))
    await until(() => isCalled(server, 'wait'), 'the call')
    client.abort()
    await until(() => server.cancelled.length === 1, 'the cancellation')
    expect(server.cancelled).toEqual(['wait: hangup'])
    await within(1_000, response, 'the reply')
  })

  it('of the request, within the stream', async () => {
    const { fetch, server } = serve()
    const client = new AbortController()
    const response = await fetch(modernCall('wait', { announce: true }, { signal: client.signal }))
    const reader = response.body!.getReader()
    await readUntil(reader, 'waiting')
    const rest = reader.read()
    client.abort()
    await expect(within(1_000, rest, 'the end')).rejects.toThrow('left')
    expect(server.cancelled).toEqual(['wait: hangup'])
    await until(() => server.ended.includes('wait'), 'the end of the call')
  })

  it('by cancelling the reply', async () => {
    const { fetch, server } = serve()
    const reader = (await fetch(modernCall('wait', { announce: true }))).body!.getReader()
    await readUntil(reader, 'waiting')
    await reader.cancel()
    expect(server.cancelled).toEqual(['wait: hangup'])
    await until(() => server.ended.includes('wait'), 'the end of the call')
  })

  it('ends a subscription', async () => {
    const { fetch, server } = serve()
    const response = await fetch(listen())
    await readUntil(response.body!.getReader(), 'acknowledged')
    expect(server.listeners()).toBe(1)
    const client = new AbortController()
    const other = await fetch(listen({ signal: client.signal }))
    await readUntil(other.body!.getReader(), 'acknowledged')
    expect(server.listeners()).toBe(2)
    client.abort()
    await until(() => server.listeners() === 1, 'the end of the subscription')
  })

  it('after the reply is none', async () => {
    const { fetch, server } = serve()
    const client = new AbortController()
    await fetch(modernCall('echo', {}, { signal: client.signal }))
    const streamed = await fetch(modernCall('count', { to: 3 }, { signal: client.signal }))
    await streamed.text()
    client.abort()
    expect(server.ended.filter(name => name !== 'tools/list')).toEqual(['echo', 'count'])
    expect(server.contexts.filter(context => context.cancelled !== undefined)).toEqual([])
  })
})

describe('streams', () => {
  it('pull no more than their client reads', async () => {
    const { fetch, server } = serve()
    const response = await fetch(modernCall('count', { to: 100_000 }))
    await new Promise(resolve => setTimeout(resolve, 50))
    const ahead = server.pulled
    // 16 KiB are read ahead, and an event has some 100 bytes.
    expect(ahead).toBeLessThan(400)
    const reader = response.body!.getReader()
    await readUntil(reader, '"data":"50"')
    expect(server.pulled).toBeLessThan(ahead + 400)
    await reader.cancel()
  })

  it('are kept alive while they are silent', async () => {
    const { fetch, server } = serve({ keepAlive: 40 })
    const reader = (await fetch(listen())).body!.getReader()
    await readUntil(reader, 'acknowledged')
    const began = performance.now()
    await readUntil(reader, ':\n\n')
    await readUntil(reader, ':\n\n')
    // Two silences, the first of which may have begun half an interval earlier.
    expect(performance.now() - began).toBeGreaterThan(50)
    server.change()
    expect(messagesIn(await readUntil(reader, 'list_changed')).length).toBe(1)
    await reader.cancel()
  })

  it('need a sensible interval', () => {
    expect(() => serve({ keepAlive: 0 })).toThrow(TypeError)
    expect(() => serve({ keepAlive: Number.NaN })).toThrow(TypeError)
  })
})

describe('names', () => {
  const status = async (options: FetchHandlerOptions, headers: Readonly<Record<string, string>>) =>
    (await serve(options).fetch(modernCall('echo', {}, { headers }))).status

  it('the host of the URL is ours, and its pages may call', async () => {
    expect(await status({}, {})).toBe(200)
    expect(await status({}, { origin: 'https://mcp.example.com' })).toBe(200)
    expect(await status({}, { origin: 'http://mcp.example.com' })).toBe(200)
  })

  it('other pages may not', async () => {
    for (const origin of [
      'https://evil.example.com',
      'https://mcp.example.com:444',
      'https://mcp.example.com.evil.example.com',
      'ftp://mcp.example.com',
      'null',
    ]) {
      expect([origin, await status({}, { origin })]).toEqual([origin, 403])
    }
    expect(
      await status({ allowOrigins: ['https://app.example.com'] }, { origin: 'https://app.example.com' }),
    ).toBe(200)
  })

  it('names that are given are the only ones', async () => {
    expect(await status({ allowHosts: ['mcp.example.com'] }, {})).toBe(200)
    expect(await status({ allowHosts: ['other.example.com'] }, {})).toBe(403)
  })
})

describe('clients of the official SDKs, in process', () => {
  const fetchOf = (fetch: Fetch) => (input: string | URL | Request, init?: RequestInit) =>
    fetch(new Request(input, init))

  it('v1: a session, a stream, a subscription', async () => {
    const { fetch, server } = serve({ sessionless: false })
    const client = new SdkV1Client({ name: 'test', version: '1' })
    const transport = new SdkV1Transport(new URL(URL_OF_ENDPOINT), { fetch: fetchOf(fetch) })
    await client.connect(transport as never)
    expect(transport.sessionId).toMatch(/./)
    expect((await client.listTools()).tools.map(tool => tool.name)).toEqual(['echo'])
    const logged: unknown[] = []
    client.fallbackNotificationHandler = async notification => void logged.push(notification.method)
    const counted = await client.callTool({ name: 'count', arguments: { to: 3 } })
    expect(counted.content).toEqual([{ type: 'text', text: 'counted ' }])
    expect(logged).toEqual(Array.from({ length: 3 }, () => 'notifications/message'))
    await until(() => server.listeners() === 1, 'the subscription')
    server.change()
    await until(() => logged.includes('notifications/tools/list_changed'), 'the change')
    await client.close()
  })

  for (const mode of ['legacy', { pin: '2026-07-28' }] as const) {
    it(`v2: ${typeof mode === 'string' ? mode : mode.pin}`, async () => {
      const { fetch, server } = serve({ sessionless: false })
      const client = new SdkV2Client({ name: 'test', version: '1' }, { versionNegotiation: { mode } })
      await client.connect(new SdkV2Transport(new URL(URL_OF_ENDPOINT), { fetch: fetchOf(fetch) }))
      const result = await client.callTool({ name: 'echo', arguments: { text: 'v2' } })
      expect(result.content).toEqual([{ type: 'text', text: 'v2' }])
      const left = new AbortController()
      const waiting = client.callTool({ name: 'wait' }, { signal: left.signal })
      await until(() => isCalled(server, 'wait'), 'the call')
      left.abort('no more')
      await expect(waiting).rejects.toThrow()
      await until(() => server.cancelled.length === 1, 'the cancellation')
      await client.close()
    })
  }
})
