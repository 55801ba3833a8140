import { afterEach, describe, expect, it } from 'vitest'
import { TransportError } from '../../../src/exchange/errors.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import { UPSTREAM_BUSY } from '../../../src/protocol/errors.js'
import { notification, resultResponse } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import {
  type StreamableHttp,
  type StreamableHttpOptions,
  streamableHttp,
} from '../../../src/transport/streamable-http/serve.js'
import { httpRequest, type Received, received, send, within } from '../../fixtures/http-request.js'
import { modernServer } from '../../fixtures/modern-server.js'
import { until } from '../../fixtures/until.js'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const faces: StreamableHttp[] = []

function serve(handler: Handler, options: StreamableHttpOptions = {}): StreamableHttp {
  const face = streamableHttp(handler, options)
  faces.push(face)
  return face
}

afterEach(() => {
  for (const face of faces.splice(0)) face.close()
})

function modernParts(
  method: string,
  params: Record<string, unknown> = {},
  headers: Record<string, string | undefined> = {},
) {
  const name = params.name ?? params.uri
  const all: Record<string, string | undefined> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(name === undefined ? {} : { 'mcp-name': String(name) }),
    ...headers,
  }
  const set = Object.entries(all).filter(([, value]) => value !== undefined) as [string, string][]
  return {
    headers: Object.fromEntries(set),
    body: { jsonrpc: '2.0', id: 7, method, params: { _meta: META, ...params } },
  }
}

function ask(
  face: StreamableHttp,
  method: string,
  params?: Record<string, unknown>,
  headers?: Record<string, string | undefined>,
): Promise<Received> {
  return send(face.handler, modernParts(method, params, headers))
}

describe('a modern request', () => {
  it('gets one JSON body where the first step is the response', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/call', { name: 'echo', arguments: { text: 'hi' } })
    expect(reply.status).toBe(200)
    expect(reply.headers['content-type']).toBe('application/json')
    expect(reply.headers['mcp-session-id']).toBeUndefined()
    expect(reply.json).toEqual({
      jsonrpc: '2.0',
      id: 7,
      result: { resultType: 'complete', content: [{ type: 'text', text: 'hi' }] },
    })
  })

  it('gets an event stream where a notification comes first, and the response ends it', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/call', { name: 'count', arguments: { to: 3 } })
    expect(reply.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'x-accel-buffering': 'no',
      'cache-control': 'no-cache, no-transform',
    })
    const messages = await reply.rest()
    expect(messages.map(message => message.params?.data ?? message.id)).toEqual(['0', '1', '2', 7])
  })

  it('sends no event ids: streams of this era cannot be resumed', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/call', { name: 'count', arguments: { to: 1 } })
    expect((await reply.event())?.id).toBeUndefined()
  })

  it('keeps a large result as the bytes it came as, in a body and in an event', async () => {
    const raw = RawJson.fromBytes(
      new TextEncoder().encode('{ "resultType" : "complete", "n": 1.0,\n"ü": [] }'),
    )
    const face = serve(async function* (request) {
      if (request.params?.stream) yield notification('notifications/message')
      return resultResponse(request.id, raw)
    })
    const body = await ask(face, 'tools/list')
    expect(body.text).toContain('{ "resultType" : "complete", "n": 1.0,\n"ü": [] }')
    const stream = await ask(face, 'tools/list', { stream: true })
    const [, response] = await stream.rest()
    expect(response).toEqual({ jsonrpc: '2.0', id: 7, result: { resultType: 'complete', n: 1, ü: [] } })
  })

  it('tells the handler who calls, and nothing the client says about itself', async () => {
    const server = modernServer()
    const face = serve(server.handler, { principal: request => request.header('x-user') })
    await ask(face, 'tools/list', {}, { 'x-user': 'ann', 'mcp-session-id': 'guess' })
    const caller = server.contexts[0]?.caller
    expect(caller).toMatchObject({ binding: 'streamable-http', principal: 'ann', address: '127.0.0.1' })
    expect(caller?.session).toBeUndefined()
    expect(caller?.header?.('x-user')).toBe('ann')
  })

  it('is answered with an error of the handler, with the status that fits', async () => {
    const face = serve(modernServer().handler)
    const unknown = await ask(face, 'nothing/here')
    expect([unknown.status, unknown.json.error.code, unknown.json.id]).toEqual([404, -32601, 7])
    const inBand = await ask(face, 'tools/call', { name: 'no such tool' })
    expect([inBand.status, inBand.json.error.code]).toEqual([200, -32602])
    const crash = await ask(face, 'tools/call', { name: 'crash' })
    expect([crash.status, crash.json.error.code]).toEqual([200, -32603])
    expect(crash.text).not.toContain('secret')
    const busy = serve(async function* () {
      yield* []
      throw new TransportError('ERR_BUSY', 'full')
    })
    const refused = await ask(busy, 'tools/list')
    expect([refused.status, refused.json.error.code]).toEqual([503, UPSTREAM_BUSY])
  })

  it('that fails after its stream began gets the error as the last event', async () => {
    const face = serve(async function* () {
      yield notification('notifications/message')
      throw new TransportError('ERR_EXITED', 'gone')
    })
    const messages = await (await ask(face, 'tools/list')).rest()
    expect(messages.at(-1)).toMatchObject({ id: 7, error: { message: 'gone' } })
  })
})

