import { createHmac, createPublicKey, randomUUID } from 'node:crypto'
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { CredentialRefusal } from '../../../../src/middleware/http/authentication.js'
import { introspection } from '../../../../src/middleware/http/introspection.js'
import { type JwtOptions, jwt } from '../../../../src/middleware/http/jwt.js'

const ISSUER = 'https://login.example.com'
const OURS = 'https://mcp.example.com/mcp'

type Pair = Awaited<ReturnType<typeof generateKeyPair>>
let first: Pair
let second: Pair
let firstJwk: JWK
let secondJwk: JWK

beforeAll(async () => {
  first = await generateKeyPair('RS256', { extractable: true })
  second = await generateKeyPair('ES256', { extractable: true })
  firstJwk = { ...(await exportJWK(first.publicKey)), kid: 'first', alg: 'RS256' }
  secondJwk = { ...(await exportJWK(second.publicKey)), kid: 'second', alg: 'ES256' }
})

const seconds = (offset = 0) => Math.floor(Date.now() / 1_000) + offset

function sign(claims: JWTPayload = {}, { pair = first, kid = 'first', alg = 'RS256' } = {}): Promise<string> {
  const all = { iss: ISSUER, aud: OURS, sub: 'alice', exp: seconds(60), jti: randomUUID(), ...claims }
  return new SignJWT(all).setProtectedHeader({ alg, kid }).sign(pair.privateKey)
}

/** Everything that an authorization server publishes, and how often it was asked. */
function published(keys: () => readonly JWK[], answers: Readonly<Record<string, unknown>> = {}) {
  const asked: string[] = []
  const fetch = async (url: string, init: RequestInit) => {
    asked.push(url)
    expect(init.redirect).toBe('error')
    if (Object.hasOwn(answers, url)) {
      const answer = answers[url]
      if (answer instanceof Error) throw answer
      return answer instanceof Response ? answer : Response.json(answer)
    }
    if (url === `${ISSUER}/.well-known/oauth-authorization-server`)
      return Response.json({ issuer: ISSUER, jwks_uri: `${ISSUER}/keys` })
    return url === `${ISSUER}/keys` ? Response.json({ keys: keys() }) : new Response('', { status: 404 })
  }
  return { asked, fetch }
}

