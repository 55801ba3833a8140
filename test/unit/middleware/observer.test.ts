import { describe, expect, it } from 'vitest'
import { type Caller, Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { compose, finish, type Handler } from '../../../src/exchange/exchange.js'
import { type AuditRecord, audit } from '../../../src/middleware/exchange/audit.js'
import { limits } from '../../../src/middleware/exchange/limits.js'
import { type ObserverOptions, observer } from '../../../src/middleware/exchange/observer.js'
import { gateway } from '../../../src/node/gateway.js'
import { RpcError } from '../../../src/protocol/errors.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { httpRequest } from '../../fixtures/http-request.js'
import { listingServer } from '../../fixtures/listing-server.js'
import { modernRequest } from '../../fixtures/modern-request.js'

function observed(handler: Handler, options: ObserverOptions = {}) {
  const watching = observer(options)
  const guarded = compose(handler, watching.guard)
  const ask = (method: string, params: JSONObject = {}, caller: Partial<Caller> = {}) =>
    modernRequest(guarded, method, params, { context: new Context({ binding: 'socket', ...caller }) })
  const messages = () => watching.messages(0, 1_000).messages
  return { watching, guarded, ask, messages }
}

const results: Record<string, object> = {
  good: { content: [] },
  bad: { content: [{ type: 'text', text: 'secret result' }], isError: true },
  question: { resultType: 'input_required', requestState: 's' },
}

const answering: Handler = async function* ({ id, params }, context) {
  const name = String(params?.name)
  if (name === 'throws')
    throw new RpcError(-32602, `No such thing: ${(params?.arguments as JSONObject | undefined)?.what}`)
  if (name === 'dies') throw new TransportError('ERR_EXITED', 'it ended, token=abcdefgh')
  if (name === 'slow') {
    yield { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } }
    await new Promise<void>(resolve => context.onCancel(() => resolve()))
    throw new TransportError('ERR_CANCELLED', 'given up')
  }
  return { jsonrpc: '2.0', id, result: { ...results.good, ...results[name] } as JSONObject }
}

