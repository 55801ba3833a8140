/** Servers that run already for whoever comes next, and the line of those who find no place. */

import { afterEach, describe, expect, it } from 'vitest'
import { Capacity } from '../../../src/client/capacity.js'
import type { UpstreamEvent } from '../../../src/client/events.js'
import type { Target } from '../../../src/client/open.js'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import type { Channel } from '../../../src/transport/channel/channel.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { legacyPeer } from '../../fixtures/legacy-peer.js'
import { memoryTarget } from '../../fixtures/memory-target.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const ERAS = ['modern', 'legacy'] as const
const MUTE = { capabilities: {} }

const open: Upstream[] = []

afterEach(async () => {
  for (const up of open.splice(0)) await up.close()
})

function watched(target: Target, options: UpstreamOptions) {
  const events: UpstreamEvent[] = []
  const up = upstream(target, { ...options, onEvent: event => events.push(event) })
  open.push(up)
  const call = (session: string, name = 'echo', capabilities: JSONObject = {}) => {
    const context = new Context({ binding: 'streamable-http', session })
    return modernRequest(up.handler, 'tools/call', { name }, { capabilities, context })
  }
  return { up, events, call, types: () => events.map(({ type }) => type) }
}

/** Counts what is opened, and can refuse to open more. */
function counted(target: Target) {
  const state = { opened: 0, delay: 0, error: undefined as Error | undefined }
  return {
    state,
    name: target.name,
    async open() {
      state.opened += 1
      if (state.error !== undefined) throw state.error
      if (state.delay > 0) await new Promise(resolve => setTimeout(resolve, state.delay))
      return target.open()
    },
  }
}

describe.each(ERAS)('spare servers, %s', protocol => {
  const isolation = 'session'

  it('are there before the first session, which gets one, and another takes its place', async () => {
    const target = counted(memoryTarget(everythingHandler().handler))
    const { up, call, events } = watched(target, { protocol, isolation, spares: 1 })
    await up.start()
    await until(() => target.state.opened === 1)
    target.state.delay = 300
    for (const [index, session] of ['ann', 'bob'].entries()) {
      expect((await call(session)).result).toBeDefined()
      await until(() => target.state.opened === index + 2)
    }
    expect(up.counts().connections).toBe(2)
    expect(events.filter(({ type }) => type === 'taken')).toHaveLength(2)
    expect(events.filter(event => event.type === 'starting' && !event.spare)).toHaveLength(0)
    expect(events.filter(({ type }) => type === 'exited' || type === 'failed')).toEqual([])
  })

  it('one that is still starting is waited for rather than another one started', async () => {
    const target = counted(memoryTarget(everythingHandler().handler))
    target.state.delay = 200
    const { up, call } = watched(target, { protocol, isolation, spares: 1 })
    void up.start()
    await until(() => target.state.opened === 1)
    expect((await call('ann')).result).toBeDefined()
    // The second one is the new spare.
    await until(() => target.state.opened === 2)
    expect(up.counts().connections).toBe(1)
  })

  it('one that ends is replaced, after a while, and nobody is told', async () => {
    const target = memoryTarget(everythingHandler().handler)
    const { up, call, events, types } = watched(target, { protocol, isolation, spares: 1 })
    await up.start()
    await until(() => target.served.length === 1)
    await new Promise(resolve => setTimeout(resolve, 20))
    await target.served[0]?.close()
    await until(() => target.served.length === 2)
    expect(events.filter(event => 'spare' in event && event.type !== 'ready')).toMatchObject([
      { type: 'starting' },
      { type: protocol === 'modern' ? 'exited' : 'failed' },
      { type: 'starting' },
    ])
    expect(types()).not.toContain('taken')
    expect((await call('ann')).result).toBeDefined()
  })

  it('that cannot be started are tried less and less often, and keep no session from starting', async () => {
    const memory = memoryTarget(everythingHandler().handler)
    const target = counted(memory)
    target.state.error = new TransportError('ERR_EXITED', 'it exited with code 1')
    const { up, call, events } = watched(target, { protocol, isolation, spares: 2 })
    await up.start()
    await until(() => target.state.opened >= 3)
    const waits = events.flatMap(event => (event.type === 'failed' ? [event.retryIn] : []))
    expect(Math.max(...waits.slice(0, 1))).toBeLessThanOrEqual(100)
    expect(waits[2]).toBeGreaterThanOrEqual(200)
    target.state.error = undefined
    expect((await call('ann')).result).toBeDefined()
  })

  it('count among those that may run, and make room for nobody but whom they are for', async () => {
    const target = counted(memoryTarget(everythingHandler().handler))
    const options = { protocol, isolation, spares: 5, maxConnections: 2, queueTimeout: 50 } as const
    const { up, call, events } = watched(target, options)
    await up.start()
    await until(() => target.state.opened === 2)
    expect((await call('ann', 'echo')).result).toBeDefined()
    expect((await call('bob', 'echo')).result).toBeDefined()
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(target.state.opened).toBe(2)
    expect(up.counts().connections).toBe(2)
    // A session that has ended leaves its place to a spare.
    up.endSession('ann')
    await until(() => target.state.opened === 3)
    expect(events.filter(({ type }) => type === 'failed')).toEqual([])
  })

  it('are not stopped for being idle, and end with everything else', async () => {
    const memory = memoryTarget(everythingHandler().handler)
    const closed = new Set<Channel>()
    const target = {
      ...memory,
      async open() {
        const channel = await memory.open()
        const close = channel.close.bind(channel)
        return Object.assign(channel, { close: () => close().finally(() => closed.add(channel)) })
      },
    }
    const { up, types } = watched(target, { protocol, isolation, spares: 1, idleTimeout: 30 })
    await up.start()
    await until(() => target.served.length === 1)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(types()).not.toContain('stopped')
    await up.close()
    expect(types()).not.toContain('exited')
    expect(target.served).toHaveLength(1)
    expect(closed.size).toBe(1)
  })

  it('serve the next group of clients as well, where they share servers', async () => {
    const target = counted(memoryTarget(everythingHandler().handler))
    const { call, events } = watched(target, { protocol, isolation: 'principal', spares: 1 })
    expect((await call('ann')).result).toBeDefined()
    await until(() => target.state.opened === 2)
    if (protocol === 'modern') return
    expect((await call('ann', 'echo', { roots: {} })).result).toBeDefined()
    expect(events.filter(({ type }) => type === 'taken')).toHaveLength(1)
  })
})

