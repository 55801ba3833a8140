import { createHash } from 'node:crypto'
import { afterEach, describe, expect, it } from 'vitest'
import type { HttpHandler, HttpRequest } from '../../../src/exchange/http.js'
import { apiKeys, newApiKey } from '../../../src/middleware/http/api-keys.js'
import { type HttpAccessOptions, httpAccess } from '../../../src/transport/http-access.js'
import { type HttpFace, type HttpFaceOptions, httpFace } from '../../../src/transport/http-face.js'
import { httpRequest, type RequestParts, received, send } from '../../fixtures/http-request.js'
import { initialize, legacyClient } from '../../fixtures/legacy-http-client.js'
import { modernServer } from '../../fixtures/modern-server.js'

const faces: HttpFace[] = []

function serve(options: HttpFaceOptions & HttpAccessOptions = {}, server = modernServer()): HttpHandler {
  const face = httpFace(server.handler, { ...options, access: httpAccess(options) })
  faces.push(face)
  return face.handler
}

afterEach(async () => {
  for (const face of faces.splice(0)) await face.close()
})

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')
const CALL = {
  headers: {
    'content-type': 'application/json',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/list',
  },
  body: {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/list',
    params: {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  },
}
const withHeaders = (headers: Readonly<Record<string, string>>, parts: RequestParts = CALL) => ({
  ...parts,
  headers: { ...parts.headers, ...headers },
})

async function guarded(options: HttpFaceOptions & HttpAccessOptions = {}) {
  const alice = await newApiKey('alice')
  const mallory = await newApiKey('mallory')
  const methods = [apiKeys({ keys: [alice.record, mallory.record], sha256 })]
  const server = modernServer()
  return {
    server,
    handler: serve({ authentication: { methods }, ...options }, server),
    alice: { 'x-api-key': alice.key },
    mallory: { 'x-api-key': mallory.key },
  }
}

describe('authentication on all bindings', () => {
  it('nothing is open but health and readiness', async () => {
    const { handler, server } = await guarded({ servers: () => modernServer().handler })
    const paths = [
      '/mcp',
      '/sse',
      '/messages',
      '/servers/a/mcp',
      '/servers/a/sse',
      '/nowhere',
      '/',
      '//mcp',
      '/mcp/',
      '/healthz/',
      '/HEALTHZ',
    ]
    for (const path of paths)
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT', 'TRACE'])
        expect([path, method, (await send(handler, { ...CALL, path, method })).status]).toEqual([
          path,
          method,
          401,
        ])
    expect((await send(handler, { method: 'GET', path: '/healthz' })).status).toBe(200)
    expect((await send(handler, { method: 'GET', path: '/readyz' })).status).toBe(200)
    expect(server.requests).toEqual([])
  })

  it('the principal and its claims reach the call, in both eras', async () => {
    const { handler, server, alice } = await guarded()
    expect((await send(handler, withHeaders(alice))).status).toBe(200)
    const client = await legacyClient(handler, '2025-11-25', alice)
    await client.call('echo')
    const callers = server.contexts.map(({ caller }) => [caller.principal, caller.claims?.sub])
    expect(callers.length).toBeGreaterThan(1)
    expect(new Set(callers.map(String))).toEqual(new Set(['alice,alice']))
  })

  it('a session belongs to its principal', async () => {
    const { handler, alice, mallory } = await guarded()
    const { session } = await legacyClient(handler, '2025-11-25', alice)
    const theirs = {
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
      'content-type': 'application/json',
    }
    const body = { jsonrpc: '2.0', id: 7, method: 'tools/list' }
    expect((await send(handler, { headers: { ...theirs, ...mallory }, body })).status).toBe(404)
    expect(
      (
        await send(handler, {
          method: 'GET',
          headers: { ...theirs, ...mallory, accept: 'text/event-stream' },
        })
      ).status,
    ).toBe(404)
    expect((await send(handler, { method: 'DELETE', headers: { ...theirs, ...mallory } })).status).toBe(404)
    expect((await send(handler, { headers: theirs, body })).status).toBe(401)
    expect((await send(handler, { headers: { ...theirs, ...alice }, body })).status).toBe(200)
  })

  it('so does a client of HTTP+SSE', async () => {
    const { handler, alice, mallory } = await guarded()
    const stream = await send(handler, { method: 'GET', path: '/sse', headers: alice })
    const [path, query] = ((await stream.event())?.data ?? '').split('?') as [string, string]
    const post = (headers: Readonly<Record<string, string>>) =>
      send(handler, {
        path,
        query,
        headers: { 'content-type': 'application/json', ...headers },
        body: initialize('2024-11-05'),
      })
    expect((await post(mallory)).status).toBe(404)
    expect((await post({})).status).toBe(401)
    expect((await post(alice)).status).toBe(202)
    stream.hangUp()
  })

  it('a token in the address is no credential, and does not come out again', async () => {
    const { handler, server } = await guarded()
    const { key, record } = await newApiKey('alice')
    const keyed = serve({ authentication: { methods: [apiKeys({ keys: [record], sha256 })] } }, server)
    for (const face of [handler, keyed])
      for (const path of ['/mcp', '/sse', '/messages'])
        for (const name of [
          'access_token',
          'token',
          'api_key',
          'apikey',
          'key',
          'authorization',
          'x-api-key',
        ]) {
          const reply = await send(face, { ...CALL, path, query: `${name}=${key}` })
          expect([path, name, reply.status]).toEqual([path, name, 401])
          expect(JSON.stringify([reply.headers, reply.text])).not.toContain(key)
        }
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect((await send(keyed, { headers: form, body: `access_token=${key}` })).status).toBe(401)
    expect(server.requests).toEqual([])
  })

  it('a session is of its principal, however it is asked for', async () => {
    const { handler, alice, mallory } = await guarded({
      servers: name => (name === 'a' ? modernServer().handler : undefined),
    })
    const { session } = await legacyClient(handler, '2025-11-25', alice)
    const theirs = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }
    const posted = { ...theirs, ...mallory, 'content-type': 'application/json' }
    const messages = [
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } },
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
      { jsonrpc: '2.0', id: 1, result: { action: 'accept', content: {} } },
      [{ jsonrpc: '2.0', id: 1, method: 'tools/list' }],
    ]
    for (const body of messages) {
      const { status, headers } = await send(handler, { headers: posted, body })
      // Not even whether there is such a session comes out: a made-up one is answered in the same way.
      const madeUp = await send(handler, { headers: { ...posted, 'mcp-session-id': 'made-up' }, body })
      expect([status, headers['mcp-session-id']]).toEqual([madeUp.status, undefined])
      expect(status).toBeGreaterThanOrEqual(400)
    }
    for (const id of ['0', `${session}-0`, 'x'])
      expect(
        (
          await send(handler, {
            method: 'GET',
            headers: { ...theirs, ...mallory, accept: 'text/event-stream', 'last-event-id': id },
          })
        ).status,
      ).toBe(404)
    // Nor does it hold for what is served elsewhere.
    const elsewhere = { path: '/servers/a/mcp', headers: { ...posted, ...alice }, body: messages[0] }
    expect((await send(handler, elsewhere)).status).toBe(404)
    expect((await send(handler, { headers: { ...posted, ...alice }, body: messages[0] })).status).toBe(200)
  })

  it('whoever writes a principal into his request is nobody', async () => {
    const { handler } = await guarded()
    const headers = { 'x-principal': 'alice', 'x-forwarded-user': 'alice', 'x-remote-user': 'alice' }
    expect((await send(handler, withHeaders(headers))).status).toBe(401)
  })
})

