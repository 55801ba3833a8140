import { describe, expect, it } from 'vitest'
import { Backoff } from '../../../src/client/backoff.js'
import { Capacity } from '../../../src/client/capacity.js'
import type { UpstreamEvent } from '../../../src/client/events.js'
import type { Target } from '../../../src/client/open.js'
import { upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { finish } from '../../../src/exchange/exchange.js'
import type { JSONRPCNotification } from '../../../src/protocol/message.js'
import type { ChannelListener } from '../../../src/transport/channel/channel.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget } from '../../fixtures/memory-target.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const ERAS = ['modern', 'legacy'] as const
const MUTE = { capabilities: {} }

function watched(target: Target, options: UpstreamOptions) {
  const events: UpstreamEvent[] = []
  const up = upstream(target, { ...options, onEvent: event => events.push(event) })
  return { up, events, types: () => events.map(({ type }) => type) }
}

/** Fails to open as often as it is told; then it is the other one. */
function failing(target: Target, times: number, error: Error) {
  let attempts = 0
  return {
    name: target.name,
    attempts: () => attempts,
    open() {
      attempts += 1
      return attempts <= times ? Promise.reject(error) : target.open()
    },
  }
}

const died = () => new TransportError('ERR_EXITED', 'the server exited with code 3', { exitCode: 3 })

describe('a backoff', () => {
  it('doubles, half of it by chance, up to a limit', () => {
    const [none, all] = [0, 1].map(random => new Backoff({ budget: 2, random: () => random, longest: 500 }))
    expect([1, 2, 3, 4].map(() => none?.failed('x', 0))).toEqual([50, 100, 200, 250])
    expect([1, 2, 3, 4].map(() => all?.failed('x', 0))).toEqual([100, 200, 400, 500])
    expect(all?.remaining(400)).toBe(100)
    expect(all?.remaining(600)).toBe(0)
    expect(all?.exhausted).toBe(true)
  })

  it('begins anew after the server has lived for a while, not before', () => {
    const backoff = new Backoff({ budget: 2, random: () => 1, stable: 1_000 })
    backoff.failed('x', 0)
    backoff.ready(100)
    expect(backoff.failed('x', 1_000)).toBe(200)
    backoff.ready(2_000)
    expect(backoff.failed('x', 3_000)).toBe(100)
    expect(backoff.failures).toBe(1)
  })
})

describe.each(ERAS)('a server that does not start, %s', protocol => {
  it('fails the call that started it; the next one waits for the next attempt', async () => {
    const target = failing(memoryTarget(everythingHandler().handler), 2, died())
    const { up, events, types } = watched(target, { protocol })
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    expect((await call()).error).toMatchObject({ data: { code: 'ERR_EXITED', exitCode: 3 } })
    expect((await call()).error).toMatchObject({ data: { exitCode: 3 } })
    expect((await call()).result).toBeDefined()
    const again = ['waiting', 'starting']
    expect(types()).toEqual(['starting', 'failed', ...again, 'failed', ...again, 'ready'])
    expect(events[4]).toMatchObject({ failures: 2 })
    expect(events[5]).toMatchObject({ for: 'backoff' })
    await up.close()
  })

  it('fails calls at once when the budget is used up, and tries again after the wait', async () => {
    const target = failing(memoryTarget(everythingHandler().handler), 3, died())
    const { up } = watched(target, { protocol, maxRestarts: 1 })
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    await call()
    await call()
    for (let round = 0; round < 5; round++) {
      const { error } = await call()
      expect(error?.message).toMatch(/exited with code 3 \(2 times in a row; the next attempt is in 1 s\)/)
      expect(error?.data).toMatchObject({ option: '--max-restarts' })
    }
    expect(target.attempts()).toBe(2)
    await new Promise(resolve => setTimeout(resolve, 220))
    await call()
    await new Promise(resolve => setTimeout(resolve, 420))
    expect((await call()).result).toBeDefined()
    expect(target.attempts()).toBe(4)
    await up.close()
  })

  it('a command that is not there is not waited for', async () => {
    const error = new TransportError('ERR_SPAWN', 'not found', { retryable: true })
    const target = failing(memoryTarget(everythingHandler().handler), 1_000, error)
    const { up } = watched(target, { protocol })
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    const began = performance.now()
    for (let round = 0; round < 20; round++) expect((await call()).error?.message).toBe('not found')
    expect(performance.now() - began).toBeLessThan(50)
    expect(target.attempts()).toBe(1)
    await up.close()
  })

  it('closing ends the wait for it', async () => {
    const target = failing(memoryTarget(everythingHandler().handler), 1_000, died())
    const { up } = watched(target, { protocol, maxRestarts: 1_000 })
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    for (let round = 0; round < 3; round++) await call()
    const waiting = call()
    const began = performance.now()
    await up.close()
    expect((await waiting).error?.data).toMatchObject({ code: 'ERR_DRAINING' })
    expect(performance.now() - began).toBeLessThan(100)
  })
})

describe.each(ERAS)('a server that ends, %s', protocol => {
  it('is told of, and one session that loses its server keeps no other waiting', async () => {
    const target = memoryTarget(everythingHandler().handler)
    const { up, types } = watched(target, { protocol, isolation: 'session' })
    const call = (session: string) => {
      const context = new Context({ binding: 'streamable-http', session })
      return modernRequest(up.handler, 'tools/call', { name: 'echo' }, { ...MUTE, context })
    }
    await call('ann')
    await call('bob')
    for (let round = 0; round < 4; round++) {
      await target.served.at(round === 0 ? 0 : -1)?.close()
      expect((await call('ann')).result).toBeDefined()
    }
    const began = performance.now()
    expect((await call('bob')).result).toBeDefined()
    expect((await call('cid')).result).toBeDefined()
    expect(performance.now() - began).toBeLessThan(100)
    expect(types().filter(type => type === 'exited')).toHaveLength(4)
    expect(types().filter(type => type === 'ready')).toHaveLength(7)
    await up.close()
  })

  it('what was never sent goes to the next one; what was sent is not sent again', async () => {
    const { handler, counters } = everythingHandler()
    const memory = memoryTarget(handler)
    let listener: ChannelListener | undefined
    let full = false
    const target: Target = {
      name: 'fixture',
      async open() {
        const channel = await memory.open()
        if (memory.served.length > 1) return channel
        // Takes one message more, and then nothing, as a pipe does whose reader hangs.
        return {
          ...channel,
          name: channel.name,
          listen(given) {
            listener = given
            channel.listen(given)
          },
          send(message) {
            channel.send(message)
            return !full
          },
          drained: () => new Promise<void>(() => {}),
          pause: () => channel.pause(),
          resume: () => channel.resume(),
          close: () => channel.close(),
        }
      },
    }
    const { up } = watched(target, { protocol })
    const call = (name: string) => modernRequest(up.handler, 'tools/call', { name }, MUTE)
    await call('echo')
    full = true
    const sent = call('hang')
    await until(() => counters.runs.get('hang') === 1)
    const unsent = [call('echo'), call('echo')]
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(counters.runs.get('echo')).toBe(1)
    listener?.ending?.()
    for (const reply of await Promise.all(unsent)) expect(reply.result).toBeDefined()
    expect(memory.served).toHaveLength(2)
    // It ends for good only now: until then its last words were waited for.
    await memory.served[0]?.close()
    expect((await sent).error?.data).toMatchObject({ code: 'ERR_CLOSED' })
    expect(counters.runs.get('hang')).toBe(1)
    expect(counters.runs.get('echo')).toBe(3)
    await up.close()
  })
})

describe.each(ERAS)('a server that nobody uses, %s', protocol => {
  it('is stopped, and started again by the next call; readiness does not wake it', async () => {
    const target = memoryTarget(everythingHandler().handler)
    const { up, types, events } = watched(target, { protocol, idleTimeout: 100 })
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    await call()
    await until(() => types().includes('stopped'))
    expect(events.at(-1)).toEqual({ type: 'stopped', reason: 'idle' })
    expect(up.counts().connections).toBe(0)
    await up.ready()
    expect(target.served).toHaveLength(1)
    expect((await call()).result).toBeDefined()
    expect(target.served).toHaveLength(2)
    expect(types().filter(type => type === 'exited' || type === 'failed')).toEqual([])
    await up.close()
  })

  it('is not stopped during a call', async () => {
    const { handler, counters } = everythingHandler()
    const { up, types } = watched(memoryTarget(handler), { protocol, idleTimeout: 60 })
    const context = new Context({ binding: 'internal' })
    const hanging = modernRequest(up.handler, 'tools/call', { name: 'hang' }, { ...MUTE, context })
    await until(() => counters.runs.get('hang') === 1)
    await new Promise(resolve => setTimeout(resolve, 250))
    expect(types()).not.toContain('stopped')
    context.cancel('cancelled')
    await hanging
    await until(() => types().includes('stopped'))
    await up.close()
  })

  it('is stopped under those who listen, who hear of the next one what they may have missed', async () => {
    const { handler, change } = everythingHandler()
    const target = memoryTarget(handler)
    const { up, types } = watched(target, { protocol, idleTimeout: 100 })
    const context = new Context({ binding: 'internal' })
    const seen: JSONRPCNotification[] = []
    const notifications = { toolsListChanged: true, resourceSubscriptions: ['a:b'] }
    const listening = finish(
      up.handler(
        {
          jsonrpc: '2.0',
          id: 'mine',
          method: 'subscriptions/listen',
          params: { notifications, _meta: META },
        },
        context,
      ),
      notification => void seen.push(notification),
    ).catch(error => error)
    await until(() => types().includes('stopped'))
    await new Promise(resolve => setTimeout(resolve, 300))
    // Listening alone does not keep it awake, nor wake it.
    expect(target.served).toHaveLength(1)
    expect(seen).toHaveLength(1)
    await modernRequest(up.handler, 'tools/call', { name: 'echo' }, MUTE)
    await until(() => seen.length === 2)
    change({ jsonrpc: '2.0', method: 'notifications/resources/updated', params: { uri: 'a:b' } })
    await until(() => seen.length === 3)
    expect(seen.map(({ method }) => method)).toEqual([
      'notifications/subscriptions/acknowledged',
      'notifications/tools/list_changed',
      'notifications/resources/updated',
    ])
    for (const { params } of seen)
      expect(params?._meta?.['io.modelcontextprotocol/subscriptionId']).toBe('mine')
    await until(() => types().filter(type => type === 'stopped').length === 2)
    context.cancel('hangup')
    await listening
    await up.close()
  })

  it('closing ends those who listen to one that rests', async () => {
    const { up, types } = watched(memoryTarget(everythingHandler().handler), { protocol, idleTimeout: 60 })
    const request = {
      jsonrpc: '2.0',
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true }, _meta: META },
    } as const
    const listening = finish(up.handler(request, new Context({ binding: 'internal' })), () => {})
    await until(() => types().includes('stopped'))
    await up.close()
    expect(await listening).toMatchObject({ id: 1, result: { resultType: 'complete' } })
  })
})

