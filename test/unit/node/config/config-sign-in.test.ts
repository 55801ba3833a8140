import { describe, expect, it } from 'vitest'
import type { RemoteServer } from '../../../../src/config/server-entry.js'
import { signInOf } from '../../../../src/node/config/config-sign-in.js'

const common = { browser: false, clientMetadataUrl: 'https://me.example/client.json' }

const of = (change: Partial<RemoteServer>) =>
  signInOf(
    { kind: 'remote', url: 'https://a.example/mcp', transport: 'auto', headers: {}, ...change },
    common,
  )

describe('a server of a configuration', () => {
  it('is signed in to as all are, unless it says otherwise', () => {
    expect(of({})).toEqual(common)
    expect(of({ auth: { clientId: 'x', clientSecret: 'y', scopes: ['a'], callbackPort: 3118 } })).toEqual({
      ...common,
      clientId: 'x',
      clientSecret: 'y',
      scopes: ['a'],
      callbackPort: 3118,
    })
  })

  it('gets answers where it is registered, if that can be here', () => {
    const here = 'http://localhost:3118/oauth/callback'
    expect(of({ auth: { redirectUri: here } })).toEqual({
      ...common,
      callbackHost: 'localhost',
      callbackPort: 3118,
      callbackPath: '/oauth/callback',
    })
    for (const redirectUri of [
      'cursor://anysphere/oauth',
      'https://localhost:1/x',
      'http://a.example/x',
      'x',
    ])
      expect(of({ auth: { redirectUri } })).toEqual(common)
  })

  it.each<Partial<RemoteServer>>([
    { auth: false },
    { headers: { AUTHORIZATION: 'Bearer x' } },
    { url: 'https://me:secret@a.example/mcp' },
    { url: 'http+unix://%2Fs/mcp' },
  ])('is not signed in to: %j', change => {
    expect(of(change)).toBeUndefined()
  })

  it('is not signed in to where each caller has credentials of his own', () => {
    expect(of({ exchange: { issuer: 'https://login.example', clientId: 'us' } })).toBeUndefined()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
    expect(of({ callerHeaders: { Authorization: 'Bearer ${claim:token}' } })).toBeUndefined()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what people write
    expect(of({ callerHeaders: { 'X-User': '${claim:email}' } })).toEqual(common)
  })
})
