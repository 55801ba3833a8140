import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { type DashboardOptions, dashboard } from '../../../src/dashboard/dashboard.js'
import type { DashboardStatus } from '../../../src/dashboard/status.js'
import { apiKeys, newApiKey } from '../../../src/middleware/http/api-keys.js'
import { connect } from '../../../src/node/connect.js'
import { gateway } from '../../../src/node/gateway.js'
import { serve } from '../../../src/node/serve.js'
import type { ServeOptions, Server } from '../../../src/node/serve-options.js'
import { EventStreamDecoder, type ServerSentEvent } from '../../../src/protocol/event-stream.js'
import { listingServer } from '../../fixtures/listing-server.js'
import { postModern } from '../../peers/raw-clients.js'

const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map(server => server.close({ drainTimeout: 0 })))
})

async function start(options: DashboardOptions = {}, serving: ServeOptions = {}) {
  const server = await serve(listingServer('s', ['a', 'b']).handler, {
    port: 0,
    dashboard: dashboard(options),
    ...serving,
  })
  servers.push(server)
  return { server, base: server.dashboardUrl as string, url: server.url as string }
}

async function ask(
  url: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<IncomingMessage> {
  const sent = request(url, { method, headers })
  sent.on('error', () => {})
  sent.end()
  const [reply] = await once(sent, 'response')
  return reply
}

async function read(url: string, headers: Record<string, string> = {}, method = 'GET') {
  const reply = await ask(url, headers, method)
  return { status: reply.statusCode as number, headers: reply.headers, body: await text(reply) }
}

const statusOf = async (base: string, headers: Record<string, string> = {}): Promise<DashboardStatus> =>
  JSON.parse((await read(`${base}/status`, headers)).body)

/** Events as they come; `next` rejects after a while. */
async function events(base: string, headers: Record<string, string> = {}) {
  const reply = await ask(`${base}/events`, headers)
  const seen: ServerSentEvent[] = []
  const decoder = new EventStreamDecoder({
    maxEvent: 16 * 1024 * 1024,
    event: event => void seen.push(event),
    tooLarge: () => {},
  })
  let ended = false
  reply.on('data', chunk => decoder.push(chunk)).on('error', () => {})
  reply.on('close', () => {
    ended = true
  })
  const until = async (test: (event: ServerSentEvent) => boolean) => {
    const end = performance.now() + 10_000
    for (;;) {
      const found = seen.find(test)
      if (found !== undefined) return found
      if (performance.now() > end || ended) throw new Error(`not among ${JSON.stringify(seen)}`)
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
  return { reply, seen, until, isOver: () => ended }
}

const LIST = { id: 1, method: 'tools/list', params: {} }
const CALL = { id: 2, method: 'tools/call', params: { name: 'a', arguments: {} } }

async function withKeys() {
  const ann = await newApiKey('ann', { scopes: ['watch'] })
  const bob = await newApiKey('bob')
  const methods = [apiKeys({ keys: [ann.record, bob.record] })]
  return { ann: { 'x-api-key': ann.key }, bob: { 'x-api-key': bob.key }, authentication: { methods } }
}

describe('the page', () => {
  it('is our own, loads nothing from elsewhere, and is framed by nobody', async () => {
    const { base } = await start()
    for (const [path, type] of [
      ['', 'text/html'],
      ['/app.js', 'text/javascript'],
      ['/app.css', 'text/css'],
      ['/icon.svg', 'image/svg+xml'],
    ]) {
      const { status, headers, body } = await read(base + path)
      expect([status, headers['content-type']]).toEqual([200, `${type}; charset=utf-8`])
      expect(headers['x-content-type-options']).toBe('nosniff')
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'/,
      )
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['content-security-policy']).not.toContain('unsafe')
      expect(body).not.toMatch(/https?:\/\/(?!www\.w3\.org)/)
      expect(body).not.toMatch(/\son\w+=|style="|innerHTML|insertAdjacent|document\.write/)
    }
    const { body } = await read(`${base}/app.js`)
    // It is a script, and one without what compilers put beside functions.
    expect(() => new Function(body)).not.toThrow()
    expect(body).not.toMatch(/__vite|__name\(|_import_/)
  })

  it('has one address, and no other verbs', async () => {
    const { base } = await start()
    expect(await read(`${base}/`)).toMatchObject({ status: 308, headers: { location: '../dashboard' } })
    expect((await read(`${base}/other`)).status).toBe(404)
    for (const path of ['', '/status', '/events', '/app.js'])
      expect((await read(base + path, {}, 'POST')).status).toBe(405)
    expect((await read(base.replace('/dashboard', '/dashboards'))).status).toBe(404)
  })

  it('is not there unless it is asked for', async () => {
    const server = await serve(listingServer('s', ['a']).handler, { port: 0 })
    servers.push(server)
    expect(server.dashboardUrl).toBeUndefined()
    expect((await read((server.url as string).replace('/mcp', '/dashboard'))).status).toBe(404)
  })
})

describe('who may look', () => {
  it.each(['', '/app.js', '/status', '/events'])(
    '%s: no foreign page, and nobody by a name that was rebound',
    async path => {
      const { base } = await start()
      expect((await read(base + path, { origin: 'https://evil.example' })).status).toBe(403)
      expect((await read(base + path, { host: 'evil.example' })).status).toBe(403)
      const reply = await ask(base + path, { origin: new URL(base).origin })
      expect(reply.statusCode).toBe(200)
      reply.destroy()
    },
  )

  it('where somebody authenticates, those who are named, by principal or scope; the page itself holds nothing', async () => {
    const { ann, bob, authentication } = await withKeys()
    for (const allow of [['ann'], ['a*'], ['nobody', 'scope:watch']]) {
      const { base } = await start({ allow }, { authentication })
      expect((await read(base)).status).toBe(200)
      for (const path of ['/status', '/events']) {
        const { status, headers } = await read(base + path)
        expect([status, headers['www-authenticate']]).toEqual([401, expect.stringContaining('Bearer')])
        expect((await read(base + path, { 'x-api-key': 'anyport_0_guessed' })).status).toBe(401)
        expect(await read(base + path, bob)).toMatchObject({
          status: 403,
          body: expect.stringContaining('--dashboard-allow'),
        })
        const reply = await ask(base + path, ann)
        expect(reply.statusCode).toBe(200)
        reply.destroy()
      }
    }
  })

  it('nobody says for whom it is: it is not served', async () => {
    const { authentication } = await withKeys()
    await expect(start({}, { authentication })).rejects.toThrow(/--dashboard-allow/)
    for (const allow of [[''], ['scope:']]) expect(() => dashboard({ allow })).toThrow(TypeError)
    expect(() => dashboard({ maxViewers: 0 })).toThrow(/maxViewers/)
  })

  it('where nobody authenticates, whoever is at this machine, or everybody where that is said', async () => {
    const behind = { trustProxy: { addresses: ['loopback'] } }
    const elsewhere = { 'x-forwarded-for': '192.0.2.7' }
    const { base } = await start({}, behind)
    expect((await read(`${base}/status`)).status).toBe(200)
    expect(await read(`${base}/status`, elsewhere)).toMatchObject({
      status: 403,
      body: expect.stringContaining('this machine'),
    })
    // One whose word nobody takes is seen by what it says, or by the name that it was asked for.
    const { base: unaware } = await start({}, { allowHosts: ['mcp.example.com'] })
    for (const headers of [
      elsewhere,
      { via: '1.1 proxy' },
      { 'x-real-ip': '192.0.2.7' },
      { host: 'mcp.example.com' },
    ])
      expect((await read(`${unaware}/status`, headers)).status).toBe(403)
    expect((await read(`${unaware}/status`)).status).toBe(200)
    const { base: open } = await start({ allow: ['*'] }, behind)
    expect((await read(`${open}/status`, elsewhere)).status).toBe(200)
  })

  it('is one for each server', async () => {
    const shared = dashboard()
    await start({}, { dashboard: shared })
    await expect(start({}, { dashboard: shared })).rejects.toThrow(/one server only/)
  })

  it('needs HTTP, and its path to itself', async () => {
    await expect(start({}, { port: undefined, http: false, stdio: false })).rejects.toThrow(/HTTP/)
    await expect(start({}, { path: '/dashboard' })).rejects.toThrow(/path/)
    await expect(start({}, { ssePath: '/dashboard/events' })).rejects.toThrow(/ssePath/)
  })
})

describe('what it shows', () => {
  it('is JSON: what is served, each server, the calls and who calls', async () => {
    const { base, url } = await start()
    await postModern(url, LIST)
    await postModern(url, CALL)
    await read(url.replace('/mcp', '/nothing'))
    const status = await statusOf(base)
    expect(status.serving).toMatchObject({
      pid: process.pid,
      version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      gateway: false,
      path: '/mcp',
      ssePath: '/sse',
      stdio: false,
      sockets: [],
    })
    expect(status.servers).toHaveLength(1)
    expect(status.servers[0]?.traffic).toEqual(status.traffic)
    expect(status.traffic).toMatchObject({
      calls: 2,
      errors: 0,
      latency: { calls: 2, p50: expect.any(Number) },
    })
    expect(status.traffic.perSecond.reduce((sum, count) => sum + count)).toBe(2)
    expect(status.clients).toEqual([
      expect.objectContaining({ binding: 'streamable-http', era: 'modern', address: '127.0.0.1', calls: 2 }),
    ])
    expect(status.httpRefusals).toEqual({ count: 1, reasons: { 'not-found': 1 } })
    expect([status.openCount, status.open, status.subscriptions, status.lastMessage]).toEqual([0, [], 0, 3])
  })

  it('of a gateway is each of its servers: state, era, transport, process, restarts and why', async () => {
    const program = [
      'process.stderr.write("key PLANTED-SECRET-0 \\u001b[31mis bad\\u001b[0m\\n")',
      'process.exit(3)',
    ].join(';')
    const many = gateway({
      servers: {
        here: listingServer('here', ['a']).handler,
        gone: connect({
          command: process.execPath,
          args: ['-e', program],
          env: { OTHER: 'PLANTED-SECRET-0' },
        }),
      },
    })
    const server = await serve(many, { port: 0, dashboard: dashboard() })
    servers.push(server)
    await postModern(server.url as string, { id: 1, method: 'tools/call', params: { name: 'here__a' } })
    await postModern(server.url as string, { id: 2, method: 'tools/call', params: { name: 'gone__a' } })
    const { serving, servers: shown } = await statusOf(server.dashboardUrl as string)
    expect(serving.gateway).toBe(true)
    const [gone, here] = shown
    expect(here).toMatchObject({ name: 'here', path: '/servers/here', traffic: { calls: 1, errors: 0 } })
    expect(here?.status).toBeUndefined()
    expect(gone).toMatchObject({
      name: 'gone',
      traffic: {
        calls: 1,
        errors: 1,
        lastError: { target: 'gone__a', message: expect.stringContaining('***') },
      },
      status: {
        transport: 'stdio',
        pids: [],
        lastError: { code: 'ERR_EXITED', exitCode: 3, message: expect.stringContaining('***') },
        stderr: ['key *** is bad'],
      },
    })
    expect(gone?.status?.starts).toBeGreaterThan(0)
    expect(['failed', 'given-up', 'starting']).toContain(gone?.status?.state)
    expect(JSON.stringify(shown)).not.toContain('PLANTED')
    expect(server.status().servers.map(({ name }) => name)).toEqual(['gone', 'here'])
  })

  it('is told as it happens: the whole, then each message once', async () => {
    const { base, url } = await start()
    await postModern(url, LIST)
    const { until, reply, seen } = await events(base)
    expect(reply.headers['content-type']).toBe('text/event-stream')
    expect(JSON.parse((await until(event => event.event === 'status')).data)).toMatchObject({
      traffic: { calls: 1 },
    })
    await until(event => event.event === 'messages' && event.data.includes('tools/list'))
    await postModern(url, CALL)
    await until(event => event.event === 'messages' && event.data.includes('tools/call'))
    await until(event => event.event === 'status' && JSON.parse(event.data).traffic.calls === 2)
    const numbers = seen
      .filter(({ event }) => event === 'messages')
      .flatMap(({ data }) => JSON.parse(data).messages.map(({ sequence }: { sequence: number }) => sequence))
    expect(numbers).toEqual([1, 2])
    reply.destroy()
  })

  it('goes to so many at once; one who leaves makes room', async () => {
    const { base } = await start({ maxViewers: 2 })
    const first = await events(base)
    const second = await events(base)
    await second.until(event => event.event === 'status')
    expect(await read(`${base}/events`)).toMatchObject({ status: 503, headers: { 'retry-after': '10' } })
    first.reply.destroy()
    const end = performance.now() + 5_000
    let third = await ask(`${base}/events`)
    while (third.statusCode === 503 && performance.now() < end) {
      third.resume()
      third = await ask(`${base}/events`)
    }
    expect(third.statusCode).toBe(200)
    third.destroy()
    second.reply.destroy()
  })

  it('keeps no server from closing', async () => {
    const { base, server } = await start()
    const { until, isOver } = await events(base)
    await until(event => event.event === 'status')
    const began = performance.now()
    await server.close({ drainTimeout: 20_000 })
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(isOver()).toBe(true)
  })
})