describe('what is seen of a call', () => {
  it('is who called what, and what came of it, and neither arguments nor results', async () => {
    const { ask, messages, watching } = observed(answering)
    const call = (name: string, caller?: Partial<Caller>) =>
      ask(
        'tools/call',
        {
          name,
          arguments: { what: 'planted-value', password: 'hunter2' },
          _meta: { 'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' } },
        },
        caller,
      ).catch(() => {})
    await call('good', { principal: 'ann' })
    for (const name of ['bad', 'question', 'throws', 'dies']) await call(name)
    expect(messages().map(({ target, outcome, code, error }) => [target, outcome, code, error])).toEqual([
      ['good', 'ok', undefined, undefined],
      ['bad', 'tool-error', undefined, undefined],
      ['question', 'question', undefined, undefined],
      ['throws', 'error', -32602, 'No such thing: ***'],
      ['dies', 'error', -31001, 'it ended, token=***'],
    ])
    expect(messages()[0]).toMatchObject({
      sequence: 1,
      method: 'tools/call',
      binding: 'socket',
      era: 'modern',
      client: 'test 1',
      principal: 'ann',
      time: expect.any(Number),
      duration: expect.any(Number),
    })
    expect(watching.traffic()).toMatchObject({
      calls: 5,
      errors: 2,
      toolErrors: 1,
      questions: 1,
      lastError: { method: 'tools/call', target: 'dies', code: -31001, message: 'it ended, token=***' },
    })
    const all = JSON.stringify([messages(), watching.traffic(), watching.clients(), watching.open()])
    for (const secret of ['planted-value', 'hunter2', 'secret result', 'abcdefgh'])
      expect(all).not.toContain(secret)
  })

  it('has arguments only where they are asked for, without those that are named like secrets', async () => {
    const { ask, messages } = observed(answering, { withArguments: true, redact: ['IBAN'] })
    const args = {
      what: 'x',
      password: 'hunter2',
      deep: { apiKey: 'k' },
      iban: 'DE1',
      long: 'y'.repeat(5_000),
    }
    await ask('tools/call', { name: 'good', arguments: args })
    expect(messages()[0]?.arguments).toEqual({
      what: 'x',
      password: '[redacted]',
      deep: { apiKey: '[redacted]' },
      iban: '[redacted]',
      long: expect.stringMatching(/^y{256}… \(5000 characters\)$/),
    })
  })

  it('says how large a large result is', async () => {
    const bytes = new TextEncoder().encode('{"content":[]}')
    const { ask, messages } = observed(async function* ({ id }) {
      return { jsonrpc: '2.0', id, result: RawJson.fromBytes(bytes) as unknown as JSONObject }
    })
    await ask('tools/call', { name: 'a' })
    expect(messages()[0]?.size).toBe(bytes.length)
  })

  it('is there while it is under way, and gone when its caller leaves', async () => {
    const { guarded, watching, messages } = observed(answering)
    const began: Context[] = []
    const calls = ['first', 'second', 'third'].map(client => {
      const context = new Context({ binding: 'socket', principal: client })
      began.push(context)
      const params = { name: 'slow', arguments: {} }
      return finish(guarded({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }, context)).catch(() => {})
    })
    await new Promise(resolve => setTimeout(resolve, 10))
    expect(watching.openCount).toBe(3)
    expect(watching.open()).toEqual(
      ['first', 'second', 'third'].map(principal =>
        expect.objectContaining({ method: 'tools/call', target: 'slow', principal, notifications: 1 }),
      ),
    )
    began[1]?.cancel('hangup')
    await calls[1]
    expect(watching.open().map(({ principal }) => principal)).toEqual(['first', 'third'])
    began[0]?.cancel('cancelled')
    began[2]?.cancel('cancelled')
    await Promise.all(calls)
    expect([watching.openCount, watching.open()]).toEqual([0, []])
    expect(messages().map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    expect(watching.traffic()).toMatchObject({ calls: 3, cancelled: 3, errors: 0 })
  })

  it('is not counted as a call where it is a subscription', async () => {
    const { guarded, watching, messages } = observed(answering)
    const context = new Context({ binding: 'socket' })
    const params = { name: 'slow' }
    const listening = finish(
      guarded({ jsonrpc: '2.0', id: 1, method: 'subscriptions/listen', params }, context),
    )
    await new Promise(resolve => setTimeout(resolve, 10))
    expect([watching.subscriptions, watching.openCount, watching.open()]).toEqual([1, 0, []])
    context.cancel('hangup')
    await listening.catch(() => {})
    expect([watching.subscriptions, watching.traffic().calls, messages()[0]?.method]).toEqual([
      0,
      0,
      'subscriptions/listen',
    ])
  })

  it('is what an audit log within sees as well, and limits count once', async () => {
    const watching = observer()
    const records: AuditRecord[] = []
    const sink = { blocked: undefined, write: (record: AuditRecord) => void records.push(record) }
    const handler = compose(answering, watching.guard, audit({ sink }), limits({ maxConcurrent: 1 }))
    const ask = () => modernRequest(handler, 'tools/call', { name: 'good' })
    for (let round = 0; round < 3; round++) await ask()
    expect(records.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok'])
    const context = new Context({ binding: 'socket' })
    const open = finish(
      handler({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'slow' } }, context),
    ).catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 10))
    await ask().catch(() => {})
    context.cancel('hangup')
    await open
    await ask()
    const outcomes = ['ok', 'ok', 'ok', 'refused', 'cancelled', 'ok']
    expect(records.map(({ outcome }) => outcome)).toEqual(outcomes)
    const seen = watching.messages(0, 100).messages
    expect(seen.map(({ outcome }) => outcome)).toEqual(outcomes)
    expect(seen[3]).toMatchObject({ refusedBy: 'limits', reason: 'concurrency' })
  })
})