describe('CORS', () => {
  const origin = 'https://app.example.com'
  const ask = (headers: Readonly<Record<string, string>>) => ({
    method: 'OPTIONS',
    headers: { origin, 'access-control-request-method': 'POST', ...headers },
  })

  it('is off by default', async () => {
    const handler = serve()
    const reply = await send(handler, ask({ origin: 'http://localhost:6274' }))
    expect(reply.status).toBe(405)
    expect(Object.keys(reply.headers).filter(name => name.startsWith('access-control'))).toEqual([])
    expect((await send(handler, ask({}))).status).toBe(403)
  })

  it('answers the question of a browser, before it may show a key', async () => {
    const { handler } = await guarded({ cors: { origins: [origin] } })
    const wanted =
      'authorization, content-type, mcp-protocol-version, mcp-session-id, mcp-method, mcp-name, mcp-param-region, last-event-id, x-api-key'
    const { status, headers } = await send(
      handler,
      ask({ 'access-control-request-headers': `${wanted}, x-evil` }),
    )
    expect(status).toBe(204)
    expect(headers['access-control-allow-origin']).toBe(origin)
    const allowed = headers['access-control-allow-headers']?.split(', ')
    for (const name of wanted.split(', ')) expect(allowed).toContain(name)
    expect(allowed).not.toContain('x-evil')
    expect(headers['access-control-allow-methods']).toBe('GET, POST, DELETE, OPTIONS')
    expect(headers['access-control-allow-credentials']).toBeUndefined()
  })

  it('shows the session and the refusal on the real replies', async () => {
    const { handler, alice } = await guarded({ cors: { origins: [origin] } })
    const client = await legacyClient(handler, '2025-11-25', { ...alice, origin })
    expect(client.initialized.headers).toMatchObject({
      'access-control-allow-origin': origin,
      vary: 'Origin',
    })
    expect(client.initialized.headers['access-control-expose-headers']).toContain('Mcp-Session-Id')
    const refused = await send(handler, withHeaders({ origin }))
    expect(refused.status).toBe(401)
    expect(refused.headers).toMatchObject({ 'access-control-allow-origin': origin })
    expect(refused.headers['access-control-expose-headers']).toContain('WWW-Authenticate')
  })

  it.each([
    [['https://*.example.com'], 'https://a.example.com', true],
    [['https://*.example.com'], 'https://a.b.example.com', true],
    [['https://*.example.com'], 'https://example.com', false],
    [['https://*.example.com'], 'https://evilexample.com', false],
    [['https://*.example.com'], 'https://a.example.com.evil.net', false],
    [['https://*.example.com'], 'http://a.example.com', false],
    [['https://*.example.com'], 'https://evil.net/.example.com', false],
    [['https://*.example.com'], 'https://a.exampleXcom', false],
    [['https://*.example.com'], 'https://a.example.com:8443', false],
    [['https://app.example.com:*'], 'https://app.example.com:8443', true],
    [['https://app.example.com:*'], 'https://app.example.com', true],
    [['https://app.example.com:*'], 'https://app.example.com:1@evil.net', false],
    [[origin], 'https://APP.example.com', true],
    [[origin], 'null', false],
    [['*'], 'https://anything.example', true],
    [['*'], 'null', false],
  ])('%j and a page of %s: %s', async (origins, page, expected) => {
    const handler = serve({ cors: { origins: origins as string[] } })
    const { status, headers } = await send(handler, withHeaders({ origin: page as string }))
    expect([status, headers['access-control-allow-origin']]).toEqual(
      expected ? [200, page] : [403, undefined],
    )
  })

  it.each([
    'example.com',
    'https://',
    'https://*',
    'https://a.*.example.com',
    'https://*example.com',
    'https://a/b',
    'null',
  ])('refuses the origin %j', wrong => {
    expect(() => serve({ cors: { origins: [wrong] } })).toThrow(/^cors/)
  })
})

