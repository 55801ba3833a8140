import { afterEach, describe, expect, it } from 'vitest'
import { createGateway, type GatewayOptions } from '../../../src/gateway/gateway.js'
import { type HttpFace, type HttpFaceOptions, httpFace } from '../../../src/transport/http-face.js'
import { send } from '../../fixtures/http-request.js'
import { initialize, legacyClient } from '../../fixtures/legacy-http-client.js'
import { type ListingServer, listingServer } from '../../fixtures/listing-server.js'

const faces: HttpFace[] = []
const NAMES = ['a', 'Größe & co', '..', 'mcp']

function serve(options: HttpFaceOptions = {}, given: GatewayOptions = {}) {
  const servers = new Map<string, ListingServer>(NAMES.map(name => [name, listingServer(name, ['search'])]))
  const gateway = createGateway(
    Object.fromEntries([...servers].map(([name, { handler }]) => [name, handler])),
    given,
  )
  const face = httpFace(gateway.handler, { servers: gateway.server, ...options })
  faces.push(face)
  return { face, gateway, servers }
}

afterEach(async () => {
  for (const face of faces.splice(0)) await face.close()
})

const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

/** A modern request to a path, with the headers that belong to it. */
function modern(face: HttpFace, path: string, method: string, params: object = {}, name?: string) {
  return send(face.handler, {
    path,
    headers: {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(name === undefined ? {} : { 'mcp-name': name }),
    },
    body: { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } },
  })
}

const namesOf = (list: { json: { result: { tools: { name: string }[] } } }) =>
  list.json.result.tools.map(({ name }) => name)

