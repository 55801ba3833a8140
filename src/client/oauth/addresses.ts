/** How a server is called. */

import { nameOfUrl } from '../../exchange/http-address.js'

/** The address that `text` names, resolved against nothing; undefined where it is none. */
export function parseAddress(text: unknown): URL | undefined {
  if (typeof text !== 'string' || text.length > MAX_ADDRESS) return undefined
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/**
 * The canonical URI of a server: without the slash of an empty path (Canonical Server URI), and without the query, which should not be
 * there (RFC 8707 section 2) and may hold a secret.
 */
export function canonicalResource(server: URL): string {
  return server.pathname === '/' ? server.origin : server.origin + server.pathname
}

/** A server as a person may see it, in messages. */
export function nameOf(server: URL): string {
  return nameOfUrl(canonicalResource(server))
}

/**
 * True where metadata of `resource` is about `server`: the same, or a parent of its path (RFC 9728 section 3.3; metadata at
 * the root names the root). A server's name for itself decides whom a token is for, so anything else is refused.
 */
export function coversServer(resource: URL, server: URL): boolean {
  if (resource.origin !== server.origin || resource.hash !== '') return false
  if (resource.search !== '' && resource.search !== server.search) return false
  const parent = resource.pathname.replace(/\/$/, '')
  return server.pathname === parent || server.pathname.startsWith(`${parent}/`)
}

const MAX_ADDRESS = 4_096
