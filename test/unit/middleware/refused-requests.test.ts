import { afterEach, describe, expect, it } from 'vitest'
import { compose } from '../../../src/exchange/exchange.js'
import { type AuditRecord, audit, type RefusalSummary } from '../../../src/middleware/exchange/audit.js'
import { boundedRefusals, type RefusalBounds } from '../../../src/middleware/exchange/bounded-refusals.js'
import { limits } from '../../../src/middleware/exchange/limits.js'
import { refusalRecord } from '../../../src/middleware/exchange/refusal-record.js'
import { type ApiKeyRecord, apiKeys, newApiKey } from '../../../src/middleware/http/api-keys.js'
import { type HttpAccessOptions, httpAccess } from '../../../src/transport/http-access.js'
import { type HttpFace, type HttpFaceOptions, httpFace } from '../../../src/transport/http-face.js'
import { type RequestParts, send } from '../../fixtures/http-request.js'
import { legacyClient } from '../../fixtures/legacy-http-client.js'
import { listingServer } from '../../fixtures/listing-server.js'
import { until } from '../../fixtures/until.js'

const faces: HttpFace[] = []
afterEach(async () => {
  for (const face of faces.splice(0)) await face.close()
})

function memory() {
  const records: AuditRecord[] = []
  const summaries: RefusalSummary[] = []
  const sink = {
    blocked: undefined,
    write: (record: AuditRecord): undefined => void records.push(record),
    summarise: (summary: RefusalSummary): void => void summaries.push(summary),
  }
  return { records, summaries, sink }
}

/** A face as `serve` makes it of the same options, whose records stay in memory. */
function recordedFace(options: HttpFaceOptions & HttpAccessOptions = {}, bounds?: RefusalBounds) {
  const { records, summaries, sink: all } = memory()
  const sink = bounds === undefined ? all : boundedRefusals(all, bounds)
  const server = listingServer('s', ['a'])
  // What we ask in a caller's name, to check its headers against, is a call like any other.
  const calls = () => records.filter(({ method, outcome }) => method !== 'tools/list' || outcome !== 'ok')
  const guards = [
    audit({ sink }),
    limits({ rates: [{ per: ['tool'], perSecond: 1e-3, burst: 3 }], maxConcurrent: 50 }),
  ]
  const face = httpFace(compose(server.handler, ...guards), {
    ...options,
    access: httpAccess(options),
    onRefused: (request, reply, duration) => void sink.write(refusalRecord(request, reply, duration)),
  })
  faces.push(face)
  return { face, records, calls, summaries, sink, ask: (parts: RequestParts) => send(face.handler, parts) }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const JSON_TYPE = { 'content-type': 'application/json' }
const CALL_HEADERS = {
  ...JSON_TYPE,
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'a',
}
const CALL_BODY = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'a', arguments: {}, _meta: META },
}
const CALL = { headers: CALL_HEADERS, body: CALL_BODY }
const called = { method: 'tools/call', target: 'a', era: 'modern' }
const with_ = (headers: Readonly<Record<string, string>>, more: RequestParts = {}): RequestParts => ({
  ...CALL,
  ...more,
  headers: { ...CALL_HEADERS, ...headers },
})
const without = (...names: readonly string[]): Record<string, string> =>
  Object.fromEntries(Object.entries(CALL_HEADERS).filter(([name]) => !names.includes(name)))

