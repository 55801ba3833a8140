import { afterEach, describe, expect, it } from 'vitest'
import { type AuthorizerOptions, oauthAuthorizer } from '../../../../src/client/oauth/authorizer.js'
import { type CredentialStore, memoryCredentials } from '../../../../src/client/oauth/credentials.js'
import type { SignInEvent } from '../../../../src/client/oauth/sign-in-events.js'
import { Context } from '../../../../src/exchange/context.js'
import { TransportError } from '../../../../src/exchange/errors.js'
import {
  authorizationFixture,
  type Fixture,
  type FixtureOptions,
} from '../../../fixtures/authorization-server.js'
import { call, willingPerson } from '../../../fixtures/signed-calls.js'
import { until } from '../../../fixtures/until.js'

const closing: (() => unknown)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map(close => close()))
})

async function start(
  fixtureOptions: FixtureOptions,
  options: Partial<AuthorizerOptions> & { readonly path?: string } = {},
) {
  const fixture = await authorizationFixture(fixtureOptions)
  const person = willingPerson()
  const events: SignInEvent[] = []
  const { path = '/mcp', ...settings } = options
  const authorizer = oauthAuthorizer(new URL(path, fixture.url), {
    store: memoryCredentials(),
    person,
    onEvent: event => events.push(event),
    ...settings,
  })
  closing.push(
    () => fixture.close(),
    () => authorizer.close(),
  )
  return { fixture, person, events, authorizer, url: fixture.url }
}

function typesOf(events: readonly SignInEvent[]): string[] {
  return events.map(({ type }) => type)
}

describe('where to sign in', () => {
  const places: readonly (readonly [string, FixtureOptions])[] = [
    ['metadata at the path', { resourceMetadata: 'path' }],
    ['metadata at the root', { resourceMetadata: 'root' }],
    ['metadata by WWW-Authenticate only', { resourceMetadata: 'header' }],
    ['an issuer with a path', { issuerPath: '/tenant1' }],
    ['OpenID configuration', { metadataAt: 'openid-configuration' }],
    ['OpenID configuration, inserted', { issuerPath: '/tenant1', metadataAt: 'openid-configuration' }],
    ['OpenID configuration, appended', { issuerPath: '/tenant1', metadataAt: 'openid-appended' }],
    ['its own authorization server', { resourceMetadata: 'none', legacy: true }],
    [
      'nothing but the standard addresses of 2025-03-26',
      {
        resourceMetadata: 'none',
        legacy: true,
        metadataAt: 'nowhere',
        answer: parameters => parameters.delete('iss'),
      },
    ],
  ]
  it.each(places)('%s', async (_name, options) => {
    const { authorizer, url, person, fixture, events } = await start(options)
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(person.shown).toHaveLength(1)
    expect(typesOf(events)).toEqual(['auth-required', 'signed-in'])
    const [asked] = fixture.log.authorizations
    const resource = options.resourceMetadata === 'root' ? url.origin : url.href
    expect(asked?.get('resource')).toBe(resource)
    expect(fixture.log.tokenRequests[0]?.body.get('resource')).toBe(resource)
    expect(asked?.get('code_challenge_method')).toBe('S256')
  })

  it('asks in the order of the specification, and nowhere else once it has found', async () => {
    const { authorizer, url, fixture } = await start({
      resourceMetadata: 'root',
      issuerPath: '/tenant1',
      metadataAt: 'openid-appended',
    })
    await call(authorizer, url)
    expect(fixture.log.metadata).toEqual([
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
      '/.well-known/oauth-authorization-server/tenant1',
      '/.well-known/openid-configuration/tenant1',
      '/tenant1/.well-known/openid-configuration',
    ])
  })

  it('takes the slash that frameworks add to an issuer without a path', async () => {
    const { authorizer, url, fixture } = await start({})
    fixture.options = { authorizationServers: [`${fixture.issuer}/`] }
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
  })

  it('goes to the second authorization server where the first does not answer as one', async () => {
    const { authorizer, url, fixture } = await start({})
    fixture.options = { authorizationServers: [`${fixture.issuer}/other`, fixture.issuer] }
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
  })

  it('goes to the one that was chosen, and to no other', async () => {
    const { authorizer, url, fixture, person } = await start({}, { issuer: 'https://chosen.example' })
    await expect(call(authorizer, url)).rejects.toThrow(
      `does not name the authorization server https://chosen.example, but ${fixture.issuer}`,
    )
    expect(person.shown).toEqual([])
  })
})

