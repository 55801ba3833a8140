/** Clients that come before the server is up. */

import { afterAll, describe, expect, it, vi } from 'vitest'
import type { UpstreamEvent } from '../../../src/client/events.js'
import type { ServerMemory, ServerRecord } from '../../../src/client/server-memory.js'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { finish, type Handler } from '../../../src/exchange/exchange.js'
import { toSession } from '../../../src/legacy/to-session.js'
import { RpcError } from '../../../src/protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  notification,
  resultResponse,
} from '../../../src/protocol/message.js'
import { readResult } from '../../../src/protocol/raw-json.js'
import { memoryTarget } from '../../fixtures/memory-target.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const ERAS = ['modern', 'legacy'] as const
vi.setConfig({ testTimeout: 40_000, hookTimeout: 20_000 })
const MUTE = { capabilities: {} }
/** Milliseconds within which a client is answered that does not wait; a busy machine takes its share. */
const AT_ONCE = 1_500
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

const open: Upstream[] = []
/** Those that a test left waiting: closing waits for what is being opened. */
const gates: (() => void)[] = []

afterAll(async () => {
  for (const start of gates.splice(0)) start()
  for (const up of open.splice(0)) await up.close()
})

interface Offer {
  readonly tools?: readonly string[]
  readonly prompts?: readonly string[]
  /** Whether it announces changes. */
  readonly listChanged?: boolean
}

/** A server of either era that offers what it is told, on as many pages as there are items. */
function offering(offer: () => Offer): Handler {
  return async function* (request, context) {
    const { tools, prompts, listChanged = true } = offer()
    const reply = (result: JSONObject) =>
      resultResponse(request.id, { resultType: 'complete', ttlMs: 60_000, cacheScope: 'public', ...result })
    const page = (key: string, names: readonly string[], item: (name: string) => JSONObject) => {
      const index = Number(request.params?.cursor ?? 0)
      const last = index >= names.length - 1
      const items = names.slice(index, index + 1).map(item)
      return reply(last ? { [key]: items } : { [key]: items, nextCursor: String(index + 1) })
    }
    switch (request.method) {
      case 'server/discover':
        return reply({
          supportedVersions: ['2026-07-28'],
          capabilities: {
            ...(tools === undefined ? {} : { tools: { listChanged } }),
            ...(prompts === undefined ? {} : { prompts: { listChanged } }),
          },
          instructions: 'As it is',
          _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'real', version: '1' } },
        })
      case 'tools/list':
        if (tools === undefined) break
        return page('tools', tools, name => ({ name, inputSchema: { type: 'object' } }))
      case 'prompts/list':
        if (prompts === undefined) break
        return page('prompts', prompts, name => ({ name }))
      case 'tools/call':
        return reply({ content: [{ type: 'text', text: 'called' }] })
      case 'subscriptions/listen': {
        const _meta = { 'io.modelcontextprotocol/subscriptionId': request.id }
        const notifications = listChanged ? request.params?.notifications : {}
        yield notification('notifications/subscriptions/acknowledged', { _meta, notifications })
        if (listChanged) await new Promise<void>(resolve => context.onCancel(() => resolve()))
        return reply({ _meta })
      }
    }
    throw new RpcError(-32601, `Unknown method: ${request.method}`)
  }
}

/** The server, which starts as soon as it is let. */
function slow(handler: Handler, options: UpstreamOptions = {}) {
  const target = memoryTarget(handler)
  let start: () => void = () => {}
  let fail: (error: Error) => void = () => {}
  const gate = new Promise<void>((resolve, reject) => {
    start = resolve
    fail = reject
  })
  gate.catch(() => {})
  gates.push(() => start())
  const events: UpstreamEvent[] = []
  const up = upstream(
    { ...target, open: () => gate.then(() => target.open()) },
    { front: {}, onEvent: event => events.push(event), ...options },
  )
  open.push(up)
  const corrected = () => events.some(({ type }) => type === 'corrected')
  return { up, start, fail, events, corrected, target }
}

function memory(): ServerMemory & { readonly records: Map<string, ServerRecord> } {
  const records = new Map<string, ServerRecord>()
  return {
    records,
    get: server => records.get(server),
    set: (server, record) => void records.set(server, JSON.parse(JSON.stringify(record))),
  }
}

/** What is remembered once a server has been seen. */
async function seen(offer: Offer, protocol: 'modern' | 'legacy'): Promise<ServerMemory> {
  const remembered = memory()
  const { up, start } = slow(
    offering(() => offer),
    { protocol, front: { memory: remembered } },
  )
  start()
  await up.start()
  await until(() => remembered.records.size > 0)
  return remembered
}

const names = (result: JSONObject | undefined, key = 'tools') =>
  (result?.[key] as { readonly name: string }[] | undefined)?.map(({ name }) => name)