describe('errors', () => {
  const long = `${'planted-long-argument '.repeat(20)}`
  it.each([
    ['an argument', 'Not valid: planted-argument!', { arguments: { a: [{ b: 'planted-argument' }] } }],
    ['one in JSON', 'Got "say \\"planted\\" twice"', { arguments: { a: 'say "planted" twice' } }],
    ['one in an address', 'GET /x?q=planted%20words failed', { arguments: { q: 'planted words' } }],
    ['the start of a long one', `Too long: ${long.slice(0, 100)}...`, { arguments: { text: long } }],
    ['what only _meta has', 'Bad trace planted-meta', { _meta: { 'x.example/token': 'planted-meta' } }],
    [
      'an answer',
      'Not this: planted-answer',
      { inputResponses: { q: { content: { v: 'planted-answer' } } } },
    ],
    ['a credential of the caller', 'Bearer planted-key-1234 was refused', {}],
    ['a key of the caller', 'who is planted-key-1234?', {}],
    ['a secret of the server', 'cannot sign in with planted-own-secret', {}],
  ])('do not repeat %s', async (_what, message, params) => {
    const { ask, messages, watching } = observed(async function* () {
      throw new RpcError(-32603, message)
    })
    watching.secretsOf = () => ['planted-own-secret']
    const header = (name: string) => (name === 'authorization' ? 'Bearer planted-key-1234' : undefined)
    await ask('tools/call', { name: 'tool', ...params }, { header }).catch(() => {})
    const { error } = messages()[0] ?? {}
    expect(error).toContain('***')
    expect(error).not.toContain('planted')
    expect(watching.traffic().lastError?.message).toBe(error)
  })

  it('keep what the call is about, and nothing that a terminal or a log would obey', async () => {
    const { ask, messages } = observed(async function* () {
      throw new RpcError(-32602, 'Unknown tool: tool\n\u001b[31mred')
    })
    await ask('tools/call', { name: 'tool', arguments: { a: 'too' } }).catch(() => {})
    expect(messages()[0]?.error).toBe('Unknown tool: tool\\n\\u001b[31mred')
  })

  it('with more arguments than can be looked for are not shown', async () => {
    const { ask, messages } = observed(async function* () {
      throw new RpcError(-32602, 'planted-500')
    })
    const args = { list: Array.from({ length: 501 }, (_, index) => `planted-${index}`) }
    await ask('tools/call', { name: 'tool', arguments: args }).catch(() => {})
    expect(messages()[0]?.error).toMatch(/^Not shown/)
  })
})

describe('messages', () => {
  it('are bounded, and those that are gone are counted', async () => {
    const { ask, watching } = observed(answering, { recent: 5 })
    for (let call = 0; call < 12; call++) await ask('tools/call', { name: 'good' })
    const numbers = ({ messages }: ReturnType<typeof watching.messages>) =>
      messages.map(({ sequence }) => sequence)
    expect(numbers(watching.messages(0, 100))).toEqual([8, 9, 10, 11, 12])
    expect(watching.messages(0, 100)).toMatchObject({ missed: 7, last: 12 })
    expect(numbers(watching.messages(10, 100))).toEqual([11, 12])
    expect(watching.messages(10, 100).missed).toBe(0)
    expect(watching.messages(8, 2)).toMatchObject({ missed: 2, last: 12 })
    expect(watching.messages(99, 10)).toEqual({ messages: [], missed: 0, last: 12 })
  })

  it.each([0, 1.5, 1e9])('cannot be %s', recent => {
    expect(() => observer({ recent })).toThrow(TypeError)
  })

  it('of requests that were refused do not drive out the others, however many come', async () => {
    const { ask, watching, messages } = observed(answering, { recent: 50 })
    await ask('tools/call', { name: 'good' })
    const request = httpRequest({ headers: { authorization: 'Bearer planted-token' }, query: 'key=planted' })
    for (let count = 0; count < 1_000; count++)
      watching.refused(request, { status: 401, headers: {}, refusal: { reason: 'credential' } })
    expect(watching.httpRefusals).toEqual({ count: 1_000, reasons: { credential: 1_000 } })
    expect(messages()[0]?.target).toBe('good')
    // A second may end between them.
    expect(messages().length).toBeLessThanOrEqual(21)
    expect(messages()[1]).toMatchObject({
      outcome: 'refused',
      status: 401,
      reason: 'credential',
      binding: 'http',
    })
    expect(JSON.stringify(messages())).not.toContain('planted')
  })

  it('of connections that were closed without a request are among the refused', () => {
    const watching = observer()
    watching.refusedConnection({ reason: 'framing', status: 400, address: '192.0.2.1' })
    const over = { limit: 'maxClients', allowed: 1, address: '192.0.2.1' } as const
    watching.refusedConnection({ reason: 'connections', ...over })
    expect(watching.httpRefusals).toEqual({ count: 2, reasons: { framing: 1, connections: 1 } })
    expect(watching.messages(0, 10).messages).toMatchObject([
      { outcome: 'refused', reason: 'framing', status: 400, binding: 'http' },
      { outcome: 'refused', reason: 'connections', status: undefined },
    ])
  })
})

