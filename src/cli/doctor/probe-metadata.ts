/** What a server that wants a sign-in says about where. */

import { parseBearerChallenge } from '../../client/oauth/challenge.js'
import { fetchOver } from '../../client/oauth/fetch-over.js'
import { discoverResource } from '../../client/oauth/protected-resource.js'
import type { RemoteTarget } from '../../client/remote.js'
import { TransportError } from '../../exchange/errors.js'
import type { SeenAnswer } from './recording-client.js'

export interface MetadataFacts {
  /** The server's `WWW-Authenticate` names where it is. */
  readonly announced: boolean
  /** A document was found, and is about this server. */
  readonly found: boolean
  /** What the document says that it is about, where that is another server. */
  readonly resource: string | undefined
  /** Why it cannot be read. */
  readonly error: unknown
}

export async function metadataOf(
  answers: readonly SeenAnswer[],
  { remote }: RemoteTarget,
  limit: number,
): Promise<MetadataFacts> {
  const challenge = answers.findLast(({ status }) => status === 401)?.challenge
  const announced = parseBearerChallenge(challenge)?.resourceMetadata
  let resource: string | undefined
  const ask = fetchOver(remote.client)
  const limits = {
    timeout: Math.max(100, limit / 3),
    fetch: async (url: string, init: RequestInit) => {
      const response = await ask(url, init)
      const json: unknown = await response
        .clone()
        .json()
        .catch(() => undefined)
      const named = (json as { readonly resource?: unknown } | undefined)?.resource
      if (response.status === 200 && typeof named === 'string') resource = named
      return response
    },
  }
  try {
    const found = await discoverResource(new URL(remote.url), announced, limits)
    return {
      announced: announced !== undefined,
      found: found !== undefined,
      resource: undefined,
      error: undefined,
    }
  } catch (error) {
    const isMismatch =
      error instanceof TransportError && error.code === 'ERR_SIGN_IN' && resource !== undefined
    return {
      announced: announced !== undefined,
      found: false,
      resource: isMismatch ? resource : undefined,
      error,
    }
  }
}
