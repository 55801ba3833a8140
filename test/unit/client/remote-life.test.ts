import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { finish } from '../../../src/exchange/exchange.js'
import type { JSONObject, JSONRPCNotification } from '../../../src/protocol/message.js'
import {
  events,
  type FakeAnswer,
  type FakeHttpClient,
  failure,
  fakeHttpClient,
  json,
  result,
  type SentCall,
  status,
} from '../../fixtures/fake-http-client.js'
import { callAsModern } from '../../fixtures/modern-client.js'

const CHANGED = 'notifications/tools/list_changed'
const cut = () => new TransportError('ERR_CLOSED', 'reset', { retryable: false })
const refused = () => new TransportError('ERR_CONNECT', 'refused', { retryable: true })

/** A legacy server with sessions that it loses when it is restarted, as it likes to say so. */
class LegacyServer {
  readonly client: FakeHttpClient
  /** Tools that ran, in order. */
  readonly ran: string[] = []
  readonly methods: string[] = []
  readonly streams: FakeAnswer[] = []
  tools: object[] = [{ name: 'plain' }, { name: 'safe', annotations: { idempotentHint: true } }]
  /** Requests that cannot be sent at all. */
  down = 0
  lost: (sent: SentCall) => FakeAnswer = () => status(404)
  /** What a call gets after its tool ran; by default its result. */
  answer: (sent: SentCall) => FakeAnswer = sent => json(result(sent, { content: [] }))
  /** Answers in place of the server. */
  gateway: () => FakeAnswer | undefined = () => undefined
  isModern = false
  #sessions = new Set<string>()
  #next = 1

  constructor() {
    this.client = fakeHttpClient(sent => this.#receive(sent))
  }

  restart(): void {
    this.#sessions.clear()
    for (const stream of this.streams.splice(0)) stream.end(cut())
  }

  initializes(): number {
    return this.methods.filter(method => method === 'initialize').length
  }

  #receive(sent: SentCall): FakeAnswer {
    if (this.down > 0) {
      this.down -= 1
      throw refused()
    }
    const refusal = this.gateway()
    if (refusal !== undefined) return refusal
    const session = sent.headers['mcp-session-id']
    const method: string = sent.message?.method ?? sent.method
    this.methods.push(method)
    if (this.isModern) return this.#modern(sent, method)
    if (method === 'server/discover') return json(failure(sent, -32000, 'Bad Request: no session'), 400)
    if (method === 'initialize') {
      const id = `session-${this.#next++}`
      this.#sessions.add(id)
      const capabilities = { tools: { listChanged: true } }
      return json(result(sent, { protocolVersion: '2025-11-25', capabilities, serverInfo: {} }), 200, {
        'mcp-session-id': id,
      })
    }
    if (!this.#sessions.has(String(session))) return this.lost(sent)
    if (sent.method === 'DELETE') return status(204)
    if (sent.method === 'GET') {
      const stream = events()
      this.streams.push(stream)
      return stream
    }
    if (sent.message.id === undefined) return status(202)
    return this.#answered(sent, method)
  }

  #modern(sent: SentCall, method: string): FakeAnswer {
    if (sent.headers['mcp-protocol-version'] !== '2026-07-28')
      return json(failure(sent, -32022, 'no', { supported: ['2026-07-28'] }), 400)
    if (method === 'server/discover')
      return json(result(sent, { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }))
    if (method === 'subscriptions/listen') {
      const stream = events()
      const _meta = { 'io.modelcontextprotocol/subscriptionId': sent.message.id }
      this.streams.push(stream)
      return stream.event({
        jsonrpc: '2.0',
        method: 'notifications/subscriptions/acknowledged',
        params: { notifications: sent.message.params.notifications, _meta },
      })
    }
    return this.#answered(sent, method)
  }

  #answered(sent: SentCall, method: string): FakeAnswer {
    if (method === 'tools/list') return json(result(sent, { tools: this.tools }))
    if (method !== 'tools/call') return json(result(sent, {}))
    this.ran.push(sent.message.params.name)
    return this.answer(sent)
  }
}

const ups: Upstream[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const up of ups.splice(0)) await up.close()
})

function reached(server: LegacyServer, options: UpstreamOptions = {}): Upstream {
  const remote = { url: 'http://fake/mcp', client: server.client }
  const up = upstream({ name: 'fake', remote }, options)
  ups.push(up)
  return up
}