describe('what is refused', () => {
  const refusals: readonly (readonly [string, FixtureOptions, string])[] = [
    [
      'metadata about another server',
      { resource: 'https://evil.example/mcp' },
      'is about https://evil.example/mcp',
    ],
    ['metadata about a neighbour', { resource: 'OTHER PATH' }, 'is about'],
    [
      'another issuer in the metadata',
      { metadata: { issuer: 'https://attacker.example' } },
      'names another issuer',
    ],
    [
      'an issuer that is equal only when normalized',
      { metadata: { issuer: 'UPPER' } },
      'names another issuer',
    ],
    ['no PKCE', { metadata: { code_challenge_methods_supported: undefined } }, 'PKCE'],
    ['PKCE in the clear only', { metadata: { code_challenge_methods_supported: ['plain'] } }, 'PKCE'],
    [
      'an endpoint over plain http elsewhere',
      { metadata: { token_endpoint: 'http://example.com/token' } },
      'must be https',
    ],
    [
      'an endpoint that is a program',
      { metadata: { authorization_endpoint: 'file:///bin/sh' } },
      'must be https',
    ],
    ['no registration', { metadata: { registration_endpoint: undefined } }, '--client-id'],
  ]
  it.each(refusals)('%s', async (_name, options, message) => {
    const { authorizer, url, person, fixture } = await start(options)
    if (options.resource === 'OTHER PATH') fixture.options = { resource: new URL('/mc', url).href }
    if (options.metadata?.issuer === 'UPPER')
      fixture.options = { metadata: { issuer: fixture.issuer.replace('http', 'HTTP') } }
    const error = await call(authorizer, url).catch(error => error)
    expect(error).toBeInstanceOf(TransportError)
    expect(error).toMatchObject({ code: 'ERR_SIGN_IN', message: expect.stringContaining(message) })
    expect(person.shown).toEqual([])
    expect(fixture.log.tokenRequests).toEqual([])
  })

  const answers: readonly (readonly [string, FixtureOptions])[] = [
    ['a wrong iss', { answer: parameters => parameters.set('iss', 'https://evil.example') }],
    ['a wrong iss of an error', { answer: parameters => wrongError(parameters) }],
    [
      'an iss that is equal only when normalized',
      { answer: parameters => parameters.set('iss', `${parameters.get('iss')}/`) },
    ],
    [
      'no iss where it was promised',
      {
        metadata: { authorization_response_iss_parameter_supported: true },
        answer: parameters => parameters.delete('iss'),
      },
    ],
    ['a wrong state', { answer: parameters => parameters.set('state', 'other') }],
  ]
  it.each(answers)('an answer with %s', async (_name, options) => {
    const { authorizer, url, fixture, person, events } = await start(options)
    const error = await call(authorizer, url).catch(error => error)
    expect(error).toMatchObject({
      code: 'ERR_SIGN_IN',
      message: expect.stringContaining('so it is not used'),
    })
    expect(error.message).not.toContain('planted')
    expect(fixture.log.tokenRequests).toEqual([])
    expect(person.told).toEqual([error])
    expect(typesOf(events)).toEqual(['auth-required', 'sign-in-failed'])
  })

  it('a refusal by the person is told, and the person is not asked again', async () => {
    const { authorizer, url, person } = await start({
      answer: parameters => {
        parameters.delete('code')
        parameters.set('error', 'access_denied')
      },
    })
    for (let i = 0; i < 3; i++) {
      await expect(call(authorizer, url)).rejects.toThrow('was refused (access_denied)')
    }
    expect(person.shown).toHaveLength(1)
  })

  it('a server that refuses the token it has just got', async () => {
    const { authorizer, url, fixture, person } = await start({ lifetime: 0 })
    await expect(call(authorizer, url)).rejects.toThrow(/has just given/)
    expect(person.shown.length).toBeLessThanOrEqual(2)
    expect(fixture.log.accepted).toBe(0)
  })

  function wrongError(parameters: URLSearchParams): void {
    parameters.set('iss', 'https://evil.example')
    parameters.set('error', 'planted')
    parameters.set('error_description', 'planted')
  }
})

