/** What a person decides about signing in. */

import type { Fetch } from './bounded-fetch.js'
import type { SignInRecord } from './credentials.js'

export interface ClientSettings {
  /** A client that was registered by hand. */
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  /** Signs the client's assertions (`private_key_jwt`) in place of a secret. */
  readonly clientKey?: SigningKey | undefined
  /** The address of our Client ID Metadata Document: https, with a path. */
  readonly clientMetadataUrl?: string | undefined
  /** Asked for in place of what the server suggests; what it demands later is added. */
  readonly scopes?: readonly string[] | undefined
  /** The only authorization server to use: with a client that was registered by hand, the one where it was. */
  readonly issuer?: string | undefined
  /**
   * `authorization_code` asks a person, `client_credentials` nobody. Default: the first, unless the authorization server
   * has only the second and there is a secret or a key.
   */
  readonly grant?: 'authorization_code' | 'client_credentials' | undefined
  /** Default: that of the platform. */
  readonly fetch?: Fetch | undefined
  /** Milliseconds that one request to an authorization server, or for metadata, may take. Default 10 seconds. */
  readonly requestTimeout?: number | undefined
}

export interface SigningKey {
  readonly key: CryptoKey
  /** `kid` of the assertions, where the authorization server knows several keys. */
  readonly id?: string
}

/** Throws `TypeError` for settings that cannot work. */
export function checkSettings(settings: ClientSettings): void {
  const { clientId, clientSecret, clientKey, clientMetadataUrl, grant, issuer } = settings
  if ((clientSecret !== undefined || clientKey !== undefined) && clientId === undefined) {
    throw new TypeError('A client secret or key needs the client id that it belongs to (--client-id)')
  }
  if (clientSecret !== undefined && clientKey !== undefined) {
    throw new TypeError('A client has a secret or a key, not both')
  }
  if (grant === 'client_credentials' && clientSecret === undefined && clientKey === undefined) {
    throw new TypeError('The grant client_credentials needs a client id with a secret or a key')
  }
  if (clientMetadataUrl !== undefined) {
    const url = URL.canParse(clientMetadataUrl) ? new URL(clientMetadataUrl) : undefined
    if (url?.protocol !== 'https:' || url.pathname === '/' || url.hash !== '') {
      throw new TypeError(
        `${JSON.stringify(clientMetadataUrl)} is no address of a client metadata document: it must be https and have a path`,
      )
    }
  }
  if (issuer !== undefined && !URL.canParse(issuer)) {
    throw new TypeError(
      `${JSON.stringify(issuer)} is no issuer; write its address, for example https://auth.example.com`,
    )
  }
}

/** With a refresh token, or as a client that needs no person. */
export function isRenewable({ grant, tokens, client }: SignInRecord, settings: ClientSettings): boolean {
  if (tokens === undefined) return false
  if (grant === 'authorization_code') return tokens.refreshToken !== undefined
  return (
    client.secret !== undefined || settings.clientSecret !== undefined || settings.clientKey !== undefined
  )
}
