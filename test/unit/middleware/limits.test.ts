import { describe, expect, it } from 'vitest'
import { type Caller, Context } from '../../../src/exchange/context.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import { limits } from '../../../src/middleware/exchange/limits.js'
import { networkOf } from '../../../src/middleware/exchange/network-of.js'
import { TokenBuckets } from '../../../src/middleware/exchange/token-buckets.js'
import { httpFace } from '../../../src/transport/http-face.js'
import { send } from '../../fixtures/http-request.js'
import { legacyClient } from '../../fixtures/legacy-http-client.js'
import { listingServer } from '../../fixtures/listing-server.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const RATE_LIMITED = -31006

function limited(options: Parameters<typeof limits>[0]) {
  let time = 0
  const server = listingServer('s', ['a', 'b'])
  const handler = limits({ now: () => time, ...options })(server.handler)
  const call = (caller: Partial<Caller> = {}, name = 'a') =>
    modernRequest(handler, 'tools/call', { name }, { context: new Context({ binding: 'socket', ...caller }) })
  const letIn = async (times: number, caller?: Partial<Caller>, name?: string) => {
    let count = 0
    for (let index = 0; index < times; index++) if ((await call(caller, name)).error === undefined) count++
    return count
  }
  return { server, handler, call, letIn, pass: (ms: number) => (time += ms) }
}

describe('rates', () => {
  it('lets in a burst, then what the rate gives back, for each principal', async () => {
    const { letIn, pass } = limited({ rates: [{ per: ['principal'], perSecond: 50, burst: 200 }] })
    expect(await letIn(300, { principal: 'a' })).toBe(200)
    pass(1_000)
    expect(await letIn(300, { principal: 'a' })).toBe(50)
    expect(await letIn(300, { principal: 'b' })).toBe(200)
    pass(60_000)
    expect(await letIn(300, { principal: 'a' })).toBe(200)
  })

  it('says when to come again, and what a refusal was about', async () => {
    const { call, pass } = limited({ rates: [{ per: ['principal'], perSecond: 0.1, burst: 1 }] })
    await call()
    pass(3_500)
    const { error } = await call()
    expect(error?.code).toBe(RATE_LIMITED)
    expect(error?.data).toMatchObject({ code: 'ERR_LIMITED', option: '--rate-limit', retryAfter: 7 })
    pass(6_500)
    expect((await call()).error).toBeUndefined()
  })

  it('a call that one limit refuses takes nothing from another', async () => {
    const { letIn, server } = limited({
      rates: [
        { per: [], perSecond: 1, burst: 10 },
        { per: ['tool'], perSecond: 1, burst: 1, tools: ['a'] },
      ],
    })
    expect(await letIn(50)).toBe(1)
    expect(await letIn(50, {}, 'b')).toBe(9)
    expect(server.asked).toHaveLength(10)
  })

  it('counts an address whatever the spelling, and a network of IPv6 as one', async () => {
    const { letIn } = limited({ rates: [{ per: ['address'], perSecond: 1, burst: 3 }] })
    expect(await letIn(2, { address: '192.0.2.1' })).toBe(2)
    expect(await letIn(2, { address: '::ffff:192.0.2.1' })).toBe(1)
    expect(await letIn(3, { address: '2001:db8:0:1::5' })).toBe(3)
    expect(await letIn(3, { address: '2001:0DB8:0::1:9:8:7:6' })).toBe(0)
    expect(await letIn(3, { address: '2001:db8:0:2::5' })).toBe(3)
    expect(await letIn(9, {})).toBe(9)
    expect(networkOf('0:0:0:0:0:ffff:10.0.0.1')).toBe('10.0.0.1')
    expect(networkOf('::1')).toBe(networkOf('0:0:0:0::1'))
    expect(networkOf('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
  })

  it('parts of a key cannot be mistaken for each other', async () => {
    const { letIn } = limited({ rates: [{ per: ['principal', 'tool'], perSecond: 1, burst: 1 }] })
    expect(await letIn(1, { principal: 'x' }, 'a')).toBe(1)
    expect(await letIn(1, { principal: 'x' }, 'b')).toBe(1)
    expect(await letIn(1, { principal: 'x' }, 'b')).toBe(0)
    expect(await letIn(1, { principal: 'y' }, 'a')).toBe(1)
  })

  it('an API key has its own bucket, whatever its principal', async () => {
    const { letIn } = limited({ rates: [{ per: ['key'], perSecond: 1, burst: 2 }] })
    expect(await letIn(5, { principal: 'p', claims: { key: 'k1' } })).toBe(2)
    expect(await letIn(5, { principal: 'p', claims: { key: 'k2' } })).toBe(2)
  })

  it('refuses what cannot work', () => {
    const rate = { per: ['principal'] as const, perSecond: 1, burst: 1 }
    expect(() => limits({ rates: [{ ...rate, perSecond: 0 }] })).toThrow(/perSecond/)
    expect(() => limits({ rates: [{ ...rate, burst: 0.5 }] })).toThrow(/burst/)
    expect(() => limits({ rates: [{ ...rate, per: ['nobody' as 'key'] }] })).toThrow(/per: expected/)
    expect(() => limits({ maxConcurrent: 0 })).toThrow(/maxConcurrent/)
  })
})

describe('buckets in a flood of keys', () => {
  it('stay as many as may be, and nobody who is empty is filled by it', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 2 }, 100)
    const take = (key: string, now: number) => {
      const slot = buckets.slotOf(key, now)
      if (buckets.wait(slot, now) > 0) return false
      buckets.take(slot, now)
      return true
    }
    expect([take('victim', 0), take('victim', 0), take('victim', 0)]).toEqual([true, true, false])
    let letIn = 0
    for (let index = 0; index < 50_000; index++) if (take(`flood ${index}`, 0)) letIn++
    expect(buckets.size).toBeLessThanOrEqual(100 + 64)
    // 99 of their own, with one call each, and those that are shared.
    expect(letIn).toBeLessThanOrEqual(99 + 64 * 2)
    expect(take('victim', 0)).toBe(false)
    expect(take('victim', 1_000)).toBe(true)
    // Full again is gone again.
    expect(take('later', 60_000)).toBe(true)
    expect(buckets.size).toBe(1)
  })
})