describe('metadata that hangs', () => {
  it('takes no longer than its limit', async () => {
    const { authorizer, url } = await start({ hang: true }, { requestTimeout: 300 })
    const started = performance.now()
    await expect(call(authorizer, url)).rejects.toMatchObject({ code: 'ERR_TIMEOUT' })
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('does not hold up a caller who leaves', async () => {
    const { authorizer, url } = await start({ hang: true })
    const context = new Context({ binding: 'internal' })
    setTimeout(() => context.cancel('timeout'), 100)
    const started = performance.now()
    await expect(call(authorizer, url, context)).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(performance.now() - started).toBeLessThan(5_000)
  })
})

describe('who we are', () => {
  it('registers as a native program that can renew', async () => {
    const { authorizer, url, fixture } = await start({})
    await call(authorizer, url)
    expect(fixture.log.registrations).toEqual([
      {
        client_name: 'anyport',
        redirect_uris: ['http://127.0.0.1:9/callback'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    ])
  })

  it('is a metadata document where that is supported', async () => {
    const clientMetadataUrl = 'https://client.example/metadata.json'
    const { authorizer, url, fixture } = await start(
      { metadata: { client_id_metadata_document_supported: true } },
      { clientMetadataUrl },
    )
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(fixture.log.registrations).toEqual([])
    expect(fixture.log.authorizations[0]?.get('client_id')).toBe(clientMetadataUrl)
  })

  it('registers where metadata documents are not supported', async () => {
    const { authorizer, url, fixture } = await start(
      {},
      { clientMetadataUrl: 'https://client.example/metadata.json' },
    )
    await call(authorizer, url)
    expect(fixture.log.registrations).toHaveLength(1)
  })

  it('is what a person registered, before everything else', async () => {
    const { authorizer, url, fixture } = await start(
      { clients: { 'my client': 'my:secret%' }, metadata: { client_id_metadata_document_supported: true } },
      {
        clientId: 'my client',
        clientSecret: 'my:secret%',
        clientMetadataUrl: 'https://client.example/metadata.json',
      },
    )
    await call(authorizer, url).catch(() => {})
    expect(fixture.log.registrations).toEqual([])
    const encoded = atob(fixture.log.tokenRequests[0]?.authorization?.slice(6) ?? '')
    expect(encoded).toBe('my+client:my%3Asecret%25')
  })

  const methods: readonly (readonly [string, readonly string[] | undefined])[] = [
    ['client_secret_basic', ['client_secret_basic']],
    ['client_secret_basic', undefined],
    ['client_secret_post', ['client_secret_post']],
  ]
  it.each(methods)('authenticates by %s where the server lists %s', async (method, listed) => {
    const { authorizer, url, fixture } = await start(
      {
        clients: { 'a-client.id': 'its-secret' },
        metadata: { token_endpoint_auth_methods_supported: listed },
      },
      { clientId: 'a-client.id', clientSecret: 'its-secret' },
    )
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    const [request] = fixture.log.tokenRequests
    const basic = `Basic ${btoa('a-client.id:its-secret')}`
    expect(request?.authorization).toBe(method === 'client_secret_basic' ? basic : undefined)
    expect(request?.body.get('client_secret')).toBe(method === 'client_secret_post' ? 'its-secret' : null)
  })

  it('authenticates as its registration says', async () => {
    const { authorizer, url, fixture } = await start({
      metadata: { token_endpoint_auth_methods_supported: ['client_secret_post'] },
      registered: { client_secret: 'given', token_endpoint_auth_method: 'client_secret_post' },
    })
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(fixture.log.registrations[0]?.token_endpoint_auth_method).toBe('client_secret_post')
    expect(fixture.log.tokenRequests[0]?.body.get('client_secret')).toBe('given')
  })

  it('signs in as itself with a secret, without a person', async () => {
    const { authorizer, url, fixture, person } = await start(
      {
        clients: { robot: 'its-secret' },
        challengedScopes: ['read'],
        metadata: { grant_types_supported: ['client_credentials'] },
      },
      { clientId: 'robot', clientSecret: 'its-secret' },
    )
    expect(await call(authorizer, url)).toMatchObject({ status: 200, scopes: ['read'] })
    expect(person.shown).toEqual([])
    expect(fixture.log.tokenRequests.map(({ body }) => body.get('grant_type'))).toEqual([
      'client_credentials',
    ])
    expect(fixture.log.tokenRequests[0]?.body.get('resource')).toBe(url.href)
  })

  it('signs in as itself with a key', async () => {
    const pair = (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const { authorizer, url, fixture } = await start(
      { metadata: { code_challenge_methods_supported: undefined } },
      { clientId: 'robot', clientKey: { key: pair.privateKey }, grant: 'client_credentials' },
    )
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    const { body } = fixture.log.tokenRequests[0] as Fixture['log']['tokenRequests'][number]
    const [header, payload, signature] = (body.get('client_assertion') ?? '').split('.') as [
      string,
      string,
      string,
    ]
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64url'))
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({
      iss: 'robot',
      sub: 'robot',
      aud: fixture.issuer,
    })
    expect(
      await crypto.subtle.verify(
        { name: 'ECDSA', hash: 'SHA-256' },
        pair.publicKey,
        bytes(signature),
        new TextEncoder().encode(`${header}.${payload}`),
      ),
    ).toBe(true)
  })

  it('never shows credentials of one authorization server to another', async () => {
    const first = await authorizationFixture()
    const second = await authorizationFixture()
    closing.push(
      () => first.close(),
      () => second.close(),
    )
    const authorizer = oauthAuthorizer(first.url, { store: memoryCredentials(), person: willingPerson() })
    await call(authorizer, first.url)
    first.expireAll()
    first.options = { authorizationServers: [second.issuer] }
    // The server still knows only tokens of the first: what matters is whom we asked, and with what.
    await call(authorizer, first.url).catch(() => {})
    expect(second.log.registrations).toHaveLength(1)
    expect(first.log.tokenRequests).toHaveLength(1)
    expect(second.log.tokenRequests.map(({ body }) => body.get('grant_type'))).toEqual(['authorization_code'])
  })

  it('does not take a client that a person registered to another authorization server', async () => {
    const first = await authorizationFixture({ clients: { mine: undefined } })
    const second = await authorizationFixture({ clients: { mine: undefined } })
    closing.push(
      () => first.close(),
      () => second.close(),
    )
    const authorizer = oauthAuthorizer(first.url, {
      store: memoryCredentials(),
      person: willingPerson(),
      clientId: 'mine',
    })
    await call(authorizer, first.url)
    first.expireAll()
    first.options = { clients: { mine: undefined }, authorizationServers: [second.issuer] }
    await expect(call(authorizer, first.url)).rejects.toThrow(`--issuer ${second.issuer}`)
    expect(second.log.tokenRequests).toEqual([])
  })
})

describe('scopes', () => {
  it('are those of the challenge before those of the metadata', async () => {
    const { authorizer, url, fixture } = await start({ challengedScopes: ['a', 'b'], suggestedScopes: ['c'] })
    await call(authorizer, url)
    expect(fixture.log.authorizations[0]?.get('scope')).toBe('a b')
  })

  it('are those of the metadata where the challenge has none', async () => {
    const { authorizer, url, fixture } = await start({ suggestedScopes: ['c', 'd'] })
    await call(authorizer, url)
    expect(fixture.log.authorizations[0]?.get('scope')).toBe('c d')
  })

  it('are omitted where nobody names any, even where offline_access exists', async () => {
    const { authorizer, url, fixture } = await start({ metadata: { scopes_supported: ['offline_access'] } })
    await call(authorizer, url)
    expect(fixture.log.authorizations[0]?.has('scope')).toBe(false)
  })

  it('are those that a person chose, with offline_access where it exists', async () => {
    const { authorizer, url, fixture } = await start(
      { challengedScopes: ['a'], metadata: { scopes_supported: ['x', 'offline_access'] } },
      { scopes: ['x'] },
    )
    await call(authorizer, url)
    expect(fixture.log.authorizations[0]?.get('scope')).toBe('x offline_access')
    expect(fixture.log.authorizations[0]?.get('prompt')).toBe('consent')
  })

  it('are raised by a call that needs more, keeping what there was', async () => {
    const { authorizer, url, person, fixture } = await start({ challengedScopes: ['a'] })
    expect(await call(authorizer, url)).toMatchObject({ scopes: ['a'] })
    expect(await call(authorizer, new URL('?scope=b', url))).toMatchObject({
      status: 200,
      scopes: ['a', 'b'],
    })
    expect(fixture.log.authorizations.map(asked => asked.get('scope'))).toEqual(['a', 'a b'])
    // They are asked for at once when it begins anew.
    fixture.endAll()
    expect(await call(authorizer, url)).toMatchObject({ scopes: ['a', 'b'] })
    expect(person.shown).toHaveLength(3)
  })

  it('are not demanded without end', async () => {
    const { authorizer, url, person } = await start({ challengedScopes: ['a'] })
    const context = new Context({ binding: 'internal' })
    await call(authorizer, url)
    const sent = await authorizer.headers(context)
    const challenge = 'Bearer error="insufficient_scope", scope="a"'
    await expect(authorizer.refused({ status: 403, challenge, sent }, context)).rejects.toThrow(
      'although the sign-in has all that it demands (a)',
    )
    for (let i = 0; i < 30; i++) {
      const sent = await authorizer.headers(context)
      const challenge = `Bearer error="insufficient_scope", scope="a more-${i}"`
      await authorizer.refused({ status: 403, challenge, sent }, context).catch(() => {})
    }
    expect(person.shown).toHaveLength(11)
  })

  it('that are demanded of somebody who has not signed in lead to a sign-in', async () => {
    const { authorizer, person } = await start({})
    const context = new Context({ binding: 'internal' })
    const challenge = 'Bearer error="insufficient_scope"'
    expect(await authorizer.refused({ status: 403, challenge, sent: {} }, context)).toBe(true)
    expect(person.shown).toHaveLength(1)
  })

  it('have nothing to do with other refusals', async () => {
    const { authorizer } = await start({})
    const context = new Context({ binding: 'internal' })
    for (const challenge of [undefined, 'Basic realm="x"', 'Bearer error="invalid_token"']) {
      expect(await authorizer.refused({ status: 403, challenge, sent: {} }, context)).toBe(false)
    }
  })
})

describe('renewal', () => {
  it('happens before the token expires, once for all calls', async () => {
    const { authorizer, url, fixture } = await start({ lifetime: 1_000 })
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    const results = await Promise.all(Array.from({ length: 20 }, () => call(authorizer, url)))
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]))
    expect(fixture.log.tokenRequests).toHaveLength(2)
    expect(fixture.log.reuses).toBe(0)
  })

  it('happens after a refusal, once for all calls', async () => {
    const { authorizer, url, fixture, person } = await start({})
    await call(authorizer, url)
    fixture.expireAll()
    const results = await Promise.all(Array.from({ length: 20 }, () => call(authorizer, url)))
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set([200]))
    expect(fixture.log.tokenRequests).toHaveLength(2)
    expect(person.shown).toHaveLength(1)
  })

  it('that is refused for good ends the sign-in, and asks once', async () => {
    let agree = () => {}
    const agreed = new Promise<void>(resolve => {
      agree = resolve
    })
    const { fixture, url } = await start({})
    const store = memoryCredentials()
    const events: SignInEvent[] = []
    await call(oauthAuthorizer(url, { store, person: willingPerson() }), url)
    fixture.endAll()
    const later = oauthAuthorizer(url, {
      store,
      person: willingPerson({ when: () => agreed }),
      onEvent: event => events.push(event),
    })
    const calls = Array.from({ length: 20 }, () => call(later, url))
    await until(() => events.some(({ type }) => type === 'auth-required'))
    expect(tokensOf(await store.read())).toEqual([undefined])
    agree()
    expect(new Set((await Promise.all(calls)).map(({ status }) => status))).toEqual(new Set([200]))
    expect(typesOf(events)).toEqual(['sign-in-ended', 'auth-required', 'signed-in'])
    const required = events.find(({ type }) => type === 'auth-required')
    expect(required).toMatchObject({
      server: url.href,
      url: expect.stringContaining(`${fixture.issuer}/authorize?`),
    })
  })

  it('that fails for now does not end the sign-in', async () => {
    let broken = true
    const { authorizer, url, fixture, person } = await start(
      { lifetime: 1_000 },
      {
        fetch: async (address, init) => {
          if (broken && String(init.body).includes('grant_type=refresh_token'))
            throw new TypeError('fetch failed')
          return await fetch(address, init)
        },
      },
    )
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    await expect(call(authorizer, url)).rejects.toMatchObject({ code: 'ERR_CONNECT', retryable: true })
    broken = false
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(person.shown).toHaveLength(1)
    expect(fixture.log.tokenRequests).toHaveLength(2)
  })

  it.each([
    [400, { error: 'invalid_request', error_description: 'token expired' }],
    [401, { error: 'invalid_token' }],
  ])('that is refused with %i %j is refused for good', async (status, body) => {
    const { authorizer, url, events } = await start({ lifetime: 1_000 }, answering(status, body))
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(typesOf(events).slice(2)).toEqual(['sign-in-ended', 'auth-required', 'signed-in'])
  })

  it.each([
    [500, { error: 'server_error' }],
    [503, 'later'],
    [429, { error: 'slow_down' }],
  ])('that is refused with %i %j may be tried again', async (status, body) => {
    const { authorizer, url, events } = await start({ lifetime: 1_000 }, answering(status, body))
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    await expect(call(authorizer, url)).rejects.toMatchObject({ retryable: true })
    expect(typesOf(events)).toEqual(['auth-required', 'signed-in'])
  })

  /** A token endpoint that answers renewals so. */
  function answering(status: number, body: unknown): Partial<AuthorizerOptions> {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return {
      fetch: async (address, init) =>
        String(init.body).includes('grant_type=refresh_token')
          ? new Response(text, { status })
          : await fetch(address, init),
    }
  }

  it('makes a new registration where the old one is forgotten', async () => {
    const { authorizer, url, fixture, person } = await start({ lifetime: 1_000 })
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    fixture.forgetClients()
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(fixture.log.registrations).toHaveLength(2)
    expect(person.shown).toHaveLength(2)
  })

  it('of a client that needs no person is a new token', async () => {
    const { authorizer, url, fixture } = await start(
      { clients: { robot: 'its-secret' }, lifetime: 1_000 },
      { clientId: 'robot', clientSecret: 'its-secret', grant: 'client_credentials' },
    )
    await call(authorizer, url)
    await new Promise(resolve => setTimeout(resolve, 1_100))
    const refused = fixture.log.refused
    expect(await call(authorizer, url)).toMatchObject({ status: 200 })
    expect(fixture.log.refused).toBe(refused)
  })
})

describe('sharing', () => {
  it('takes a sign-in that another process has made', async () => {
    const { url } = await start({})
    const store = memoryCredentials()
    const events: SignInEvent[] = []
    const alone = oauthAuthorizer(url, { store, onEvent: event => events.push(event) })
    for (let i = 0; i < 3; i++) await expect(call(alone, url)).rejects.toThrow(`anyport login ${url.href}`)
    expect(events).toEqual([{ type: 'auth-required', server: url.href, url: undefined }])
    await oauthAuthorizer(url, { store, person: willingPerson() }).signIn()
    expect(await call(alone, url)).toMatchObject({ status: 200 })
    expect(events).toHaveLength(1)
  })

  it('asks one person once, whoever needs it', async () => {
    const { url } = await start({})
    const store = memoryCredentials()
    const person = willingPerson({ when: () => new Promise(resolve => setTimeout(resolve, 300)) })
    const all = Array.from({ length: 8 }, () => oauthAuthorizer(url, { store, person }))
    const results = await Promise.all(all.map(authorizer => call(authorizer, url)))
    expect(new Set(results.map(({ token }) => token)).size).toBe(1)
    expect(person.shown).toHaveLength(1)
  })

  it('tells all who waited when the person refuses', async () => {
    const { url } = await start({ answer: parameters => parameters.set('error', 'access_denied') })
    const store = memoryCredentials()
    const person = willingPerson({ when: () => new Promise(resolve => setTimeout(resolve, 300)) })
    const all = Array.from({ length: 4 }, () => oauthAuthorizer(url, { store, person }))
    const outcomes = await Promise.allSettled(all.map(authorizer => call(authorizer, url)))
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('access_denied') },
      })
    }
    expect(person.shown).toHaveLength(1)
  })

  it('goes over to another sign-in while the old token is still good', async () => {
    const { authorizer, url } = await start({}, { store: sharedStore() })
    const { token } = await call(authorizer, url)
    await oauthAuthorizer(url, { store, person: willingPerson() }).signIn()
    await expect.poll(async () => (await call(authorizer, url)).token, { timeout: 5_000 }).not.toBe(token)
  })

  let store: CredentialStore
  function sharedStore(): CredentialStore {
    store = memoryCredentials()
    return store
  }
})

