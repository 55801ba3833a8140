/** A new access token without a person: once for all who share the credentials. */

import { nameOf } from './addresses.js'
import type { RequestLimits } from './bounded-fetch.js'
import { configuredIdentity } from './client-identity.js'
import type { ClientSettings } from './client-settings.js'
import {
  type CredentialStore,
  type Credentials,
  currentRecord,
  type HeldCredentials,
  type SignInRecord,
  type Tokens,
  withoutRecord,
  withRecord,
} from './credentials.js'
import { signInError } from './failures.js'
import type { SignInEvent } from './sign-in-events.js'
import { type Grant, GrantGone, refresh, requestAsClient } from './token-requests.js'

export interface RenewalOptions extends ClientSettings {
  readonly server: URL
  readonly store: CredentialStore
  readonly limits: RequestLimits
  readonly onEvent?: ((event: SignInEvent) => void) | undefined
}

/**
 * What is stored once the tokens are not `old` any more. A refresh token that is not accepted has ended the sign-in: it is removed
 * with its tokens. Rejects with `TransportError` where the authorization server does not answer; then `old` may be tried again.
 */
export async function renewTokens(old: Tokens, options: RenewalOptions): Promise<Credentials> {
  return await options.store.exclusively(async held => {
    const record = currentRecord(held.credentials)
    // Somebody else was faster, has signed in again, or has signed out.
    if (record?.tokens?.accessToken !== old.accessToken) return held.credentials
    const renewed = await renewedCredentials(record, record.tokens, held, options)
    await held.write(renewed)
    return renewed
  })
}

async function renewedCredentials(
  record: SignInRecord,
  tokens: Tokens,
  { credentials }: HeldCredentials,
  options: RenewalOptions,
): Promise<Credentials> {
  try {
    const grant = await renew(record, tokens, options)
    return withRecord(credentials, { ...record, tokens: grant.tokens })
  } catch (error) {
    if (!(error instanceof GrantGone)) throw error
    const server = nameOf(options.server)
    const { issuer } = record.metadata
    if (error.reason === 'client' && record.client.origin === 'configured') {
      throw signInError(
        server,
        `The authorization server ${issuer} does not accept the client ${record.client.id}, or its secret`,
        {
          knob: '--client-id',
        },
      )
    }
    options.onEvent?.({ type: 'sign-in-ended', server, issuer })
    // A registration that is forgotten there is of no use here.
    if (error.reason === 'client') return withoutRecord(credentials, issuer)
    const { tokens: _ended, ...kept } = record
    return withRecord(credentials, kept)
  }
}

async function renew(record: SignInRecord, tokens: Tokens, options: RenewalOptions): Promise<Grant> {
  const { metadata, resource } = record
  const request = {
    metadata,
    resource,
    client: configuredIdentity(options) ?? record.client,
    server: nameOf(options.server),
    key: options.clientKey,
    limits: options.limits,
  }
  return record.grant === 'client_credentials'
    ? await requestAsClient(request, record.requestedScopes)
    : await refresh(request, tokens)
}
