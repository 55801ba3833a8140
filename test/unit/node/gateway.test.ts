import { afterEach, describe, expect, it } from 'vitest'
import type { Target } from '../../../src/client/open.js'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import {
  type GatewaySource,
  gateway,
  type ServerGateway,
  type ServerGatewayOptions,
} from '../../../src/node/gateway.js'
import { serve } from '../../../src/node/serve.js'
import type { Server } from '../../../src/node/serve-options.js'
import type { Channel } from '../../../src/transport/channel/channel.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { field, listed, listingServer } from '../../fixtures/listing-server.js'
import { memoryTarget } from '../../fixtures/memory-target.js'
import { modernRequest } from '../../fixtures/modern-request.js'

const gateways: ServerGateway[] = []
const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ drainTimeout: 0 })
  for (const one of gateways.splice(0)) await one.close()
})

function open(sources: Readonly<Record<string, GatewaySource>>, options: ServerGatewayOptions = {}) {
  const opened = gateway({ servers: sources }, options)
  gateways.push(opened)
  const names = async () => listed(await modernRequest(opened.handler, 'tools/list')).map(({ name }) => name)
  const call = (name: string, args: object = {}) =>
    modernRequest(opened.handler, 'tools/call', { name, arguments: args })
  return { opened, names, call }
}

/** A server of which we know how many of its connections are open. */
function counted(handler: Handler): Target & { open: () => Promise<Channel>; readonly alive: () => number } {
  const target = memoryTarget(handler)
  let alive = 0
  return {
    ...target,
    alive: () => alive,
    async open() {
      const channel = await target.open()
      alive++
      const close = channel.close.bind(channel)
      let closing: Promise<void> | undefined
      channel.close = () => {
        closing ??= close().finally(() => alive--)
        return closing
      }
      return channel
    },
  }
}

const broken: Target = {
  name: 'broken',
  open: () => Promise.reject(new TransportError('ERR_SPAWN', 'No such command')),
}

