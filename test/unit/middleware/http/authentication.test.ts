import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { HttpIdentity } from '../../../../src/exchange/http.js'
import { type ApiKeysOptions, apiKeys, newApiKey } from '../../../../src/middleware/http/api-keys.js'
import {
  type AuthenticationOptions,
  authentication,
  CredentialRefusal,
} from '../../../../src/middleware/http/authentication.js'
import { certificates } from '../../../../src/middleware/http/certificates.js'
import { httpRequest, type RequestParts } from '../../../fixtures/http-request.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

async function through(
  options: AuthenticationOptions,
  parts: RequestParts & { readonly certificate?: string } = {},
) {
  let identity: HttpIdentity | undefined
  let entered = false
  const handler = authentication(options)(async request => {
    entered = true
    identity = request.identity
    return { status: 200, headers: {} }
  })
  const request = {
    ...httpRequest({ ...parts, headers: { host: 'localhost:3000', ...parts.headers } }),
    certificate: parts.certificate,
  }
  const { status, headers, body } = await handler(request)
  return { status, headers, entered, identity, challenge: headers['www-authenticate'], body: String(body) }
}

const keyring = async (options: Partial<ApiKeysOptions> = {}) => {
  const made = await newApiKey('alice', { scopes: ['read'] })
  const method = apiKeys({ keys: [made.record], ...options })
  return { ...made, options: { methods: [method] } }
}