describe('calls at once', () => {
  it('one principal may have so many, however each ends', async () => {
    const { server, handler, call } = limited({ maxConcurrent: 2 })
    let go = () => {}
    server.delay = new Promise(resolve => {
      go = resolve
    })
    const open = [call({ principal: 'a' }), call({ principal: 'a' })]
    await until(() => server.asked.length === 2, 'two calls')
    expect((await call({ principal: 'a' })).error).toMatchObject({
      code: RATE_LIMITED,
      data: { option: '--max-concurrent', retryAfter: 1 },
    })
    const other = call({ principal: 'b' })
    go()
    server.delay = undefined
    await Promise.all([...open, other])
    // Errors, calls given up, and calls that were never pulled.
    server.failure = new Error('no')
    for (let index = 0; index < 5; index++) expect((await call({ principal: 'a' })).error?.code).toBe(-32603)
    server.failure = undefined
    const request = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'a', _meta: { progressToken: 1 } },
    } as const
    for (let index = 0; index < 5; index++) {
      const exchange = handler(request, new Context({ binding: 'socket', principal: 'a' }))
      if (index < 4) expect((await exchange.next()).done).toBe(false)
      await exchange.return(undefined as never)
    }
    expect((await call({ principal: 'a' })).error).toBeUndefined()
  })
})

describe('on HTTP', () => {
  const face = (handler: Handler) => httpFace(handler)
  const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const modern = (id: number) => ({
    headers: { ...headers, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
    body: {
      jsonrpc: '2.0',
      id,
      method: 'tools/list',
      params: {
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    },
  })

  it('is a 429 with Retry-After and a JSON-RPC error, for modern clients', async () => {
    const { handler } = limited({ rates: [{ per: ['address'], perSecond: 0.5, burst: 2 }] })
    const { handler: http, close } = face(handler)
    const replies = []
    for (let id = 1; id <= 4; id++) replies.push(await send(http, { ...modern(id), address: '192.0.2.1' }))
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 429, 429])
    expect(replies[3]?.headers['retry-after']).toBe('2')
    expect(replies[3]?.json).toMatchObject({ id: 4, error: { code: RATE_LIMITED, data: { retryAfter: 2 } } })
    expect((await send(http, { ...modern(5), address: '192.0.2.2' })).status).toBe(200)
    await close()
  })

  it('and for legacy clients, with and without sessions', async () => {
    const { handler } = limited({ rates: [{ per: [], perSecond: 1, burst: 2 }] })
    const { handler: http, close } = face(handler)
    const client = await legacyClient(http)
    const list = (id: number) => client.post({ jsonrpc: '2.0', id, method: 'tools/list' })
    expect((await list(1)).status).toBe(200)
    const refused = await list(2)
    expect([refused.status, refused.headers['retry-after']]).toEqual([429, '1'])
    expect(refused.json.error.code).toBe(RATE_LIMITED)
    await close()

    const alone = limited({ rates: [{ per: [], perSecond: 1, burst: 1 }] })
    const sessionless = httpFace(alone.handler, { sessionless: true })
    const statuses = []
    for (let id = 1; id <= 2; id++)
      statuses.push(
        (await send(sessionless.handler, { headers, body: { jsonrpc: '2.0', id, method: 'tools/list' } }))
          .status,
      )
    expect(statuses).toEqual([200, 429])
    await sessionless.close()
  })
})
