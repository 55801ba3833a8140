/** The end of a sign-in that a person asks for. */

import { nameOf } from './addresses.js'
import type { RequestLimits } from './bounded-fetch.js'
import type { Credentials } from './credentials.js'
import { revoke } from './token-requests.js'

export interface SignOut {
  readonly issuer: string
  /** False where the authorization server cannot be told, so that the tokens live until they expire. */
  readonly revoked: boolean
}

/** Tells each authorization server that its tokens are not needed any more. Never rejects. */
export async function revokeAll(
  server: URL,
  { issuers }: Credentials,
  limits: RequestLimits,
): Promise<readonly SignOut[]> {
  const signedIn = Object.values(issuers).filter(({ tokens }) => tokens !== undefined)
  return await Promise.all(
    signedIn.map(async ({ metadata, client, resource, tokens }) => ({
      issuer: metadata.issuer,
      revoked:
        tokens !== undefined &&
        (await revoke(
          { metadata, client, resource, server: nameOf(server), key: undefined, limits },
          tokens,
        )),
    })),
  )
}
