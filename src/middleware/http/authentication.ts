/**
 * Lets in who shows who he is. Specification: 2026-07-28 basic/authorization; RFC 6750 (bearer tokens), RFC 9728 (metadata of
 * protected resources).
 */

import type {
  HttpHandler,
  HttpIdentity,
  HttpMiddleware,
  HttpReply,
  HttpRequest,
} from '../../exchange/http.js'
import { because, errorReply, methodNotAllowed } from '../../exchange/http-reply.js'
import { INVALID_REQUEST, UPSTREAM_UNAVAILABLE } from '../../protocol/errors.js'

/** What a request shows. */
export interface Credential {
  /** Where it was: `Authorization: Bearer`, or `X-API-Key`. */
  readonly from: 'bearer' | 'api-key'
  readonly token: string
}

/** Why a credential does not let in; `description` may be shown to its sender. */
export class CredentialRefusal {
  constructor(
    readonly description: string,
    /** `unavailable`: it could not be checked just now. */
    readonly kind: 'invalid' | 'unavailable' = 'invalid',
  ) {}
}

/** Who somebody is, why he is not, or undefined where that kind of credential is not this method's matter. */
export type Verdict = HttpIdentity | CredentialRefusal | undefined

/** One way to show who one is. */
export interface AuthenticationMethod {
  /** The authorization servers whose tokens it takes, for clients that look for one. */
  readonly issuers?: readonly string[]
  /** For tokens and keys. */
  checkCredential?(credential: Credential): Verdict | Promise<Verdict>
  /** For what is not a token. Asked where the request shows none. */
  checkRequest?(request: HttpRequest): HttpIdentity | undefined
}

export interface AuthenticationOptions {
  /** Asked in this order; the first that knows the credential decides. */
  readonly methods: readonly AuthenticationMethod[]
  /** Scopes that everybody needs, by the claim `scope` (or `scp`). Default: none. */
  readonly requiredScopes?: readonly string[] | undefined
  /** Scopes that there are, for the metadata. Default: `requiredScopes`. */
  readonly scopes?: readonly string[] | undefined
  /** The address of the server for the outside, without a path of ours. Default: as the request says. */
  readonly publicUrl?: string | undefined
  /** A name for people, for the metadata. */
  readonly resourceName?: string | undefined
  /** Paths that are endpoints, and so have metadata. Default: all. */
  readonly isEndpoint?: ((path: string) => boolean) | undefined
}

/**
 * Requests without a credential that one of the methods takes are answered with 401, those without a needed scope with 403. Where
 * there are authorization servers, it also serves the metadata that leads to them. Throws `TypeError` for options that cannot work.
 */
export function authentication(options: AuthenticationOptions): HttpMiddleware {
  const { methods, requiredScopes = [], isEndpoint = () => true } = options
  if (methods.length === 0) throw new TypeError('authentication: there must be at least one method')
  for (const scope of [...requiredScopes, ...(options.scopes ?? [])])
    if (!SCOPE.test(scope)) throw new TypeError(`authentication: ${JSON.stringify(scope)} is no scope`)
  const issuers = [...new Set(methods.flatMap(method => method.issuers ?? []))]
  const base = options.publicUrl?.replace(/\/+$/, '')
  const prefix = base === undefined ? '' : new URL(base).pathname.replace(/\/$/, '')
  const challenges = new Challenges(requiredScopes, issuers.length > 0, base)

  const metadata = (request: HttpRequest): HttpReply | undefined => {
    if (issuers.length === 0 || !request.path.startsWith(METADATA_PATH)) return undefined
    const given = request.path.slice(METADATA_PATH.length)
    // RFC 9728 section 3.1 puts the well-known part before the whole path, so that a proxy that strips a prefix may find it within.
    const path = prefix !== '' && given.startsWith(`${prefix}/`) ? given.slice(prefix.length) : given
    if (path !== '' && !(path.startsWith('/') && isEndpoint(path))) return undefined
    if (request.method !== 'GET') return methodNotAllowed('GET')
    const scopes = options.scopes ?? requiredScopes
    return {
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'private, max-age=300' },
      body: JSON.stringify({
        resource: (base ?? originOf(request)) + path,
        authorization_servers: issuers,
        bearer_methods_supported: ['header'],
        ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
        ...(options.resourceName === undefined ? {} : { resource_name: options.resourceName }),
      }),
    }
  }
  const enter = (request: HttpRequest, identity: HttpIdentity, next: HttpHandler): Promise<HttpReply> => {
    if (requiredScopes.length > 0) {
      const has = scopesOf(identity)
      const missing = requiredScopes.filter(scope => !has.has(scope))
      if (missing.length > 0) return Promise.resolve(challenges.scope(request, missing))
    }
    request.identity = identity
    // A rule behind us may ask for more scopes: then the client has to be told as well where to get them.
    return issuers.length === 0 ? next(request) : next(request).then(reply => challenges.lead(request, reply))
  }
  const conclude = (request: HttpRequest, verdict: Verdict, next: HttpHandler): Promise<HttpReply> => {
    if (verdict instanceof CredentialRefusal) return Promise.resolve(challenges.refuse(request, verdict))
    if (verdict === undefined)
      return Promise.resolve(challenges.refuse(request, new CredentialRefusal('The credential is not known')))
    return enter(request, verdict, next)
  }

  return next => request => {
    const told = metadata(request)
    if (told !== undefined) return Promise.resolve(told)
    const credential = credentialOf(request)
    if (credential instanceof CredentialRefusal)
      return Promise.resolve(challenges.refuse(request, credential))
    if (credential === undefined) {
      for (const method of methods) {
        const identity = method.checkRequest?.(request)
        if (identity !== undefined) return enter(request, identity, next)
      }
      return Promise.resolve(challenges.refuse(request, undefined))
    }
    // Without a promise where none is needed: keys are checked at once.
    for (let index = 0; index < methods.length; index++) {
      const method = methods[index] as AuthenticationMethod
      const verdict = method.checkCredential?.(credential)
      if (verdict === undefined) continue
      if (!(verdict instanceof Promise)) return conclude(request, verdict, next)
      return firstVerdict(verdict, methods.slice(index + 1), credential).then(found =>
        conclude(request, found, next),
      )
    }
    return conclude(request, undefined, next)
  }
}