it('gives up when it is closed', async () => {
  const { url } = await start({})
  const authorizer = oauthAuthorizer(url, {
    store: memoryCredentials(),
    person: willingPerson({ when: () => new Promise(() => {}) }),
  })
  const outcome = call(authorizer, url).catch(error => error)
  await new Promise(resolve => setTimeout(resolve, 100))
  authorizer.close()
  expect(await outcome).toMatchObject({ code: 'ERR_SIGN_IN', message: expect.stringContaining('given up') })
})

it('lets calls wait for a while, then says what has to be done, and goes on', async () => {
  let agree = () => {}
  const agreed = new Promise<void>(resolve => {
    agree = resolve
  })
  const { url } = await start({})
  const person = willingPerson({ when: () => agreed })
  const authorizer = oauthAuthorizer(url, { store: memoryCredentials(), person, signInWait: 200 })
  for (let i = 0; i < 2; i++) await expect(call(authorizer, url)).rejects.toThrow('waits for a sign-in')
  agree()
  expect(await call(authorizer, url)).toMatchObject({ status: 200 })
  expect(person.shown).toHaveLength(1)
})

it('gives up when nobody signs in', async () => {
  const { url } = await start({})
  const authorizer = oauthAuthorizer(url, {
    store: memoryCredentials(),
    person: willingPerson({ when: () => new Promise(() => {}) }),
    signInTimeout: 200,
  })
  await expect(call(authorizer, url)).rejects.toThrow(`sign in with: anyport login ${url.href}`)
})

