import { afterEach, describe, expect, it, vi } from 'vitest'
import { type CallerHeader, callerCredentials } from '../../../src/client/caller-credentials.js'
import { tokenExchange } from '../../../src/client/oauth/token-exchange.js'
import type { TokenExchangeOptions } from '../../../src/client/oauth/token-exchange-options.js'
import type { RemoteTransport } from '../../../src/client/remote.js'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { type Caller, Context } from '../../../src/exchange/context.js'
import type { HttpClient } from '../../../src/exchange/http-client.js'
import { keepSubjectToken } from '../../../src/exchange/subject-token.js'
import { serve } from '../../../src/node/serve.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { testHttpClient } from '../../fixtures/http-client.js'
import { modernRequest } from '../../fixtures/modern-request.js'

// Real servers, on machines that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const AUTHORITY = 'https://login.example.com'

type Way = readonly [
  name: string,
  path: '/mcp' | '/sse',
  options: UpstreamOptions,
  transport: RemoteTransport,
]

const WAYS: readonly Way[] = [
  ['a modern server', '/mcp', {}, 'auto'],
  ['a legacy server', '/mcp', { protocol: 'legacy' }, 'streamable-http'],
  ['a server of HTTP+SSE', '/sse', {}, 'sse'],
]

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

interface Carried {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
}

/** A server elsewhere, all that is sent to it, and a call on behalf of somebody. */
async function world(
  [, path, options, transport]: Way,
  given: { readonly headers?: readonly CallerHeader[]; readonly exchange?: Partial<TokenExchangeOptions> },
  refuses: (authorization: string | undefined) => boolean = () => false,
) {
  const exchanges: URLSearchParams[] = []
  let grant = (form: URLSearchParams): object => ({
    access_token: `${form.get('subject_token')}-for-us-${exchanges.length}`,
    token_type: 'Bearer',
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    expires_in: 600,
  })
  const server = await serve(everythingHandler().handler, {
    port: 0,
    authentication: {
      methods: [
        {
          checkRequest: request =>
            refuses(request.header('authorization')) ? undefined : { principal: 'whoever' },
          checkCredential: ({ token }) =>
            refuses(`Bearer ${token}`) ? undefined : { principal: 'whoever', claims: { sub: 'whoever' } },
        },
      ],
    },
  })
  const url = new URL(path, server.url)
  const carrying = testHttpClient()
  const carried: Carried[] = []
  const client: HttpClient = {
    close: () => carrying.close(),
    send(call, context) {
      carried.push({ method: call.method, headers: call.headers })
      return carrying.send(call, context)
    },
  }
  const exchange =
    given.exchange &&
    tokenExchange(
      url,
      { tokenEndpoint: `${AUTHORITY}/token`, clientId: 'us', clientSecret: 'ours', ...given.exchange },
      async (address, init) => {
        expect(address).toBe(`${AUTHORITY}/token`)
        const form = new URLSearchParams(String(init.body))
        exchanges.push(form)
        await new Promise(resolve => setTimeout(resolve, 5))
        const answer = grant(form)
        return Response.json(answer, { status: 'error' in answer ? 400 : 200 })
      },
    )
  const credentials = callerCredentials({ name: url.href, headers: given.headers, exchange })
  const up: Upstream = upstream(
    { name: url.href, remote: { url: url.href, client, transport, credentials } },
    options,
  )
  ending.push(
    () => server.close({ drainTimeout: 0 }),
    () => client.close(),
    () => up.close(),
  )
  return {
    up,
    carried,
    exchanges,
    setGrant(next: typeof grant) {
      grant = next
    },
    call: (caller: Caller, text = 'hello') =>
      modernRequest(
        up.handler,
        'tools/call',
        { name: 'echo', arguments: { text } },
        { context: new Context(caller) },
      ),
  }
}

let tokens = 0
/** Somebody who showed a token of his own, which must not go on. */
function somebody(principal: string, claims: JSONObject = {}): Caller {
  const own = `secret-of-${principal}-${++tokens}`
  const all = { sub: principal, exp: Math.floor(Date.now() / 1_000) + 600, ...claims }
  keepSubjectToken(all, own)
  return {
    binding: 'streamable-http',
    principal,
    claims: all,
    header: name => (name === 'authorization' ? `Bearer ${own}` : undefined),
  }
}

const USER: CallerHeader = { name: 'x-user', parts: ['<', { kind: 'claim', name: 'email' }, '>'] }
const authorizationsOf = (carried: readonly Carried[]) =>
  new Set(carried.map(({ headers }) => headers.authorization))