/** The scopes of an identity, from the claim `scope` (text or list) or `scp`. */
export function scopesOf({ claims }: HttpIdentity): ReadonlySet<string> {
  const given = claims?.scope ?? claims?.scp
  if (typeof given === 'string') return new Set(given.split(' ').filter(scope => scope !== ''))
  return new Set(Array.isArray(given) ? given.filter(scope => typeof scope === 'string') : [])
}

const METADATA_PATH = '/.well-known/oauth-protected-resource'
/** RFC 6749, section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/
/** RFC 6750, section 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/
const MAX_TOKEN = 16 * 1024

async function firstVerdict(
  first: Promise<Verdict>,
  others: readonly AuthenticationMethod[],
  credential: Credential,
): Promise<Verdict> {
  let verdict = await first
  for (const method of others) {
    if (verdict !== undefined) return verdict
    verdict = await method.checkCredential?.(credential)
  }
  return verdict
}

/** Undefined where the request shows nothing. Two credentials are refused: it would be a guess which one is meant. */
function credentialOf(request: HttpRequest): Credential | CredentialRefusal | undefined {
  const authorization = request.header('authorization')
  const key = request.header('x-api-key')?.trim()
  if (authorization === undefined && key === undefined) return undefined
  if (authorization !== undefined && key !== undefined)
    return new CredentialRefusal('There is a credential in Authorization and another in X-API-Key')
  const token = key ?? bearerOf(authorization as string)
  if (token === undefined) return new CredentialRefusal('Authorization must be: Bearer TOKEN')
  // Several headers of one name arrive joined by a comma, which no token has.
  if (token.length > MAX_TOKEN || !TOKEN.test(token)) return new CredentialRefusal('The token is malformed')
  return { from: key === undefined ? 'bearer' : 'api-key', token }
}

/** By hand, since a pattern for it costs more than all else that is looked at. */
function bearerOf(authorization: string): string | undefined {
  if (authorization[6] !== ' ' || authorization.slice(0, 6).toLowerCase() !== 'bearer') return undefined
  let start = 7
  let end = authorization.length
  while (authorization[start] === ' ') start++
  while (end > start && authorization[end - 1] === ' ') end--
  return authorization.slice(start, end)
}

/** What is told to those who stay outside. */
class Challenges {
  constructor(
    private readonly required: readonly string[],
    private readonly hasMetadata: boolean,
    private readonly base: string | undefined,
  ) {}

  /** `why` is undefined where nothing was shown: RFC 6750 section 3.1 leaves out the error then. */
  refuse(request: HttpRequest, why: CredentialRefusal | undefined): HttpReply {
    if (why?.kind === 'unavailable')
      return errorReply(503, { code: UPSTREAM_UNAVAILABLE, message: why.description }, undefined, {
        'retry-after': '5',
      })
    const error =
      why === undefined ? [] : ['error="invalid_token"', quoted('error_description', why.description)]
    const scope = this.required.length === 0 ? [] : [quoted('scope', this.required.join(' '))]
    const message = why?.description ?? 'Authentication is required'
    const refused = errorReply(401, { code: INVALID_REQUEST, message }, undefined, {
      'www-authenticate': this.#challenge(request, [...error, ...scope]),
    })
    return because(refused, why === undefined ? 'no-credential' : 'credential')
  }

  /** Names all scopes that are needed rather than the missing ones: what a client asks for next replaces what it has. */
  scope(request: HttpRequest, missing: readonly string[]): HttpReply {
    const message = `The credential lacks the scope ${missing.join(' ')}`
    const parts = ['error="insufficient_scope"', quoted('scope', this.required.join(' '))]
    const refused = errorReply(403, { code: INVALID_REQUEST, message }, undefined, {
      'www-authenticate': this.#challenge(request, [...parts, quoted('error_description', message)]),
    })
    return because(refused, 'scope')
  }

  /** Says where the metadata is in a challenge of what stands behind (2026-07-28 basic/authorization, "Scope Challenge Handling"). */
  lead(request: HttpRequest, reply: HttpReply): HttpReply {
    if (reply.status !== 403) return reply
    const challenge = reply.headers['www-authenticate']
    if (challenge?.startsWith('Bearer ') !== true || challenge.includes('resource_metadata=')) return reply
    const header = this.#challenge(request, [challenge.slice('Bearer '.length)])
    return { ...reply, headers: { ...reply.headers, 'www-authenticate': header } }
  }

  #challenge(request: HttpRequest, parts: readonly string[]): string {
    const metadata = this.hasMetadata
      ? [quoted('resource_metadata', (this.base ?? originOf(request)) + METADATA_PATH + request.path)]
      : []
    const all = [...metadata, ...parts]
    return `Bearer ${(all.length === 0 ? ['realm="anyport"'] : all).join(', ')}`
  }
}

function originOf(request: HttpRequest): string {
  return `${request.scheme}://${request.header('host') ?? 'localhost'}${request.prefix ?? ''}`
}

function quoted(name: string, value: string): string {
  return `${name}="${value.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`
}
