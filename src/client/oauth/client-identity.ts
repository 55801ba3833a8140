/** How we become a client of an authorization server (basic/authorization/client-registration). */

import type { TransportError } from '../../exchange/errors.js'
import { nameOf } from './addresses.js'
import type { AuthorizationServerMetadata } from './authorization-server.js'
import { boundedFetch, jsonObject, type RequestLimits } from './bounded-fetch.js'
import type { ClientSettings } from './client-settings.js'
import type { ClientIdentity } from './credentials.js'
import { foreignText, signInError, unreachable } from './failures.js'

export interface IdentityRequest {
  readonly server: URL
  readonly metadata: AuthorizationServerMetadata
  /** False where the metadata is only what servers of 2025-03-26 may leave unsaid. */
  readonly certain: boolean
  readonly settings: ClientSettings
  /** From an earlier sign-in with the same authorization server. */
  readonly known: ClientIdentity | undefined
  readonly redirectUri: string
  readonly scopes: readonly string[]
  readonly limits: RequestLimits
}

/** In the order of the specification: registered by hand, by a metadata document, by ourselves. */
export async function clientIdentity(request: IdentityRequest): Promise<ClientIdentity> {
  const { server, metadata, settings, known } = request
  const configured = configuredIdentity(settings)
  if (configured !== undefined) return configured
  if (settings.clientMetadataUrl !== undefined && metadata.client_id_metadata_document_supported) {
    return { id: settings.clientMetadataUrl, authMethod: 'none', origin: 'document' }
  }
  if (known !== undefined && isUsable(known, request.redirectUri)) return known
  if (metadata.registration_endpoint !== undefined)
    return await register(request, metadata.registration_endpoint)
  throw signInError(
    nameOf(server),
    `The authorization server ${metadata.issuer} has no registration for clients that it does not know. Register one there ` +
      `with the redirect address ${request.redirectUri}, and give its id with --client-id`,
    { knob: '--client-id' },
  )
}

/** The client that a person registered; undefined where there is none. */
export function configuredIdentity({ clientId, clientSecret }: ClientSettings): ClientIdentity | undefined {
  if (clientId === undefined) return undefined
  return {
    id: clientId,
    ...(clientSecret === undefined ? {} : { secret: clientSecret }),
    origin: 'configured',
  }
}

/** A client's secret may expire before the client is used again. */
const SECRET_MARGIN = 60_000

function isUsable({ origin, redirectUri, secretExpiresAt }: ClientIdentity, wanted: string): boolean {
  if (origin !== 'registered' || redirectUri !== wanted) return false
  return secretExpiresAt === undefined || secretExpiresAt > Date.now() + SECRET_MARGIN
}

/**
 * RFC 7591. Done by hand rather than by the library: it insists on the status 201 and on `client_secret_expires_at`, which
 * servers leave out.
 */
async function register(
  { server, metadata, certain, redirectUri, scopes, limits }: IdentityRequest,
  endpoint: string,
): Promise<ClientIdentity> {
  const response = await boundedFetch(limits)(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({
      client_name: 'anyport',
      redirect_uris: [redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: registeredMethod(metadata),
      // Omitted, it is "web", for which plain http on this machine is forbidden (Application Type and Redirect URI Constraints).
      application_type: 'native',
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
    }),
  })
  const json = jsonObject(await response.text())
  if (!certain && (response.status >= 300 || typeof json?.client_id !== 'string')) throw noSignIn(server)
  if (response.status >= 500) throw unreachable(new URL(endpoint), `answers ${response.status}`)
  if (response.status >= 300 || typeof json?.client_id !== 'string') {
    const reason = [json?.error, json?.error_description].filter(text => typeof text === 'string').join(': ')
    throw signInError(
      nameOf(server),
      `The authorization server ${metadata.issuer} does not register us (${response.status}${reason === '' ? '' : `, ${foreignText(reason)}`}). ` +
        `Register a client there with the redirect address ${redirectUri}, and give its id with --client-id`,
      { knob: '--client-id' },
    )
  }
  const {
    client_secret: secret,
    client_secret_expires_at: expires,
    token_endpoint_auth_method: method,
  } = json
  return {
    id: json.client_id,
    ...(typeof secret === 'string' && secret !== '' ? { secret } : {}),
    ...(typeof expires === 'number' && expires > 0 ? { secretExpiresAt: expires * 1_000 } : {}),
    ...(typeof method === 'string' ? { authMethod: method } : {}),
    origin: 'registered',
    redirectUri,
  }
}

/** A refusal that says nothing of signing in was perhaps about something else: most often a header that is missing or wrong. */
function noSignIn(server: URL): TransportError {
  return signInError(
    nameOf(server),
    `${nameOf(server)} answered 401 Unauthorized, and nothing there says where to sign in. If it wants a token or a key, give it ` +
      'with --header; if it has an authorization server, name that with --issuer',
    { knob: '--header' },
  )
}

/** A program on a person's machine keeps no secret, so it asks for none where it may. */
function registeredMethod({
  token_endpoint_auth_methods_supported: methods,
}: AuthorizationServerMetadata): string {
  if (methods === undefined || methods.includes('none')) return 'none'
  return ['client_secret_basic', 'client_secret_post'].find(method => methods.includes(method)) ?? 'none'
}
