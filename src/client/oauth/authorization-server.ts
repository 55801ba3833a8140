/** What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0). */

import { mayVisit } from '../../exchange/reachable-address.js'
import { nameOf, parseAddress } from './addresses.js'
import { type FetchedDocument, fetchDocument, forbidden, type RequestLimits } from './bounded-fetch.js'
import { signInError, unreachable } from './failures.js'

/** The members that are used, by their names in the document, as the library for the protocol wants them (a type, as only those have an index signature). */
export type AuthorizationServerMetadata = {
  readonly issuer: string
  readonly authorization_endpoint?: string
  readonly token_endpoint: string
  readonly registration_endpoint?: string
  readonly revocation_endpoint?: string
  readonly scopes_supported?: string[]
  readonly grant_types_supported?: string[]
  readonly token_endpoint_auth_methods_supported?: string[]
  readonly code_challenge_methods_supported?: string[]
  readonly authorization_response_iss_parameter_supported?: boolean
  readonly client_id_metadata_document_supported?: boolean
}

/** Rejects where the document is missing, or about another issuer. */
export async function discoverAuthorizationServer(
  issuer: string,
  server: URL,
  limits: RequestLimits,
): Promise<AuthorizationServerMetadata> {
  const address = parseAddress(issuer)
  if (address === undefined || !mayVisit(address, server)) throw forbidden(address ?? server, server)
  const found = await findMetadata(address, server, limits)
  if (found === undefined) {
    throw signInError(
      nameOf(server),
      `The authorization server ${issuer} has no metadata: none of ${wellKnownAddresses(address).join(', ')} answers with a document`,
    )
  }
  return parseMetadata(found, issuer, server)
}

/**
 * As servers of 2025-03-26 have it: the server's origin issues tokens itself, with metadata or at the standard addresses
 * (2025-03-26 basic/authorization, Fallbacks for Servers without Metadata Discovery).
 */
export async function legacyAuthorizationServer(
  server: URL,
  limits: RequestLimits,
): Promise<{ readonly metadata: AuthorizationServerMetadata; readonly found: boolean }> {
  const origin = new URL(server.origin)
  if (!mayVisit(origin, server)) throw forbidden(origin, server)
  const found = await findMetadata(origin, server, limits)
  if (found !== undefined) return { metadata: parseMetadata(found, server.origin, server), found: true }
  const metadata = {
    issuer: server.origin,
    authorization_endpoint: `${server.origin}/authorize`,
    token_endpoint: `${server.origin}/token`,
    registration_endpoint: `${server.origin}/register`,
    code_challenge_methods_supported: ['S256'],
  }
  return { metadata, found: false }
}

/** Identical, but for the slash of an empty path. */
export function isSameIssuer(a: string, b: string): boolean {
  return withoutSlash(a) === withoutSlash(b)
}

async function findMetadata(
  issuer: URL,
  server: URL,
  limits: RequestLimits,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  let trouble: Error | undefined
  for (const address of wellKnownAddresses(issuer)) {
    const found: FetchedDocument = await fetchDocument(new URL(address), server, limits)
    if (found.status >= 500) trouble = unreachable(found.url, `answers ${found.status}`)
    if (found.status === 200 && found.json !== undefined && 'issuer' in found.json) return found.json
  }
  if (trouble !== undefined) throw trouble
  return undefined
}

/** In the order of the specification (Authorization Server Metadata Discovery). */
function wellKnownAddresses(issuer: URL): readonly string[] {
  const path = issuer.pathname.replace(/\/$/, '')
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    name => `${issuer.origin}/.well-known/${name}${path}`,
  )
  return path === '' ? inserted : [...inserted, `${issuer.origin}${path}/.well-known/openid-configuration`]
}

function parseMetadata(
  json: Readonly<Record<string, unknown>>,
  issuer: string,
  server: URL,
): AuthorizationServerMetadata {
  // Identical, but for the slash of an empty path: both spellings lead to the same well-known address, and the frameworks of
  // some servers add it. What the document has is what counts from then on.
  if (typeof json.issuer !== 'string' || !isSameIssuer(json.issuer, issuer)) {
    throw signInError(
      nameOf(server),
      `The metadata of the authorization server ${issuer} names another issuer, so it is not used (RFC 8414 section 3.3)`,
    )
  }
  const endpoint = (name: string): string | undefined => {
    const address = json[name] === undefined ? undefined : parseAddress(json[name])
    if (address === undefined) return undefined
    if (!mayVisit(address, server)) throw forbidden(address, server)
    return json[name] as string
  }
  const token = endpoint('token_endpoint')
  if (token === undefined) {
    throw signInError(nameOf(server), `The authorization server ${issuer} names no token endpoint`)
  }
  const optional = {
    authorization_endpoint: endpoint('authorization_endpoint'),
    registration_endpoint: endpoint('registration_endpoint'),
    revocation_endpoint: endpoint('revocation_endpoint'),
    scopes_supported: strings(json.scopes_supported),
    grant_types_supported: strings(json.grant_types_supported),
    token_endpoint_auth_methods_supported: strings(json.token_endpoint_auth_methods_supported),
    code_challenge_methods_supported: strings(json.code_challenge_methods_supported),
    authorization_response_iss_parameter_supported: truth(
      json.authorization_response_iss_parameter_supported,
    ),
    client_id_metadata_document_supported: truth(json.client_id_metadata_document_supported),
  }
  return {
    issuer: json.issuer,
    token_endpoint: token,
    ...(Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)) as Omit<
      AuthorizationServerMetadata,
      'issuer' | 'token_endpoint'
    >),
  }
}

function withoutSlash(issuer: string): string {
  return /^https?:\/\/[^/]+\/$/.test(issuer) ? issuer.slice(0, -1) : issuer
}

function strings(value: unknown): string[] | undefined {
  return Array.isArray(value) ? value.filter(item => typeof item === 'string') : undefined
}

function truth(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined
}