it('a legacy spare is told nothing before its client, and then who that is', async () => {
  const heard: string[] = []
  const memory = memoryTarget(everythingHandler().handler)
  const target: Target = {
    name: 'fixture',
    async open() {
      const channel = await memory.open()
      const send = channel.send.bind(channel)
      return Object.assign(channel, {
        send(message: Parameters<typeof send>[0]) {
          if ('method' in message) heard.push(`${message.method} ${JSON.stringify(message.params)}`)
          return send(message)
        },
      })
    },
  }
  const { up, call } = watched(target, { protocol: 'legacy', isolation: 'session', spares: 1 })
  await up.start()
  await until(() => memory.served.length === 1)
  await new Promise(resolve => setTimeout(resolve, 50))
  expect(heard).toEqual([])
  await call('ann', 'echo', { roots: {} })
  expect(heard[0]).toContain('initialize')
  expect(heard[0]).toContain('"capabilities":{"roots":{}}')
})

it.each(ERAS)('what is started for nobody goes to the first who comes: %s', async era => {
  const target =
    era === 'modern'
      ? memoryTarget(everythingHandler().handler)
      : legacyPeer({ echo: () => ({ content: [] }) }).target
  let start: () => void = () => {}
  const gate = new Promise<void>(resolve => (start = resolve))
  const slow = { ...target, open: () => gate.then(() => target.open()) }
  const { up, call } = watched(slow, { isolation: 'session' })
  void up.start()
  const first = call('ann', 'echo', { roots: {} })
  start()
  expect((await first).result).toBeDefined()
  expect(target.served).toHaveLength(1)
  up.endSession('ann')
  expect(up.counts().connections).toBe(0)
})

it('a session that ended before its server was up leaves none behind', async () => {
  const target = memoryTarget(everythingHandler().handler)
  let start: () => void = () => {}
  const gate = new Promise<void>(resolve => (start = resolve))
  const slow = { ...target, open: () => gate.then(() => target.open()) }
  const { up } = watched(slow, { isolation: 'session' })
  const context = new Context({ binding: 'streamable-http', session: 'ann' })
  const left = modernRequest(up.handler, 'tools/call', { name: 'echo' }, { ...MUTE, context })
  up.endSession('ann')
  context.cancel('hangup')
  start()
  await left
  await until(() => up.era() !== undefined)
  expect(up.counts().connections).toBe(0)
})