function listen(handler: Handler, notifications: JSONObject) {
  const context = new Context({ binding: 'internal' })
  const heard: JSONRPCNotification[] = []
  const request = {
    jsonrpc: '2.0',
    id: 'mine',
    method: 'subscriptions/listen',
    params: { notifications, _meta: META },
  } as const
  const over = finish(handler(request, context), message => void heard.push(message)).catch(error => error)
  return { heard, over, context, methods: () => heard.map(({ method }) => method.slice(14)) }
}

async function timed<T>(promise: Promise<T>): Promise<T> {
  const began = performance.now()
  const outcome = await promise
  expect(performance.now() - began).toBeLessThan(AT_ONCE)
  return outcome
}

describe.each(ERAS)('of a %s server that is remembered', protocol => {
  it('clients hear all of it at once, and nothing more where nothing has changed', async () => {
    const offer = { tools: ['a', 'b', 'c'] }
    const { up, start, events, corrected } = slow(
      offering(() => offer),
      { protocol, front: { memory: await seen(offer, protocol) } },
    )
    const discovered = await timed(modernRequest(up.handler, 'server/discover', {}, MUTE))
    expect(discovered.result).toMatchObject({
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: { listChanged: true } },
      instructions: 'As it is',
      _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'real', version: '1' } },
      // Nobody may keep it longer than the server would let them.
      ttlMs: 0,
      cacheScope: 'private',
    })
    const { heard, methods } = listen(up.handler, { toolsListChanged: true })
    const listed = await timed(modernRequest(up.handler, 'tools/list', {}, MUTE))
    expect(names(listed.result)).toEqual(['a', 'b', 'c'])
    expect(listed.result).toMatchObject({ ttlMs: 0, cacheScope: 'private' })
    expect(listed.result).not.toHaveProperty('nextCursor')
    expect(methods()).toEqual(['subscriptions/acknowledged'])
    expect(heard[0]?.params?.notifications).toEqual({ toolsListChanged: true })
    const early = events.filter(({ type }) => type === 'answered-early')
    expect(early).toMatchObject([
      { method: 'server/discover', from: 'memory' },
      { method: 'tools/list', from: 'memory' },
    ])
    start()
    expect((await modernRequest(up.handler, 'tools/call', { name: 'a' }, MUTE)).result).toBeDefined()
    expect(names((await modernRequest(up.handler, 'tools/list', {}, MUTE)).result)).toEqual(['a'])
    expect(corrected()).toBe(false)
    expect(methods()).toHaveLength(1)
  })

  it('clients hear what has changed since', async () => {
    const front = { memory: await seen({ tools: ['a', 'b'], prompts: ['p'] }, protocol) }
    const { up, start, events, corrected } = slow(
      offering(() => ({ tools: ['a', 'x'] })),
      { protocol, front },
    )
    await modernRequest(up.handler, 'server/discover', {}, MUTE)
    await modernRequest(up.handler, 'tools/list', {}, MUTE)
    const { methods } = listen(up.handler, { toolsListChanged: true, promptsListChanged: true })
    start()
    await until(corrected)
    await until(() => methods().length === 3)
    expect(methods().sort()).toEqual([
      'prompts/list_changed',
      'subscriptions/acknowledged',
      'tools/list_changed',
    ])
    expect(events.find(({ type }) => type === 'corrected')).toMatchObject({
      changes: ['notifications/prompts/list_changed', 'notifications/tools/list_changed'],
    })
    // What was promised is there, though there is nothing in it.
    expect((await modernRequest(up.handler, 'prompts/list', {}, MUTE)).result).toMatchObject({ prompts: [] })
    const first = await modernRequest(up.handler, 'tools/list', {}, MUTE)
    const { nextCursor: cursor } = first.result as { readonly nextCursor: string }
    expect(names((await modernRequest(up.handler, 'tools/list', { cursor }, MUTE)).result)).toEqual(['x'])
  })

  it('a session that did not listen when it was told hears of it as soon as it does', async () => {
    const front = { memory: await seen({ tools: ['a'] }, protocol) }
    const { up, start, corrected } = slow(
      offering(() => ({ tools: ['b'] })),
      { protocol, front },
    )
    const heard: JSONRPCNotification[] = []
    const caller = { binding: 'streamable-http', session: 'ann' } as const
    const session = toSession(up.handler)
    const ask = (method: string, params: JSONObject = {}) =>
      finish(session.request({ jsonrpc: '2.0', id: method, method, params }, new Context(caller)) as never)
    await ask('initialize', {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    })
    await ask('tools/list')
    start()
    await until(corrected)
    const context = new Context(caller)
    const events = (async () => {
      for await (const event of session.events(context)) heard.push(event)
    })()
    await until(() => heard.length > 0)
    expect(heard).toEqual([{ jsonrpc: '2.0', method: 'notifications/tools/list_changed' }])
    context.cancel('hangup')
    await events
    await session[Symbol.asyncDispose]()
  })

  it('nothing is said in its name once it does not start', async () => {
    const { up, fail } = slow(
      offering(() => ({})),
      { protocol, front: { memory: await seen({ tools: ['a'] }, protocol) } },
    )
    const discover = () => modernRequest(up.handler, 'server/discover', {}, MUTE)
    expect((await discover()).result).toBeDefined()
    const call = modernRequest(up.handler, 'tools/call', { name: 'a' }, MUTE)
    fail(new TransportError('ERR_EXITED', 'it exited with code 3', { exitCode: 3 }))
    for (const { error } of [await call, await discover(), await modernRequest(up.handler, 'tools/list')]) {
      expect(error).toMatchObject({ code: -31001, data: { code: 'ERR_EXITED', exitCode: 3 } })
    }
  })

  it('others are not told what one principal was offered', async () => {
    const remembered = memory()
    const one = slow(
      offering(() => ({ tools: ['secret'] })),
      { protocol, front: { memory: remembered } },
    )
    one.start()
    await modernRequest(one.up.handler, 'server/discover', {}, { ...MUTE, principal: 'ann' })
    await until(() => remembered.records.size > 0)
    const { up } = slow(
      offering(() => ({})),
      { protocol, front: { memory: remembered } },
    )
    const asAnn = await modernRequest(up.handler, 'tools/list', {}, { ...MUTE, principal: 'ann' })
    expect(names(asAnn.result)).toEqual(['secret'])
    const asBob = await modernRequest(up.handler, 'server/discover', {}, { ...MUTE, principal: 'bob' })
    expect(asBob.result).not.toHaveProperty('instructions')
  })
})