it('says nothing of tokens, codes and secrets, whatever fails', async () => {
  const { authorizer, url, fixture, events } = await start(
    { clients: { mine: 'planted-secret' } },
    { clientId: 'mine', clientSecret: 'planted-other' },
  )
  const errors = [await call(authorizer, url).catch(error => error)]
  fixture.options = { metadata: { token_endpoint: `${fixture.issuer}/.well-known/nothing` } }
  const other = oauthAuthorizer(url, { store: memoryCredentials(), person: willingPerson() })
  errors.push(await call(other, url).catch(error => error))
  const said = JSON.stringify([...errors, ...events].map(deep))
  expect(errors.map(({ code }) => code)).toEqual(['ERR_SIGN_IN', 'ERR_SIGN_IN'])
  expect(said).not.toContain('planted-')
  expect(said).not.toMatch(/access-[0-9a-f]{8}|refresh-[0-9a-f]{8}/)
  for (const { body } of fixture.log.tokenRequests) {
    expect(said).not.toContain(body.get('code') ?? 'no code')
    expect(said).not.toContain(body.get('code_verifier') ?? 'no verifier')
  }
})

describe('settings that cannot work', () => {
  const wrong: readonly (readonly [Partial<AuthorizerOptions>, string])[] = [
    [{ clientSecret: 'x' }, '--client-id'],
    [{ grant: 'client_credentials', clientId: 'x' }, 'a secret or a key'],
    [{ clientMetadataUrl: 'http://client.example/x' }, 'must be https'],
    [{ clientMetadataUrl: 'https://client.example' }, 'have a path'],
    [{ issuer: 'auth.example' }, 'no issuer'],
  ]
  it.each(wrong)('%o', (options, message) => {
    const make = () =>
      oauthAuthorizer(new URL('https://x.example'), { store: memoryCredentials(), ...options })
    expect(make).toThrow(TypeError)
    expect(make).toThrow(message)
  })
})

function tokensOf({ issuers }: Awaited<ReturnType<CredentialStore['read']>>): unknown[] {
  return Object.values(issuers).map(({ tokens }) => tokens)
}

/** An error with all that it carries. */
function deep(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const own = Object.fromEntries(
    Object.getOwnPropertyNames(value).map(name => [name, deep(Reflect.get(value, name))]),
  )
  return own
}