describe.each(ERAS)('a limit, %s', protocol => {
  const callAs = (up: Upstream, principal: string, name = 'hang', context?: Context) =>
    modernRequest(up.handler, 'tools/call', { name }, { ...MUTE, principal, ...(context && { context }) })

  it('makes those who come wait in line for a place', async () => {
    const { handler, counters } = everythingHandler()
    const { up, events } = watched(memoryTarget(handler), { protocol, maxConnections: 1 })
    const context = new Context({ binding: 'internal', principal: 'ann' })
    const first = callAs(up, 'ann', 'hang', context)
    await until(() => counters.runs.get('hang') === 1)
    const order: string[] = []
    const waiting = ['bob', 'cid'].map(async who => {
      const { result } = await callAs(up, who, 'echo')
      expect(result).toBeDefined()
      order.push(who)
    })
    await until(() => events.filter(({ type }) => type === 'waiting').length === 2)
    expect(events.at(-1)).toMatchObject({ type: 'waiting', for: 'place', milliseconds: 30_000 })
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(order).toEqual([])
    context.cancel('cancelled')
    await first
    await Promise.all(waiting)
    expect(order).toEqual(['bob', 'cid'])
    expect(events.filter(({ type }) => type === 'stopped')).toEqual([
      { type: 'stopped', reason: 'room' },
      { type: 'stopped', reason: 'room' },
    ])
  })

  it('tells those who waited in vain that it is busy, and which option says so', async () => {
    const { handler, counters } = everythingHandler()
    const { up } = watched(memoryTarget(handler), { protocol, maxConnections: 1, queueTimeout: 120 })
    const first = callAs(up, 'ann')
    await until(() => counters.runs.get('hang') === 1)
    const began = performance.now()
    const { error } = await callAs(up, 'bob')
    expect(performance.now() - began).toBeGreaterThan(110)
    expect(error).toMatchObject({
      code: -31003,
      message: 'fixture is busy: there are 1 servers already, all in use',
      data: { code: 'ERR_BUSY', option: '--max-children' },
    })
    await up.close()
    await first
  })

  it('closing ends the wait', async () => {
    const { handler, counters } = everythingHandler()
    const { up, types } = watched(memoryTarget(handler), { protocol, maxConnections: 1 })
    const first = callAs(up, 'ann')
    await until(() => counters.runs.get('hang') === 1)
    const waiting = callAs(up, 'bob')
    await until(() => types().includes('waiting'))
    const began = performance.now()
    await up.close()
    expect((await waiting).error?.data).toMatchObject({ code: 'ERR_DRAINING' })
    expect(performance.now() - began).toBeLessThan(1_000)
    await first
  })

  it('after too many failures, says that it has given up, and why', async () => {
    const error = new TransportError('ERR_EXITED', 'it exited with code 3', { exitCode: 3 })
    const target = { name: 'fixture', open: () => Promise.reject(error) }
    const { up, events } = watched(target, { protocol, maxRestarts: 1 })
    for (let call = 0; call < 5; call++) await callAs(up, 'ann')
    const given = events.filter(({ type }) => type === 'given-up')
    expect(given).toMatchObject([{ error: { message: 'it exited with code 3' }, failures: 2 }])
    expect((given[0] as { retryIn: number }).retryIn).toBeGreaterThan(0)
  })
})

describe('capacity', () => {
  const waits = () => new Set<() => void>()

  it('is given in turn, and to nobody who has left', async () => {
    const capacity = new Capacity(1)
    expect(capacity.take()).toBe(true)
    const leaving = waits()
    const outcomes: string[] = []
    const wait = (who: string, milliseconds: number, set = waits()) =>
      capacity.wait(milliseconds, set).then(got => outcomes.push(`${who} ${got}`))
    const all = [wait('a', 30), wait('b', 9_000, leaving), wait('c', 9_000), wait('d', 9_000)]
    await all[0]
    for (const leave of leaving) leave()
    await all[1]
    // Who comes now does not get ahead of those who wait.
    expect(capacity.take()).toBe(false)
    capacity.release()
    await all[2]
    expect(capacity.used).toBe(1)
    capacity.release()
    await all[3]
    capacity.release()
    expect(outcomes).toEqual(['a false', 'b false', 'c true', 'd true'])
    expect(capacity.used).toBe(0)
  })

  it('asks for no more room than is needed', async () => {
    const capacity = new Capacity(3)
    for (let place = 0; place < 3; place++) capacity.take()
    let closing = 0
    capacity.addHolder(() => {
      if (closing === 3) return false
      closing += 1
      return true
    })
    const first = capacity.wait(5_000, waits())
    expect(closing).toBe(1)
    await new Promise(resolve => setTimeout(resolve, 600))
    expect(closing).toBe(1)
    capacity.release()
    expect(await first).toBe(true)
    void capacity.wait(1_000, waits())
    expect(closing).toBe(2)
    capacity.release()
  })

  it('lets only so many wait', async () => {
    const capacity = new Capacity(0)
    const many = Array.from({ length: 1_000 }, () => capacity.wait(300, waits()))
    const began = performance.now()
    expect(await capacity.wait(9_000, waits())).toBe(false)
    expect(performance.now() - began).toBeLessThan(250)
    expect((await Promise.all(many)).some(Boolean)).toBe(false)
  })
})
