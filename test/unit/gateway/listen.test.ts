import { afterEach, describe, expect, it } from 'vitest'
import { Context } from '../../../src/exchange/context.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import { createGateway, type Gateway, type GatewayOptions } from '../../../src/gateway/gateway.js'
import type { GatewayServer } from '../../../src/gateway/member.js'
import type { JSONObject, JSONRPCNotification, JSONRPCResponse } from '../../../src/protocol/message.js'
import { type ListingServer, listed, listingServer, tool } from '../../fixtures/listing-server.js'
import { ALL_CAPABILITIES } from '../../fixtures/modern-client.js'
import { modernRequest } from '../../fixtures/modern-request.js'

const open: Gateway[] = []
const contexts: Context[] = []
afterEach(() => {
  for (const context of contexts.splice(0)) context.cancel('hangup')
  for (const gateway of open.splice(0)) gateway.close()
})

const TOOLS_CHANGED = 'notifications/tools/list_changed'
const UPDATED = 'notifications/resources/updated'

function gatewayOf(
  servers: Readonly<Record<string, ListingServer | GatewayServer>>,
  options: GatewayOptions = {},
) {
  const handlers = Object.entries(servers).map(
    ([name, server]) => [name, 'asked' in server ? server.handler : server] as const,
  )
  const gateway = createGateway(Object.fromEntries(handlers), {
    listTimeout: 300,
    backoff: [10, 50],
    ...options,
  })
  open.push(gateway)
  const names = async () => listed(await modernRequest(gateway.handler, 'tools/list')).map(({ name }) => name)
  return { gateway, names }
}

/** A client that listens, with what it has heard. */
function listening(gateway: Gateway, notifications: JSONObject, id = 'listen-1') {
  const context = new Context({ binding: 'streamable-http' })
  contexts.push(context)
  const heard: JSONRPCNotification[] = []
  const params = {
    notifications,
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': ALL_CAPABILITIES,
    },
  }
  const exchange = gateway.handler({ jsonrpc: '2.0', id, method: 'subscriptions/listen', params }, context)
  const ended = (async (): Promise<JSONRPCResponse> => {
    for (;;) {
      const step = await exchange.next()
      if (step.done) return step.value
      heard.push(step.value)
    }
  })()
  ended.catch(() => {})
  const acknowledged = () => expect.poll(() => heard.length).toBeGreaterThan(0)
  const changes = () =>
    heard.slice(1).map(({ method, params }) => [method, params?.uri].filter(Boolean).join(' '))
  return { context, heard, ended, acknowledged, changes }
}

/** Long enough for anything that would come to have come. */
const settled = () => new Promise(resolve => setTimeout(resolve, 150))