function checker(options: Partial<JwtOptions> = {}, server = published(() => [firstJwk])) {
  const method = jwt({ issuer: ISSUER, audience: [OURS], fetch: server.fetch, ...options })
  return async (token: string) => await method.checkCredential?.({ from: 'bearer', token })
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

describe('signed tokens', () => {
  it('let in as issuer and subject, with their claims', async () => {
    const identity = await checker()(await sign({ scope: 'read write' }))
    expect(identity).toMatchObject({
      principal: `${ISSUER}#alice`,
      claims: { sub: 'alice', scope: 'read write' },
    })
  })

  it('forged, foreign and old ones are refused', async () => {
    const server = published(() => [firstJwk])
    const check = checker({}, server)
    const good = await sign()
    const [head = '', body = '', signature = ''] = good.split('.')
    const claims = { iss: ISSUER, aud: OURS, sub: 'mallory', exp: seconds(60) }
    const none = (alg: string) => `${base64({ alg, kid: 'first' })}.${base64(claims)}.`
    // Key confusion: the public key as a shared secret.
    const confused = async (secret: string) => {
      const input = `${base64({ alg: 'HS256', kid: 'first' })}.${base64(claims)}`
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    }
    const pem = await exportSPKI(first.publicKey)
    const der = createPublicKey(pem).export({ type: 'spki', format: 'der' }).toString('latin1')
    const stranger = await generateKeyPair('RS256')
    const embedded = await new SignJWT(claims)
      .setProtectedHeader({
        alg: 'RS256',
        kid: 'first',
        jwk: await exportJWK(stranger.publicKey),
        jku: 'https://evil.example/keys',
      })
      .sign(stranger.privateKey)
    const pointing = (header: object) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: 'first', ...header })
        .sign(stranger.privateKey)
    const tokens = {
      'alg none': none('none'),
      'alg None': none('None'),
      'no alg': `${base64({ kid: 'first' })}.${base64(claims)}.${signature}`,
      'no signature': `${head}.${body}.`,
      'other claims': `${head}.${base64(claims)}.${signature}`,
      'public key as a secret': await confused(pem),
      'public key as a secret, in DER': await confused(der),
      'key of its own': embedded,
      'address of keys': await pointing({ jku: 'https://evil.example/keys' }),
      'address of a certificate': await pointing({ x5u: 'https://evil.example/cert' }),
      'certificate of its own': await pointing({ x5c: ['MIIB'] }),
      'kid that is a path': await pointing({ kid: '../../../../dev/null' }),
      'kid that is an address': await pointing({ kid: 'https://evil.example/keys#first' }),
      'kid of every object': await pointing({ kid: '__proto__' }),
      'key of a stranger': await sign({}, { pair: stranger as Pair }),
      'wrong audience': await sign({ aud: 'https://other.example' }),
      'audience that begins as ours': await sign({ aud: `${OURS}.evil.example` }),
      'no audience': await sign({ aud: undefined } as unknown as JWTPayload),
      'audience that is no text': await sign({ aud: [{ toString: OURS }] } as unknown as JWTPayload),
      expired: await sign({ exp: seconds(-31) }),
      'not yet good': await sign({ nbf: seconds(120) }),
      'without an end': await sign({ exp: undefined } as unknown as JWTPayload),
      'without a subject': await sign({ sub: undefined } as unknown as JWTPayload),
      'empty subject': await sign({ sub: '' }),
      'critical extension': `${base64({ alg: 'RS256', kid: 'first', crit: ['x'], x: 1 })}.${body}.${signature}`,
    }
    for (const [name, token] of Object.entries(tokens)) {
      const verdict = await check(token)
      expect([name, verdict instanceof CredentialRefusal && verdict.kind]).toEqual([name, 'invalid'])
    }
    expect(await check(good)).toMatchObject({ principal: `${ISSUER}#alice` })
    // Nothing that a token says leads anywhere.
    expect(server.asked.every(url => url.startsWith(`${ISSUER}/`))).toBe(true)
  })

  it('one that was good is refused once it has expired, however often it came before', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const check = checker({ clockSkew: 0, tokenMaxAge: 3_600_000 })
    const token = await sign({ exp: seconds(60) })
    try {
      expect(await check(token)).toMatchObject({ principal: `${ISSUER}#alice` })
      expect(await check(token)).toMatchObject({ principal: `${ISSUER}#alice` })
      vi.setSystemTime(Date.now() + 61_000)
      expect(await check(token)).toEqual(new CredentialRefusal('The token has expired'))
    } finally {
      vi.useRealTimers()
    }
  })

  it('of other issuers, keys and things that are no tokens are for other methods', async () => {
    const check = checker()
    for (const token of [
      await sign({ iss: 'https://evil.example' }),
      await sign({ iss: `${ISSUER}/` }),
      await sign({ iss: [ISSUER] } as unknown as JWTPayload),
      'opaque',
      'a.b.c',
      '..',
      `${base64(null)}.${base64(null)}.x`,
    ])
      expect(await check(token)).toBeUndefined()
    const method = jwt({ issuer: ISSUER, audience: [OURS], fetch: published(() => [firstJwk]).fetch })
    expect(method.checkCredential?.({ from: 'api-key', token: await sign() })).toBeUndefined()
  })

  it('clocks may differ a little', async () => {
    expect(await checker()(await sign({ exp: seconds(-20) }))).toMatchObject({ principal: `${ISSUER}#alice` })
    expect(await checker({ clockSkew: 0 })(await sign({ exp: seconds(-20) }))).toBeInstanceOf(
      CredentialRefusal,
    )
  })

  it('a new key is found once it is used, and an unknown one asks no more often than the cooldown', async () => {
    let keys = [firstJwk]
    const server = published(() => keys)
    const check = checker({ cooldown: 300 }, server)
    expect(await check(await sign())).toMatchObject({ principal: `${ISSUER}#alice` })
    keys = [secondJwk]
    const rotated = await sign({ sub: 'bob' }, { pair: second, kid: 'second', alg: 'ES256' })
    const before = server.asked.length
    for (let count = 0; count < 20; count++) await check(await sign({}, { kid: `made-up-${count}` }))
    expect(server.asked.length).toBeLessThanOrEqual(before + 1 + 20)
    await new Promise(resolve => setTimeout(resolve, 350))
    expect(await check(rotated)).toMatchObject({ principal: `${ISSUER}#bob` })
    // The key that was taken back is good no more for tokens that were not seen yet.
    expect(await check(await sign({ sub: 'late' }))).toBeInstanceOf(CredentialRefusal)
  })

  it('keys are fetched once for many tokens, and a token is checked once in a while', async () => {
    const server = published(() => [firstJwk])
    const check = checker({}, server)
    const tokens = await Promise.all(Array.from({ length: 20 }, () => sign()))
    await Promise.all(tokens.map(check))
    await Promise.all(tokens.map(check))
    expect(server.asked).toEqual([`${ISSUER}/.well-known/oauth-authorization-server`, `${ISSUER}/keys`])
  })

  it('no keys, no entrance: 503 rather than 401', async () => {
    const metadata = `${ISSUER}/.well-known/oauth-authorization-server`
    const large = new Response(
      new ReadableStream({
        pull: controller => controller.enqueue(new Uint8Array(64 * 1024)),
      }),
    )
    const worlds: Record<string, Readonly<Record<string, unknown>>> = {
      unreachable: { [metadata]: new TypeError('fetch failed') },
      'about another issuer': {
        [metadata]: { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' },
      },
      // SSRF by what the metadata says.
      'keys over plain HTTP': {
        [metadata]: { issuer: ISSUER, jwks_uri: 'http://169.254.169.254/latest/meta-data' },
      },
      'keys in this machine': { [metadata]: { issuer: ISSUER, jwks_uri: 'http://127.0.0.1:8080/keys' } },
      'keys in this network': { [metadata]: { issuer: ISSUER, jwks_uri: 'https://169.254.169.254/keys' } },
      'keys in a file': { [metadata]: { issuer: ISSUER, jwks_uri: 'file:///etc/passwd' } },
      'keys without an end': { [`${ISSUER}/keys`]: large },
      'no JSON': { [`${ISSUER}/keys`]: new Response('<html>') },
      'no keys': { [`${ISSUER}/keys`]: { error: 'x' } },
      error: { [`${ISSUER}/keys`]: new Response('', { status: 500 }) },
    }
    for (const [name, answers] of Object.entries(worlds)) {
      const server = published(() => [firstJwk], answers)
      const verdict = await checker({}, server)(await sign())
      expect([name, verdict instanceof CredentialRefusal && verdict.kind]).toEqual([name, 'unavailable'])
      expect(server.asked.every(url => url.startsWith(`${ISSUER}/`))).toBe(true)
    }
  })

  it('audiences may be all below a path, and no way leads out of it', async () => {
    const check = checker({ audience: ['https://mcp.example.com/servers/*'] })
    expect(await check(await sign({ aud: ['x', 'https://mcp.example.com/servers/a/mcp'] }))).toMatchObject({
      principal: `${ISSUER}#alice`,
    })
    for (const aud of [
      'https://mcp.example.com/servers',
      'https://mcp.example.com/servers/../admin',
      'https://mcp.example.com/servers/%2e%2e/admin',
    ])
      expect([aud, await check(await sign({ aud }))]).toEqual([
        aud,
        new CredentialRefusal('The token is not for this server'),
      ])
  })

  it.each([
    { audience: [] },
    { audience: ['*'] },
    { audience: [''] },
    { algorithms: ['none'] },
    { algorithms: ['HS256'] },
    { algorithms: ['RS256', 'nonsense'] },
    { issuer: 'http://login.example.com' },
    { issuer: 'login.example.com' },
    { jwksUrl: 'http://10.0.0.1/keys' },
    { jwksUrl: 'https://user:secret@login.example.com/keys' },
    { clockSkew: -1 },
    { clockSkew: 86_400 },
  ])('%j is refused from the start', options => {
    expect(() => jwt({ issuer: ISSUER, audience: [OURS], ...options })).toThrow(TypeError)
  })
})

