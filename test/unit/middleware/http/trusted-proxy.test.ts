import { describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../../../src/exchange/http.js'
import { type TrustedProxyOptions, trustedProxy } from '../../../../src/middleware/http/trusted-proxy.js'
import { httpRequest } from '../../../fixtures/http-request.js'

interface Seen {
  readonly status: number
  readonly address?: string | undefined
  readonly scheme?: string
  readonly host?: string | undefined
}

async function through(
  headers: Readonly<Record<string, string>>,
  options: Partial<TrustedProxyOptions> & { readonly peer?: string } = {},
): Promise<Seen> {
  const { peer = '127.0.0.1', ...given } = options
  let seen: HttpRequest | undefined
  const handler = trustedProxy({ addresses: ['loopback', '10.0.0.0/8'], ...given })(async request => {
    seen = request
    return { status: 200, headers: {} }
  })
  const request = { ...httpRequest({ headers: { host: 'inner:3000', ...headers } }), address: peer }
  const { status } = await handler(request)
  if (seen === undefined) return { status }
  return { status, address: seen.address, scheme: seen.scheme, host: seen.header('host') }
}

const FULL = {
  'x-forwarded-for': '203.0.113.9',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'mcp.example.com',
}

describe('X-Forwarded-*', () => {
  it('is believed when a trusted proxy says it', async () => {
    expect(await through(FULL)).toEqual({
      status: 200,
      address: '203.0.113.9',
      scheme: 'https',
      host: 'mcp.example.com',
    })
  })

  it('is nothing when anybody else says it', async () => {
    expect(await through(FULL, { peer: '198.51.100.1' })).toEqual({
      status: 200,
      address: '198.51.100.1',
      scheme: 'http',
      host: 'inner:3000',
    })
  })

  it('what the client itself wrote before is not believed', async () => {
    const chain = { 'x-forwarded-for': '127.0.0.1, 10.1.1.1, 203.0.113.9, 10.0.0.2' }
    expect((await through(chain)).address).toBe('203.0.113.9')
    // Not even where that cannot be read... which is then refused rather than guessed.
    expect((await through({ 'x-forwarded-for': '<script>, 203.0.113.9' })).status).toBe(400)
  })

  it('a scheme or host written by the client does not shift the one of the proxy', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-proto': 'https, http',
      'x-forwarded-host': 'evil.example, mcp.example.com',
    }
    expect(await through(headers)).toMatchObject({ scheme: 'http', host: 'mcp.example.com' })
  })

  it('lists of two proxies are read where the client came in', async () => {
    const headers = {
      'x-forwarded-for': '203.0.113.9, 10.0.0.2',
      'x-forwarded-proto': 'https, http',
      'x-forwarded-host': 'mcp.example.com, inner',
    }
    expect(await through(headers)).toMatchObject({
      address: '203.0.113.9',
      scheme: 'https',
      host: 'mcp.example.com',
    })
  })

  it('a chain of nothing but proxies begins with the first of them', async () => {
    expect((await through({ 'x-forwarded-for': '10.0.0.9, 10.0.0.2' })).address).toBe('10.0.0.9')
  })

  it('ports and brackets are taken off', async () => {
    expect((await through({ 'x-forwarded-for': '203.0.113.9:4711' })).address).toBe('203.0.113.9')
    expect((await through({ 'x-forwarded-for': '[2001:db8::1]:4711' })).address).toBe('2001:db8::1')
    expect((await through({ 'x-forwarded-for': '2001:db8::1' })).address).toBe('2001:db8::1')
  })

  it('scheme and host alone leave the address', async () => {
    expect(await through({ 'x-forwarded-proto': 'https' })).toMatchObject({
      address: '127.0.0.1',
      scheme: 'https',
      host: 'inner:3000',
    })
    expect(await through({})).toMatchObject({ address: '127.0.0.1', scheme: 'http', host: 'inner:3000' })
  })

  it.each([
    { 'x-forwarded-for': 'garbage' },
    { 'x-forwarded-for': '1.2.3.4; DROP' },
    { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'javascript' },
    { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'a b' },
    { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'evil.example/path' },
    { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'user@evil.example' },
    { 'x-forwarded-for': Array(33).fill('203.0.113.9').join(', ') },
  ])('%j is refused', async headers => {
    expect((await through(headers)).status).toBe(400)
  })

  it('ignores Forwarded, which the proxy would pass on as its client wrote it', async () => {
    const headers = { forwarded: 'for=192.0.2.66;host=evil.example;proto=https' }
    expect(await through(headers)).toMatchObject({ address: '127.0.0.1', scheme: 'http', host: 'inner:3000' })
  })
})

describe('Forwarded', () => {
  const headers = 'forwarded'

  it('is read with its quotes, and the other headers are not', async () => {
    const forwarded = 'for="[2001:db8:cafe::17]:4711";proto=https;host="mcp.example.com:8443";by=203.0.113.43'
    expect(await through({ ...FULL, forwarded }, { headers })).toEqual({
      status: 200,
      address: '2001:db8:cafe::17',
      scheme: 'https',
      host: 'mcp.example.com:8443',
    })
    expect(await through(FULL, { headers })).toMatchObject({ address: '127.0.0.1', host: 'inner:3000' })
  })

  it('only the part that trusted proxies wrote counts', async () => {
    const forwarded = 'For=127.0.0.1;Host=evil.example, For=203.0.113.9;Host=mcp.example.com, for=10.0.0.2'
    expect(await through({ forwarded }, { headers })).toMatchObject({
      address: '203.0.113.9',
      host: 'mcp.example.com',
    })
  })

  it('separators within quotes are no separators', async () => {
    const forwarded = 'for=203.0.113.9;ext="a, for=127.0.0.1; host=evil.example \\" ,"'
    expect(await through({ forwarded }, { headers })).toMatchObject({
      address: '203.0.113.9',
      host: 'inner:3000',
    })
  })

  it('a hidden client has no address', async () => {
    expect((await through({ forwarded: 'for=_hidden;proto=https' }, { headers })).address).toBeUndefined()
    expect((await through({ forwarded: 'for=127.0.0.1, for=unknown' }, { headers })).address).toBeUndefined()
  })

  it.each([
    'for',
    'for=',
    'for=a b',
    'for=203.0.113.9;for=127.0.0.1',
    'for="203.0.113.9',
    '=;',
    'for=203.0.113.9;proto=ftp',
  ])('%j is refused', async forwarded => {
    expect((await through({ forwarded }, { headers })).status).toBe(400)
  })
})

it('a certificate of the proxy is not its client', async () => {
  let certificate: string | undefined = 'unset'
  const handler = trustedProxy({ addresses: ['loopback'] })(async request => {
    certificate = request.certificate
    return { status: 200, headers: {} }
  })
  await handler({ ...httpRequest({ headers: FULL }), certificate: 'CN=proxy' })
  expect(certificate).toBeUndefined()
})

it('names what is no address', () => {
  expect(() => trustedProxy({ addresses: ['proxy.internal'] })).toThrow(
    'trustProxy: "proxy.internal" is no address',
  )
})
