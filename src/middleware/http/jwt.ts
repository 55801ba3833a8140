/**
 * Tokens that their issuer has signed (RFC 7519, RFC 9068), with its keys from the address where it publishes them (RFC 7517).
 * `jose` is loaded with the first token.
 */

import type { JWTPayload } from 'jose'
import { mayVisit } from '../../exchange/reachable-address.js'
import { keepSubjectToken } from '../../exchange/subject-token.js'
import type { JSONObject } from '../../protocol/message.js'
import { audienceTest } from './audience.js'
import { type AuthenticationMethod, CredentialRefusal, type Verdict } from './authentication.js'
import { boundedJson, type Fetch, secureUrl } from './bounded-json.js'
import { VerdictMemory } from './verdict-memory.js'

export interface JwtOptions {
  /** The `iss` of tokens, character by character. */
  readonly issuer: string
  /** One of these must be in `aud`: else a token that another service got could be used here. */
  readonly audience: readonly string[]
  /** Where its keys are. Default: where its metadata says (RFC 8414, OpenID Connect Discovery). */
  readonly jwksUrl?: string | undefined
  /** Signatures that are accepted, of those with public keys. Default: RS, PS, ES and EdDSA. */
  readonly algorithms?: readonly string[] | undefined
  /** Seconds that the clocks may differ. Default 30. */
  readonly clockSkew?: number | undefined
  /** Milliseconds that fetching keys may take. Default 5 seconds. */
  readonly timeout?: number | undefined
  /** Milliseconds before keys are fetched again for a token with an unknown one. Default 30 seconds. */
  readonly cooldown?: number | undefined
  /** Milliseconds for which keys are used before they are fetched again. Default 10 minutes. */
  readonly keysMaxAge?: number | undefined
  /** Milliseconds for which a token that was checked is not checked again, unless it expires. Default 1 minute. */
  readonly tokenMaxAge?: number | undefined
  readonly fetch?: Fetch | undefined
}

/** The principal is `ISSUER#SUBJECT`, the claims are the token's. Throws `TypeError` for options that cannot work or are not safe. */
export function jwt(options: JwtOptions): AuthenticationMethod {
  const { issuer, audience, clockSkew = 30, tokenMaxAge = 60_000 } = options
  secureUrl('issuer', issuer)
  const algorithms = options.algorithms ?? ALGORITHMS
  const isForUs = audienceTest('jwt', audience)
  // With a shared secret whoever can check a token could make one; and "none" is no signature at all.
  for (const algorithm of algorithms)
    if (!ALGORITHMS.includes(algorithm))
      throw new TypeError(
        `jwt: the algorithm ${JSON.stringify(algorithm)} is none of ${ALGORITHMS.join(', ')}`,
      )
  if (!(clockSkew >= 0 && clockSkew <= 600))
    throw new TypeError(`jwt: clockSkew must be 0 to 600 seconds, got ${clockSkew}`)
  const keys = keySource(options)
  const memory = new VerdictMemory(1_000, Date.now)

  const check = async (token: string): Promise<Verdict> => {
    const jose = await import('jose')
    const keySet = await keys().catch(() => undefined)
    if (keySet === undefined) return keysMissing()
    try {
      const { payload } = await jose.jwtVerify(token, keySet, {
        issuer,
        algorithms: [...algorithms],
        clockTolerance: clockSkew,
        requiredClaims: ['exp', 'sub', 'aud'],
      })
      if (!isForUs(payload.aud)) return new CredentialRefusal('The token is not for this server')
      if (typeof payload.sub !== 'string' || payload.sub === '')
        return new CredentialRefusal('The token has no subject')
      const identity = { principal: `${issuer}#${payload.sub}`, claims: payload as JSONObject }
      keepSubjectToken(identity.claims, token)
      const end = ((payload.exp as number) + clockSkew) * 1_000
      memory.set(token, identity, Math.min(end, Date.now() + tokenMaxAge))
      return identity
    } catch (error) {
      return refusalOf(error, jose.errors)
    }
  }

  return {
    issuers: [issuer],
    checkCredential({ from, token }) {
      if (from !== 'bearer' || issuerOf(token) !== issuer) return undefined
      return memory.get(token) ?? check(token)
    },
  }
}