describe('a request that is refused before there is a call', () => {
  it.each<readonly [string, RequestParts, Partial<AuditRecord>]>([
    ['for its host', with_({ host: 'evil.example' }), { reason: 'host', status: 403, ...called }],
    [
      'for its origin',
      with_({ origin: 'https://evil.example' }),
      { reason: 'origin', status: 403, ...called },
    ],
    [
      'for its address',
      { ...CALL, address: '10.1.2.3' },
      { reason: 'address', status: 403, address: '10.1.2.3', ...called },
    ],
    [
      'for what its proxy says',
      with_({ 'x-forwarded-for': 'nobody knows' }, { address: '192.0.2.7' }),
      { reason: 'proxy-headers', status: 400, address: '192.0.2.7', ...called },
    ],
    [
      'for its address, behind a proxy',
      with_({ 'x-forwarded-for': '10.1.2.3' }, { address: '192.0.2.7' }),
      { reason: 'address', status: 403, address: '10.1.2.3', ...called },
    ],
    [
      'that is no JSON',
      { headers: JSON_TYPE, body: '{"jsonrpc":"2.0","id":1,"method":"tools/ca' },
      { reason: 'malformed', status: 400, code: -32700 },
    ],
    ['that is no message', { headers: JSON_TYPE, body: '{"a":1}' }, { reason: 'malformed', status: 400 }],
    [
      'that is too large',
      { headers: CALL_HEADERS, body: 'x'.repeat(2_000) },
      { reason: 'too-large', status: 413, ...called },
    ],
    [
      'whose headers say something else',
      { ...CALL, headers: { ...CALL_HEADERS, 'mcp-name': 'b' } },
      { reason: 'header-mismatch', status: 400, code: -32020, ...called },
    ],
    [
      'whose headers are missing',
      { ...CALL, headers: without('mcp-method') },
      { reason: 'header-mismatch', status: 400, code: -32020, ...called },
    ],
    [
      'of a revision that nobody serves',
      { ...CALL, headers: { ...CALL_HEADERS, 'mcp-protocol-version': '2031-01-01' } },
      { reason: 'header-mismatch', status: 400, method: 'tools/call', target: 'a', era: undefined },
    ],
    [
      'of a session that never was',
      {
        headers: { ...JSON_TYPE, 'mcp-session-id': 'stolen', 'mcp-protocol-version': '2025-06-18' },
        body: { ...CALL_BODY, params: { name: 'a' } },
      },
      {
        reason: 'session',
        status: 404,
        session: 'stolen',
        method: 'tools/call',
        target: 'a',
        era: '2025-06-18',
      },
    ],
    [
      'of no session',
      { headers: JSON_TYPE, body: { jsonrpc: '2.0', id: 1, method: 'tools/list' } },
      { reason: 'no-session', status: 400, method: 'tools/list', era: undefined },
    ],
    ['with another verb', { method: 'PUT' }, { reason: 'verb', status: 405, verb: 'PUT' }],
    [
      'of another media type',
      { ...CALL, headers: { ...CALL_HEADERS, 'content-type': 'text/plain' } },
      { reason: 'media-type', status: 415, ...called },
    ],
    [
      'for another path',
      { ...CALL, path: '/admin', query: 'token=planted' },
      { reason: 'not-found', status: 404, path: '/admin' },
    ],
    [
      'for a message to nobody',
      { path: '/messages', query: 'sessionId=stolen', headers: JSON_TYPE, body: CALL_BODY },
      { reason: 'session', status: 404, session: 'stolen' },
    ],
    [
      'for a server that there is not',
      { ...CALL, path: '/servers/none/mcp' },
      { reason: 'not-found', status: 404 },
    ],
  ])('%s is on record once', async (_what, parts, expected) => {
    const { ask, records } = recordedFace({
      denyAddresses: ['10.0.0.0/8'],
      trustProxy: { addresses: ['192.0.2.7'] },
      maxBody: 1_000,
    })
    expect((await ask(parts)).status).toBe(expected.status)
    expect(records).toEqual([
      expect.objectContaining({
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        binding: 'http',
        address: '127.0.0.1',
        principal: undefined,
        outcome: 'refused',
        refusedBy: 'http',
        path: '/mcp',
        duration: expect.any(Number),
        responseSize: expect.any(Number),
        ...(parts.path === undefined ? {} : { path: parts.path }),
        ...expected,
      }),
    ])
    expect(JSON.stringify(records)).not.toContain('planted')
  })

  it('nobody known, a wrong key, a scope that is missing, and a known one that errs', async () => {
    const ann = await newApiKey('ann', { scopes: ['read'] })
    const bob = await newApiKey('bob')
    const keys: ApiKeyRecord[] = [ann.record, bob.record]
    const { ask, records, calls } = recordedFace({
      authentication: { methods: [apiKeys({ keys })], requiredScopes: ['read'] },
    })
    const wrong = ann.key.replace(/.$/, last => (last === '0' ? '1' : '0'))
    await ask(CALL)
    await ask(with_({ authorization: `Bearer ${wrong}` }))
    await ask(with_({ 'x-api-key': bob.key }))
    await ask(with_({ 'x-api-key': ann.key }, { body: '{' }))
    await ask(with_({ 'x-api-key': ann.key }))
    expect(
      calls().map(({ reason, status, principal, outcome }) => [reason, status, principal, outcome]),
    ).toEqual([
      ['no-credential', 401, undefined, 'refused'],
      ['credential', 401, undefined, 'refused'],
      ['scope', 403, undefined, 'refused'],
      ['malformed', 400, 'ann', 'refused'],
      [undefined, undefined, 'ann', 'ok'],
    ])
    const text = JSON.stringify(records)
    for (const key of [ann.key, bob.key, wrong]) expect(text).not.toContain(key.split('_')[2])
  })

  it('a call is on record as a call, whatever refuses it, and only once', async () => {
    const { ask, calls } = recordedFace()
    const statuses = []
    for (let index = 0; index < 5; index++) statuses.push((await ask(CALL)).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429])
    expect(calls().map(({ refusedBy, reason, code }) => [refusedBy, reason, code])).toEqual([
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
      ['limits', 'rate', -31006],
      ['limits', 'rate', -31006],
    ])
  })

  it('what is no refusal is not on record: health, notifications, streams, ends of sessions', async () => {
    const { face, ask, records } = recordedFace({ ready: () => Promise.reject(new Error('not yet')) })
    expect((await ask({ method: 'GET', path: '/healthz' })).status).toBe(200)
    expect((await ask({ method: 'GET', path: '/readyz' })).status).toBe(503)
    const { session } = await legacyClient(face.handler)
    const headers = { ...JSON_TYPE, 'mcp-session-id': String(session) }
    const note = { jsonrpc: '2.0', method: 'notifications/initialized' }
    expect((await ask({ headers, body: note })).status).toBe(202)
    expect((await ask({ method: 'DELETE', headers })).status).toBe(204)
    expect(records.map(({ method }) => method)).toEqual(['server/discover'])
    await face.drain(100)
    expect((await ask(CALL)).status).toBe(503)
    expect(records.at(-1)).toMatchObject({ reason: 'draining', ...called })
  })
})