describe.concurrent.each(ERAS)('of a %s server that nothing is remembered of', protocol => {
  it('clients hear at once that it may have any list, and of each when it is up', async () => {
    const { up, start, corrected } = slow(
      offering(() => ({ tools: ['a'] })),
      { protocol },
    )
    const { result } = await timed(modernRequest(up.handler, 'server/discover', {}, MUTE))
    const list = { listChanged: true }
    expect(result?.capabilities).toEqual({ tools: list, prompts: list, resources: list, logging: {} })
    const { heard, methods } = listen(up.handler, { toolsListChanged: true, resourcesListChanged: true })
    await until(() => heard.length === 1)
    expect(heard[0]?.params?.notifications).toEqual({ toolsListChanged: true, resourcesListChanged: true })
    const empty = await modernRequest(up.handler, 'tools/list', {}, MUTE)
    expect(empty.result).toMatchObject({ tools: [], ttlMs: 0 })
    start()
    await until(corrected)
    await until(() => heard.length === 2)
    expect(methods()).toEqual(['subscriptions/acknowledged', 'tools/list_changed'])
    expect(names((await modernRequest(up.handler, 'tools/list', {}, MUTE)).result)).toEqual(['a'])
    for (const [method, key] of [
      ['prompts/list', 'prompts'],
      ['resources/list', 'resources'],
      ['resources/templates/list', 'resourceTemplates'],
    ] as const) {
      expect((await modernRequest(up.handler, method, {}, MUTE)).result).toMatchObject({ [key]: [] })
    }
    expect((await modernRequest(up.handler, 'prompts/get', {}, MUTE)).error).toMatchObject({ code: -32601 })
  })

  it('whoever would not hear of changes waits for its lists', async () => {
    const { up, start, events } = slow(
      offering(() => ({ tools: ['a'] })),
      { protocol },
    )
    const progress: JSONRPCNotification[] = []
    const listing = modernRequest(
      up.handler,
      'tools/list',
      { _meta: { progressToken: 7 } },
      { ...MUTE, onNotification: message => void progress.push(message) },
    )
    await new Promise(resolve => setTimeout(resolve, 4_500))
    start()
    expect(names((await listing).result)).toEqual(['a'])
    expect(events.some(({ type }) => type === 'answered-early')).toBe(false)
    const values = progress.map(({ params }) => Number(params?.progress))
    expect(values.length).toBeGreaterThanOrEqual(2)
    expect(values).toEqual([...new Set(values)].sort((a, b) => a - b))
    expect(Math.max(...values)).toBeLessThan(0)
    for (const { params } of progress) expect(params?.progressToken).toBe(7)
  })

  it('calls wait, with signs of life for those who take them', async () => {
    const { up, start } = slow(
      offering(() => ({ tools: ['a'] })),
      { protocol },
    )
    const progress: JSONRPCNotification[] = []
    const calls = [{}, { roots: {} }].map(capabilities =>
      modernRequest(
        up.handler,
        'tools/call',
        { name: 'a', _meta: { progressToken: 't' } },
        { capabilities, onNotification: message => void progress.push(message) },
      ),
    )
    await until(() => progress.length >= 2)
    start()
    for (const { result } of await Promise.all(calls)) expect(result).toBeDefined()
    expect(progress[0]).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 't', progress: expect.any(Number), message: 'Waiting for the server' },
    })
  })

  it('a call whose caller leaves meanwhile is not made', async () => {
    const called: string[] = []
    const handler = offering(() => ({ tools: ['a'] }))
    const { up, start } = slow(
      (request, context) => {
        called.push(request.method)
        return handler(request, context)
      },
      { protocol },
    )
    for (const capabilities of [{}, { roots: {} }]) {
      const context = new Context({ binding: 'internal' })
      const params = { name: 'a', _meta: { progressToken: 't' } }
      let signs = 0
      const call = modernRequest(up.handler, 'tools/call', params, {
        capabilities,
        context,
        onNotification: () => {
          signs += 1
        },
      })
      await until(() => signs === 1)
      context.cancel('cancelled')
      expect((await call).error?.data).toMatchObject({ code: 'ERR_CANCELLED' })
    }
    start()
    expect((await modernRequest(up.handler, 'tools/list', {}, MUTE)).result).toBeDefined()
    expect(called).not.toContain('tools/call')
    await until(() => up.counts().calls === 0)
  })

  it('a subscription stays open that the server itself would end', async () => {
    const { up, start, corrected } = slow(
      offering(() => ({ tools: ['a'], listChanged: false })),
      { protocol },
    )
    await modernRequest(up.handler, 'server/discover', {}, MUTE)
    const { over, methods, context } = listen(up.handler, { toolsListChanged: true })
    start()
    await until(corrected)
    await until(() => methods().length === 2)
    const later = listen(up.handler, { toolsListChanged: true })
    await until(() => later.methods().length === 1)
    let ended = false
    void Promise.race([over, later.over]).then(() => (ended = true))
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(ended).toBe(false)
    context.cancel('hangup')
    expect(await over).toMatchObject({ code: 'ERR_CANCELLED' })
    await up.close()
    expect(await later.over).toMatchObject({ id: 'mine', result: { resultType: 'complete' } })
  })

  it('a server that is up in time answers itself', async () => {
    const { up, start, events } = slow(
      offering(() => ({ tools: ['a'] })),
      { protocol },
    )
    start()
    const { result } = await modernRequest(up.handler, 'server/discover', {}, MUTE)
    expect(result?.instructions).toBe('As it is')
    expect(events.some(({ type }) => type === 'answered-early')).toBe(false)
  })

  it('a failure that comes in time is told at once', async () => {
    const { up, fail } = slow(
      offering(() => ({})),
      { protocol },
    )
    fail(new TransportError('ERR_SPAWN', 'not found'))
    const { error } = await timed(modernRequest(up.handler, 'server/discover', {}, MUTE))
    expect(error).toMatchObject({ message: 'not found' })
  })
})