describe('a gateway on HTTP', () => {
  it('serves all together, and each alone with its own names', async () => {
    const { face } = serve()
    expect(namesOf(await modern(face, '/mcp', 'tools/list'))).toContain('a__search')
    expect(namesOf(await modern(face, '/servers/a/mcp', 'tools/list'))).toEqual(['search'])
    const call = await modern(face, '/servers/a/mcp', 'tools/call', { name: 'search' }, 'search')
    expect(call.json.result.structuredContent).toMatchObject({ server: 'a', tool: 'search' })
  })

  it('checks the mirrored headers against the names that it shows', async () => {
    const { face, servers } = serve()
    const right = await modern(face, '/mcp', 'tools/call', { name: 'a__search' }, 'a__search')
    expect(right.json.result.structuredContent).toMatchObject({ server: 'a', tool: 'search' })
    const wrong = await modern(face, '/mcp', 'tools/call', { name: 'a__search' }, 'search')
    expect(wrong.json.error.code).toBe(-32020)
    expect(servers.get('a')?.asked.filter(what => what.startsWith('tools/call'))).toHaveLength(1)
  })

  it('checks mirrored arguments by the schema of the tool behind the name', async () => {
    const { face, servers } = serve()
    const a = servers.get('a') as ListingServer
    a.tools = [
      {
        name: 'search',
        inputSchema: { type: 'object', properties: { city: { type: 'string', 'x-mcp-header': 'City' } } },
      },
    ]
    const call = (header: string) =>
      send(face.handler, {
        path: '/mcp',
        headers: {
          'content-type': 'application/json',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/call',
          'mcp-name': 'a__search',
          'mcp-param-city': header,
        },
        body: {
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'a__search', arguments: { city: 'Oslo' }, _meta },
        },
      })
    expect((await call('Oslo')).json.result.structuredContent.arguments).toEqual({ city: 'Oslo' })
    expect((await call('Rome')).json.error.code).toBe(-32020)
  })

  it('serves legacy clients too, by session and by HTTP+SSE', async () => {
    const { face } = serve({ publicUrl: 'https://mcp.example.com/pre' })
    const alone = (path: string) => (request: Parameters<typeof face.handler>[0]) =>
      face.handler({
        ...request,
        path,
        header: request.header,
        text: request.text,
        onHangup: request.onHangup,
      })
    const client = await legacyClient(alone('/servers/a/mcp'))
    expect(client.initialized.status).toBe(200)
    expect((await client.call('search')).status).toBe(200)
    // A session of one address is unknown at another.
    const elsewhere = await send(face.handler, {
      path: '/mcp',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': client.session,
      },
      body: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    })
    expect(elsewhere.status).toBe(404)

    const stream = await send(face.handler, { method: 'GET', path: '/servers/a/sse' })
    const [path, query] = ((await stream.event())?.data ?? '').split('?') as [string, string]
    expect(path).toBe('/pre/servers/a/messages')
    const body = initialize('2024-11-05')
    const headers = { 'content-type': 'application/json' }
    expect((await send(face.handler, { path: '/servers/a/messages', query, headers, body })).status).toBe(202)
    expect((await stream.message()).result.protocolVersion).toBe('2024-11-05')
  })

  it.each([
    '/servers/nobody/mcp',
    '/servers/a',
    '/servers/a/',
    '/servers//mcp',
    '/servers/a/mcp/',
    '/servers/a//mcp',
    '/servers/a/other',
    '/servers/%61/mcp',
    '/servers/A/mcp',
    '/servers/a%00/mcp',
    '/servers/a%2fmcp/mcp',
    '/servers/../servers/a/mcp',
    '/servers/./a/mcp',
    '/servers/%2e%2e/mcp',
    '/servers/../mcp',
    '/servers/%/mcp',
    '/servers/Größe & co/mcp',
    '/servers/Gr%c3%b6%c3%9fe%20%26%20co/mcp',
    '/servers/__proto__/mcp',
    '/servers/constructor/sse',
    '/servers/a;x/mcp',
    '/SERVERS/a/mcp',
    '//servers/a/mcp',
  ])('has nothing at %s', async path => {
    const { face, servers } = serve()
    expect((await modern(face, path, 'tools/list')).status).toBe(404)
    for (const { asked } of servers.values()) expect(asked).toEqual([])
  })

  it('serves names that need an encoding by that one encoding', async () => {
    const { face } = serve()
    const list = await modern(face, '/servers/Gr%C3%B6%C3%9Fe%20%26%20co/mcp', 'tools/list')
    expect(namesOf(list)).toEqual(['search'])
  })

  it('has no addresses of their own without being told', async () => {
    const face = httpFace(listingServer('a').handler)
    faces.push(face)
    expect((await modern(face, '/servers/a/mcp', 'tools/list')).status).toBe(404)
  })

  it('guards them like all others', async () => {
    const { face } = serve()
    const host = { host: 'evil.example.com' }
    expect((await send(face.handler, { path: '/servers/a/mcp', headers: host, body: {} })).status).toBe(403)
  })

  it('ends the sessions of a server that was removed, and no others', async () => {
    const { face, gateway } = serve()
    const at = (path: string) => (request: Parameters<typeof face.handler>[0]) =>
      face.handler({
        ...request,
        path,
        header: request.header,
        text: request.text,
        onHangup: request.onHangup,
      })
    const gone = await legacyClient(at('/servers/a/mcp'))
    const kept = await legacyClient(at('/servers/mcp/mcp'))
    gateway.change({ remove: ['a'] })
    expect((await gone.call('search')).status).toBe(404)
    expect((await kept.call('search')).status).toBe(200)
  })

  it('drains all of them', async () => {
    const { face, servers } = serve()
    const a = servers.get('a') as ListingServer
    let go = () => {}
    a.delay = new Promise(resolve => {
      go = resolve
    })
    const open = modern(face, '/servers/a/mcp', 'tools/list')
    await expect.poll(() => a.asked.length).toBe(1)
    const drained = face.drain(10_000)
    const late = await modern(face, '/servers/mcp/mcp', 'tools/list')
    expect(late.status).toBe(503)
    go()
    expect(namesOf(await open)).toEqual(['search'])
    await drained
  })
})