describe('a flood of refusals', () => {
  const flood = { perAddress: { burst: 3, perSecond: 1 }, together: { burst: 10, perSecond: 2 } }

  it('has some records, and the others are counted', async () => {
    let now = 0
    const { ask, records, summaries, sink } = recordedFace(
      { denyAddresses: ['10.0.0.0/8'] },
      {
        ...flood,
        now: () => now,
      },
    )
    for (let index = 0; index < 500; index++) await ask({ ...CALL, address: '10.1.2.3' })
    for (let index = 0; index < 20; index++) await ask({ ...CALL, address: `10.0.0.${index}`, headers: {} })
    expect(records).toHaveLength(10)
    now = 1_000
    await ask({ ...CALL, address: '10.1.2.3' })
    expect(records).toHaveLength(11)
    ;(sink as ReturnType<typeof boundedRefusals>).flush()
    expect(summaries).toEqual([
      {
        event: 'refused',
        since: expect.stringMatching(/Z$/),
        count: 510,
        reasons: { address: 510 },
        addresses: expect.objectContaining({ '10.1.2.3': 497, '10.0.0.19': 1 }),
      },
    ])
    ;(sink as ReturnType<typeof boundedRefusals>).flush()
    expect(summaries).toHaveLength(1)
  })

  it('from very many addresses is one flood', () => {
    const { records, summaries, sink } = memory()
    const bounded = boundedRefusals(sink, { ...flood, now: () => 0 })
    const refused = { time: 't', binding: 'http', outcome: 'refused', duration: 0 } as const
    for (let index = 0; index < 20_000; index++)
      void bounded.write({ ...refused, address: `2001:db8:${index.toString(16)}::1` })
    bounded.flush()
    expect(records).toHaveLength(10)
    expect(summaries).toMatchObject([{ count: 19_990, reasons: { refused: 19_990 } }])
    expect(Object.keys(summaries[0]?.addresses ?? {})).toHaveLength(32)
  })

  it('is recorded while it lasts, without being asked', async () => {
    const { summaries, sink } = memory()
    const bounded = boundedRefusals(sink, { ...flood, interval: 5 })
    const refused = { time: 't', binding: 'http', outcome: 'refused', reason: 'host', duration: 0 } as const
    for (let index = 0; index < 20; index++) void bounded.write(refused)
    await until(() => summaries.length > 0, 'the summary')
    expect(summaries).toMatchObject([{ count: 17, reasons: { host: 17 }, addresses: { unknown: 17 } }])
  })

  it('hides nothing of callers who are known, and no call that is let in', async () => {
    const { key, record } = await newApiKey('ann')
    const { ask, calls } = recordedFace({ authentication: { methods: [apiKeys({ keys: [record] })] } }, flood)
    for (let index = 0; index < 30; index++) await ask(with_({ 'x-api-key': key }, { body: '{' }))
    for (let index = 0; index < 30; index++) await ask(CALL)
    for (let index = 0; index < 30; index++) await ask(with_({ 'x-api-key': key }))
    const of = (name: string | undefined) => calls().filter(({ principal }) => principal === name).length
    expect([of('ann'), of(undefined)]).toEqual([60, 3])
  })
})
