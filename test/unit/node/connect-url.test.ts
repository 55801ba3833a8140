// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { Authorizer, HttpClient } from '../../../src/exchange/http-client.js'
import { connectAny } from '../../../src/node/connect-any.js'
import { connectUrl, type UrlTarget } from '../../../src/node/connect-url.js'
import { serve } from '../../../src/node/serve.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { callAsModern } from '../../fixtures/modern-client.js'

const ends: (() => unknown)[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const end of ends.splice(0).reverse()) await end()
})

/** An HTTP front to the server of all things, which keeps what it was sent. */
async function front(refusals = 0): Promise<{ readonly url: string; readonly seen: IncomingHttpHeaders[] }> {
  const server = await serve(everythingHandler().handler, { port: 0 })
  const seen: IncomingHttpHeaders[] = []
  const http = createServer(async (request, response) => {
    seen.push(request.headers)
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (seen.length <= refusals) return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    const { host: _host, connection: _connection, ...headers } = request.headers
    const answer = await fetch(server.url as string, {
      method: request.method as string,
      headers: headers as Record<string, string>,
      ...(chunks.length === 0 ? {} : { body: Buffer.concat(chunks) }),
    })
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' })
    response.end(await answer.text())
  })
  await new Promise<void>(resolve => http.listen(0, '127.0.0.1', resolve))
  ends.push(
    () => server.close({ drainTimeout: 0 }),
    () => http.closeAllConnections(),
    () => http.close(),
  )
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, seen }
}

function reach(target: UrlTarget): Upstream {
  const remote = connectUrl(target)
  const up = upstream(remote)
  ends.push(
    () => remote.remote.client.close(),
    () => up.close(),
  )
  return up
}

async function echo({ handler }: Upstream): Promise<unknown> {
  const { response } = await callAsModern(handler, 1, 'tools/call', { name: 'echo', arguments: { a: 1 } })
  return 'result' in response
    ? (response.result as { structuredContent?: unknown }).structuredContent
    : response
}

