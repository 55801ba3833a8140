import { afterEach, describe, expect, it } from 'vitest'
import { apiKeys, newApiKey } from '../../../src/middleware/http/api-keys.js'
import { type HttpAccessOptions, httpAccess } from '../../../src/transport/http-access.js'
import { type HttpFace, type HttpFaceOptions, httpFace } from '../../../src/transport/http-face.js'
import { send, within } from '../../fixtures/http-request.js'
import { initialize, legacyClient } from '../../fixtures/legacy-http-client.js'
import { modernServer } from '../../fixtures/modern-server.js'
import { until } from '../../fixtures/until.js'

const faces: HttpFace[] = []

function serve(options: HttpFaceOptions & HttpAccessOptions = {}, server = modernServer()): HttpFace {
  const face = httpFace(server.handler, { ...options, access: httpAccess(options) })
  faces.push(face)
  return face
}

afterEach(async () => {
  for (const face of faces.splice(0)) await face.close()
})

const JSON_TYPE = { 'content-type': 'application/json' }
const DISCOVER = {
  headers: { ...JSON_TYPE, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'server/discover' },
  body: {
    jsonrpc: '2.0',
    id: 1,
    method: 'server/discover',
    params: {
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  },
}

describe('routes', () => {
  it('all bindings and both eras are on one face', async () => {
    const { handler } = serve()
    expect((await send(handler, DISCOVER)).json.result.supportedVersions).toEqual(['2026-07-28'])
    expect((await legacyClient(handler)).initialized.status).toBe(200)
    const stream = await send(handler, { method: 'GET', path: '/sse' })
    const [path, query] = ((await stream.event())?.data ?? '').split('?') as [string, string]
    expect(path).toBe('/messages')
    const body = initialize('2024-11-05')
    expect((await send(handler, { path, query, headers: JSON_TYPE, body })).status).toBe(202)
    expect((await stream.message()).result.protocolVersion).toBe('2024-11-05')
  })

  it('can be elsewhere, also behind a prefix', async () => {
    const { handler } = serve({
      path: '/a',
      ssePath: '/b',
      messagesPath: '/c',
      publicUrl: 'https://mcp.example.com/pre',
    })
    const host = { host: 'mcp.example.com', origin: 'https://mcp.example.com' }
    const parts = { ...DISCOVER, path: '/a', headers: { ...DISCOVER.headers, ...host } }
    expect((await send(handler, parts)).status).toBe(200)
    const stream = await send(handler, { method: 'GET', path: '/b', headers: host })
    expect((await stream.event())?.data).toMatch(/^\/pre\/c\?sessionId=/)
    const page = await send(handler, { method: 'GET', path: '/a', headers: { ...host, accept: 'text/html' } })
    expect(page.text).toContain('https://mcp.example.com/pre/a')
    expect((await send(handler, { path: '/mcp' })).status).toBe(404)
  })

  it('elsewhere: 404, with what there is', async () => {
    const reply = await send(serve().handler, { method: 'GET', path: '/' })
    expect(reply.status).toBe(404)
    expect(Object.keys(reply.json.paths)).toEqual(['/mcp', '/sse', '/healthz', '/readyz'])
  })

  it('must differ, and begin with a slash', () => {
    expect(() => serve({ path: '/x', ssePath: '/x' })).toThrow(TypeError)
    expect(() => serve({ path: '/healthz' })).toThrow(TypeError)
    expect(() => serve({ path: 'mcp' })).toThrow(TypeError)
    expect(() => serve({ maxBody: 0 })).toThrow(TypeError)
  })
})

describe('guards', () => {
  it('stand before everything but health', async () => {
    const { handler } = serve()
    for (const headers of [{ host: 'evil.example.com' }, { origin: 'https://evil.example.com' }]) {
      for (const path of ['/mcp', '/sse', '/messages', '/other']) {
        for (const method of ['GET', 'POST']) {
          expect((await send(handler, { method, path, headers })).status).toBe(403)
        }
      }
      for (const path of ['/healthz', '/readyz']) {
        expect((await send(handler, { method: 'GET', path, headers })).status).toBe(200)
      }
    }
  })

  it('can be opened', async () => {
    const { handler } = serve({ allowHosts: ['a.example.com'], allowOrigins: ['https://b.example.com'] })
    const headers = { ...DISCOVER.headers, host: 'a.example.com', origin: 'https://b.example.com' }
    expect((await send(handler, { ...DISCOVER, headers })).status).toBe(200)
  })
})

describe('what is refused before a call', () => {
  it('is told of, whichever guard it was, and what handlers refuse is not', async () => {
    const told: number[] = []
    const { key, record } = await newApiKey('ann')
    const { handler } = serve({
      authentication: { methods: [apiKeys({ keys: [record] })] },
      denyAddresses: ['10.0.0.0/8'],
      onRefused: (_request, reply) => told.push(reply.status),
    })
    const headers = { ...DISCOVER.headers, authorization: `Bearer ${key}` }
    expect((await send(handler, { ...DISCOVER, headers })).status).toBe(200)
    const unknown = { ...DISCOVER.body, method: 'no/such' }
    const refusedInside = { headers: { ...headers, 'mcp-method': 'no/such' }, body: unknown }
    expect((await send(handler, refusedInside)).status).toBe(404)
    expect(told).toEqual([])
    expect((await send(handler, DISCOVER)).status).toBe(401)
    expect((await send(handler, { ...DISCOVER, headers, address: '10.1.2.3' })).status).toBe(403)
    const foreign = { ...headers, origin: 'https://evil.example' }
    expect((await send(handler, { ...DISCOVER, headers: foreign })).status).toBe(403)
    expect(told).toEqual([401, 403, 403])
  })
})

describe('health', () => {
  it('is there as long as we are', async () => {
    const reply = await send(serve().handler, { method: 'GET', path: '/healthz' })
    expect([reply.status, reply.json]).toEqual([200, { status: 'ok' }])
  })

  it('readiness says why not, and does not wait for ever', async () => {
    const ask = (ready: () => Promise<void>) =>
      send(serve({ ready, readyTimeout: 20 }).handler, { method: 'GET', path: '/readyz' })
    expect((await ask(async () => {})).status).toBe(200)
    const down = await ask(async () => {
      throw new Error('the program ended with code 3')
    })
    expect([down.status, down.json.reason]).toEqual([503, 'the program ended with code 3'])
    const silent = await within(
      500,
      ask(() => new Promise(() => {})),
      'readiness',
    )
    expect([silent.status, silent.json.reason]).toEqual([503, 'No answer from the upstream within 20 ms'])
  })

  it('readiness does not say why to foreign pages and under foreign names', async () => {
    const ready = () => Promise.reject(new Error('the program ended with code 3'))
    for (const headers of [{ host: 'evil.example' }, { host: 'localhost', origin: 'http://evil.example' }]) {
      const reply = await send(serve({ ready }).handler, { method: 'GET', path: '/readyz', headers })
      expect([reply.status, reply.json]).toEqual([503, { status: 'not ready' }])
    }
  })

  it('is not ready while draining', async () => {
    const face = serve()
    await face.drain(10)
    expect((await send(face.handler, { method: 'GET', path: '/readyz' })).status).toBe(503)
    expect((await send(face.handler, { method: 'GET', path: '/healthz' })).status).toBe(200)
  })
})

describe('draining', () => {
  it('waits for the calls of all bindings, ends all streams', async () => {
    const server = modernServer()
    const face = serve({}, server)
    const { handler } = face
    const legacy = await legacyClient(handler)
    const standalone = await legacy.get()
    const call = legacy.call('wait', {}, 'legacy')
    const stream = await send(handler, { method: 'GET', path: '/sse' })
    const [path, query] = ((await stream.event())?.data ?? '').split('?') as [string, string]
    const wait = { jsonrpc: '2.0', id: 'sse', method: 'tools/call', params: { name: 'wait' } }
    await send(handler, { path, query, headers: JSON_TYPE, body: wait })
    await until(
      () => server.requests.filter(request => request.method === 'tools/call').length === 2,
      'the calls',
    )
    let drained = false
    const drain = face.drain(5_000).then(() => {
      drained = true
    })
    expect(await standalone.rest()).toEqual([])
    expect((await send(handler, DISCOVER)).status).toBe(503)
    expect(drained).toBe(false)
    server.release()
    expect((await call).json.id).toBe('legacy')
    expect((await stream.message()).id).toBe('sse')
    expect(await stream.event()).toBeUndefined()
    await within(500, drain, 'the drain')
  })
})