describe('a gateway over servers that are kept alive', () => {
  it('opens nothing before somebody asks, and legacy and modern ones alike', async () => {
    const old = memoryTarget(everythingHandler().handler)
    const modern = memoryTarget(listingServer('modern', ['x']).handler)
    const inProcess = listingServer('own', ['y'])
    const { names, call } = open({
      old: { target: old, protocol: 'legacy' },
      modern,
      own: inProcess.handler,
    })
    expect(old.served.length + modern.served.length).toBe(0)
    expect(await names()).toEqual(['modern__x', 'old__echo', 'own__y'])
    expect(field(await call('old__echo', { a: 1 }))).toEqual({ a: 1 })
    expect(field(await call('modern__x'))).toMatchObject({ server: 'modern' })
    expect(field(await call('own__y'))).toMatchObject({ server: 'own' })
  })

  it('takes the questions of a legacy server to the client and the answers back, and runs the tool once', async () => {
    const { handler, counters } = everythingHandler()
    const { call, opened } = open({
      old: { target: memoryTarget(handler), protocol: 'legacy' },
      other: listingServer('other', ['x']).handler,
    })
    const asked = await call('old__ask', { rounds: [['form']] })
    expect(asked.result?.resultType).toBe('input_required')
    const [key] = Object.keys(asked.result?.inputRequests ?? {}) as [string]
    const answered = await modernRequest(opened.handler, 'tools/call', {
      name: 'old__ask',
      arguments: { rounds: [['form']] },
      inputResponses: { [key]: { action: 'accept', content: { v: 'yes' } } },
      requestState: asked.result?.requestState,
    })
    expect(answered.result?.resultType).toBe('complete')
    expect(counters.runs.get('ask')).toBe(1)
  })

  it('gives each server its own rules', async () => {
    const events: string[] = []
    const { names } = open(
      {
        a: {
          target: memoryTarget(listingServer('a', ['x', 'y']).handler),
          prefix: 'first',
          tools: { deny: ['y'] },
        },
        b: { target: memoryTarget(listingServer('b', ['x']).handler), prefix: '' },
      },
      { onServerEvent: (server, { type }) => events.push(`${server} ${type}`) },
    )
    expect(await names()).toEqual(['first__x', 'x'])
    expect(events).toEqual(expect.arrayContaining(['a ready', 'b ready']))
  })

  it('is ready once one server is, and says why none is', async () => {
    const { opened } = open({ broken, fine: memoryTarget(listingServer('fine').handler) })
    await opened.ready()
    await expect(open({ broken }).opened.ready()).rejects.toThrow('broken: No such command')
    await open({}).opened.ready()
  })

  it('starts all when told, but not what each session has for itself', async () => {
    const [shared, own] = [memoryTarget(listingServer('a').handler), memoryTarget(listingServer('b').handler)]
    const { opened } = open({ shared, own: { target: own, isolation: 'session' } })
    opened.warm()
    await expect.poll(() => shared.served.length).toBeGreaterThan(0)
    expect(own.served).toEqual([])
  })

  it('lets calls of a server that goes finish, then closes it', async () => {
    const going = listingServer('a', ['x'])
    const target = counted(going.handler)
    const { opened, call, names } = open({ a: target, b: memoryTarget(listingServer('b', ['x']).handler) })
    await names()
    let go = () => {}
    going.delay = new Promise(resolve => {
      go = resolve
    })
    const running = call('a__x')
    await expect.poll(() => going.asked).toContain('tools/call x')
    const alive = target.alive()
    expect(alive).toBeGreaterThan(0)
    opened.update({ remove: ['a'] })
    expect(await names()).toEqual(['b__x'])
    expect((await call('a__x')).error?.message).toBe('Unknown tool: a__x')
    await new Promise(resolve => setTimeout(resolve, 150))
    expect(target.alive()).toBe(alive)
    go()
    expect(field(await running)).toMatchObject({ server: 'a' })
    await expect.poll(() => target.alive()).toBe(0)
  })

  it('puts a server in the place of another without touching the rest', async () => {
    const rest = memoryTarget(listingServer('rest', ['x']).handler)
    const { opened, names } = open({ a: memoryTarget(listingServer('a', ['x']).handler), rest })
    await names()
    const before = rest.served.length
    opened.update({ set: { a: memoryTarget(listingServer('a', ['y']).handler) } })
    expect(await names()).toEqual(['a__y', 'rest__x'])
    expect(rest.served.length).toBe(before)
    expect(() => opened.update({ set: { '': broken } })).toThrow(TypeError)
    expect(await names()).toEqual(['a__y', 'rest__x'])
  })

  it('gives up what does not finish in time', async () => {
    const stuck = listingServer('a', ['x'])
    const target = memoryTarget(stuck.handler)
    const { opened, call, names } = open({ a: target }, { drainTimeout: 100 })
    await names()
    stuck.delay = new Promise(() => {})
    const running = call('a__x')
    await expect.poll(() => stuck.asked).toContain('tools/call x')
    opened.update({ remove: ['a'] })
    expect((await running).error?.code).toBeLessThan(0)
  })

  it('ends calls and servers when it is closed', async () => {
    const target = counted(listingServer('a', ['x']).handler)
    const { opened, names } = open({ a: target })
    await names()
    expect(target.alive()).toBeGreaterThan(0)
    await opened.close()
    expect(target.alive()).toBe(0)
    expect(() => opened.update({ remove: ['a'] })).toThrow(TypeError)
    await opened.close()
  })

  it('is served whole and each alone', async () => {
    const target = counted(listingServer('a', ['x']).handler)
    const server = await serve(gateway({ servers: { a: target } }), { port: 0 })
    servers.push(server)
    const list = async (url: string) => {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': 'tools/list',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/list',
          params: {
            _meta: {
              'io.modelcontextprotocol/protocolVersion': '2026-07-28',
              'io.modelcontextprotocol/clientCapabilities': {},
            },
          },
        }),
      })
      const body = (await response.json()) as { result: { tools: { name: string }[] } }
      return body.result.tools.map(({ name }) => name)
    }
    expect(await list(server.url as string)).toEqual(['a__x'])
    expect(await list(new URL('/servers/a/mcp', server.url).href)).toEqual(['x'])
    await server.close()
    expect(target.alive()).toBe(0)
  })
})

it('a caller who left is not kept waiting by a list', async () => {
  const slow = listingServer('slow')
  slow.delay = new Promise(() => {})
  const { opened } = open({ slow: slow.handler })
  const context = new Context({ binding: 'internal' })
  const listing = modernRequest(opened.handler, 'tools/list', {}, { context })
  await expect.poll(() => slow.asked.length).toBe(1)
  context.cancel('hangup')
  expect((await listing).error?.message).toContain('cancelled')
})