describe('what is refused of a modern request', () => {
  const face = () => serve(modernServer().handler)

  it.each([
    ['no Mcp-Method', 'tools/list', {}, { 'mcp-method': undefined }],
    ['another Mcp-Method', 'tools/list', {}, { 'mcp-method': 'prompts/list' }],
    ['another case of Mcp-Method', 'tools/list', {}, { 'mcp-method': 'TOOLS/LIST' }],
    ['no Mcp-Name', 'tools/call', { name: 'echo' }, { 'mcp-name': undefined }],
    ['another Mcp-Name', 'tools/call', { name: 'echo' }, { 'mcp-name': 'other' }],
    ['no MCP-Protocol-Version', 'tools/list', {}, { 'mcp-protocol-version': undefined }],
  ])('%s: 400, -32020', async (_, method, params, headers) => {
    const reply = await ask(face(), method, params, headers)
    expect([reply.status, reply.json.error.code, reply.json.id]).toEqual([400, -32020, 7])
  })

  it('a version in the body that is not the header’s: 400, -32020', async () => {
    const meta = { ...META, 'io.modelcontextprotocol/protocolVersion': 'v999' }
    const reply = await ask(face(), 'tools/list', { _meta: meta })
    expect([reply.status, reply.json.error.code]).toEqual([400, -32020])
  })

  it.each([
    ['no _meta', undefined],
    ['no version', { 'io.modelcontextprotocol/clientCapabilities': {} }],
    ['no capabilities', { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }],
  ])('%s: 400, -32602', async (_, meta) => {
    const reply = await ask(face(), 'server/discover', { _meta: meta })
    expect([reply.status, reply.json.error.code, reply.json.id]).toEqual([400, -32602, 7])
  })

  it('but not one without clientInfo, which is optional', async () => {
    const { 'io.modelcontextprotocol/clientInfo': _, ...meta } = META
    expect((await ask(face(), 'server/discover', { _meta: meta })).status).toBe(200)
  })

  it('an unknown version: 400, -32022, with the modern versions only', async () => {
    const meta = { ...META, 'io.modelcontextprotocol/protocolVersion': '2099-01-01' }
    const reply = await ask(
      face(),
      'server/discover',
      { _meta: meta },
      { 'mcp-protocol-version': '2099-01-01' },
    )
    expect(reply.status).toBe(400)
    expect(reply.json.error).toMatchObject({
      code: -32022,
      data: { supported: ['2026-07-28'], requested: '2099-01-01' },
    })
  })

  it('methods that this era removed: 404, -32601, and the handler is not asked', async () => {
    const server = modernServer()
    const own = serve(server.handler)
    for (const method of [
      'initialize',
      'ping',
      'logging/setLevel',
      'resources/subscribe',
      'resources/unsubscribe',
    ]) {
      const reply = await ask(own, method)
      expect([reply.status, reply.json.error.code]).toEqual([404, -32601])
    }
    expect(server.requests).toEqual([])
  })

  it('batches and responses: 400', async () => {
    const headers = { 'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28' }
    const batch = await send(face().handler, {
      headers,
      body: [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }],
    })
    expect([batch.status, batch.json.error.code]).toEqual([400, -32600])
    const response = await send(face().handler, { headers, body: { jsonrpc: '2.0', id: 1, result: {} } })
    expect([response.status, response.json.error.code]).toEqual([400, -32600])
  })

  it('bodies that are no JSON, no message, too long or too deep', async () => {
    const headers = { 'content-type': 'application/json' }
    const post = (body: unknown, options?: StreamableHttpOptions) =>
      send(serve(modernServer().handler, options).handler, { headers, body })
    const noJson = await post('{')
    expect([noJson.status, noJson.json.error.code, 'id' in noJson.json]).toEqual([400, -32700, false])
    const noMessage = await post({ jsonrpc: '1.0', id: 'x', method: 'm' })
    expect([noMessage.status, noMessage.json.error.code, noMessage.json.id]).toEqual([400, -32600, 'x'])
    const long = await post(
      { jsonrpc: '2.0', id: 1, method: 'm', params: { a: 'x'.repeat(100) } },
      { maxBody: 99 },
    )
    expect(long.status).toBe(413)
    expect(long.json.error.message).toMatch(/99 bytes.*--max-body/)
    const deep = await post(`${'['.repeat(50)}${']'.repeat(50)}`, { maxDepth: 20 })
    expect(deep.status).toBe(413)
    expect(deep.json.error.message).toContain('20')
  })

  it.each([[undefined], ['text/plain'], ['application/jsonx']])('the Content-Type %s: 415', async type => {
    const reply = await ask(face(), 'tools/list', {}, { 'content-type': type })
    expect(reply.status).toBe(415)
  })

  it('but not a Content-Type with a charset', async () => {
    const reply = await ask(face(), 'tools/list', {}, { 'content-type': 'Application/JSON; charset=utf-8' })
    expect(reply.status).toBe(200)
  })
})

