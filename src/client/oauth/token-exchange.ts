/**
 * Tokens of callers, exchanged for such as a server takes (RFC 8693). The caller's token goes to the authorization server, and nowhere
 * else; what comes back belongs to that caller alone.
 */

import type { Caller, Context } from '../../exchange/context.js'
import { orCancelled } from '../../exchange/deadline.js'
import type { TransportError } from '../../exchange/errors.js'
import type { AuthorizationRefusal, Authorizer } from '../../exchange/http-client.js'
import { mayVisit } from '../../exchange/reachable-address.js'
import { subjectTokenOf } from '../../exchange/subject-token.js'
import { canonicalJson } from '../../legacy/capabilities.js'
import type { JSONObject } from '../../protocol/message.js'
import { canonicalResource, nameOf, parseAddress } from './addresses.js'
import type { Fetch } from './bounded-fetch.js'
import { signInError } from './failures.js'
import type { TokenExchangeOptions } from './token-exchange-options.js'
import type { Exchanger } from './token-exchanger.js'

/** Signs for each caller with a token of his own. */
export interface TokenExchange {
  /** Throws `TransportError` ERR_SIGN_IN for a caller who showed no token. */
  of(caller: Caller): CallerToken
}

export interface CallerToken extends Authorizer {
  /** The same for tokens of one caller that say the same: nobody gets by one what only another one allows. */
  readonly key: string
}

/** Throws `TypeError` for options that cannot work or are not safe. Nothing is asked before the first call. */
export function tokenExchange(server: URL, options: TokenExchangeOptions, fetch: Fetch): TokenExchange {
  const { issuer, tokenEndpoint, clientId, requestTimeout = 10_000, maxCallers = 1_000 } = options
  if ((issuer === undefined) === (tokenEndpoint === undefined))
    throw new TypeError('token exchange: give either issuer or tokenEndpoint')
  checkAddress('issuer', issuer)
  checkAddress('tokenEndpoint', tokenEndpoint)
  if (typeof clientId !== 'string' || clientId === '')
    throw new TypeError('token exchange: clientId is missing')
  for (const [name, value] of Object.entries({ requestTimeout, maxCallers }))
    if (!(value > 0)) throw new TypeError(`token exchange: ${name} must be above 0, got ${value}`)
  const resource =
    options.resource ?? (options.audience === undefined ? canonicalResource(server) : undefined)
  let exchanger: Promise<Exchanger> | undefined
  const host: Host = {
    name: nameOf(server),
    authority: issuer ?? new URL(tokenEndpoint as string).origin,
    exchange: async subject => {
      exchanger ??= import('./token-exchanger.js').then(({ createExchanger }) =>
        createExchanger({
          ...options,
          resource,
          server: nameOf(server),
          limits: { fetch, timeout: requestTimeout },
        }),
      )
      return await (await exchanger)(subject)
    },
  }
  const tokens = new Map<string, ExchangedToken>()
  return {
    of(caller) {
      const subject = subjectTokenOf(caller)
      if (subject === undefined || caller.claims === undefined) throw noToken(host.name)
      const key = canonicalJson([caller.principal ?? null, authorityOf(caller.claims)])
      let token = tokens.get(key)
      if (token === undefined) {
        if (tokens.size >= maxCallers) tokens.delete(tokens.keys().next().value as string)
        token = new ExchangedToken(key, host)
      } else tokens.delete(key)
      tokens.set(key, token)
      token.shown(caller.claims, subject)
      return token
    },
  }
}

interface Host {
  readonly name: string
  readonly authority: string
  readonly exchange: Exchanger
}

type RequestHeaders = Readonly<Record<string, string>>

/** Milliseconds before its end at which a token is used no more: 30 seconds, or less for tokens of a short life. */
const MAX_MARGIN = 30_000
const MARGIN = 0.1
/** Milliseconds for which a token is used that does not say how long it lives. */
const UNSAID_LIFE = 300_000
/** Milliseconds for which a failure is told to others than who met it, so that no flood of calls reaches the authorization server. */
const FAILURE_LIFE = 1_000
/** Milliseconds after which a token that took the place of a refused one may be refused in its turn. */
const YOUTH = 10_000

class ExchangedToken implements CallerToken {
  readonly #host: Host
  #claims: JSONObject | undefined
  #subject = ''
  #subjectEnd = Number.NEGATIVE_INFINITY
  #token: string | undefined
  #headers: RequestHeaders = {}
  /** Milliseconds since 1970. */
  #usableUntil = 0
  #flight: Promise<void> | undefined
  #failure: { readonly error: unknown; readonly until: number; readonly subject: string } | undefined
  /** When a token was got because the one before had been refused. */
  #mendedAt = Number.NEGATIVE_INFINITY
  readonly #mended = new WeakMap<Context, string | undefined>()