it('a server that was stopped meanwhile is remembered by the process itself', async () => {
  const target = memoryTarget(offering(() => ({ tools: ['a'] })))
  const events: UpstreamEvent[] = []
  let gate = Promise.resolve()
  const up = upstream(
    { ...target, open: () => gate.then(() => target.open()) },
    { protocol: 'legacy', idleTimeout: 2_000, front: {}, onEvent: event => events.push(event) },
  )
  open.push(up)
  await up.start()
  await until(() => events.some(({ type }) => type === 'stopped'))
  gate = new Promise(resolve => gates.push(resolve))
  const { result } = await modernRequest(up.handler, 'tools/list', {}, MUTE)
  expect(names(result)).toEqual(['a'])
})

it('without it, clients wait', async () => {
  const target = memoryTarget(offering(() => ({ tools: ['a'] })))
  const up = upstream({
    ...target,
    open: () => new Promise(resolve => setTimeout(resolve, 600)).then(() => target.open()),
  })
  open.push(up)
  const began = performance.now()
  const { result } = await modernRequest(up.handler, 'server/discover', {}, MUTE)
  expect(performance.now() - began).toBeGreaterThan(590)
  expect(result?.instructions).toBe('As it is')
})

it('a list too large to be remembered is waited for', async () => {
  const remembered = memory()
  const tools = Array.from({ length: 30 }, (_, index) => `${index}`.padEnd(100_000, 'x'))
  const one = slow(
    offering(() => ({ tools })),
    { front: { memory: remembered } },
  )
  one.start()
  await one.up.start()
  await until(() => remembered.records.size > 0)
  const [record] = remembered.records.values()
  const [kept] = Object.values(record ?? {})
  expect(readResult(kept?.discovered ?? {}).instructions).toBe('As it is')
  expect(kept?.lists).toEqual({})
})