describe('introspection (RFC 7662)', () => {
  const URL_ = `${ISSUER}/introspect`
  const asking = (answer: (token: string) => unknown, options = {}) => {
    const asked: { readonly token: string | null; readonly authorization: string | undefined }[] = []
    const method = introspection({
      issuer: ISSUER,
      url: URL_,
      clientId: 'any port',
      clientSecret: 's:cret',
      audience: [OURS],
      fetch: async (url, init) => {
        expect([url, init.method, init.redirect]).toEqual([URL_, 'POST', 'error'])
        const token = new URLSearchParams(String(init.body)).get('token')
        asked.push({ token, authorization: (init.headers as Record<string, string>).authorization })
        const value = answer(token ?? '')
        if (value instanceof Error) throw value
        return Response.json(await value)
      },
      ...options,
    })
    return {
      asked,
      check: async (token: string) => await method.checkCredential?.({ from: 'bearer', token }),
    }
  }

  it('asks once, as the client that we are', async () => {
    const { asked, check } = asking(() => ({
      active: true,
      sub: 'alice',
      aud: [OURS],
      scope: 'read',
      exp: seconds(60),
    }))
    const verdicts = await Promise.all([check('t'), check('t'), check('t')])
    verdicts.push(await check('t'))
    for (const verdict of verdicts)
      expect(verdict).toMatchObject({ principal: `${ISSUER}#alice`, claims: { scope: 'read' } })
    expect(asked).toEqual([
      { token: 't', authorization: `Basic ${Buffer.from('any+port:s%3Acret').toString('base64')}` },
    ])
  })

  it.each([
    { active: false },
    { active: 'true', sub: 'alice', aud: OURS },
    { sub: 'alice', aud: OURS },
    { active: true, sub: 'alice' },
    { active: true, sub: 'alice', aud: 'https://other.example' },
    { active: true, aud: OURS },
    { active: true, sub: 'alice', aud: OURS, iss: 'https://evil.example' },
    { active: true, sub: 'alice', aud: OURS, exp: 1 },
  ])('%j lets nobody in', async answer => {
    const verdict = await asking(() => answer).check('t')
    expect(verdict instanceof CredentialRefusal && verdict.kind).toBe('invalid')
  })

  it('no answer is a 503, is not remembered, and questions are bounded', async () => {
    let fails = true
    const { asked, check } = asking(() => (fails ? new Error('down') : { active: true, sub: 'a', aud: OURS }))
    expect(await check('t')).toMatchObject({ kind: 'unavailable' })
    fails = false
    expect(await check('t')).toMatchObject({ principal: `${ISSUER}#a` })
    expect(asked.length).toBe(2)
    let release = (_: unknown) => {}
    const held = new Promise(resolve => {
      release = resolve
    })
    const bounded = asking(() => held, { maxQuestions: 2 })
    const open = [bounded.check('1'), bounded.check('2')]
    expect(await bounded.check('3')).toMatchObject({ kind: 'unavailable' })
    release({ active: false })
    await Promise.all(open)
    expect(bounded.asked.length).toBe(2)
  })
})