describe('notifications, verbs and versions', () => {
  it('a notification is taken with 202 and no body', async () => {
    const face = serve(modernServer().handler)
    const headers = { 'content-type': 'application/json', 'mcp-protocol-version': '2026-07-28' }
    const body = { jsonrpc: '2.0', method: 'notifications/x' }
    const reply = await send(face.handler, { headers, body })
    expect([reply.status, reply.text]).toEqual([202, ''])
    const unknown = await send(face.handler, {
      headers: { ...headers, 'mcp-protocol-version': '1999-01-01' },
      body,
    })
    expect([unknown.status, unknown.json.error.code]).toEqual([400, -32022])
  })

  it('GET and DELETE of a modern client: 405; other verbs for everybody', async () => {
    const face = serve(modernServer().handler)
    const headers = { 'mcp-protocol-version': '2026-07-28' }
    for (const method of ['GET', 'DELETE']) {
      const reply = await send(face.handler, { method, headers })
      expect([reply.status, reply.headers.allow]).toEqual([405, 'POST'])
    }
    for (const method of ['PUT', 'PATCH', 'OPTIONS', 'HEAD']) {
      const reply = await send(face.handler, { method })
      expect([reply.status, reply.headers.allow]).toEqual([405, 'GET, POST, DELETE'])
    }
  })

  it('an explicit header beats what is left over in _meta', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/list', {}, { 'mcp-protocol-version': '2025-06-18' })
    // A legacy request without a session.
    expect(reply.status).toBe(400)
    expect(reply.json.error.message).toContain('Mcp-Session-Id')
  })

  it('a browser gets a page, which escapes what it shows', async () => {
    const face = serve(modernServer().handler)
    const page = await send(face.handler, {
      method: 'GET',
      headers: { accept: 'text/html,*/*', host: 'localhost"><script>alert(1)</script>' },
    })
    expect(page.status).toBe(200)
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.text).toContain('MCP server')
    expect(page.text).not.toContain('<script>')
  })
})

