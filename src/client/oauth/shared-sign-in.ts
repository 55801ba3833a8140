/** A sign-in that one of many processes does, and from which all have the outcome. */

import { nameOf } from './addresses.js'
import { askPerson } from './ask-person.js'
import type { RequestLimits } from './bounded-fetch.js'
import { configuredIdentity } from './client-identity.js'
import type { ClientSettings } from './client-settings.js'
import {
  type ClientIdentity,
  type CredentialStore,
  type Credentials,
  type SignInRecord,
  withoutRecord,
  withRecord,
} from './credentials.js'
import { type Discovery, type DiscoveryRequest, discover } from './discovery.js'
import { signInError } from './failures.js'
import type { Person } from './person.js'
import { initialScopes, raisedScopes } from './scopes.js'
import type { SignInEvent } from './sign-in-events.js'
import { GrantGone, requestAsClient } from './token-requests.js'

export interface SharedSignInOptions extends ClientSettings {
  readonly server: URL
  readonly store: CredentialStore
  /** Who signs in. Undefined where nobody can be asked: then a sign-in has to come from elsewhere. */
  readonly person?: Person | undefined
  /** Milliseconds a person has to sign in. Default 5 minutes. */
  readonly signInTimeout?: number | undefined
  readonly onEvent?: ((event: SignInEvent) => void) | undefined
  readonly limits: RequestLimits
  /** Gives up. */
  readonly signal: AbortSignal
}

export interface SignInNeed {
  readonly discovery: DiscoveryRequest
  readonly challenged: readonly string[] | undefined
  /** Exactly these, in place of what the server suggests. */
  readonly scopes: readonly string[] | undefined
  /** True for credentials in which somebody has signed in meanwhile. */
  readonly isNew: (credentials: Credentials) => boolean
}

export interface SignInOutcome {
  readonly credentials: Credentials
  /** A person was asked, in vain. */
  readonly failure?: unknown
}

const PATIENCE = 5 * 60_000
/** Milliseconds between two looks whether the other process is done. */
const POLL_INTERVAL = 250

/** Rejects with `TransportError` for what may be different the next time, before a person was asked. */
export async function sharedSignIn(options: SharedSignInOptions, need: SignInNeed): Promise<SignInOutcome> {
  const discovery = await discover(need.discovery)
  if (grantFor(discovery, options) === 'client_credentials')
    return await signInAsClient(options, need, discovery)
  const started = Date.now()
  const limit = (options.signInTimeout ?? PATIENCE) + 30_000
  for (let waited = false; Date.now() - started < limit; waited = true) {
    const release = await options.store.claimSignIn()
    try {
      const credentials = await options.store.read()
      if (need.isNew(credentials)) return { credentials }
      if (release !== undefined) {
        const { failure } = credentials
        // The other process has asked the person, just now. One that is gone without a word has not.
        if (waited && failure !== undefined && failure.at >= started) {
          return { credentials, failure: signInError(nameOf(options.server), failure.message) }
        }
        return await signInHere(options, need, discovery, credentials)
      }
    } finally {
      await release?.()
    }
    if (!waited) options.onEvent?.({ type: 'auth-awaited', server: nameOf(options.server) })
    await pause(options.signal)
  }
  throw signInError(
    nameOf(options.server),
    `The sign-in to ${nameOf(options.server)} that another process began does not end`,
  )
}

async function signInHere(
  options: SharedSignInOptions,
  need: SignInNeed,
  discovery: Discovery,
  credentials: Credentials,
): Promise<SignInOutcome> {
  const { server, person, limits, signal, onEvent, store } = options
  const { issuer } = discovery.metadata
  checkBinding(options, discovery, credentials)
  const known = credentials.issuers[issuer]
  const name = nameOf(options.server)
  if (person === undefined) {
    onEvent?.({ type: 'auth-required', server: name, url: undefined })
    const failure = signInError(name, `${name} needs a sign-in; sign in with: anyport login ${name}`)
    return { credentials, failure }
  }
  let asked = false
  try {
    const record = await askPerson({
      server,
      discovery,
      settings: options,
      known: known?.client,
      scopes: need.scopes ?? scopesFor(options, need, discovery, known, true),
      limits,
      person,
      patience: options.signInTimeout ?? PATIENCE,
      signal,
      onAsked(url) {
        asked = true
        onEvent?.({ type: 'auth-required', server: name, url })
      },
    })
    const signedIn = await save(store, stored => withRecord(stored, record))
    onEvent?.({ type: 'signed-in', server: name, issuer })
    return { credentials: signedIn }
  } catch (error) {
    if (!asked) throw error
    onEvent?.({ type: 'sign-in-failed', server: name, error: error as Error })
    const failed = await save(store, stored => withFailure(stored, issuer, error as Error))
    return { credentials: failed, failure: error }
  }
}

