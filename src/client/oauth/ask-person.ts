/** A sign-in by the authorization code flow with PKCE (basic/authorization, Authorization Flow Steps). */

import * as oauth from 'oauth4webapi'
import { nameOf } from './addresses.js'
import type { RequestLimits } from './bounded-fetch.js'
import { clientIdentity } from './client-identity.js'
import type { ClientSettings } from './client-settings.js'
import type { ClientIdentity, SignInRecord } from './credentials.js'
import type { Discovery } from './discovery.js'
import { foreignText, signInError } from './failures.js'
import type { AnswerReceiver, Person } from './person.js'
import { exchangeCode, GrantGone } from './token-requests.js'

export interface PersonRequest {
  readonly server: URL
  readonly discovery: Discovery
  readonly settings: ClientSettings
  readonly known: ClientIdentity | undefined
  readonly scopes: readonly string[]
  readonly limits: RequestLimits
  readonly person: Person
  /** Milliseconds for the person. */
  readonly patience: number
  readonly onAsked: (url: string) => void
  /** Gives up. */
  readonly signal: AbortSignal
}

export async function askPerson(request: PersonRequest): Promise<SignInRecord> {
  const { server, discovery, person, known } = request
  const { metadata } = discovery
  if (metadata.authorization_endpoint === undefined) {
    throw signInError(
      nameOf(server),
      `The authorization server ${metadata.issuer} has no page for people to sign in at`,
    )
  }
  // MUST refuse to proceed (Authorization Code Protection).
  if (!metadata.code_challenge_methods_supported?.includes('S256')) {
    throw signInError(
      nameOf(server),
      `The authorization server ${metadata.issuer} does not say that it supports PKCE with S256 (code_challenge_methods_supported); without it ` +
        'a sign-in is not safe',
    )
  }
  const receiver = await person.receive(known?.redirectUri)
  try {
    return await signInWith(receiver, request, new URL(metadata.authorization_endpoint))
  } finally {
    await receiver.close()
  }
}

async function signInWith(
  receiver: AnswerReceiver,
  request: PersonRequest,
  endpoint: URL,
): Promise<SignInRecord> {
  const { server, discovery, settings, scopes, limits, known, signal } = request
  const { metadata, resource, certain } = discovery
  const { redirectUri } = receiver
  const client = await clientIdentity({
    ...{ server, metadata, certain, settings },
    ...{ known, redirectUri, scopes, limits },
  })
  // What the answer is checked against is made for this request alone, and never leaves it.
  const state = oauth.generateRandomState()
  const verifier = oauth.generateRandomCodeVerifier()
  const address = new URL(endpoint)
  const parameters: Record<string, string | undefined> = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: redirectUri,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
    scope: scopes.length === 0 ? undefined : scopes.join(' '),
    // OpenID Connect Core section 11: without it, offline access is not granted.
    prompt: scopes.includes('offline_access') ? 'consent' : undefined,
  }
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined) address.searchParams.set(name, value)
  }
  const patience = new AbortController()
  const stop = () => patience.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(() => patience.abort(tooLate(request)), request.patience)
  try {
    if (signal.aborted) throw signal.reason
    request.onAsked(address.href)
    const answer = await receiver.ask(address, state, patience.signal)
    try {
      const parameters = checkedAnswer(answer.parameters, state, request, client)
      const grant = await exchangeCode(
        { metadata, client, resource, server: nameOf(server), key: settings.clientKey, limits },
        { answer: parameters, redirectUri, verifier, scopes },
      )
      answer.conclude(undefined)
      return {
        metadata,
        resource,
        client,
        grant: 'authorization_code',
        tokens: grant.tokens,
        requestedScopes: scopes,
        signedInAt: Date.now(),
        ...(grant.account === undefined ? {} : { account: grant.account }),
      }
    } catch (error) {
      const failure = error instanceof GrantGone ? codeRefused(error, request) : error
      answer.conclude(failure as Error)
      throw failure
    }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}

/** `iss` and `state`, before anything else of the answer is looked at, errors included (Authorization Response Validation). */
function checkedAnswer(
  parameters: URLSearchParams,
  state: string,
  { server, discovery: { metadata } }: PersonRequest,
  client: ClientIdentity,
): URLSearchParams {
  try {
    return oauth.validateAuthResponse(metadata, { client_id: client.id }, parameters, state)
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      const words = [error.error, error.error_description].filter(text => text !== undefined).join(': ')
      const denied = error.error === 'access_denied' ? 'was refused' : 'failed'
      throw signInError(nameOf(server), `The sign-in at ${metadata.issuer} ${denied} (${foreignText(words)})`)
    }
    // Only the library's words: its error carries the answer, and with it the code.
    const words = error instanceof Error ? error.message : 'an unknown answer'
    throw signInError(
      nameOf(server),
      `The answer to the sign-in did not come from ${metadata.issuer}, or not as it must (${words}), so it is not used`,
    )
  }
}

function codeRefused({ reason }: GrantGone, { server, discovery: { metadata } }: PersonRequest): Error {
  return signInError(
    nameOf(server),
    reason === 'grant'
      ? `The authorization server ${metadata.issuer} does not accept the code that it has just given`
      : `The authorization server ${metadata.issuer} does not accept our client id or secret`,
    { knob: reason === 'client' ? '--client-id' : undefined } as { readonly knob?: string },
  )
}

function tooLate({ server, patience }: PersonRequest): Error {
  return signInError(
    nameOf(server),
    `Nobody signed in to ${nameOf(server)} within ${Math.round(patience / 1_000)} s; sign in with: anyport login ${nameOf(server)}`,
    { knob: '--sign-in-timeout' },
  )
}
