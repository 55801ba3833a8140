/** Everything about where to sign in to a server. */

import { within } from '../../exchange/deadline.js'
import { canonicalResource, nameOf } from './addresses.js'
import {
  type AuthorizationServerMetadata,
  discoverAuthorizationServer,
  isSameIssuer,
  legacyAuthorizationServer,
} from './authorization-server.js'
import type { RequestLimits } from './bounded-fetch.js'
import { signInError, unreachable } from './failures.js'
import { discoverResource, type ProtectedResource } from './protected-resource.js'

export interface Discovery {
  readonly resource: string
  /** What the server suggests to ask for. */
  readonly scopes: readonly string[] | undefined
  readonly metadata: AuthorizationServerMetadata
  /** False where the server says nothing, and the standard addresses are taken for granted. */
  readonly certain: boolean
}

export interface DiscoveryRequest {
  readonly server: URL
  /** Where the server's challenge says that its metadata is. */
  readonly announced: string | undefined
  /** The only authorization server that may be used. */
  readonly issuer: string | undefined
  /** Preferred where the server names several. */
  readonly known: readonly string[]
  readonly limits: RequestLimits
}

/** Milliseconds for all requests together: whoever starts us waits for it. */
const LIMIT = 20_000

export async function discover(request: DiscoveryRequest): Promise<Discovery> {
  return await within(discoverNow(request), LIMIT, () =>
    unreachable(request.server, `no answer about where to sign in within ${LIMIT / 1_000} s`),
  )
}

/** The issuers that the server names now. Undefined where it names none, or cannot be asked. */
export async function issuersNow(request: DiscoveryRequest): Promise<readonly string[] | undefined> {
  try {
    return (await discoverResource(request.server, request.announced, request.limits))?.authorizationServers
  } catch {
    return undefined
  }
}

async function discoverNow(request: DiscoveryRequest): Promise<Discovery> {
  const { server, announced, limits } = request
  const resource = await discoverResource(server, announced, limits)
  if (resource === undefined) {
    const about = { resource: canonicalResource(server), scopes: undefined }
    if (request.issuer === undefined) {
      const { metadata, found } = await legacyAuthorizationServer(server, limits)
      return { ...about, metadata, certain: found }
    }
    const metadata = await discoverAuthorizationServer(request.issuer, server, limits)
    return { ...about, metadata, certain: true }
  }
  const { scopes } = resource
  let failure: unknown
  for (const issuer of inOrder(resource, request)) {
    try {
      const metadata = await discoverAuthorizationServer(issuer, server, limits)
      return { resource: resource.resource, scopes, metadata, certain: true }
    } catch (error) {
      failure ??= error
    }
  }
  throw failure
}

/** The one that a person chose, else the one that we know already, else as listed. */
function inOrder({ authorizationServers }: ProtectedResource, { issuer, known, server }: DiscoveryRequest) {
  if (issuer === undefined) {
    const isKnown = (listed: string) => known.some(other => isSameIssuer(listed, other))
    return [...authorizationServers].sort((a, b) => Number(isKnown(b)) - Number(isKnown(a)))
  }
  const chosen = authorizationServers.filter(listed => isSameIssuer(listed, issuer))
  if (chosen.length > 0) return chosen
  throw signInError(
    nameOf(server),
    `${nameOf(server)} does not name the authorization server ${issuer}, but ${authorizationServers.join(', ')}`,
    { knob: '--issuer' },
  )
}