describe('addresses and proxies', () => {
  const from = async (handler: HttpHandler, address: string, parts: RequestParts = CALL) => {
    const request = { ...httpRequest(parts), address } as HttpRequest & ReturnType<typeof httpRequest>
    return received(await handler(request), request)
  }

  it('the list is for everything, health included', async () => {
    const handler = serve({ allowAddresses: ['192.0.2.0/24'] })
    expect((await from(handler, '192.0.2.1')).status).toBe(200)
    expect((await from(handler, '198.51.100.1')).status).toBe(403)
    expect((await from(handler, '198.51.100.1', { method: 'GET', path: '/healthz' })).status).toBe(403)
  })

  it('is about the client behind a trusted proxy, and cannot be talked round', async () => {
    const options = { allowAddresses: ['203.0.113.9'], trustProxy: { addresses: ['10.0.0.1'] } }
    const handler = serve(options)
    const says = (value: string) => withHeaders({ 'x-forwarded-for': value })
    expect((await from(handler, '10.0.0.1', says('203.0.113.9'))).status).toBe(200)
    expect((await from(handler, '10.0.0.1', says('203.0.113.9, 198.51.100.1'))).status).toBe(403)
    expect((await from(handler, '198.51.100.1', says('203.0.113.9'))).status).toBe(403)
    expect((await from(handler, '10.0.0.1')).status).toBe(403)
  })

  it('the host that the proxy names is checked as any other', async () => {
    const handler = serve({ trustProxy: { addresses: ['10.0.0.1'] }, allowHosts: ['mcp.example.com'] })
    const says = (host: string) =>
      withHeaders({ host: '127.0.0.1:3000', 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': host })
    expect((await from(handler, '10.0.0.1', says('mcp.example.com'))).status).toBe(200)
    expect((await from(handler, '10.0.0.1', says('evil.example'))).status).toBe(403)
  })

  it('calls see the client', async () => {
    const server = modernServer()
    const handler = serve({ trustProxy: { addresses: ['10.0.0.1'] } }, server)
    await from(handler, '10.0.0.1', withHeaders({ 'x-forwarded-for': '203.0.113.9' }))
    expect(server.contexts.map(({ caller }) => caller.address)).toEqual(['203.0.113.9'])
  })
})