describe('Accept', () => {
  const count = { name: 'count', arguments: { to: 2 } }
  const echo = { name: 'echo', arguments: {} }

  it.each([
    'text/event-stream,application/json',
    '*/*',
    'application/*, text/*;q=0.5',
    'APPLICATION/JSON;q=0.9, Text/Event-Stream',
    undefined,
  ])('%s takes both', async accept => {
    const face = serve(modernServer().handler)
    expect((await ask(face, 'tools/call', echo, { accept })).isStream).toBe(false)
    expect((await ask(face, 'tools/call', count, { accept })).isStream).toBe(true)
  })

  it('JSON only: the response alone, notifications are left out', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/call', count, { accept: 'application/json' })
    expect(reply.isStream).toBe(false)
    expect(reply.json.result.content[0].text).toBe('counted ')
  })

  it('streams only: a stream of one event; a refusal is JSON all the same', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'tools/call', echo, { accept: 'text/event-stream' })
    expect((await reply.rest()).map(message => message.id)).toEqual([7])
    const refused = await ask(face, 'nothing/here', {}, { accept: 'text/event-stream' })
    expect([refused.status, refused.json.error.code]).toEqual([404, -32601])
  })

  it('strictly: 406 unless both are listed', async () => {
    const face = serve(modernServer().handler, { strictAccept: true })
    for (const accept of [
      'application/json',
      'text/event-stream',
      'text/html',
      'application/json;q=0, text/event-stream',
    ]) {
      expect((await ask(face, 'tools/list', {}, { accept })).status).toBe(406)
    }
    expect((await ask(face, 'tools/list')).status).toBe(200)
  })
})

describe('slow replies and hang-ups', () => {
  it('a slow reply becomes a stream, so that headers and keep-alive comments flow', async () => {
    const server = modernServer()
    const face = serve(server.handler, { streamAfter: 20 })
    const reply = await within(1_000, ask(face, 'tools/call', { name: 'wait' }), 'the headers')
    expect(reply.isStream).toBe(true)
    server.release()
    expect((await reply.rest()).map(message => message.result.content[0].text)).toEqual(['released'])
  })

  it('names a keep-alive text that is a comment', async () => {
    const face = serve(modernServer().handler)
    const parts = modernParts('tools/call', { name: 'count', arguments: { to: 1 } })
    const reply = await face.handler(httpRequest(parts))
    expect(reply.keepAlive).toMatch(/^:.*\n\n$/)
  })

  it('waits for JSON where the client takes no stream', async () => {
    const server = modernServer()
    const face = serve(server.handler, { streamAfter: 5 })
    const reply = ask(face, 'tools/call', { name: 'wait' }, { accept: 'application/json' })
    await until(() => server.requests.length === 2, 'the call')
    setTimeout(() => server.release(), 40)
    expect((await reply).json.result.content[0].text).toBe('released')
  })

  it.each<[string, { readonly name: string; readonly arguments?: object }, number]>([
    ['before anything was sent', { name: 'wait' }, 10_000],
    ['on a stream', { name: 'wait', arguments: { announce: true } }, 10_000],
    ['on a slow reply', { name: 'wait' }, 5],
  ])('a hang-up %s cancels the call', async (_, params, streamAfter) => {
    const server = modernServer()
    const face = serve(server.handler, { streamAfter })
    const request = httpRequest(modernParts('tools/call', params))
    const replying = face.handler(request)
    await until(() => server.requests.length === 2, 'the call')
    if (params.arguments !== undefined || streamAfter === 5) {
      const reply = received(await replying, request)
      if (params.arguments !== undefined) await reply.message()
      const next = reply.event()
      reply.hangUp()
      await next
    } else request.hangUp()
    await until(() => server.cancelled.length === 1, 'the cancellation')
    expect(server.cancelled).toEqual(['wait: hangup'])
    await within(1_000, face.drain(5_000), 'the drain: no call may be left')
  })

  it('a client that left before its stream was read leaves no call behind', async () => {
    const server = modernServer()
    const face = serve(server.handler)
    const request = httpRequest(modernParts('tools/call', { name: 'count', arguments: { to: 5 } }))
    expect(received(await face.handler(request), request).isStream).toBe(true)
    request.hangUp()
    await within(1_000, face.drain(5_000), 'the drain: no call may be left')
    await until(() => server.ended.includes('count'), 'the end of the call')
  })

  it('a slow reader is not read ahead for', async () => {
    const server = modernServer()
    const face = serve(server.handler)
    const reply = await ask(face, 'tools/call', { name: 'count', arguments: { to: 1_000 } })
    await reply.message()
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(server.pulled).toBeLessThan(5)
    expect(await reply.rest()).toHaveLength(1_000)
  })
})