const ALGORITHMS: readonly string[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
]

type KeySet = ReturnType<typeof import('jose').createRemoteJWKSet>

/** The keys, found when the first token comes; looked for again where that failed. */
function keySource(options: JwtOptions): () => Promise<KeySet> {
  const { issuer, timeout = 5_000, cooldown = 30_000, keysMaxAge = 600_000 } = options
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init))
  if (options.jwksUrl !== undefined) secureUrl('jwksUrl', options.jwksUrl)
  let found: Promise<KeySet> | undefined
  let failedAt = 0
  const find = async () => {
    const { createRemoteJWKSet, customFetch } = await import('jose')
    const url = secureUrl('jwks_uri', options.jwksUrl ?? (await jwksUrlOf(issuer, fetch, timeout)))
    // What a person writes down is meant; an issuer elsewhere must not lead into this machine or its network.
    if (options.jwksUrl === undefined && !mayVisit(url, new URL(issuer)))
      throw new Error(`${issuer} says that its keys are at ${url.host}, which is not followed`)
    return createRemoteJWKSet(url, {
      timeoutDuration: timeout,
      cooldownDuration: cooldown,
      cacheMaxAge: keysMaxAge,
      // jose would read whatever comes.
      [customFetch]: async (address: string) =>
        Response.json(
          await boundedJson(address, { fetch, timeout, init: { headers: { accept: 'application/json' } } }),
        ),
    })
  }
  return () => {
    if (found === undefined && Date.now() - failedAt < Math.min(cooldown, 5_000))
      return Promise.reject(new Error('The metadata could not be fetched a moment ago'))
    found ??= find().catch(error => {
      failedAt = Date.now()
      found = undefined
      throw error
    })
    return found
  }
}

async function jwksUrlOf(issuer: string, fetch: Fetch, timeout: number): Promise<string> {
  const { origin, pathname } = new URL(issuer)
  const path = pathname.replace(/\/$/, '')
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ]
  for (const place of new Set(places)) {
    const metadata = await boundedJson(place, { fetch, timeout }).catch(() => undefined)
    // RFC 8414 section 3.3: what is about another issuer must not be used.
    if (metadata?.issuer === issuer && typeof metadata.jwks_uri === 'string') return metadata.jwks_uri
  }
  throw new Error(`${origin} does not say where its keys are`)
}

/** What a token says of its issuer, before anything is checked; undefined for what is no JWT. */
function issuerOf(token: string): string | undefined {
  const parts = token.split('.')
  if (parts.length !== 3) return undefined
  try {
    const text = atob((parts[1] as string).replace(/-/g, '+').replace(/_/g, '/'))
    const claims: JWTPayload = JSON.parse(text)
    return claims?.iss
  } catch {
    return undefined
  }
}

function refusalOf(error: unknown, errors: typeof import('jose').errors): CredentialRefusal {
  if (error instanceof errors.JWTExpired) return new CredentialRefusal('The token has expired')
  if (error instanceof errors.JWTClaimValidationFailed)
    return new CredentialRefusal(`The claim ${error.claim} of the token is not as it must be`)
  if (error instanceof errors.JOSEAlgNotAllowed)
    return new CredentialRefusal('The algorithm of the token is not accepted')
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return new CredentialRefusal('The signature of the token is wrong')
  if (error instanceof errors.JWKSNoMatchingKey)
    return new CredentialRefusal('The key of the token is not known')
  if (error instanceof errors.JWKSMultipleMatchingKeys)
    return new CredentialRefusal('The token does not say which key it was signed with')
  const ofKeys = error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid
  return error instanceof errors.JOSEError && !ofKeys
    ? new CredentialRefusal('The token is malformed')
    : keysMissing()
}

function keysMissing(): CredentialRefusal {
  return new CredentialRefusal('The keys of the authorization server cannot be had just now', 'unavailable')
}
