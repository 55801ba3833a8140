/** Signing in to remote servers, as the command line and the library offer it. */

import { nameOf } from '../../client/oauth/addresses.js'
import { type OAuthAuthorizer, oauthAuthorizer } from '../../client/oauth/authorizer.js'
import type { ClientSettings } from '../../client/oauth/client-settings.js'
import { fetchOver } from '../../client/oauth/fetch-over.js'
import type { SignInEvent } from '../../client/oauth/sign-in-events.js'
import type { HttpClient } from '../../exchange/http-client.js'
import { credentialFile } from './credential-file.js'
import { type PersonOptions, personAtBrowser, type SignInPrompt } from './person-at-browser.js'

export interface SignInOptions extends ClientSettings, Omit<PersonOptions, 'onPrompt'> {
  /** The folder for sign-ins. Default: `anyport/sign-ins` where the system keeps the state of programs. */
  readonly credentials?: string | undefined
  /** False where nobody can be asked: then a sign-in has to be there, or to come by `anyport login`. Default true. */
  readonly interactive?: boolean | undefined
  /** Milliseconds a person has to sign in. Default 5 minutes. */
  readonly signInTimeout?: number | undefined
  /** Milliseconds that a call waits for the person, before it says what has to be done. Default 45 seconds. */
  readonly signInWait?: number | undefined
  readonly onEvent?: ((event: SignInEvent) => void) | undefined
  /** Tells the person to open an address, or that a browser shows it. */
  readonly onPrompt?: ((prompt: SignInPrompt) => void) | undefined
}

/**
 * Signs requests to a remote server, with what is stored or what a person does. `fetch` should be that of the client that carries the
 * calls (`fetchOver`), for its proxies and certificates. Throws `TypeError` for options that cannot work.
 */
export function authorizerFor(server: string | URL, options: SignInOptions = {}): OAuthAuthorizer {
  const { credentials, interactive = true, onPrompt = () => {} } = options
  const url = new URL(server)
  return oauthAuthorizer(url, {
    ...options,
    store: credentialFile(url, {
      folder: credentials,
      onUnusable: error => options.onEvent?.({ type: 'sign-in-not-stored', server: nameOf(url), error }),
    }),
    person: interactive ? personAtBrowser({ ...options, onPrompt }) : undefined,
  })
}

/**
 * The same for `connect({ url, authorizer })`: requests for sign-ins go through the client that carries the calls, with its proxies and
 * certificates.
 */
export function oauth(
  server: string | URL,
  options: SignInOptions = {},
): (client: HttpClient) => OAuthAuthorizer {
  return client => authorizerFor(server, { ...options, fetch: options.fetch ?? fetchOver(client) })
}
