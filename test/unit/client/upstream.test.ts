import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { finish } from '../../../src/exchange/exchange.js'
import type { JSONObject, JSONRPCMessage, JSONRPCNotification } from '../../../src/protocol/message.js'
import type { Channel } from '../../../src/transport/channel/channel.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget, rawTarget } from '../../fixtures/memory-target.js'
import { ALL_CAPABILITIES, type ClientOptions, callAsModern } from '../../fixtures/modern-client.js'
import { until } from '../../fixtures/until.js'

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

async function compare(
  options: UpstreamOptions,
  method: string,
  params: JSONObject,
  client: ClientOptions = {},
) {
  const direct = everythingHandler()
  const there = everythingHandler()
  const up = upstream(memoryTarget(there.handler), options)
  try {
    const expected = await callAsModern(direct.handler, 'seven', method, params, client)
    const actual = await callAsModern(up.handler, 'seven', method, params, client)
    expect(actual).toEqual(expected)
    expect(there.counters.runs).toEqual(direct.counters.runs)
  } finally {
    await up.close()
  }
}

describe.each(['auto', 'modern', 'legacy'] as const)(
  'a pipe to a server of both eras, protocol %s',
  protocol => {
    it.each(REQUESTS)('%s %j is as if called directly', async (method, params) => {
      await compare({ protocol }, method, params)
    })
  },
)

describe('callers on one pipe', () => {
  it.each(['modern', 'legacy'] as const)('get their own answers and progress back: %s', async protocol => {
    const { handler } = everythingHandler()
    const up = upstream(memoryTarget(handler), { protocol })
    const calls = fc.sample(
      fc.record({ steps: fc.integer({ min: 0, max: 8 }), id: fc.integer({ min: 0, max: 3 }) }),
      200,
    )
    await Promise.all(
      calls.map(async ({ steps, id }, index) => {
        const token = index % 2 === 0 ? id : String(id)
        const transcript = await callAsModern(
          up.handler,
          id,
          'tools/call',
          { name: 'progress', arguments: { steps, index }, _meta: { progressToken: token } },
          { capabilities: {} },
        )
        expect(transcript.response.id).toBe(id)
        expect(transcript.notifications.map(n => [n.params?.progressToken, n.params?.progress])).toEqual(
          Array.from({ length: steps }, (_, step) => [token, step + 1]),
        )
      }),
    )
    await up.close()
  })

  it('who can be asked never shares a connection with another principal', async () => {
    const { handler } = everythingHandler()
    const target = memoryTarget(handler)
    const up = upstream(target, { protocol: 'legacy' })
    const principals = ['ann', 'bob', 'cid']
    const transcripts = await Promise.all(
      principals.flatMap(principal =>
        [1, 2].map(id =>
          callAsModern(
            up.handler,
            id,
            'tools/call',
            { name: 'ask', arguments: { rounds: [['form']] } },
            {
              caller: { binding: 'streamable-http', principal },
              answer: () => ({ action: 'accept', content: { v: `${principal} ${id}` } }),
            },
          ),
        ),
      ),
    )
    expect(
      transcripts.map(t => ('result' in t.response ? JSON.stringify(t.response.result) : 'error')),
    ).toEqual(
      principals.flatMap(principal => [1, 2].map(id => expect.stringContaining(`${principal} ${id}`))),
    )
    // One for each principal: a principal's second call waits for its first.
    expect(target.served.length).toBe(3)
    await up.close()
  })
})