describe.each(ERAS)('limits, %s', protocol => {
  const callAs = (up: ReturnType<typeof upstream>, principal: string) =>
    modernRequest(up.handler, 'tools/call', { name: 'hang' }, { ...MUTE, principal })

  it('of one server', async () => {
    const { handler, counters } = everythingHandler()
    const { up } = watched(memoryTarget(handler), { protocol, maxConnections: 2, queueTimeout: 50 })
    const open = [callAs(up, 'ann'), callAs(up, 'bob')]
    await until(() => counters.runs.get('hang') === 2)
    const { error } = await callAs(up, 'cid')
    expect(error).toMatchObject({ code: -31003, data: { code: 'ERR_BUSY', option: '--max-children' } })
    await up.close()
    await Promise.all(open)
  })

  it('of several servers', async () => {
    const capacity = new Capacity(2)
    const { handler, counters } = everythingHandler()
    const ups = [1, 2, 3].map(() => upstream(memoryTarget(handler), { protocol, capacity, queueTimeout: 50 }))
    const open = ups.slice(0, 2).map(up => callAs(up, 'ann'))
    await until(() => counters.runs.get('hang') === 2)
    expect((await callAs(ups[2]!, 'ann')).error).toMatchObject({ code: -31003 })
    await ups[0]?.close()
    expect(capacity.used).toBe(1)
    open.push(callAs(ups[2]!, 'ann'))
    await until(() => counters.runs.get('hang') === 3)
    await Promise.all(ups.map(up => up.close()))
    await Promise.all(open)
    expect(capacity.used).toBe(0)
  })
})

it.each(ERAS)(
  'the end of a session closes what was its own, also what is only being opened: %s',
  async protocol => {
    const target = memoryTarget(everythingHandler().handler)
    const { up, events } = watched(target, { protocol, isolation: 'session' })
    const call = (session: string) => {
      const context = new Context({ binding: 'streamable-http', session })
      return modernRequest(up.handler, 'tools/call', { name: 'echo' }, { ...MUTE, context })
    }
    await call('ann')
    await call('bob')
    up.endSession('ann')
    expect(up.counts().connections).toBe(1)
    expect(events.at(-1)).toEqual({ type: 'stopped', reason: 'session' })
    const opening = call('cid')
    up.endSession('cid')
    await opening
    await until(() => up.counts().connections === 1)
    expect((await call('bob')).result).toBeDefined()
    expect(target.served).toHaveLength(3)
    await up.close()
  },
)

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
