import { describe, expect, it } from 'vitest'
import { type HostGuardOptions, hostGuard } from '../../../src/middleware/http/host-guard.js'
import { type OriginGuardOptions, originGuard } from '../../../src/middleware/http/origin-guard.js'
import { httpRequest, received } from '../../fixtures/http-request.js'

function refusesHost(host: string | undefined, options?: HostGuardOptions) {
  const guard = hostGuard(options)
  const request = httpRequest(host === undefined ? {} : { headers: { host } })
  const first = guard(request)
  // What was decided once is decided the same way again.
  expect(guard(request)?.status).toBe(first?.status)
  return first
}

function refusesOrigin(origin: string | undefined, options?: OriginGuardOptions) {
  return originGuard(options)(httpRequest(origin === undefined ? {} : { headers: { origin } }))
}

describe('the host guard', () => {
  it.each([
    'localhost',
    'localhost:3000',
    '127.0.0.1',
    '127.0.0.1:80',
    '[::1]',
    '[::1]:8080',
    'LocalHost:1',
    'localhost.:3000',
  ])('lets %s pass', host => expect(refusesHost(host)).toBeUndefined())

  it('lets a request without Host pass: no browser sends one', () => {
    expect(refusesHost(undefined)).toBeUndefined()
  })

  it.each([
    'evil.example.com',
    'evil.example.com:3000',
    'localhost.evil.com',
    'evil.com:localhost',
    '127.0.0.1.evil.com',
    '192.168.1.5:3000',
    '[::2]',
    '',
    '0.0.0.0:3000',
    'localhost@evil.com',
    'localhost:.',
    'localhost:80.',
    'localhost..',
  ])('refuses %s', host => {
    const reply = refusesHost(host)
    expect(reply?.status).toBe(403)
    const { json } = received(reply!)
    expect(json.error.message).toContain('--allow-host')
    expect(json.error.code).toBe(-32600)
    expect('id' in json).toBe(false)
  })

  it('lets allowed names pass, with any port or with the one that was named', () => {
    const options = { allowHosts: ['mcp.example.com', 'other.example.com:8443', '10.0.0.1'] }
    for (const host of ['mcp.example.com', 'MCP.example.com:99', 'other.example.com:8443', '10.0.0.1:5']) {
      expect(refusesHost(host, options)).toBeUndefined()
    }
    for (const host of ['other.example.com', 'other.example.com:1', 'a.mcp.example.com']) {
      expect(refusesHost(host, options)?.status).toBe(403)
    }
    expect(refusesHost('anything', { allowHosts: ['*'] })).toBeUndefined()
  })

  it('lets the bound address pass; bound to all, any address, but no name', () => {
    expect(refusesHost('192.168.1.5:3000', { boundHost: '192.168.1.5' })).toBeUndefined()
    expect(refusesHost('192.168.1.6:3000', { boundHost: '192.168.1.5' })?.status).toBe(403)
    expect(refusesHost('[fe80::1]:3000', { boundHost: 'fe80::1' })).toBeUndefined()
    for (const boundHost of ['0.0.0.0', '::']) {
      expect(refusesHost('192.168.1.6:3000', { boundHost })).toBeUndefined()
      expect(refusesHost('[2001:db8::1]', { boundHost })).toBeUndefined()
      expect(refusesHost('evil.example.com', { boundHost })?.status).toBe(403)
    }
  })

  it.each(['http://a.com', 'a b', '', 'a/b', 'a:b:c', '*.example.com/'])(
    'cannot be told to allow "%s"',
    name => {
      expect(() => hostGuard({ allowHosts: [name] })).toThrow(TypeError)
    },
  )
})

describe('the origin guard', () => {
  it.each([
    undefined,
    'http://localhost',
    'http://localhost:5173',
    'https://127.0.0.1:8443',
    'http://[::1]:3000',
    'HTTP://LOCALHOST:1',
  ])('lets %s pass', origin => expect(refusesOrigin(origin)).toBeUndefined())

  it.each([
    'null',
    'http://evil.example.com',
    'http://localhost.evil.com',
    'http://evil.com:80',
    'http://127.0.0.1.evil.com',
    'ftp://localhost',
    'http://localhost:3000/path',
    'http://localhost@evil.com',
    '',
  ])('refuses "%s"', origin => {
    const reply = refusesOrigin(origin)
    expect(reply?.status).toBe(403)
    const { json } = received(reply!)
    expect(json.error.message).toContain('--allow-origin')
    expect('id' in json).toBe(false)
  })

  it('lets allowed origins pass, and never null', () => {
    const options = { allowOrigins: ['https://app.example.com', 'vscode-webview://abc'] }
    expect(refusesOrigin('https://APP.example.com', options)).toBeUndefined()
    expect(refusesOrigin('vscode-webview://abc', options)).toBeUndefined()
    expect(refusesOrigin('http://app.example.com', options)?.status).toBe(403)
    expect(refusesOrigin('https://app.example.com:8443', options)?.status).toBe(403)
    expect(refusesOrigin('https://any.com', { allowOrigins: ['*'] })).toBeUndefined()
    expect(refusesOrigin('null', { allowOrigins: ['*'] })?.status).toBe(403)
  })

  it.each(['app.example.com', 'https://a.com/path', 'null', ''])('cannot be told to allow "%s"', origin => {
    expect(() => originGuard({ allowOrigins: [origin] })).toThrow(TypeError)
  })
})

describe('parts of pages, which have no origin', () => {
  const refuses = (site: string | undefined, mode: string, origin?: string) =>
    originGuard({ allowOrigins: ['https://app.example.com'] })(
      httpRequest({
        headers: {
          'sec-fetch-mode': mode,
          ...(site === undefined ? {} : { 'sec-fetch-site': site }),
          ...(origin === undefined ? {} : { origin }),
        },
      }),
    )?.status

  it.each(['cross-site', 'same-site'])('of another site are refused: %s', site => {
    expect(refuses(site, 'no-cors')).toBe(403)
  })

  it.each([
    ['of our own page', 'same-origin', 'no-cors'],
    ['that a person opened', 'none', 'navigate'],
    ['to which a person followed a link', 'cross-site', 'navigate'],
    ['of nobody who says', undefined, 'no-cors'],
  ] as const)('%s pass', (_, site, mode) => {
    expect(refuses(site, mode)).toBeUndefined()
  })

  it('with an allowed origin pass', () => {
    expect(refuses('cross-site', 'cors', 'https://app.example.com')).toBeUndefined()
  })
})