describe('servers and clients', () => {
  it('each server of a gateway has counts of its own', async () => {
    const watching = observer()
    const many = gateway({
      servers: { one: listingServer('one', ['a']).handler, two: listingServer('two', ['a']).handler },
    })
    const handler = compose(many.handler, watching.guard)
    await modernRequest(handler, 'tools/list')
    for (let call = 0; call < 3; call++) await modernRequest(handler, 'tools/call', { name: 'one__a' })
    await modernRequest(handler, 'tools/call', { name: 'two__a' })
    const alone = compose(many.server('two') as Handler, watching.guard)
    await modernRequest(alone, 'tools/call', { name: 'a' })
    expect([watching.traffic().calls, watching.traffic('one').calls, watching.traffic('two').calls]).toEqual([
      6, 3, 2,
    ])
    expect(watching.traffic('none').calls).toBe(0)
    expect(watching.messages(0, 10).messages.map(({ server }) => server)).toEqual([
      undefined,
      'one',
      'one',
      'one',
      'two',
      'two',
    ])
    await many.close()
  })

  it('clients are told apart by how they come and what they say of themselves; sessions are counted', async () => {
    const { ask, watching } = observed(answering)
    const call = (caller: Partial<Caller>) => ask('tools/call', { name: 'good' }, caller)
    await call({ binding: 'streamable-http', principal: 'ann' })
    await call({ binding: 'streamable-http', principal: 'ann' })
    await call({ binding: 'streamable-http', principal: 'bob' })
    for (const session of ['s1', 's2', 's1']) await call({ binding: 'sse', session })
    const counts = () =>
      watching
        .clients()
        .map(({ binding, principal, sessions, calls }) => [binding, principal, sessions, calls])
    expect(counts()).toEqual(
      expect.arrayContaining([
        ['streamable-http', 'ann', 0, 2],
        ['streamable-http', 'bob', 0, 1],
        ['sse', undefined, 2, 3],
      ]),
    )
    watching.sessionEnded('s1')
    watching.sessionEnded('s1')
    watching.sessionEnded('unknown')
    expect(counts()).toEqual(expect.arrayContaining([['sse', undefined, 1, 3]]))
    expect(JSON.stringify(watching.clients())).not.toContain('s2')
  })

  it('are bounded in number', async () => {
    const { ask, watching } = observed(answering, { recent: 10 })
    for (let client = 0; client < 700; client++)
      await ask('tools/call', { name: 'good' }, { principal: `p${client}`, session: `s${client}` })
    expect(watching.clients()).toHaveLength(100)
    expect(watching.clients()[0]?.principal).toBeDefined()
  })
})
