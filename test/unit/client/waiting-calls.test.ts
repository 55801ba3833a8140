import { describe, expect, it } from 'vitest'
import { upstream } from '../../../src/client/upstream.js'
import type { JSONRPCMessage } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget, rawTarget } from '../../fixtures/memory-target.js'
import { callAsModern } from '../../fixtures/modern-client.js'

const ECHO = { name: 'echo', arguments: {} }

describe('calls that wait for a connection', () => {
  it('get the one that is being opened for another request', async () => {
    const target = memoryTarget(everythingHandler().handler)
    const up = upstream(target, { protocol: 'legacy' })
    const began = performance.now()
    const transcripts = await Promise.all([
      callAsModern(up.handler, 1, 'tools/list'),
      callAsModern(up.handler, 2, 'tools/call', ECHO),
      callAsModern(up.handler, 3, 'tools/call', ECHO),
    ])
    for (const { response } of transcripts) expect(response).toHaveProperty('result')
    expect(target.served).toHaveLength(1)
    expect(performance.now() - began).toBeLessThan(1_000)
    await up.close()
  })

  it('all hear why none could be opened', async () => {
    const target = {
      name: 'nowhere',
      open: () => Promise.reject(new TypeError('There is nothing to start')),
    }
    const up = upstream(target, { protocol: 'legacy' })
    const began = performance.now()
    const transcripts = await Promise.all(
      [1, 2, 3].map(id => callAsModern(up.handler, id, 'tools/call', ECHO)),
    )
    for (const { response } of transcripts) expect(response).toHaveProperty('error')
    expect(performance.now() - began).toBeLessThan(1_000)
    await up.close()
  })

  it('are refused when the upstream closes, although the server never finished its handshake', async () => {
    const heard: JSONRPCMessage[] = []
    const silent = rawTarget(channel =>
      channel.listen({ message: message => void heard.push(message), closed: () => {} }),
    )
    const up = upstream(silent, { protocol: 'legacy' })
    const waiting = [1, 2].map(id => callAsModern(up.handler, id, 'tools/call', ECHO))
    while (heard.length === 0) await new Promise(resolve => setTimeout(resolve, 1))
    const began = performance.now()
    await up.close()
    for (const { response } of await Promise.all(waiting)) expect(response).toHaveProperty('error')
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(up.counts()).toEqual({ connections: 0, calls: 0, parked: 0 })
  })
})