describe.each(WAYS)('%s', (...way) => {
  it('gets the claims of who calls, each on connections of his own', async () => {
    const { call, carried, up } = await world(way, {
      headers: [USER, { name: 'x-principal', parts: [{ kind: 'principal' }] }],
    })
    await up.ready()
    expect(carried).toEqual([])
    const people = ['alice', 'bob'].map(name => somebody(name, { email: `${name}@example.com` }))
    for (const person of [...people, ...people]) expect((await call(person)).error).toBeUndefined()
    await Promise.all(people.map(person => call(person)))
    const seen = carried.map(({ headers }) => [headers['x-user'], headers['x-principal']].join(' '))
    expect(new Set(seen)).toEqual(new Set(['<alice@example.com> alice', '<bob@example.com> bob']))
    expect(up.counts().connections).toBe(2)
    // A session of one is never carried with the name of the other.
    const sessions = new Map<string, string>()
    for (const { headers } of carried) {
      const session = headers['Mcp-Session-Id'] ?? headers['mcp-session-id']
      if (session === undefined) continue
      expect(sessions.get(session) ?? headers['x-user']).toBe(headers['x-user'])
      sessions.set(session, headers['x-user'] as string)
    }
    // What clients show to get in goes nowhere.
    expect(authorizationsOf(carried)).toEqual(new Set([undefined]))
    expect(JSON.stringify(carried)).not.toContain('secret-of')
  })

  it('is called with a token of its own for each caller, and never with theirs', async () => {
    const { call, carried, exchanges } = await world(way, {
      exchange: { audience: 'tracker', scopes: ['read', 'write'] },
    })
    const [alice, bob] = [somebody('alice'), somebody('bob')]
    const answers = await Promise.all([alice, bob, alice, alice, bob].map(person => call(person)))
    for (const answer of answers) expect(answer.error).toBeUndefined()
    await call(alice)
    expect(exchanges.length).toBe(2)
    expect(Object.fromEntries(exchanges[0] as URLSearchParams)).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: expect.stringMatching(/^secret-of-(alice|bob)-\d+$/),
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'tracker',
      scope: 'read write',
    })
    const sent = [...authorizationsOf(carried)]
    expect(sent.length).toBe(2)
    for (const value of sent) expect(value).toMatch(/^Bearer secret-of-(alice|bob)-\d+-for-us-\d$/)
  })

  it('that refuses a token gets another one, once', async () => {
    const refused = new Set<string>()
    const { call, exchanges, carried } = await world(way, { exchange: {} }, token => refused.has(token ?? ''))
    const alice = somebody('alice')
    expect((await call(alice)).error).toBeUndefined()
    const [first] = authorizationsOf(carried)
    refused.add(first as string)
    expect((await call(alice)).error).toBeUndefined()
    expect(exchanges.length).toBe(2)
    expect(authorizationsOf(carried).size).toBe(2)
  })
})

describe.each(WAYS)('%s, a connection for each session', (...way) => {
  it('ends with its session, and with no other', async () => {
    const [name, path, options, transport] = way
    const { call, up, carried } = await world([name, path, { ...options, isolation: 'session' }, transport], {
      exchange: {},
    })
    const session = (principal: string, id: string, claims: JSONObject = {}) => ({
      ...somebody(principal, claims),
      session: id,
    })
    await call(session('alice', 's1'))
    await call(session('alice', 's1', { scope: 'more' }))
    await call(session('alice', 's10'))
    await call(session('bob', 's2'))
    expect(up.counts().connections).toBe(4)
    expect(authorizationsOf(carried).size).toBe(3)
    up.endSession('s1')
    expect(up.counts().connections).toBe(2)
    expect((await call(session('bob', 's2'))).error).toBeUndefined()
    expect(up.counts().connections).toBe(2)
  })
})

