import { describe, expect, it } from 'vitest'
import { type Caller, Context } from '../../../src/exchange/context.js'
import { compose, type Handler } from '../../../src/exchange/exchange.js'
import { accessRules } from '../../../src/middleware/exchange/access-rules.js'
import { type AuditOptions, type AuditRecord, audit } from '../../../src/middleware/exchange/audit.js'
import { authorization } from '../../../src/middleware/exchange/authorization.js'
import { limits } from '../../../src/middleware/exchange/limits.js'
import { gateway } from '../../../src/node/gateway.js'
import { govern } from '../../../src/node/govern.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { httpFace } from '../../../src/transport/http-face.js'
import { legacyClient } from '../../fixtures/legacy-http-client.js'
import { listed, listingServer } from '../../fixtures/listing-server.js'
import { modernRequest } from '../../fixtures/modern-request.js'

function recorded(handler: Handler, options: Partial<AuditOptions> = {}) {
  const records: AuditRecord[] = []
  const sink = {
    blocked: undefined as string | undefined,
    write: (record: AuditRecord) => void records.push(record),
  }
  const guarded = audit({ sink: sink as unknown as AuditOptions['sink'], ...options })(handler)
  const ask = (method: string, params: JSONObject = {}, caller: Partial<Caller> = {}) =>
    modernRequest(guarded, method, params, { context: new Context({ binding: 'socket', ...caller }) })
  return { records, sink, handler: guarded, ask }
}

describe('a record per call', () => {
  it('says who called what, and what came of it', async () => {
    const { ask, records } = recorded(listingServer('s', ['a']).handler, { server: 's' })
    await ask(
      'tools/call',
      { name: 'a', arguments: { password: 'hunter2' } },
      { principal: 'p', address: '192.0.2.1', session: 'x' },
    )
    expect(records).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        binding: 'socket',
        principal: 'p',
        address: '192.0.2.1',
        session: 'x',
        server: 's',
        method: 'tools/call',
        target: 'a',
        era: 'modern',
        outcome: 'ok',
        duration: expect.any(Number),
        requestSize: expect.any(Number),
        responseSize: expect.any(Number),
      },
    ])
    expect(JSON.stringify(records)).not.toContain('hunter2')
  })

  it('tells outcomes apart', async () => {
    const results: Record<string, object> = {
      good: { content: [] },
      bad: { content: [], isError: true },
      ask: { resultType: 'input_required', inputRequests: {} },
      raw: RawJson.fromBytes(new TextEncoder().encode('{"isError":true,"content":["é"]}')),
    }
    const { ask, records } = recorded(async function* (request) {
      const name = String(request.params?.name)
      if (name === 'wait') return await new Promise<never>(() => {})
      if (name === 'throws') throw new Error('secret text')
      if (name === 'refused')
        return { jsonrpc: '2.0', id: request.id, error: { code: -32602, message: 'secret text' } }
      return { jsonrpc: '2.0', id: request.id, result: results[name] as never }
    })
    for (const name of ['good', 'bad', 'ask', 'raw', 'throws', 'refused']) await ask('tools/call', { name })
    expect(records.map(({ outcome, code }) => [outcome, code])).toEqual([
      ['ok', undefined],
      ['tool-error', undefined],
      ['question', undefined],
      ['tool-error', undefined],
      ['error', -32603],
      ['error', -32602],
    ])
    expect(records[3]?.responseSize).toBe(33)
    expect(JSON.stringify(records)).not.toContain('secret')
  })

  it('one that is given up is cancelled, and recorded once', async () => {
    const { handler, records } = recorded(async function* (request) {
      yield { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } }
      return { jsonrpc: '2.0', id: request.id, result: {} }
    })
    const exchange = handler(
      { jsonrpc: '2.0', id: 1, method: 'tools/call' },
      new Context({ binding: 'socket' }),
    )
    await exchange.next()
    await exchange.return(undefined as never)
    await exchange.return(undefined as never)
    expect(records.map(({ outcome, notifications }) => [outcome, notifications])).toEqual([['cancelled', 1]])
  })

  it('what other guards refuse is recorded with the guard', async () => {
    const server = listingServer('s', ['a'])
    const { ask, records } = recorded(
      compose(
        server.handler,
        limits({ rates: [{ per: ['principal'], perSecond: 0.001, burst: 2 }] }),
        authorization({ rules: accessRules([{ allow: { tools: ['a'] } }]) }),
      ),
    )
    await ask('tools/call', { name: 'a' })
    await ask('tools/call', { name: 'b' })
    await ask('tools/call', { name: 'a' })
    expect(records.map(({ outcome, refusedBy, code }) => [outcome, refusedBy, code])).toEqual([
      ['ok', undefined, undefined],
      ['refused', 'authorization', -32602],
      ['refused', 'limits', -31006],
    ])
  })

  it('names the server of a gateway, and what the tool is called there', async () => {
    const one = gateway(
      {
        servers: {
          files: listingServer('files', ['read']).handler,
          git: listingServer('git', ['push']).handler,
        },
      },
      { around: (await govern({ many: true })).around },
    )
    const { ask, records } = recorded(one.handler)
    const { result } = await ask('tools/list')
    const names = listed({ result: result ?? {} }).map(tool => String(tool.name))
    const name = names.find(own => own.includes('push'))
    await ask('tools/call', { name })
    expect(records.at(-1)).toMatchObject({ server: 'git', target: name, serverTarget: 'push', outcome: 'ok' })
    await one.close()
  })

  it('says which revision a legacy client speaks', async () => {
    const { handler, records } = recorded(listingServer('s', ['a']).handler)
    const face = httpFace(handler)
    const client = await legacyClient(face.handler, '2025-06-18')
    await client.call('a')
    expect(records.map(({ method, era }) => [method, era])).toEqual([
      ['server/discover', '2025-06-18'],
      ['tools/call', '2025-06-18'],
    ])
    await face.close()
  })

  it('arguments only if asked for, without what is named like a secret', async () => {
    const { ask, records } = recorded(listingServer('s', ['a']).handler, {
      withArguments: true,
      redact: ['Pin'],
    })
    const args = JSON.parse(
      '{"path":"/x","API_KEY":"s1","nested":[{"userPassword":"s2","pin":"s3","note":"n"}],"__proto__":{"token":"s4","y":1}}',
    )
    await ask('tools/call', { name: 'a', arguments: { ...args, long: 'z'.repeat(5_000) } })
    const text = JSON.stringify(records)
    for (const secret of ['"s1"', '"s2"', '"s3"', '"s4"']) expect(text).not.toContain(secret)
    expect(text).toContain('"note":"n"')
    expect(text.length).toBeLessThan(2_500)
    expect(({} as Record<string, unknown>).token).toBeUndefined()
  })

  it('refuses calls that could not be recorded', async () => {
    const server = listingServer('s', ['a'])
    const { ask, sink } = recorded(server.handler)
    sink.blocked = 'ENOSPC'
    expect((await ask('tools/call', { name: 'a' })).error).toMatchObject({
      code: -31008,
      data: { code: 'ERR_UNRECORDED', option: '--audit-on-failure' },
    })
    expect(server.asked).toEqual([])
  })
})