describe('subscriptions', () => {
  it.each(['modern', 'legacy'] as const)(
    'reach their listener under its own id and end gracefully: %s',
    async protocol => {
      const { handler, change } = everythingHandler()
      const up = upstream(memoryTarget(handler), { protocol })
      const context = new Context({ binding: 'internal' })
      const seen: JSONRPCNotification[] = []
      const listening = finish(
        up.handler(
          {
            jsonrpc: '2.0',
            id: 'mine',
            method: 'subscriptions/listen',
            params: {
              notifications: { toolsListChanged: true, resourceSubscriptions: ['a:b'] },
              _meta: {
                'io.modelcontextprotocol/protocolVersion': '2026-07-28',
                'io.modelcontextprotocol/clientCapabilities': {},
              },
            },
          },
          context,
        ),
        notification => void seen.push(notification),
      ).catch(error => error)
      await until(() => seen.length === 1)
      expect(seen[0]?.params?.notifications).toEqual({
        toolsListChanged: true,
        resourceSubscriptions: ['a:b'],
      })
      change({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' })
      change({ jsonrpc: '2.0', method: 'notifications/resources/list_changed' })
      change({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a:b' } })
      change({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'other' } })
      await until(() => seen.length === 3)
      await new Promise(resolve => setTimeout(resolve, 20))
      expect(seen.map(n => n.method)).toEqual([
        'notifications/subscriptions/acknowledged',
        'notifications/tools/list_changed',
        'notifications/resources/updated',
      ])
      expect(seen.map(n => n.params?._meta?.['io.modelcontextprotocol/subscriptionId'])).toEqual([
        'mine',
        'mine',
        'mine',
      ])
      context.cancel('hangup')
      expect(await listening).toMatchObject({ code: 'ERR_CANCELLED' })
      await up.close()
    },
  )
})

describe('cancelling', () => {
  it.each(['modern', 'legacy'] as const)('reaches the tool: %s', async protocol => {
    const { handler, counters } = everythingHandler()
    const up = upstream(memoryTarget(handler), { protocol })
    const context = new Context({ binding: 'internal' })
    const call = finish(
      up.handler(
        {
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: {
            name: 'hang',
            _meta: {
              'io.modelcontextprotocol/protocolVersion': '2026-07-28',
              'io.modelcontextprotocol/clientCapabilities': {},
            },
          },
        },
        context,
      ),
    ).catch(error => error)
    await until(() => counters.runs.get('hang') === 1)
    context.cancel('hangup')
    expect(await call).toMatchObject({ code: 'ERR_CANCELLED' })
    await until(() => counters.cancelled.length === 1)
    await up.close()
  })
})

describe('finding out the era', () => {
  const initialized = (id: unknown) => ({
    jsonrpc: '2.0',
    id,
    result: {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'old', version: '1' },
    },
  })
  /** A legacy server that does `onDiscover` when it is probed, and answers the rest as legacy servers do. */
  function legacyServer(onDiscover: (channel: Channel, id: unknown) => void, log: string[]) {
    return rawTarget(channel => {
      let open = false
      channel.listen({
        message: (message: JSONRPCMessage) => {
          if (!('method' in message)) return
          log.push(message.method)
          if (!('id' in message)) return
          const reply = (body: object) => channel.send(body as JSONRPCMessage)
          if (message.method === 'server/discover') onDiscover(channel, message.id)
          else if (message.method === 'initialize') {
            open = true
            reply(initialized(message.id))
          } else if (open) reply({ jsonrpc: '2.0', id: message.id, result: { tools: [] } })
        },
        closed: () => {},
      })
    })
  }
  const reply = (channel: Channel, id: unknown, body: object) =>
    channel.send({ jsonrpc: '2.0', id, ...body } as JSONRPCMessage)

  it.each([
    ['an error', (c: Channel, id: unknown) => reply(c, id, { error: { code: -32601, message: 'no' } })],
    ['silence', () => {}],
    ['exit', (c: Channel) => void c.close()],
    [
      'a probe answered and a stall',
      (c: Channel, id: unknown) =>
        reply(c, id, {
          result: { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
        }),
    ],
  ])('%s means legacy', async (_name, onDiscover) => {
    const log: string[] = []
    const up = upstream(legacyServer(onDiscover as (c: Channel, id: unknown) => void, log), {
      probeTimeout: 50,
    })
    const { response } = await callAsModern(up.handler, 1, 'tools/list', {}, { capabilities: {} })
    expect(response).toMatchObject({ result: { tools: [], resultType: 'complete' } })
    expect(up.era()).toBe('legacy')
    expect(log.filter(method => method === 'server/discover')).toHaveLength(1)
    expect(log.filter(method => method === 'initialize')).toHaveLength(1)
    await up.close()
  })

  it('a slow legacy server whose handshake the probe has spoiled is started again, and not asked', async () => {
    const log: string[] = []
    const target = rawTarget(channel => {
      const waiting: unknown[] = []
      channel.listen({
        message: message => {
          if (!('method' in message) || !('id' in message)) return
          log.push(message.method)
          if (message.method === 'server/discover') waiting.push(message.id)
          else if (message.method !== 'initialize') reply(channel, message.id, { result: { tools: [] } })
          else if (waiting.length === 0) channel.send(initialized(message.id) as JSONRPCMessage)
          else
            for (const id of [message.id, ...waiting])
              reply(channel, id, { error: { code: -32000, message: 'already begun' } })
        },
        closed: () => {},
      })
    })
    const up = upstream(target, { probeTimeout: 30 })
    const { response } = await callAsModern(up.handler, 1, 'tools/list', {}, { capabilities: {} })
    expect(response).toMatchObject({ result: { tools: [] } })
    expect(log).toEqual(['server/discover', 'initialize', 'initialize', 'tools/list'])
    expect(up.era()).toBe('legacy')
    await up.close()
  })

  it('a slow modern server is not mistaken for a legacy one', async () => {
    const { handler } = everythingHandler()
    const target = rawTarget(channel => {
      channel.listen({
        message: message => {
          if (!('method' in message) || !('id' in message)) return
          setTimeout(async () => {
            if (message.method === 'initialize') {
              reply(channel, message.id, { error: { code: -32601, message: 'only modern' } })
              return
            }
            const response = await finish(handler(message, new Context({ binding: 'stdio' })))
            channel.send(response)
          }, 100)
        },
        closed: () => {},
      })
    })
    const up = upstream(target, { probeTimeout: 30 })
    const { response } = await callAsModern(
      up.handler,
      1,
      'tools/list',
      {},
      { capabilities: ALL_CAPABILITIES },
    )
    expect(response).toMatchObject({ result: { nextCursor: 'page 2' } })
    expect(up.era()).toBe('modern')
    await up.close()
  })

  it.each(['auto', 'legacy'] as const)(
    'a slow start is not cut by the limit on silence in calls: %s',
    async protocol => {
      const target = rawTarget(channel => {
        channel.listen({
          message: message => {
            if (!('method' in message) || !('id' in message) || message.method === 'server/discover') return
            const result = message.method === 'initialize' ? initialized(message.id).result : { tools: [] }
            setTimeout(
              () => reply(channel, message.id, { result }),
              message.method === 'initialize' ? 400 : 0,
            )
          },
          closed: () => {},
        })
      })
      const up = upstream(target, { protocol, probeTimeout: 20, timeout: 100, startTimeout: 5_000 })
      const { response } = await callAsModern(up.handler, 1, 'tools/list', {}, { capabilities: {} })
      expect(response).toMatchObject({ result: { tools: [] } })
      await up.close()
    },
  )

  it('a server of unknown revisions is named, not guessed at', async () => {
    const target = rawTarget(channel => {
      channel.listen({
        message: message => {
          if ('id' in message) {
            reply(channel, message.id, {
              error: {
                code: -32022,
                message: 'no',
                data: { supported: ['2031-01-01'], requested: '2026-07-28' },
              },
            })
          }
        },
        closed: () => {},
      })
    })
    const up = upstream(target, { probeTimeout: 50 })
    const { response } = await callAsModern(up.handler, 1, 'tools/list')
    expect(response).toMatchObject({ error: { message: expect.stringContaining('2031-01-01') } })
    await up.close()
  })
})

describe('a connection that ends', () => {
  it.each(['modern', 'legacy'] as const)(
    'fails its calls, and the next call gets a new one: %s',
    async protocol => {
      const { handler, counters } = everythingHandler()
      const target = memoryTarget(handler)
      const up = upstream(target, { protocol })
      const hanging = callAsModern(up.handler, 1, 'tools/call', { name: 'hang' }, { capabilities: {} })
      await until(() => counters.runs.get('hang') === 1)
      await target.served[0]?.close()
      expect((await hanging).response).toMatchObject({ error: { data: { code: 'ERR_CLOSED' } } })
      const { response } = await callAsModern(
        up.handler,
        2,
        'tools/call',
        { name: 'echo' },
        { capabilities: {} },
      )
      expect(response).toMatchObject({ id: 2, result: { structuredContent: {} } })
      expect(target.served).toHaveLength(2)
      await up.close()
    },
  )
})
