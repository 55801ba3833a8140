/** What is remembered of a sign-in, and where: a seam, so that many processes may share one file. */

import type { AuthorizationServerMetadata } from './authorization-server.js'

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken?: string
  /** Milliseconds since 1970. */
  readonly issuedAt: number
  /** Milliseconds since 1970; undefined where the authorization server does not say. */
  readonly expiresAt?: number
  /** What was granted, as far as the authorization server says; else what was asked for. */
  readonly scopes: readonly string[]
}

/** Who we are to one authorization server. Never shown to another one (Authorization Server Binding). */
export interface ClientIdentity {
  readonly id: string
  readonly secret?: string
  /** Milliseconds since 1970. */
  readonly secretExpiresAt?: number
  readonly authMethod?: string
  /** `configured` by a person, the address of a metadata `document`, or `registered` by ourselves. */
  readonly origin: 'configured' | 'document' | 'registered'
  /** Where it may be redirected to, where we registered it ourselves. */
  readonly redirectUri?: string
}

/** All that is known about signing in to one server by one authorization server. */
export interface SignInRecord {
  readonly metadata: AuthorizationServerMetadata
  readonly resource: string
  readonly client: ClientIdentity
  readonly grant: 'authorization_code' | 'client_credentials'
  readonly tokens?: Tokens
  /** Milliseconds since 1970; renewals do not change it. */
  readonly signedInAt: number
  /** The person, as the authorization server names them. Only shown. */
  readonly account?: string
  /** What was asked for at the last sign-in. */
  readonly requestedScopes: readonly string[]
}

export interface Credentials {
  /** The issuer that was used last. */
  readonly current?: string
  readonly issuers: Readonly<Record<string, SignInRecord>>
  /** The last sign-in that a person was asked for in vain. */
  readonly failure?: { readonly at: number; readonly message: string }
}

/** The credentials for one server. */
export interface CredentialStore {
  read(): Promise<Credentials>
  /**
   * Alone among all who share the credentials, for some seconds at most. Rejects where that takes too long. What is written is read
   * again in any case, by others only where it could be stored.
   */
  exclusively<T>(task: (held: HeldCredentials) => Promise<T>): Promise<T>
  /** The right to ask a person, until it is released; undefined while somebody else has it. */
  claimSignIn(): Promise<(() => Promise<void>) | undefined>
}

export interface HeldCredentials {
  readonly credentials: Credentials
  write(next: Credentials): Promise<void>
}

export const NO_CREDENTIALS: Credentials = { issuers: {} }

export function currentRecord({ current, issuers }: Credentials): SignInRecord | undefined {
  return current === undefined ? undefined : issuers[current]
}

/** With this record as the one in use. */
export function withRecord(credentials: Credentials, record: SignInRecord): Credentials {
  const { issuer } = record.metadata
  return { current: issuer, issuers: { ...credentials.issuers, [issuer]: record } }
}

export function withoutRecord(credentials: Credentials, issuer: string): Credentials {
  const { [issuer]: _gone, ...issuers } = credentials.issuers
  return credentials.current === issuer || credentials.current === undefined
    ? { issuers }
    : { current: credentials.current, issuers }
}

/** Credentials that nobody shares, gone with the process. */
export function memoryCredentials(initial = NO_CREDENTIALS): CredentialStore {
  let credentials = initial
  let last: Promise<unknown> = Promise.resolve()
  let claimed = false
  return {
    read: async () => credentials,
    exclusively(task) {
      const turn = last.then(() =>
        task({
          credentials,
          async write(next) {
            credentials = next
          },
        }),
      )
      last = turn.catch(() => {})
      return turn
    },
    async claimSignIn() {
      if (claimed) return undefined
      claimed = true
      return async () => {
        claimed = false
      }
    },
  }
}
