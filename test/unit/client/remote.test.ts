import { afterEach, describe, expect, it } from 'vitest'
import type { RemoteTransport } from '../../../src/client/remote.js'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { finish, type Handler } from '../../../src/exchange/exchange.js'
import { serve } from '../../../src/node/serve.js'
import type { JSONObject, JSONRPCNotification } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { testHttpClient } from '../../fixtures/http-client.js'
import { callAsModern } from '../../fixtures/modern-client.js'
import { modernServer } from '../../fixtures/modern-server.js'

const REQUESTS: readonly (readonly [string, JSONObject])[] = [
  ['server/discover', {}],
  ['tools/list', {}],
  ['tools/call', { name: 'echo', arguments: { a: [1, { b: null }], c: 'é😀' } }],
  ['tools/call', { name: 'echo', arguments: {}, _meta: { 'com.example/trace': 'abc', progressToken: 'x' } }],
  ['tools/call', { name: 'progress', arguments: { steps: 5 }, _meta: { progressToken: 'mine' } }],
  ['tools/call', { name: 'progress', arguments: { steps: 2 }, _meta: { progressToken: 7 } }],
  ['tools/call', { name: 'ask', arguments: { rounds: [['form', 'sample'], ['roots']] } }],
  ['tools/call', { name: 'fail' }],
  ['com.example/unknown', { payload: { any: ['thing'] } }],
  ['no/such/method', {}],
]

type Way = readonly [
  name: string,
  path: '/mcp' | '/sse',
  options: UpstreamOptions,
  transport: RemoteTransport,
]

const WAYS: readonly Way[] = [
  ['found to be modern', '/mcp', {}, 'auto'],
  ['found to be HTTP+SSE', '/sse', {}, 'auto'],
  ['pinned to modern', '/mcp', { protocol: 'modern' }, 'modern'],
  ['pinned to legacy', '/mcp', { protocol: 'legacy' }, 'streamable-http'],
  ['pinned to HTTP+SSE', '/sse', {}, 'sse'],
]

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

async function reach([, path, options, transport]: Way, handler: Handler): Promise<Upstream> {
  const server = await serve(handler, { port: 0 })
  const client = testHttpClient()
  const url = new URL(path, server.url).href
  const up = upstream({ name: url, remote: { url, client, transport } }, options)
  ending.push(
    () => server.close({ drainTimeout: 0 }),
    () => client.close(),
    () => up.close(),
  )
  return up
}

describe.each(WAYS)('a remote server, %s', (...way) => {
  it.each(REQUESTS)('answers %s %j as if called directly', async (method, params) => {
    const there = everythingHandler()
    const up = await reach(way, there.handler)
    const direct = everythingHandler()
    const expected = await callAsModern(direct.handler, 'seven', method, params)
    const actual = await callAsModern(up.handler, 'seven', method, params)
    expect(actual).toEqual(expected)
    expect(there.counters.runs).toEqual(direct.counters.runs)
  })

  it('passes a large result as the bytes it came as', async () => {
    const up = await reach(way, everythingHandler().handler)
    const text = 'ü'.repeat(200_000)
    const { response } = await callAsModern(up.handler, 1, 'tools/call', {
      name: 'echo',
      arguments: { text },
    })
    const result = 'result' in response ? response.result : undefined
    expect(result).toBeInstanceOf(RawJson)
    expect((result as RawJson).get('structuredContent')).toEqual({ text })
  })

  it('keeps the calls of many callers apart', async () => {
    const up = await reach(way, everythingHandler().handler)
    await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const token = index % 2 === 0 ? index % 3 : String(index % 3)
        const params = {
          name: 'progress',
          arguments: { steps: index % 5, index },
          _meta: { progressToken: token },
        }
        const { notifications, response } = await callAsModern(up.handler, index % 3, 'tools/call', params, {
          capabilities: {},
        })
        expect(response.id).toBe(index % 3)
        expect(notifications.map(n => [n.params?.progressToken, n.params?.progress])).toEqual(
          Array.from({ length: index % 5 }, (_, step) => [token, step + 1]),
        )
      }),
    )
  })

  it('is told of a cancelled call', async () => {
    const server = modernServer()
    const up = await reach(way, server.handler)
    const context = new Context({ binding: 'internal' })
    const call = finish(up.handler(modernRequest('tools/call', { name: 'wait' }), context))
    const running = () => server.requests.filter(({ params }) => params?.name === 'wait').length
    await expect.poll(running).toBe(1)
    context.cancel('cancelled')
    await expect(call).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await expect.poll(() => server.cancelled.length).toBe(1)
    expect(running()).toBe(1)
    await expect.poll(() => up.counts().calls).toBe(0)
  })

  it('tells its listeners of changes', async () => {
    const server = modernServer()
    const up = await reach(way, server.handler)
    const heard: JSONRPCNotification[] = []
    const context = new Context({ binding: 'internal' })
    const listening = finish(
      up.handler(
        modernRequest('subscriptions/listen', { notifications: { toolsListChanged: true } }),
        context,
      ),
      notification => void heard.push(notification),
    )
    await expect.poll(() => heard.length).toBe(1)
    // A legacy session listens for itself, after its client began to.
    await expect.poll(() => server.listeners()).toBe(1)
    server.change()
    await expect.poll(() => heard.length).toBe(2)
    expect(heard.map(({ method, params }) => [method, params?._meta])).toEqual([
      ['notifications/subscriptions/acknowledged', { 'io.modelcontextprotocol/subscriptionId': 'own' }],
      ['notifications/tools/list_changed', { 'io.modelcontextprotocol/subscriptionId': 'own' }],
    ])
    context.cancel('hangup')
    await expect(listening).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
  })
})

function modernRequest(method: string, params: JSONObject) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return { jsonrpc: '2.0' as const, id: 'own', method, params: { ...params, _meta } }
}
