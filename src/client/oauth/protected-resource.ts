/** Where a server says who issues tokens for it (RFC 9728; basic/authorization/authorization-server-discovery). */

import { mayVisit } from '../../exchange/reachable-address.js'
import { coversServer, nameOf, parseAddress } from './addresses.js'
import { type FetchedDocument, fetchDocument, forbidden, type RequestLimits } from './bounded-fetch.js'
import { signInError, unreachable } from './failures.js'

export interface ProtectedResource {
  /** The server's name for itself, as it belongs into requests for tokens: exactly as the metadata has it. */
  readonly resource: string
  /** Issuers, exactly as the metadata has them; at least one. */
  readonly authorizationServers: readonly string[]
  readonly scopes: readonly string[] | undefined
}

/**
 * The metadata of a server: where its challenge says, else at the well-known address with its path, else at the root.
 * Undefined where there is none, as before 2025-06-18. Rejects where it is about another server, or nothing answers.
 */
export async function discoverResource(
  server: URL,
  announced: string | undefined,
  limits: RequestLimits,
): Promise<ProtectedResource | undefined> {
  let trouble: Error | undefined
  for (const address of candidates(server, announced)) {
    let found: FetchedDocument
    try {
      found = await fetchDocument(address, server, limits)
    } catch (error) {
      // Where its origin does not answer, asking it twice more takes three times as long and finds nothing.
      if (address.origin === server.origin) throw error
      trouble = error as Error
      continue
    }
    if (found.status >= 500) trouble = unreachable(address, `answers ${found.status}`)
    if (found.status === 200 && found.json !== undefined && 'authorization_servers' in found.json) {
      return parseResource(found.json, server)
    }
  }
  // A server that cannot say now is not one that has nothing to say.
  if (trouble !== undefined) throw trouble
  return undefined
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

function candidates(server: URL, announced: string | undefined): readonly URL[] {
  const path = server.pathname === '/' ? '' : server.pathname.replace(/\/$/, '')
  const wellKnown = [...new Set([`${WELL_KNOWN}${path}`, WELL_KNOWN])].map(
    at => new URL(at + (at === WELL_KNOWN ? '' : server.search), server.origin),
  )
  if (announced === undefined) return wellKnown
  const address = parseAddress(announced)
  if (address === undefined || !mayVisit(address, server)) throw forbidden(address ?? server, server)
  return [address, ...wellKnown.filter(known => known.href !== address.href)]
}

function parseResource(json: Readonly<Record<string, unknown>>, server: URL): ProtectedResource {
  const { resource, authorization_servers: issuers, scopes_supported: scopes } = json
  const named = parseAddress(resource)
  if (named === undefined || !coversServer(named, server)) {
    throw signInError(
      nameOf(server),
      `The metadata of ${nameOf(server)} is about ${named === undefined ? 'no address' : named.href}: a token for that would go to ` +
        'another server, so there is no sign-in. The server has to name itself in "resource" (RFC 9728 section 3.3)',
    )
  }
  const listed = Array.isArray(issuers) ? issuers.filter(issuer => parseAddress(issuer) !== undefined) : []
  if (listed.length === 0) {
    throw signInError(nameOf(server), `The metadata of ${nameOf(server)} names no authorization server`)
  }
  return {
    resource: resource as string,
    authorizationServers: listed,
    scopes: Array.isArray(scopes) ? scopes.filter(scope => typeof scope === 'string') : undefined,
  }
}