const call = (up: Upstream, name: string, params: JSONObject = {}, capabilities: JSONObject = {}) =>
  callAsModern(up.handler, 'own', 'tools/call', { name, ...params }, { capabilities }).then(
    ({ response }) => response,
  )

describe('a session that the server has lost', () => {
  it.each([
    ['404', (_: SentCall) => status(404)],
    [
      '400',
      () => json({ jsonrpc: '2.0', id: null, error: { code: -32000, message: 'No valid session ID' } }, 400),
    ],
    ['503', () => status(503)],
    ['200 with an error', (sent: SentCall) => json(failure(sent, -32000, 'Session not found'))],
  ])('is begun anew without the client noticing: %s', async (_, lost) => {
    const server = new LegacyServer()
    server.lost = lost
    const up = reached(server)
    for (const capabilities of [{}, { elicitation: {} }]) {
      expect(await call(up, 'plain', {}, capabilities)).toMatchObject({ id: 'own', result: { content: [] } })
      server.restart()
      server.ran.length = 0
      const before = server.initializes()
      expect(await call(up, 'plain', {}, capabilities)).toMatchObject({ id: 'own', result: { content: [] } })
      expect(server.ran).toEqual(['plain'])
      expect(server.initializes()).toBe(before + 1)
    }
  })

  it('is begun once for all the calls that meet it', async () => {
    const server = new LegacyServer()
    const up = reached(server)
    await call(up, 'plain')
    server.restart()
    server.ran.length = 0
    const responses = await Promise.all(Array.from({ length: 20 }, () => call(up, 'plain')))
    for (const response of responses) expect(response).toMatchObject({ result: { content: [] } })
    expect(server.ran.length).toBe(20)
    expect(server.initializes()).toBe(2)
  })

  it('is no failure of the server, and an event', async () => {
    const server = new LegacyServer()
    const heard: string[] = []
    const up = reached(server, { onEvent: ({ type }) => void heard.push(type) })
    // More often than a program may fail.
    for (let round = 0; round < 8; round++) {
      expect(await call(up, 'plain')).toMatchObject({ result: { content: [] } })
      server.restart()
    }
    await expect.poll(() => heard.filter(type => type === 'session-lost').length).toBeGreaterThan(6)
    expect(new Set(heard)).toEqual(new Set(['starting', 'ready', 'session-lost']))
  })

  it('is waited for while the server restarts, for a time', async () => {
    const server = new LegacyServer()
    const up = reached(server, { reconnectTimeout: 600 })
    await call(up, 'plain')
    server.down = 3
    expect(await call(up, 'plain')).toMatchObject({ result: { content: [] } })
    expect(server.ran.length).toBe(2)
    server.down = 1_000
    const started = performance.now()
    expect(await call(up, 'plain')).toMatchObject({ error: { data: { code: 'ERR_CONNECT' } } })
    expect(performance.now() - started).toBeGreaterThan(500)
  })

  it('is waited for behind a gateway, too', async () => {
    const server = new LegacyServer()
    const up = reached(server, { reconnectTimeout: 2_000 })
    await call(up, 'plain')
    server.restart()
    let refusals = 0
    server.gateway = () => (++refusals > 3 ? undefined : status(503))
    expect(await call(up, 'plain')).toMatchObject({ result: { content: [] } })
    expect(server.ran).toEqual(['plain', 'plain'])
  })

  it('is not waited for where the server was never reached', async () => {
    const server = new LegacyServer()
    server.down = 1_000
    const started = performance.now()
    expect(await call(reached(server), 'plain')).toMatchObject({ error: { data: { code: 'ERR_CONNECT' } } })
    expect(performance.now() - started).toBeLessThan(1_000)
  })

  it('gives its listeners one change of each list', async () => {
    const server = new LegacyServer()
    const up = reached(server)
    const heard: JSONRPCNotification[] = []
    const context = new Context({ binding: 'internal' })
    const listening = finish(up.handler(listen(), context), change => void heard.push(change))
    await expect.poll(() => server.streams.length).toBe(1)
    server.restart()
    server.tools = [{ name: 'other' }]
    await call(up, 'plain')
    await expect.poll(() => server.streams.length, { timeout: 5_000 }).toBe(1)
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(2)
    // The subscription goes on.
    server.streams[0]?.event({ jsonrpc: '2.0', method: CHANGED })
    await expect.poll(() => heard.length).toBe(3)
    expect(heard.slice(1)).toEqual(
      [1, 2].map(() => ({
        jsonrpc: '2.0',
        method: CHANGED,
        params: { _meta: { 'io.modelcontextprotocol/subscriptionId': 'listen' } },
      })),
    )
    context.cancel('hangup')
    await expect(listening).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('turns out to be the end of an era where the server was upgraded', async () => {
    const server = new LegacyServer()
    const up = reached(server)
    await call(up, 'plain')
    expect(up.era()).toBe('legacy')
    server.restart()
    server.isModern = true
    server.lost = () => status(400)
    expect(await call(up, 'plain')).toMatchObject({ result: { content: [] } })
    expect(up.era()).toBe('modern')
    expect(server.ran).toEqual(['plain', 'plain'])
  })

  it('takes the calls with it that wait for their caller, and says so', async () => {
    const server = new LegacyServer()
    let stream: FakeAnswer | undefined
    server.answer = () => {
      stream = events().event({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} })
      return stream
    }
    const up = reached(server)
    const answered = callAsModern(
      up.handler,
      'own',
      'tools/call',
      { name: 'plain' },
      {
        capabilities: { elicitation: {} },
        answer: () => {
          stream?.end(cut())
          return { action: 'accept' }
        },
      },
    )
    const { response, asked } = await answered
    expect(asked.length).toBe(1)
    expect(response).toMatchObject({ error: { data: { code: 'ERR_CLOSED', outcome: 'unknown' } } })
    expect(server.ran).toEqual(['plain'])
  })
})

describe('the modern era of a server', () => {
  it.each<readonly [string, LegacyServer['lost']]>([
    ['as servers with sessions do', sent => json(failure(sent, -32000, 'Bad Request: no session'), 400)],
    ['in words', () => status(400)],
    ['as if nothing were there', () => status(404)],
  ])('ends where the server was replaced by an older one, which refuses calls %s', async (_, lost) => {
    const server = new LegacyServer()
    server.isModern = true
    const outcomes: string[] = []
    const up = reached(server, { onEvent: ({ type }) => outcomes.push(type) })
    const heard: JSONRPCNotification[] = []
    const context = new Context({ binding: 'internal' })
    const listening = finish(up.handler(listen(), context), change => void heard.push(change))
    await expect.poll(() => server.streams.length).toBe(1)
    await call(up, 'plain')
    expect(up.era()).toBe('modern')
    server.isModern = false
    server.lost = lost
    server.restart()
    const both = [call(up, 'plain'), call(up, 'plain')]
    for (const response of await Promise.all(both))
      expect(response).toMatchObject({ result: { content: [] } })
    expect(up.era()).toBe('legacy')
    expect(server.ran).toEqual(['plain', 'plain', 'plain'])
    expect(outcomes).not.toContain('exited')
    // Whoever listens is told that something may have changed, and goes on.
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBeGreaterThan(1)
    context.cancel('hangup')
    await expect(listening).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })

  it('goes on where the server has reasons of its own to refuse a call', async () => {
    const server = new LegacyServer()
    server.isModern = true
    const up = reached(server)
    await call(up, 'plain')
    server.answer = sent => json(failure(sent, -32000, 'Not today'), 400)
    for (let time = 0; time < 3; time++)
      expect(await call(up, 'plain')).toMatchObject({ error: { code: -32000, message: 'Not today' } })
    expect(up.era()).toBe('modern')
    // Asked at the start, and once more.
    expect(server.methods.filter(method => method === 'server/discover')).toHaveLength(2)
    server.answer = sent => json(failure(sent, -32601, 'Unknown'), 404)
    expect(await call(up, 'plain')).toMatchObject({ error: { code: -32601 } })
  })

  it('never ends where no other is allowed', async () => {
    const server = new LegacyServer()
    server.isModern = true
    const up = reached(server, { protocol: 'modern' })
    await call(up, 'plain')
    server.isModern = false
    server.lost = sent => json(failure(sent, -32000, 'Bad Request: no session'), 400)
    expect(await call(up, 'plain')).toMatchObject({ error: { code: -32000 } })
    expect(up.era()).toBe('modern')
    expect(server.initializes()).toBe(0)
  })
})

describe('a session whose questions come with their calls', () => {
  it('is shared by calls that may ask', async () => {
    const server = new LegacyServer()
    const streams: (() => void)[] = []
    server.answer = sent => {
      const stream = events()
      streams.push(() => stream.event(result(sent, { content: [] })).end())
      return stream
    }
    const up = reached(server)
    const calls = Array.from({ length: 10 }, () => call(up, 'plain', {}, { elicitation: {} }))
    await expect.poll(() => streams.length).toBe(10)
    for (const finish of streams) finish()
    await Promise.all(calls)
    expect(server.initializes()).toBe(1)
  })

  it('is not shared any more where they do not', async () => {
    const server = new LegacyServer()
    const streams: (() => void)[] = []
    const up = reached(server, { spillAfter: 10 })
    await call(up, 'plain', {}, { elicitation: {} })
    await expect.poll(() => server.streams.length).toBe(1)
    server.streams[0]?.event({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} })
    await new Promise(resolve => setTimeout(resolve, 5))
    server.answer = sent => {
      const stream = events()
      streams.push(() => stream.event(result(sent, { content: [] })).end())
      return stream
    }
    const calls = Array.from({ length: 2 }, () => call(up, 'plain', {}, { elicitation: {} }))
    await expect.poll(() => streams.length).toBe(2)
    expect(server.initializes()).toBe(2)
    for (const finish of streams) finish()
    await Promise.all(calls)
  })
})