  constructor(
    readonly key: string,
    host: Host,
  ) {
    this.#host = host
  }

  /** The one that lives longest is exchanged next. */
  shown(claims: JSONObject, subject: string): void {
    if (claims === this.#claims) return
    const end = typeof claims.exp === 'number' ? claims.exp * 1_000 : Date.now()
    if (end < this.#subjectEnd) return
    this.#claims = claims
    this.#subject = subject
    this.#subjectEnd = end
  }

  headers({ caller }: Context): RequestHeaders | Promise<RequestHeaders> {
    // What belongs to no call (a standing stream, the end of a session) goes by what its caller showed last.
    const subject = subjectTokenOf(caller)
    if (subject !== undefined && caller.claims !== undefined && caller.claims !== this.#claims) {
      if (canonicalJson([caller.principal ?? null, authorityOf(caller.claims)]) !== this.key)
        throw new Error('A request of one caller came to the connection of another')
      this.shown(caller.claims, subject)
    }
    if (Date.now() < this.#usableUntil) return this.#headers
    return this.#exchanged().then(() => this.#headers)
  }

  async refused({ status, sent }: AuthorizationRefusal, context: Context): Promise<boolean> {
    if (status !== 401) return false
    const token = sent.authorization?.slice('Bearer '.length)
    // Somebody else has got another one meanwhile.
    if (token !== this.#token) return true
    const again = this.#mended.has(context) && this.#mended.get(context) === token
    if (again || Date.now() - this.#mendedAt < YOUTH) {
      const { name, authority } = this.#host
      throw signInError(name, `${name} refuses the token that ${authority} gives for who calls`, {
        ofCaller: true,
      })
    }
    this.#usableUntil = 0
    await orCancelled(this.#exchanged(), context)
    this.#mendedAt = Date.now()
    this.#mended.set(context, this.#token)
    return true
  }

  /** One at a time: who comes meanwhile waits for the same. */
  #exchanged(): Promise<void> {
    const failure = this.#failure
    if (failure !== undefined && Date.now() < failure.until && failure.subject === this.#subject)
      return Promise.reject(failure.error)
    this.#flight ??= this.#exchange().finally(() => {
      this.#flight = undefined
    })
    return this.#flight
  }

  async #exchange(): Promise<void> {
    const subject = this.#subject
    try {
      const { accessToken, issuedAt, expiresAt = issuedAt + UNSAID_LIFE } = await this.#host.exchange(subject)
      this.#failure = undefined
      this.#token = accessToken
      this.#headers = { authorization: `Bearer ${accessToken}` }
      this.#usableUntil = expiresAt - Math.min(MAX_MARGIN, (expiresAt - issuedAt) * MARGIN)
    } catch (error) {
      this.#failure = { error, until: Date.now() + FAILURE_LIFE, subject }
      throw error
    }
  }
}

/** What differs from one token to the next of the same sign-in, and says nothing of what its holder may do. */
const OF_ONE_TOKEN = new Set([
  ...['exp', 'iat', 'nbf', 'jti', 'auth_time', 'nonce', 'at_hash', 'c_hash', 'sid', 'session_state'],
  // Microsoft Entra ID.
  ...['aio', 'rh', 'uti'],
])

const authorities = new WeakMap<JSONObject, string>()

function authorityOf(claims: JSONObject): string {
  let authority = authorities.get(claims)
  if (authority === undefined) {
    authority = canonicalJson(
      Object.fromEntries(Object.entries(claims).filter(([name]) => !OF_ONE_TOKEN.has(name))),
    )
    authorities.set(claims, authority)
  }
  return authority
}

function checkAddress(name: string, text: string | undefined): void {
  if (text === undefined) return
  const url = parseAddress(text)
  if (url === undefined) throw new TypeError(`token exchange: ${name} is no address`)
  if (!mayVisit(url, url))
    throw new TypeError(
      `token exchange: ${name} must be https, or on this machine, without a user name: tokens go there`,
    )
}

function noToken(server: string): TransportError {
  return signInError(
    server,
    `${server} is called with a token for who calls, and this caller showed none of an authorization server: keys and certificates cannot be exchanged`,
    { knob: 'auth', ofCaller: true },
  )
}
