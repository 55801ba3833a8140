/** Which addresses a server may send us to, and how it is itself called. */

import { nameOfUrl } from '../../exchange/http-address.js'

/**
 * True where what `server` told us may be fetched or opened: https, or plain http on this machine where the server itself is
 * on this machine (basic/authorization/security-considerations, Communication Security). A server elsewhere must not make us
 * call services of this machine or of its local network by their numbers.
 */
export function mayVisit(address: URL, server: URL): boolean {
  if (address.username !== '' || address.password !== '') return false
  const inside = isLoopback(address.hostname)
  if (address.protocol === 'http:') return inside && isLoopback(server.hostname)
  if (address.protocol !== 'https:') return false
  if (inside) return isLoopback(server.hostname)
  return !isLocalNumber(address.hostname) || isLocalNumber(server.hostname) || isLoopback(server.hostname)
}

/** The address that `text` names, resolved against nothing; undefined where it is none. */
export function parseAddress(text: unknown): URL | undefined {
  if (typeof text !== 'string' || text.length > MAX_ADDRESS) return undefined
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(\.\d{1,3}){3}$/.test(hostname)
  )
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

/** Private, link-local and unspecified addresses written as numbers; `URL` has normalized every way to write them. */
function isLocalNumber(hostname: string): boolean {
  if (/^(0|10|169\.254|192\.168|172\.(1[6-9]|2\d|3[01]))\./.test(hostname) && /^[\d.]+$/.test(hostname))
    return true
  // Unique local, link-local, unspecified, and IPv4 addresses inside IPv6.
  return /^\[(f[cd]|fe[89ab]|::\]|::ffff:)/i.test(hostname)
}