async function signInAsClient(
  options: SharedSignInOptions,
  need: SignInNeed,
  discovery: Discovery,
): Promise<SignInOutcome> {
  const { metadata, resource } = discovery
  const credentials = await options.store.read()
  checkBinding(options, discovery, credentials)
  const client = configuredIdentity(options) as ClientIdentity
  const scopes =
    need.scopes ?? scopesFor(options, need, discovery, credentials.issuers[metadata.issuer], false)
  const request = {
    metadata,
    resource,
    client,
    server: nameOf(options.server),
    key: options.clientKey,
    limits: options.limits,
  }
  try {
    const { tokens } = await requestAsClient(request, scopes)
    const record: SignInRecord = {
      metadata,
      resource,
      client,
      grant: 'client_credentials',
      tokens,
      requestedScopes: scopes,
      signedInAt: Date.now(),
    }
    return { credentials: await save(options.store, stored => withRecord(stored, record)) }
  } catch (error) {
    if (!(error instanceof GrantGone)) throw error
    throw signInError(
      nameOf(options.server),
      `The authorization server ${metadata.issuer} does not accept the client ${client.id}, or its secret or key`,
      { knob: '--client-id' },
    )
  }
}

async function save(
  store: CredentialStore,
  change: (credentials: Credentials) => Credentials,
): Promise<Credentials> {
  return await store.exclusively(async held => {
    const next = change(held.credentials)
    await held.write(next)
    return next
  })
}

function grantFor(
  { metadata }: Discovery,
  settings: ClientSettings,
): 'authorization_code' | 'client_credentials' {
  if (settings.grant !== undefined) return settings.grant
  const grants = metadata.grant_types_supported
  const secret = settings.clientSecret ?? settings.clientKey
  const only = grants?.includes('client_credentials') && !grants.includes('authorization_code')
  return only && secret !== undefined ? 'client_credentials' : 'authorization_code'
}

function scopesFor(
  { scopes }: ClientSettings,
  { challenged }: SignInNeed,
  { scopes: suggested, metadata }: Discovery,
  known: SignInRecord | undefined,
  renewable: boolean,
): readonly string[] {
  const { scopes_supported: supported } = metadata
  const initial = initialScopes({ chosen: scopes, challenged, suggested, supported, renewable })
  // What was granted step by step before is asked for at once.
  return known === undefined ? initial : raisedScopes(known.requestedScopes, initial)
}

/** Credentials that a person registered belong to the authorization server where they did (Authorization Server Binding). */
function checkBinding(options: SharedSignInOptions, { metadata }: Discovery, { issuers }: Credentials): void {
  const { clientId, issuer } = options
  if (clientId === undefined || issuer !== undefined || issuers[metadata.issuer]?.client.id === clientId)
    return
  const other = Object.values(issuers).find(
    ({ client }) => client.id === clientId && client.origin === 'configured',
  )
  if (other === undefined) return
  throw signInError(
    nameOf(options.server),
    `${nameOf(options.server)} has another authorization server by now: the client ${clientId} was registered at ${other.metadata.issuer}, not at ` +
      `${metadata.issuer}. If it is known there too, say so with --issuer ${metadata.issuer}`,
    { knob: '--issuer' },
  )
}

/** A registration may be the very reason: the next sign-in makes a new one. */
function withFailure(credentials: Credentials, issuer: string, error: Error): Credentials {
  const known = credentials.issuers[issuer]
  const kept =
    known?.client.origin === 'registered' && known.tokens?.refreshToken === undefined
      ? withoutRecord(credentials, issuer)
      : credentials
  return { ...kept, failure: { at: Date.now(), message: error.message } }
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, POLL_INTERVAL)
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