describe('subscriptions at a gateway', () => {
  it('begin with what was agreed to, under their own id', async () => {
    const { gateway } = gatewayOf({ a: listingServer('a') })
    const { heard, acknowledged } = listening(gateway, { toolsListChanged: true, other: true }, 'mine')
    await acknowledged()
    expect(heard[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/subscriptions/acknowledged',
      params: {
        _meta: { 'io.modelcontextprotocol/subscriptionId': 'mine' },
        notifications: { toolsListChanged: true },
      },
    })
  })

  it('tell of a list once it has changed, and ask only the server that said so', async () => {
    const a = listingServer('a', ['x'])
    const b = listingServer('b', ['y'])
    const { gateway, names } = gatewayOf({ a, b })
    const { acknowledged, changes, heard } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    await expect.poll(() => a.listening() + b.listening()).toBe(2)
    await names()
    await settled()
    const before = [a.asked.length, b.asked.length]
    a.tools = [tool('new')]
    a.announce(TOOLS_CHANGED)
    await expect.poll(changes).toEqual([TOOLS_CHANGED])
    expect(heard[1]?.params?._meta).toEqual({ 'io.modelcontextprotocol/subscriptionId': 'listen-1' })
    expect(await names()).toEqual(['a__new', 'b__y'])
    expect(a.asked.length).toBe((before[0] as number) + 1)
    expect(b.asked.length).toBe(before[1])
  })

  it('tell of nothing where the merged list is the same', async () => {
    const a = listingServer('a', ['x'])
    const { gateway } = gatewayOf({ a: { handler: a.handler, tools: { deny: ['hidden'] } } })
    const { acknowledged, changes } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    await expect.poll(() => a.asked.filter(what => what === 'tools/list').length).toBeGreaterThan(0)
    await settled()
    a.announce(TOOLS_CHANGED)
    await settled()
    a.tools = [...a.tools, tool('hidden')]
    a.announce(TOOLS_CHANGED)
    await settled()
    expect(changes()).toEqual([])
  })

  it('tell of a change that comes while the list from before it is on its way', async () => {
    const a = listingServer('a', ['x'])
    let hold: Promise<void> | undefined
    const handler: Handler = async function* (request, context) {
      const response = yield* a.handler(request, context)
      if (request.method === 'tools/list') await hold
      return response
    }
    const { gateway, names } = gatewayOf({ a: { handler } }, { listTimeout: 5_000 })
    const { acknowledged, changes } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    await names()
    await settled()
    let release = () => {}
    hold = new Promise(resolve => {
      release = resolve
    })
    const before = a.asked.length
    a.announce(TOOLS_CHANGED)
    await expect.poll(() => a.asked.length).toBe(before + 1)
    a.tools = [tool('new')]
    a.announce(TOOLS_CHANGED)
    await settled()
    hold = undefined
    release()
    await expect.poll(changes).toEqual([TOOLS_CHANGED])
    expect(await names()).toEqual(['a__new'])
    await settled()
    expect(a.asked.length).toBe(before + 2)
  })

  it('tell only of what was asked for', async () => {
    const a = listingServer('a', ['x'])
    a.prompts = [{ name: 'p' }]
    const { gateway } = gatewayOf({ a })
    const { acknowledged, changes } = listening(gateway, { promptsListChanged: true })
    await acknowledged()
    await settled()
    a.tools = []
    a.prompts = []
    a.announce(TOOLS_CHANGED)
    a.announce('notifications/prompts/list_changed')
    await expect.poll(changes).toEqual(['notifications/prompts/list_changed'])
    await settled()
    expect(changes()).toHaveLength(1)
  })

  it('tell once when servers come, go and are replaced', async () => {
    const { gateway, names } = gatewayOf({
      a: listingServer('a', ['x']),
      b: listingServer('b', ['x']),
      c: listingServer('c', ['x']),
    })
    const { acknowledged, changes } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    expect(await names()).toEqual(['a__x', 'b__x', 'c__x'])
    gateway.change({
      set: { b: listingServer('b', ['y']).handler, d: listingServer('d', ['x']).handler },
      remove: ['a'],
    })
    await expect.poll(changes).toEqual([TOOLS_CHANGED])
    expect(await names()).toEqual(['b__y', 'c__x', 'd__x'])
    await settled()
    expect(changes()).toHaveLength(1)
  })

  it('tell of a slow server when it has answered', async () => {
    const slow = listingServer('slow', ['x'])
    let go = () => {}
    slow.delay = new Promise(resolve => {
      go = resolve
    })
    const { gateway, names } = gatewayOf({ a: listingServer('a', ['x']), slow }, { listTimeout: 50 })
    const { acknowledged, changes } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    expect(await names()).toEqual(['a__x'])
    go()
    await expect.poll(changes).toEqual([TOOLS_CHANGED])
    expect(await names()).toEqual(['a__x', 'slow__x'])
  })

  it('go on when a server comes back, and tell what has changed meanwhile', async () => {
    const a = listingServer('a', ['x'])
    const { gateway } = gatewayOf({ a })
    const { acknowledged, changes } = listening(gateway, { toolsListChanged: true })
    await acknowledged()
    await expect.poll(() => a.listening()).toBe(1)
    await settled()
    a.drop()
    a.tools = [tool('y')]
    await expect.poll(() => a.listening()).toBe(1)
    await expect.poll(changes).toEqual([TOOLS_CHANGED])
  })

  it('watch resources at their servers, under the names that the client knows', async () => {
    const a = listingServer('a')
    const b = listingServer('b')
    for (const one of [a, b]) one.resources = [{ uri: 'memo://shared', name: 's' }]
    b.resources = [...(b.resources ?? []), { uri: 'db://b', name: 'b' }]
    const { gateway } = gatewayOf({ a, b })
    const uris = ['anyport:a/memo://shared', 'db://b', 'memo://shared', 'else://x']
    const { acknowledged, changes, heard } = listening(gateway, { resourceSubscriptions: uris })
    await acknowledged()
    // Nobody's, and nobody's alone.
    expect(heard[0]?.params?.notifications).toEqual({ resourceSubscriptions: uris.slice(0, 2) })
    a.announce(UPDATED, 'memo://shared')
    b.announce(UPDATED, 'db://b')
    await expect
      .poll(() => [...changes()].sort())
      .toEqual([`${UPDATED} anyport:a/memo://shared`, `${UPDATED} db://b`])
  })

  it('watch the successor of a server', async () => {
    const before = listingServer('a')
    const after = listingServer('a')
    for (const one of [before, after]) one.resources = [{ uri: 'db://a', name: 'a' }]
    const { gateway } = gatewayOf({ a: before })
    const { acknowledged, changes } = listening(gateway, { resourceSubscriptions: ['db://a'] })
    await acknowledged()
    gateway.change({ set: { a: after.handler } })
    // Whatever happened while nobody watched.
    await expect.poll(changes).toEqual([`${UPDATED} db://a`])
    after.announce(UPDATED, 'db://a')
    await expect.poll(changes).toHaveLength(2)
    expect([before.listening(), after.listening()]).toEqual([0, 1])
  })

  it('end at all servers when the client leaves', async () => {
    const a = listingServer('a')
    a.resources = [{ uri: 'db://a', name: 'a' }]
    const { gateway } = gatewayOf({ a }, { audienceTimeout: 50 })
    const { acknowledged, context, ended } = listening(gateway, {
      toolsListChanged: true,
      resourceSubscriptions: ['db://a'],
    })
    await acknowledged()
    await expect.poll(() => a.listening()).toBe(2)
    context.cancel('hangup')
    await expect(ended).rejects.toThrow('cancelled')
    await expect.poll(() => a.listening()).toBe(0)
  })

  it('end with a result when we shut down', async () => {
    const { gateway } = gatewayOf({ a: listingServer('a') })
    const { acknowledged, context, ended } = listening(gateway, { toolsListChanged: true }, 'mine')
    await acknowledged()
    context.cancel('shutdown')
    expect(await ended).toEqual({
      jsonrpc: '2.0',
      id: 'mine',
      result: { resultType: 'complete', _meta: { 'io.modelcontextprotocol/subscriptionId': 'mine' } },
    })
  })

  it.each([undefined, 7, { resourceSubscriptions: 'x' }, { resourceSubscriptions: [7] }])(
    'refuse the filter %j',
    async notifications => {
      const { gateway } = gatewayOf({ a: listingServer('a') })
      const { error } = await modernRequest(gateway.handler, 'subscriptions/listen', { notifications })
      expect(error?.code).toBe(-32602)
    },
  )
})