describe('API keys', () => {
  it.each(['by the platform', 'by Web Crypto'])('let in as their name, hashed %s', async how => {
    const { key, record, options } = await keyring(how === 'by the platform' ? { sha256 } : {})
    const claims = { sub: 'alice', key: record.id, scope: 'read' }
    for (const headers of [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer  ${key} ` },
      { 'x-api-key': key },
    ])
      expect(await through(options, { headers })).toMatchObject({
        status: 200,
        identity: { principal: 'alice', claims },
      })
  })

  it('are made of 256 random bits, and only their hash is in the record', async () => {
    const { key, record } = await newApiKey('alice')
    expect(key).toMatch(/^anyport_[0-9a-f]{12}_[0-9a-f]{64}$/)
    expect(JSON.stringify(record)).not.toContain(key.slice(-64))
    expect(record.hash).toBe(sha256(key))
    expect((await newApiKey('alice')).key).not.toBe(key)
  })

  it('nothing else comes in', async () => {
    const { key, record, options } = await keyring({ sha256 })
    const other = await newApiKey('alice')
    const flipped = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0')
    const tries: Record<string, string>[] = [
      {},
      { authorization: `Bearer ${other.key}` },
      { authorization: `Bearer ${flipped}` },
      { authorization: `Bearer anyport_${record.id}_${record.hash}` },
      { authorization: `Bearer ${record.hash}` },
      { authorization: `Bearer ${key}0` },
      { authorization: `Bearer ${key.toUpperCase()}` },
      { authorization: `Basic ${key}` },
      { authorization: key },
      { authorization: 'Bearer' },
      { authorization: 'Bearer ' },
      { authorization: `Bearer ${key}, Bearer ${other.key}` },
      { authorization: `Bearer ${'a'.repeat(20_000)}` },
      { authorization: `Bearer ${key}`, 'x-api-key': key },
      { 'x-api-key': '' },
      { 'x-api-key': `${key}\u0000` },
      { 'x-api-key': 'toString' },
      { 'x-api-key': '__proto__' },
      { cookie: `token=${key}` },
    ]
    for (const headers of tries) {
      const { status, entered, challenge, body } = await through(options, { headers })
      expect([headers, status, entered]).toEqual([headers, 401, false])
      expect(challenge).toMatch(/^Bearer /)
      expect(body).not.toContain(key)
    }
    expect((await through(options, { query: `token=${key}&access_token=${key}` })).status).toBe(401)
  })

  it('end when they expire, and when they are revoked', async () => {
    let now = Date.parse('2026-01-01T00:00:00Z')
    const made = await newApiKey('bob', { expires: new Date(now + 1_000) })
    let keys = [made.record]
    const options = { methods: [apiKeys({ keys: () => keys, sha256, now: () => now })] }
    const headers = { 'x-api-key': made.key }
    expect((await through(options, { headers })).status).toBe(200)
    now += 1_000
    expect((await through(options, { headers })).body).toContain('has expired')
    now -= 1_000
    keys = []
    expect((await through(options, { headers })).status).toBe(401)
  })

  it('wrong records and names are refused', async () => {
    const { record } = await newApiKey('alice')
    for (const wrong of [
      { hash: 'x' },
      { id: '__proto__' },
      { name: 'a b' },
      { scopes: ['a b'] },
      { created: 'x' },
      { expires: 'soon' },
    ])
      expect(() => apiKeys({ keys: [{ ...record, ...wrong }] })).toThrow(TypeError)
    // A subject of a token or certificate cannot be taken for a key, nor the other way round.
    for (const name of ['', 'CN=alice', 'https://issuer.example#alice', '-x', 'a'.repeat(129), 'al\nice'])
      await expect(newApiKey(name)).rejects.toThrow(TypeError)
  })
})

describe('what is answered', () => {
  it('nothing of an error where nothing was shown, and why else (RFC 6750 section 3.1)', async () => {
    const { options } = await keyring()
    expect((await through(options)).challenge).toBe('Bearer realm="anyport"')
    const refused = await through(options, { headers: { authorization: 'Bearer abc' } })
    expect(refused.challenge).toBe(
      'Bearer error="invalid_token", error_description="The credential is not known"',
    )
  })

  it('a missing scope is a 403 that names all of them', async () => {
    const { key, options } = await keyring()
    const headers = { 'x-api-key': key }
    expect((await through({ ...options, requiredScopes: ['read'] }, { headers })).status).toBe(200)
    const refused = await through({ ...options, requiredScopes: ['read', 'write'] }, { headers })
    expect(refused).toMatchObject({ status: 403, entered: false })
    expect(refused.challenge).toContain('error="insufficient_scope", scope="read write"')
    expect((await through({ ...options, requiredScopes: ['read'] })).challenge).toBe('Bearer scope="read"')
  })

  it('a scope that is asked for further in leads to the metadata as well, and nothing else is touched', async () => {
    const method = {
      issuers: ['https://login.example.com'],
      checkCredential: () => ({ principal: 'alice', claims: {} }),
    }
    const behind = async (status: number, challenge: string | undefined, methods = [method]) => {
      const headers = challenge === undefined ? {} : { 'www-authenticate': challenge }
      const handler = authentication({ methods, publicUrl: 'https://mcp.example.com' })(async () => ({
        status,
        headers,
        body: 'as it was',
      }))
      const reply = await handler(httpRequest({ headers: { authorization: 'Bearer x' } }))
      expect([reply.status, reply.body]).toEqual([status, 'as it was'])
      return reply.headers['www-authenticate']
    }
    const asked = 'Bearer error="insufficient_scope", scope="write"'
    const led =
      'Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", error="insufficient_scope", scope="write"'
    expect(await behind(403, asked)).toBe(led)
    expect(await behind(403, led)).toBe(led)
    expect(await behind(200, asked)).toBe(asked)
    expect(await behind(403, 'Basic')).toBe('Basic')
    expect(await behind(403, undefined)).toBeUndefined()
    expect(await behind(403, asked, [{ ...method, issuers: [] }])).toBe(asked)
  })

  it('what came with a token cannot break out of the header', async () => {
    const methods = [{ checkCredential: () => new CredentialRefusal('a"b\\c\r\nX-Evil: 1\u2028') }]
    const { challenge } = await through({ methods }, { headers: { authorization: 'Bearer x' } })
    expect(challenge).toBe('Bearer error="invalid_token", error_description="a\\"b\\\\c??X-Evil: 1?"')
  })

  it('a credential that cannot be checked just now is a 503, since the client may keep it', async () => {
    const methods = [{ checkCredential: async () => new CredentialRefusal('later', 'unavailable') }]
    const { status, headers } = await through({ methods }, { headers: { authorization: 'Bearer x' } })
    expect([status, headers['retry-after'], headers['www-authenticate']]).toEqual([503, '5', undefined])
  })
})

describe('several methods', () => {
  it('are asked in turn, and the first that knows a credential decides', async () => {
    const { key, options } = await keyring()
    const asked: string[] = []
    const other = (name: string, verdict: HttpIdentity | CredentialRefusal | undefined) => ({
      checkCredential: async () => {
        asked.push(name)
        return verdict
      },
    })
    const methods = [
      ...options.methods,
      other('a', undefined),
      other('b', { principal: 'b' }),
      other('c', { principal: 'c' }),
    ]
    expect(
      (await through({ methods }, { headers: { authorization: `Bearer ${key}` } })).identity?.principal,
    ).toBe('alice')
    expect(asked).toEqual([])
    expect((await through({ methods }, { headers: { authorization: 'Bearer x' } })).identity?.principal).toBe(
      'b',
    )
    expect(asked).toEqual(['a', 'b'])
    const wrong = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
    expect((await through({ methods }, { headers: { authorization: `Bearer ${wrong}` } })).status).toBe(401)
    expect(asked).toEqual(['a', 'b'])
  })

  it('a certificate lets in who shows no token; a wrong token is not healed by it', async () => {
    const { key, options } = await keyring()
    const methods = [...options.methods, certificates()]
    const certificate = 'CN=carol,O=Example'
    expect((await through({ methods }, { certificate })).identity).toEqual({
      principal: certificate,
      claims: { sub: certificate },
    })
    expect(
      (await through({ methods }, { certificate, headers: { 'x-api-key': key } })).identity?.principal,
    ).toBe('alice')
    expect((await through({ methods }, { certificate, headers: { 'x-api-key': 'wrong' } })).status).toBe(401)
    expect((await through({ methods })).status).toBe(401)
  })

  it('there must be one', () => {
    expect(() => authentication({ methods: [] })).toThrow(TypeError)
  })
})

describe('metadata (RFC 9728)', () => {
  const methods = [{ issuers: ['https://login.example.com'], checkCredential: () => undefined }]
  const read = async (
    path: string,
    options: Partial<AuthenticationOptions> = {},
    parts: RequestParts = {},
  ) => {
    const reply = await through({ methods, ...options }, { method: 'GET', path, ...parts })
    return reply.status === 200 ? JSON.parse(reply.body) : reply.status
  }

  it('is at the root and at the path of each endpoint, without a credential', async () => {
    const isEndpoint = (path: string) => path === '/mcp'
    const common = {
      authorization_servers: ['https://login.example.com'],
      bearer_methods_supported: ['header'],
    }
    const root = '/.well-known/oauth-protected-resource'
    expect(await read(root)).toEqual({ resource: 'http://localhost:3000', ...common })
    expect(await read(`${root}/mcp`, { isEndpoint })).toEqual({
      resource: 'http://localhost:3000/mcp',
      ...common,
    })
    expect(await read(`${root}/other`, { isEndpoint })).toBe(401)
    expect(await read(`${root}evil`, { isEndpoint })).toBe(401)
    expect(await read(root, {}, { method: 'POST' })).toBe(405)
  })

  it('names the public address, its prefix, scopes and name', async () => {
    const options = {
      publicUrl: 'https://mcp.example.com/pre/',
      requiredScopes: ['use'],
      resourceName: 'Tools',
    }
    const expected = {
      resource: 'https://mcp.example.com/pre/mcp',
      scopes_supported: ['use'],
      resource_name: 'Tools',
    }
    // Both as the specification puts it, and as a proxy that strips the prefix brings it.
    expect(await read('/.well-known/oauth-protected-resource/pre/mcp', options)).toMatchObject(expected)
    expect(await read('/.well-known/oauth-protected-resource/mcp', options)).toMatchObject(expected)
    const { challenge } = await through({ methods, ...options })
    expect(challenge).toBe(
      'Bearer resource_metadata="https://mcp.example.com/pre/.well-known/oauth-protected-resource/mcp", scope="use"',
    )
  })

  it('is not there where there is no authorization server to lead to', async () => {
    const { options } = await keyring()
    expect(await read('/.well-known/oauth-protected-resource', options)).toBe(401)
  })
})