describe.each(['legacy', 'modern'] as const)('a call that was delivered to a %s server', era => {
  function there(): LegacyServer {
    const server = new LegacyServer()
    server.isModern = era === 'modern'
    return server
  }

  it('and is lost is not made again: its outcome is unknown', async () => {
    const server = there()
    server.answer = () => events().end(cut())
    const up = reached(server)
    expect(await call(up, 'plain')).toMatchObject({
      error: {
        message: expect.stringMatching(/outcome of the call of "plain" is unknown.*not declared idempotent/),
        data: { outcome: 'unknown' },
      },
    })
    expect(server.ran).toEqual(['plain'])
  })

  it.each([502, 504])('and is lost by a gateway (%i) is not made again either', async code => {
    const server = there()
    server.answer = () => status(code)
    expect(await call(reached(server), 'plain')).toMatchObject({
      error: { data: { outcome: 'unknown', status: code } },
    })
    expect(server.ran).toEqual(['plain'])
  })

  it('and is lost is made again where its tool may run twice, with progress that goes on', async () => {
    const server = there()
    server.answer = sent => {
      const { id } = sent.message
      const stream = events()
      const upTo = server.ran.length === 1 ? 2 : 3
      for (let progress = 1; progress <= upTo; progress++)
        stream.event({
          jsonrpc: '2.0',
          method: 'notifications/progress',
          params: { progressToken: id, progress },
        })
      return server.ran.length === 1 ? stream.end(cut()) : stream.event(result(sent, { content: [] })).end()
    }
    const { response, notifications } = await callAsModern(
      reached(server).handler,
      'own',
      'tools/call',
      { name: 'safe', _meta: { progressToken: 'mine' } },
      { capabilities: {} },
    )
    expect(response).toMatchObject({ result: { content: [] } })
    expect(notifications.map(({ params }) => params?.progress)).toEqual([1, 2, 3])
    expect(server.ran).toEqual(['safe', 'safe'])
  })

  it('and is lost twice is given up', async () => {
    const server = there()
    server.answer = () => events().end(cut())
    expect(await call(reached(server), 'safe')).toMatchObject({ error: { data: { outcome: 'unknown' } } })
    expect(server.ran).toEqual(['safe', 'safe'])
  })
})

describe('a subscription at a modern server', () => {
  it('outlives its stream, and announces what may have changed', async () => {
    const server = new LegacyServer()
    server.isModern = true
    const heard: string[] = []
    const context = new Context({ binding: 'internal' })
    const up = reached(server)
    const listening = finish(up.handler(listen(), context), ({ method }) => void heard.push(method))
    await expect.poll(() => heard.length).toBe(1)
    server.streams.pop()?.end(cut())
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(2)
    server.streams.pop()?.end()
    await expect.poll(() => heard.length, { timeout: 5_000 }).toBe(3)
    expect(heard).toEqual(['notifications/subscriptions/acknowledged', CHANGED, CHANGED])
    context.cancel('hangup')
    await expect(listening).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await expect.poll(() => server.streams[0]?.cancelled).toBe(true)
  })
})

function listen() {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const notifications = { toolsListChanged: true }
  return {
    jsonrpc: '2.0' as const,
    id: 'listen',
    method: 'subscriptions/listen',
    params: { notifications, _meta },
  }
}
