/**
 * Signs requests to one server with the token of one sign-in, renews it, and has a person sign in where nothing else helps.
 * Many of these, in many processes, share the credentials. Most servers want no sign-in, so what does the work is loaded when the
 * first one does.
 */

import type { Context } from '../../exchange/context.js'
import { orCancelled, within } from '../../exchange/deadline.js'
import type { AuthorizationRefusal, Authorizer } from '../../exchange/http-client.js'
import { nameOf } from './addresses.js'
import { isSameIssuer } from './authorization-server.js'
import { type BearerChallenge, parseBearerChallenge } from './challenge.js'
import { checkSettings, isRenewable } from './client-settings.js'
import { type Credentials, currentRecord, type SignInRecord, type Tokens } from './credentials.js'
import { issuersNow } from './discovery.js'
import { signInError } from './failures.js'
import { lacking, raisedScopes } from './scopes.js'
import type { SharedSignInOptions } from './shared-sign-in.js'

export interface AuthorizerOptions extends Omit<SharedSignInOptions, 'server' | 'signal' | 'limits'> {
  /**
   * Milliseconds that a call waits for a sign-in, before it fails with what has to be done: less than what clients usually give a
   * call, so that people read that rather than of a timeout. The sign-in goes on. Default 45 seconds.
   */
  readonly signInWait?: number | undefined
}

export interface OAuthAuthorizer extends Authorizer {
  /**
   * Signs in now, even where there is a sign-in already. `challenge` is the server's `WWW-Authenticate`. Rejects with
   * `TransportError` where that fails.
   */
  signIn(challenge?: string): Promise<SignInRecord>
  /** Ends a sign-in that waits for a person. */
  close(): void
}

/** Throws `TypeError` for options that cannot work. Nothing is read or asked before the first request. */
export function oauthAuthorizer(server: URL, options: AuthorizerOptions): OAuthAuthorizer {
  checkSettings(options)
  return new SignedRequests(server, options)
}

/** A token that a call got after it had been refused. */
interface Remedy {
  readonly token: string | undefined
  readonly by: 'renewal' | 'sign-in' | 'other'
  /** Milliseconds since 1970. */
  readonly at: number
}

type RequestHeaders = Readonly<Record<string, string>>

const UNSIGNED: RequestHeaders = {}
/** Milliseconds after which it is looked whether somebody else has signed in or out. */
const LOOK_INTERVAL = 1_000
/** Milliseconds after which a token that is refused to the same call again has had time to become bad. */
const YOUTH = 10_000
/** A server that demands ever more must not open a browser each time. */
const MAX_STEP_UPS = 10
const REQUEST_TIMEOUT = 10_000
const CALL_WAIT = 45_000

class SignedRequests implements OAuthAuthorizer {
  readonly #options: SharedSignInOptions
  readonly #wait: number
  readonly #closing = new AbortController()
  readonly #flights = new Map<string, Promise<Remedy>>()
  readonly #stepUps = new Set<string>()
  #last: Promise<unknown> = Promise.resolve()
  #record: SignInRecord | undefined
  #headers = UNSIGNED
  /** Milliseconds since 1970 until which the headers are as they should be. */
  #usableUntil = 0
  #lookedAt = Number.NEGATIVE_INFINITY
  #renewing: Promise<void> | undefined
  /** Why a person was asked in vain. Nobody is asked again before somebody has signed in. */
  #failure: unknown
  /** What calls got after they had been refused: a token that is refused to the same call again was never good. */
  readonly #remedies = new WeakMap<Context, Remedy>()

  constructor(server: URL, options: AuthorizerOptions) {
    this.#wait = options.signInWait ?? CALL_WAIT
    const { fetch = globalThis.fetch, requestTimeout = REQUEST_TIMEOUT } = options
    const limits = { fetch: (url: string, init: RequestInit) => fetch(url, init), timeout: requestTimeout }
    this.#options = { ...options, server, limits, signal: this.#closing.signal }
  }

  headers(context: Context): RequestHeaders | Promise<RequestHeaders> {
    const now = Date.now()
    const looked = now - this.#lookedAt < LOOK_INTERVAL
    if (now < this.#usableUntil) {
      if (!looked) this.#lookAgain(now)
      return this.#headers
    }
    if (looked && !this.#isRenewable()) return UNSIGNED
    return this.#renewed(context)
  }

  async refused(refusal: AuthorizationRefusal, context: Context): Promise<boolean> {
    const challenge = parseBearerChallenge(refusal.challenge)
    const sent = tokenOf(refusal.sent)
    const need = JSON.stringify([refusal.status, sent, challenge?.scopes])
    if (refusal.status === 403) {
      if (challenge?.error !== 'insufficient_scope') return false
      await this.#waited(
        this.#inTurn(need, () => this.#stepUp(sent, challenge)),
        context,
      )
      return true
    }
    const before = this.#remedies.get(context)
    const young = before !== undefined && Date.now() - before.at < YOUTH && !this.#hasExpired(sent)
    const again = young && before.token === sent
    if (again && before.by === 'sign-in') throw this.#neverGood()
    const remedy = this.#inTurn(need + again, () => this.#mend(sent, challenge, again))
    this.#remedies.set(context, await this.#waited(remedy, context))
    return true
  }