describe('subscriptions/listen', () => {
  it('is an event stream from the acknowledgement on', async () => {
    const server = modernServer()
    const face = serve(server.handler)
    const reply = await ask(face, 'subscriptions/listen', { notifications: { toolsListChanged: true } })
    expect((await reply.message()).method).toBe('notifications/subscriptions/acknowledged')
    server.change()
    expect((await reply.message()).method).toBe('notifications/tools/list_changed')
    reply.hangUp()
    await until(() => server.listeners() === 0, 'the end of the listen')
  })

  it('streams whatever the client accepts', async () => {
    const face = serve(modernServer().handler)
    const reply = await ask(face, 'subscriptions/listen', {}, { accept: 'application/json' })
    expect(reply.isStream).toBe(true)
  })

  it.each([['waiting'], ['between events']])(
    'gets the graceful result when we shut down (%s)',
    async when => {
      const server = modernServer()
      const face = serve(server.handler)
      const reply = await ask(face, 'subscriptions/listen')
      await reply.message()
      const pending = when === 'waiting' ? reply.message() : undefined
      const drained = face.drain(1_000)
      expect(await (pending ?? reply.message())).toEqual({
        jsonrpc: '2.0',
        id: 7,
        result: { resultType: 'complete', _meta: { 'io.modelcontextprotocol/subscriptionId': 7 } },
      })
      expect(await reply.event()).toBeUndefined()
      await within(500, drained, 'the drain')
      expect(server.contexts.at(-1)?.cancelled).toBe('shutdown')
      await until(() => server.listeners() === 0, 'the end of the listen')
    },
  )
})

describe('draining', () => {
  it('refuses new calls and waits for open ones', async () => {
    const server = modernServer()
    const face = serve(server.handler)
    const open = ask(face, 'tools/call', { name: 'wait' })
    await until(() => server.requests.length === 2, 'the call')
    let drained = false
    const drain = face.drain(5_000).then(() => {
      drained = true
    })
    const refused = await ask(face, 'tools/list')
    expect([refused.status, refused.json.error.code, refused.json.id]).toEqual([503, -31005, 7])
    expect(refused.headers['retry-after']).toMatch(/^\d+$/)
    expect(drained).toBe(false)
    server.release()
    expect((await open).status).toBe(200)
    await within(500, drain, 'the drain')
  })

  it('does not wait longer than it may', async () => {
    const server = modernServer()
    const face = serve(server.handler)
    const open = ask(face, 'tools/call', { name: 'wait' })
    await until(() => server.requests.length === 2, 'the call')
    await within(500, face.drain(20), 'the drain')
    face.close()
    await within(500, open, 'the cancelled call')
    expect(server.cancelled).toEqual(['wait: shutdown'])
  })
})