describe('a caller', () => {
  const modern = WAYS[0] as Way
  const CLAIMS: readonly (readonly [string, JSONObject, RegExp])[] = [
    ['has no such claim', {}, /the claim "email".*has none/],
    ['has an empty one', { email: '' }, /has none/],
    ['breaks the line', { email: 'a@b\r\nx-admin: yes' }, /cannot|no header can carry/],
    ['hides behind a space', { email: 'alice ' }, /begins or ends with a space/],
    ['writes in another script', { email: 'аlice@example.com' }, /no header can carry/],
    ['has a list', { email: ['a', 'b'] }, /a list or a map/],
    ['writes a book', { email: 'x'.repeat(5_000) }, /more than 4096 characters/],
    ['counts on a prototype', JSON.parse('{"__proto__":{"email":"admin"}}'), /has none/],
  ]
  it.each(CLAIMS)('who %s is refused, without the value', async (_what, claims, message) => {
    const { call, carried } = await world(modern, { headers: [USER] })
    const { error } = await call(somebody('mallory', claims))
    expect(error?.message).toMatch(message)
    expect(error?.message).toContain('x-user')
    expect(error?.message).not.toMatch(/x-admin|xxxx|аlice/)
    expect(carried).toEqual([])
    // Nobody else suffers.
    expect((await call(somebody('alice', { email: 'a@example.com' }))).error).toBeUndefined()
  })

  it('who has not authenticated, or has no token, is refused', async () => {
    const claims = await world(modern, { headers: [USER] })
    expect((await claims.call({ binding: 'stdio' })).error?.message).toContain('has not authenticated')
    const exchanged = await world(modern, { exchange: {} })
    const keyed: Caller = { binding: 'streamable-http', principal: 'key', claims: { sub: 'key' } }
    expect((await exchanged.call(keyed)).error?.message).toContain(
      'keys and certificates cannot be exchanged',
    )
    expect([claims.carried, exchanged.carried]).toEqual([[], []])
  })

  it('with two tokens that allow different things uses each for its own', async () => {
    const { call, carried, exchanges } = await world(modern, { exchange: {} })
    await call(somebody('alice', { scope: 'read' }))
    await call(somebody('alice', { scope: 'read write' }))
    // A renewed token of the same rights is no reason for another exchange.
    await call(somebody('alice', { scope: 'read', exp: Math.floor(Date.now() / 1_000) + 900, jti: 'new' }))
    expect(exchanges.length).toBe(2)
    expect(authorizationsOf(carried).size).toBe(2)
  })

  it('whose claims are an object that others have as well is still himself', async () => {
    const { call, carried } = await world(modern, {
      headers: [{ name: 'x-principal', parts: [{ kind: 'principal' }] }],
    })
    const claims = {}
    for (const principal of ['alice', 'bob', 'alice'])
      await call({ binding: 'streamable-http', principal, claims })
    expect(new Set(carried.map(({ headers }) => headers['x-principal']))).toEqual(new Set(['alice', 'bob']))
  })

  it('whose token is not taken is told so, and nobody else', async () => {
    const { call, carried, setGrant } = await world(modern, { exchange: {} })
    setGrant(form =>
      (form.get('subject_token') ?? '').includes('mallory')
        ? { error: 'invalid_request', error_description: `bad token ${form.get('subject_token')}` }
        : { access_token: 'good', token_type: 'Bearer' },
    )
    const [mallory, alice] = await Promise.all([call(somebody('mallory')), call(somebody('alice'))])
    expect(mallory.error?.message).toContain(AUTHORITY)
    expect(JSON.stringify(mallory)).not.toContain('secret-of')
    expect(alice.error).toBeUndefined()
    expect(authorizationsOf(carried)).toEqual(new Set(['Bearer good']))
  })

  it('whose own token comes back is not called for with it', async () => {
    const { call, carried, setGrant } = await world(modern, { exchange: {} })
    setGrant(form => ({ access_token: form.get('subject_token'), token_type: 'Bearer' }))
    const { error } = await call(somebody('alice'))
    expect(error?.message).toContain("the caller's own token back")
    expect(carried).toEqual([])
  })
})

it('a server that refuses every token is not offered ever new ones', async () => {
  const { call, exchanges } = await world(WAYS[0] as Way, { exchange: {} }, () => true)
  const alice = somebody('alice')
  for (let count = 0; count < 5; count++)
    expect((await call(alice)).error?.message).toContain('refuses the token')
  expect(exchanges.length).toBeLessThanOrEqual(3)
})

it('a token is exchanged anew before it ends', async () => {
  const { call, exchanges, setGrant } = await world(WAYS[0] as Way, { exchange: {} })
  setGrant(() => ({ access_token: `short-${exchanges.length}`, token_type: 'Bearer', expires_in: 600 }))
  const alice = somebody('alice')
  await call(alice)
  await call(alice)
  expect(exchanges.length).toBe(1)
  const clock = vi
    .spyOn(Date, 'now')
    .mockImplementation(() => performance.timeOrigin + performance.now() + 595_000)
  try {
    await call(alice)
  } finally {
    clock.mockRestore()
  }
  expect(exchanges.length).toBe(2)
})

it('callers who differ cannot share', () => {
  const credentials = callerCredentials({ name: 'x', headers: [USER] })
  const target = {
    name: 'x',
    remote: { url: 'https://x.example/mcp', client: testHttpClient(), credentials },
  }
  expect(() => upstream(target, { isolation: 'shared' })).toThrow(TypeError)
})

it.each([
  {},
  { issuer: AUTHORITY, tokenEndpoint: `${AUTHORITY}/token` },
  { tokenEndpoint: 'http://login.example.com/token' },
  { tokenEndpoint: 'https://a:b@login.example.com/token' },
  { issuer: 'file:///etc' },
  { tokenEndpoint: `${AUTHORITY}/token`, clientId: '' },
  { tokenEndpoint: `${AUTHORITY}/token`, maxCallers: 0 },
])('%j cannot work, or is not safe', options => {
  expect(() => tokenExchange(new URL('https://x.example'), { clientId: 'us', ...options }, fetch)).toThrow(
    TypeError,
  )
})