describe('a server at a URL', () => {
  it('is called with the headers that were given, whose variables are read once', async () => {
    const { url, seen } = await front()
    vi.stubEnv('ANYPORT_TEST_TOKEN', 's3cret')
    const up = reach({ url: new URL(url), headers: { Authorization: 'Bearer ${ANYPORT_TEST_TOKEN}' } })
    vi.stubEnv('ANYPORT_TEST_TOKEN', 'another')
    expect(await echo(up)).toEqual({ a: 1 })
    expect(seen.length).toBeGreaterThan(1)
    for (const headers of seen) expect(headers.authorization).toBe('Bearer s3cret')
  })

  it('is nothing that anybody calls before it is needed', async () => {
    const { url, seen } = await front()
    connectUrl({ url })
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(seen).toEqual([])
  })

  it('may be signed by an authorizer that is made over the same client', async () => {
    const { url, seen } = await front(1)
    const clients: HttpClient[] = []
    let token = 'old'
    const authorizer: Authorizer = {
      headers: () => ({ authorization: `Bearer ${token}` }),
      refused: async ({ challenge, sent }) => {
        expect(challenge).toBe('Bearer')
        expect(sent).toEqual({ authorization: 'Bearer old' })
        token = 'new'
        return true
      },
    }
    const target = connectUrl({
      url,
      authorizer: client => {
        clients.push(client)
        return authorizer
      },
    })
    expect(clients).toEqual([target.remote.client])
    const up = upstream(target)
    ends.push(
      () => target.remote.client.close(),
      () => up.close(),
    )
    expect(await echo(up)).toEqual({ a: 1 })
    expect(seen.slice(0, 2).map(({ authorization }) => authorization)).toEqual(['Bearer old', 'Bearer new'])
  })

  it('has a name without secrets, unless it is given one', () => {
    const url = 'https://me:s3cret@mcp.example/a?key=s3cret'
    expect(connectUrl({ url }).name).toBe('https://mcp.example/a?key=***')
    expect(connectUrl({ url }, { name: 'mine' }).name).toBe('mine')
  })

  it('is another one where address, transport or headers differ, and that shows nothing', () => {
    const url = 'https://mcp.example/mcp'
    const targets: UrlTarget[] = [
      { url },
      { url: `${url}?a=b` },
      { url, transport: 'sse' },
      { url, headers: { 'x-key': 's3cret' } },
      { url, headers: { 'x-key': 'another' } },
    ]
    const identities = targets.map(target => connectUrl(target).identity as string)
    expect(new Set(identities).size).toBe(targets.length)
    for (const identity of identities) expect(identity).toMatch(/^[\w-]{43}$/)
    const one = connectUrl({ url, headers: { a: '1', b: '2' } })
    const other = connectUrl({ url: new URL(url), headers: { B: '2', A: '1' } })
    expect(one.identity).toBe(other.identity)
  })

  it.each<readonly [string, UrlTarget, string]>([
    [
      'an address',
      { url: 'mcp.example' },
      'an invalid address: write for example https://mcp.example.com/mcp',
    ],
    [
      'its scheme',
      { url: 'wss://mcp.example/mcp' },
      'wss://mcp.example/mcp: only http, https and http+unix addresses can be reached',
    ],
    [
      'a socket',
      { url: 'http+unix://run/mcp' },
      'http+unix://run/mcp: the path of the socket has to be encoded; write for example http+unix://%2Frun%2Fserver.sock/mcp',
    ],
    [
      'a transport',
      { url: 'http://a/', transport: 'ws' as 'sse' },
      'transport: "ws" is none of auto, modern, streamable-http, sse',
    ],
    [
      'a variable',
      { url: 'http://a/', headers: { a: '${ANYPORT_TEST_NONE}' } },
      'headers: a needs the variable ANYPORT_TEST_NONE, which is not set',
    ],
    [
      'certificates',
      { url: 'https://a/', ca: 'nothing' },
      'ca: no certificate in PEM (-----BEGIN CERTIFICATE-----)',
    ],
    ['a key', { url: 'https://a/', cert: 'x' }, 'cert: needs its private key (key)'],
    [
      'a proxy',
      { url: 'https://a/', proxy: 'socks5://a' },
      'proxy: socks5 proxies are not supported, only http and https',
    ],
    ['a limit', { url: 'https://a/', readTimeout: -1 }, 'readTimeout: -1 is no number of milliseconds'],
  ])('is refused at once for what is wrong with %s', (_what, target, message) => {
    expect(() => connectAny(target)).toThrow(new TypeError(message))
  })

  it('is refused at once where the environment names a proxy that cannot be used', () => {
    vi.stubEnv('https_proxy', 'socks5://me:s3cret@127.0.0.1:1')
    vi.stubEnv('no_proxy', '')
    expect(() => connectUrl({ url: 'https://mcp.example/mcp' })).toThrow(
      new TypeError('https_proxy: socks5 proxies are not supported, only http and https'),
    )
    expect(() => connectUrl({ url: 'https://mcp.example/mcp', proxy: false })).not.toThrow()
  })
})

describe('credentials of each caller', () => {
  const url = 'https://a.example/mcp'
  const exchange = { tokenEndpoint: 'https://login.example.com/token', clientId: 'us' }
  const headers = { 'X-User': 'u-${claim:email}-${A}', Other: '${A}' }

  it('are made of headers, beside those that all have', () => {
    const { remote } = connectUrl({ url, headers, environment: { A: 'a' } })
    expect(remote.headers).toEqual({ other: 'a' })
    const caller = { binding: 'sse', principal: 'p', claims: { email: 'e@example.com' } } as const
    expect(remote.credentials?.of(caller).headers).toEqual({ 'x-user': 'u-e@example.com-a' })
    expect(() => remote.credentials?.of({ ...caller, claims: {} })).toThrow('the claim "email"')
    expect(connectUrl({ url }).remote.credentials).toBeUndefined()
  })

  it.each([
    { exchange, headers: { authorization: 'Bearer x' } },
    { exchange, headers: { Authorization: 'Bearer ${claim:x}' } },
    { exchange, url: 'https://user:planted@a.example/mcp' },
    { exchange, authorizer: { headers: () => ({}), refused: async () => false } },
    { exchange: { ...exchange, issuer: 'https://login.example.com' } },
    { exchange: { ...exchange, tokenEndpoint: 'http://login.example.com/token' } },
  ])('cannot be made of %j', options => {
    let error: unknown
    try {
      connectUrl({ url, ...options })
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(TypeError)
    expect((error as Error).message).not.toContain('planted')
  })
})