  async signIn(challenge?: string): Promise<SignInRecord> {
    await this.#inTurn('sign-in', async () => {
      await this.#look()
      this.#failure = undefined
      return await this.#signIn(parseBearerChallenge(challenge))
    })
    return this.#record as SignInRecord
  }

  close(): void {
    this.#closing.abort(signInError(this.#name, `The sign-in to ${this.#name} was given up`))
  }

  get #name(): string {
    return nameOf(this.#options.server)
  }

  #waited(remedy: Promise<Remedy>, context: Context): Promise<Remedy> {
    return within(orCancelled(remedy, context), this.#wait, () =>
      signInError(
        this.#name,
        `${this.#name} waits for a sign-in: finish it in the browser, or with: anyport login ${this.#name}`,
      ),
    )
  }

  /** Calls that were refused for the same reason share one remedy; different remedies come one after the other. */
  #inTurn(key: string, task: () => Promise<Remedy>): Promise<Remedy> {
    let flight = this.#flights.get(key)
    if (flight === undefined) {
      flight = this.#last.then(task).finally(() => this.#flights.delete(key))
      this.#flights.set(key, flight)
      this.#last = flight.catch(() => {})
    }
    return flight
  }

  async #renewed(context: Context): Promise<RequestHeaders> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
    await orCancelled(this.#renewing, context)
    return this.#headers
  }

  async #renew(): Promise<void> {
    await this.#look()
    if (Date.now() < this.#usableUntil) return
    const tokens = this.#record?.tokens
    if (tokens === undefined || !this.#isRenewable()) return
    try {
      await this.#renewTokens(tokens)
      // Also where it lives so short that it should be renewed again already.
      const renewed = this.#record?.tokens
      if (renewed !== undefined && renewed.accessToken !== tokens.accessToken) this.#headers = bearer(renewed)
    } catch (error) {
      // It is renewed a little early: until it has expired, trouble of the authorization server is none of ours.
      if (tokens.expiresAt === undefined || tokens.expiresAt <= Date.now()) throw error
      this.#headers = bearer(tokens)
      this.#usableUntil = Math.min(tokens.expiresAt, Date.now() + LOOK_INTERVAL)
    }
  }

  async #renewTokens(tokens: Tokens): Promise<void> {
    const { renewTokens } = await import('./renew-tokens.js')
    this.#adopt(await renewTokens(tokens, this.#options))
  }

  /** In the background: the headers at hand are good. */
  #lookAgain(now: number): void {
    this.#lookedAt = now
    this.#look().catch(() => {})
  }

  async #look(): Promise<void> {
    this.#adopt(await this.#options.store.read())
  }

  #adopt(credentials: Credentials): void {
    const record = this.#ours(credentials)
    const tokens = record?.tokens
    this.#lookedAt = Date.now()
    if (tokens !== undefined && tokens.accessToken !== this.#record?.tokens?.accessToken)
      this.#failure = undefined
    this.#record = record
    this.#usableUntil = tokens === undefined ? 0 : usableUntil(tokens, this.#isRenewable())
    this.#headers = tokens === undefined || this.#usableUntil <= Date.now() ? UNSIGNED : bearer(tokens)
  }

  /** The sign-in in use, if it is one that the settings ask for. */
  #ours(credentials: Credentials): SignInRecord | undefined {
    const { clientId, issuer, grant } = this.#options
    const record = currentRecord(credentials)
    if (record === undefined) return undefined
    if (clientId !== undefined && record.client.id !== clientId) return undefined
    if (issuer !== undefined && !isSameIssuer(record.metadata.issuer, issuer)) return undefined
    return grant !== undefined && record.grant !== grant ? undefined : record
  }

  #isRenewable(): boolean {
    return this.#record !== undefined && isRenewable(this.#record, this.#options)
  }

  /** 401: the token that was sent is not good, or there was none. `again`: neither is the one that it was renewed to. */
  async #mend(
    sent: string | undefined,
    challenge: BearerChallenge | undefined,
    again: boolean,
  ): Promise<Remedy> {
    await this.#look()
    if (this.#hasOther(sent)) return this.#remedy('other')
    const tokens = this.#record?.tokens
    if (tokens !== undefined && !again && this.#isRenewable() && (await this.#mayRenew(tokens, challenge))) {
      await this.#renewTokens(tokens)
      const renewed = this.#record?.tokens
      if (renewed !== undefined && renewed.accessToken !== tokens.accessToken) return this.#remedy('renewal')
    }
    return await this.#signIn(challenge)
  }

  /** Tokens may live so short that one ends on its way to the server. */
  #hasExpired(token: string | undefined): boolean {
    const tokens = this.#record?.tokens
    return tokens?.accessToken === token && (tokens?.expiresAt ?? Number.POSITIVE_INFINITY) <= Date.now()
  }

  async #mayRenew(tokens: Tokens, challenge: BearerChallenge | undefined): Promise<boolean> {
    if (tokens.expiresAt !== undefined && tokens.expiresAt <= Date.now()) return true
    // Refused before its time: perhaps the server has another authorization server by now, which must not get what this one gave.
    const issuers = await issuersNow(this.#discovery(challenge))
    return (
      issuers === undefined ||
      issuers.some(issuer => isSameIssuer(issuer, this.#record?.metadata.issuer ?? ''))
    )
  }

  /** Nobody is asked to sign in for such a server again. */
  #neverGood(): Error {
    this.#failure = signInError(
      this.#name,
      `${this.#name} refuses the token that ${this.#record?.metadata.issuer} has just given for it`,
    )
    return this.#failure as Error
  }

  /** 403: the token is good, but not for this. */
  async #stepUp(sent: string | undefined, challenge: BearerChallenge): Promise<Remedy> {
    await this.#look()
    if (this.#hasOther(sent)) return this.#remedy('other')
    if (sent === undefined) return await this.#signIn(challenge)
    const demanded = challenge.scopes ?? []
    const scopes = raisedScopes(this.#record?.requestedScopes ?? [], demanded)
    const key = scopes.join(' ')
    const missing = lacking(demanded, this.#record?.tokens?.scopes ?? [])
    if (missing.length === 0 || this.#stepUps.has(key) || this.#stepUps.size >= MAX_STEP_UPS) {
      throw signInError(
        this.#name,
        missing.length === 0
          ? `${this.#name} refuses a call for lack of scope, although the sign-in has all that it demands (${demanded.join(' ')})`
          : `${this.#name} demands more than the sign-in was granted: ${missing.join(' ')}`,
        { knob: '--scope' },
      )
    }
    this.#stepUps.add(key)
    return await this.#signIn(challenge, scopes)
  }

  /** True where somebody has got another token meanwhile. */
  #hasOther(sent: string | undefined): boolean {
    return this.#headers !== UNSIGNED && this.#record?.tokens?.accessToken !== sent
  }

  async #signIn(challenge: BearerChallenge | undefined, scopes?: readonly string[]): Promise<Remedy> {
    if (this.#failure !== undefined) throw this.#failure
    const before = this.#record?.tokens?.accessToken
    const { sharedSignIn } = await import('./shared-sign-in.js')
    const { credentials, failure } = await sharedSignIn(this.#options, {
      discovery: this.#discovery(challenge),
      challenged: challenge?.scopes,
      scopes,
      isNew: read => {
        const tokens = this.#ours(read)?.tokens
        return tokens !== undefined && tokens.accessToken !== before && !isOver(tokens)
      },
    })
    if (failure !== undefined) {
      this.#failure = failure
      throw failure
    }
    this.#adopt(credentials)
    return this.#remedy('sign-in')
  }

  #remedy(by: Remedy['by']): Remedy {
    return { token: this.#record?.tokens?.accessToken, by, at: Date.now() }
  }

  #discovery(challenge: BearerChallenge | undefined) {
    const { server, issuer, limits } = this.#options
    const known = this.#record === undefined ? [] : [this.#record.metadata.issuer]
    return { server, announced: challenge?.resourceMetadata, issuer, known, limits }
  }
}

/** A renewal takes a moment, in which the old token must still be good: 30 seconds, or less for tokens of a short life. */
const MAX_MARGIN = 30_000
const MARGIN = 0.1

function usableUntil({ issuedAt, expiresAt }: Tokens, renewable: boolean): number {
  if (expiresAt === undefined) return Number.POSITIVE_INFINITY
  return renewable ? expiresAt - Math.min(MAX_MARGIN, (expiresAt - issuedAt) * MARGIN) : expiresAt
}

function isOver({ expiresAt, refreshToken }: Tokens): boolean {
  return expiresAt !== undefined && expiresAt <= Date.now() && refreshToken === undefined
}

function bearer({ accessToken }: Tokens): RequestHeaders {
  return { authorization: `Bearer ${accessToken}` }
}

function tokenOf(sent: RequestHeaders): string | undefined {
  const value = sent.authorization ?? sent.Authorization
  return value?.startsWith('Bearer ') ? value.slice(7) : undefined
}
