/** Requests to the token endpoint (OAuth 2.1 section 3.2), and the end of tokens (RFC 7009). */

import * as oauth from 'oauth4webapi'
import type { AuthorizationServerMetadata } from './authorization-server.js'
import { boundedFetch, type Fetch, jsonObject, type RequestLimits } from './bounded-fetch.js'
import { splitScopes } from './challenge.js'
import type { SigningKey } from './client-settings.js'
import type { ClientIdentity, Tokens } from './credentials.js'
import { foreignText, signInError, unreachable } from './failures.js'

export interface TokenRequest {
  readonly metadata: AuthorizationServerMetadata
  readonly client: ClientIdentity
  readonly resource: string
  /** What a person knows the server by. */
  readonly server: string
  readonly key: SigningKey | undefined
  readonly limits: RequestLimits
}

export interface Grant {
  readonly tokens: Tokens
  readonly account: string | undefined
}

/** The refresh token, or the code, is worth nothing any more; or the client is not known any more. Trying again cannot help. */
export class GrantGone extends Error {
  override readonly name = 'GrantGone'

  constructor(readonly reason: 'grant' | 'client') {
    super(reason === 'grant' ? 'The sign-in has ended' : 'The client is not known any more')
  }
}

export async function exchangeCode(
  request: TokenRequest,
  {
    answer,
    redirectUri,
    verifier,
    scopes,
  }: {
    readonly answer: URLSearchParams
    readonly redirectUri: string
    readonly verifier: string
    readonly scopes: readonly string[]
  },
): Promise<Grant> {
  return await grant(request, scopes, undefined, (as, client, auth, options) =>
    oauth.authorizationCodeGrantRequest(as, client, auth, answer, redirectUri, verifier, {
      ...options,
      additionalParameters: { resource: request.resource },
    }),
  )
}

/** Throws `GrantGone` where the refresh token, or the client, is not accepted. The authorization server may hand out a new one. */
export async function refresh(request: TokenRequest, { refreshToken, scopes }: Tokens): Promise<Grant> {
  return await grant(request, scopes, refreshToken, (as, client, auth, options) =>
    oauth.refreshTokenGrantRequest(as, client, auth, refreshToken as string, {
      ...options,
      additionalParameters: { resource: request.resource },
    }),
  )
}

export async function requestAsClient(request: TokenRequest, scopes: readonly string[]): Promise<Grant> {
  const parameters = {
    resource: request.resource,
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
  }
  return await grant(request, scopes, undefined, (as, client, auth, options) =>
    oauth.clientCredentialsGrantRequest(as, client, auth, parameters, options),
  )
}

/** Another token for one that somebody showed us (RFC 8693). Throws `GrantGone` where it is not taken. */
export async function exchangeToken(
  request: TokenRequest,
  subject: string,
  wanted: {
    readonly audience?: string | undefined
    readonly resource?: string | undefined
    readonly scopes?: readonly string[] | undefined
  },
): Promise<Grant> {
  const { audience, resource, scopes = [] } = wanted
  const parameters = {
    subject_token: subject,
    subject_token_type: ACCESS_TOKEN,
    requested_token_type: ACCESS_TOKEN,
    ...(audience === undefined ? {} : { audience }),
    ...(resource === undefined ? {} : { resource }),
    ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
  }
  return await grant(request, scopes, undefined, (as, client, auth, options) =>
    oauth.genericTokenEndpointRequest(as, client, auth, EXCHANGE, parameters, options),
  )
}

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** Resolves true where the authorization server says that the tokens are worth nothing any more. Never rejects. */
export async function revoke(request: TokenRequest, tokens: Tokens): Promise<boolean> {
  const { metadata, client, limits } = request
  if (metadata.revocation_endpoint === undefined) return false
  const given = [tokens.refreshToken, tokens.accessToken].filter(token => token !== undefined)
  try {
    for (const token of given) {
      const response = await oauth.revocationRequest(
        metadata,
        { client_id: client.id },
        authentication(request),
        token,
        options(boundedFetch(limits)),
      )
      await oauth.processRevocationResponse(response)
    }
    return true
  } catch {
    return false
  }
}

type Options = {
  readonly [oauth.customFetch]: (
    url: string,
    init: oauth.CustomFetchOptions<'POST', URLSearchParams>,
  ) => Promise<Response>
  readonly [oauth.allowInsecureRequests]: true
}

type Send = (
  as: AuthorizationServerMetadata,
  client: oauth.Client,
  authentication: oauth.ClientAuth,
  options: Options,
) => Promise<Response>

async function grant(
  request: TokenRequest,
  asked: readonly string[],
  kept: string | undefined,
  send: Send,
): Promise<Grant> {
  const { metadata, limits } = request
  const client = { client_id: request.client.id }
  let account: string | undefined
  const fetch: Fetch = async (url, init) => {
    const { response, idToken } = await leniently(await boundedFetch(limits)(url, init))
    account = accountOf(idToken)
    return response
  }
  try {
    const response = await send(metadata, client, authentication(request), options(fetch))
    const json = await oauth.processGenericTokenEndpointResponse(metadata, client, response)
    if (json.token_type !== 'bearer') throw new TypeError(`tokens of the type ${json.token_type}`)
    const issuedAt = Date.now()
    const refreshToken = json.refresh_token ?? kept
    return {
      account,
      tokens: {
        accessToken: json.access_token,
        ...(refreshToken === undefined ? {} : { refreshToken }),
        issuedAt,
        // Zero or less is taken for "not said": the server knows when it refuses.
        ...(json.expires_in === undefined || json.expires_in <= 0
          ? {}
          : { expiresAt: issuedAt + json.expires_in * 1_000 }),
        scopes: json.scope === undefined ? asked : splitScopes(json.scope),
      },
    }
  } catch (error) {
    throw asFailure(error, request, kept !== undefined)
  }
}

function asFailure(error: unknown, { metadata, server }: TokenRequest, renewal: boolean): unknown {
  const status = statusOf(error)
  // Trouble of its own, which passes.
  if (status !== undefined && (status >= 500 || status === 408 || status === 429)) {
    return unreachable(new URL(metadata.token_endpoint), `answers ${status}`)
  }
  if (error instanceof oauth.ResponseBodyError) {
    if (error.error === 'invalid_client' || error.error === 'unauthorized_client')
      return new GrantGone('client')
    // A refresh token that is not accepted has many names.
    if (error.error === 'invalid_grant' || renewal) return new GrantGone('grant')
    const description = error.error_description === undefined ? '' : `: ${error.error_description}`
    return signInError(
      server,
      `The authorization server ${metadata.issuer} gives no token (${foreignText(`${error.error}${description}`)})`,
    )
  }
  if (error instanceof Error && error.name === 'TransportError') return error
  // The library's errors carry the response as their cause, and with it tokens: only its words are passed on.
  const words = error instanceof Error ? error.message : 'an unknown answer'
  return signInError(
    server,
    `The authorization server ${metadata.issuer} gives no token that we understand (${words})`,
  )
}

/** The status of an answer that is not as it should be; what the library throws carries it. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof oauth.ResponseBodyError) return error.status
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof Response ? cause.status : undefined
}

/**
 * The answer without what some servers add and nobody needs: members that are null, a wrong content type, and the identity token,
 * which says who signed in but gives no access, so that its faults must not stop anybody.
 */
async function leniently(
  response: Response,
): Promise<{ readonly response: Response; readonly idToken: unknown }> {
  const text = await response.text()
  const json = jsonObject(text)
  const { status } = response
  if (json === undefined) return { response: new Response(text, { status }), idToken: undefined }
  const { id_token: idToken, ...rest } = json
  const body = JSON.stringify(Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null)))
  const headers = { 'content-type': 'application/json' }
  return { response: new Response(body, { status, headers }), idToken }
}

/** What an identity token calls the person. It came from the token endpoint itself, so that its signature adds nothing (OpenID Connect Core section 3.1.3.7). */
function accountOf(idToken: unknown): string | undefined {
  if (typeof idToken !== 'string') return undefined
  try {
    const payload = (idToken.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(payload), character => character.charCodeAt(0))
    const claims = jsonObject(new TextDecoder().decode(bytes))
    const name = [claims?.email, claims?.preferred_username, claims?.name, claims?.sub].find(
      claim => typeof claim === 'string' && claim !== '',
    )
    return name === undefined ? undefined : foreignText(name as string)
  } catch {
    return undefined
  }
}

/** Addresses were checked when they were learned; plain http is on this machine only. */
function options(fetch: Fetch): Options {
  return {
    [oauth.customFetch]: (url, init) => fetch(url, init as RequestInit),
    [oauth.allowInsecureRequests]: true,
  }
}

function authentication({ client, key, metadata }: TokenRequest): oauth.ClientAuth {
  if (client.origin === 'configured' && key !== undefined) {
    return oauth.PrivateKeyJwt(key.id === undefined ? key.key : { key: key.key, kid: key.id })
  }
  const { secret } = client
  if (secret === undefined) return oauth.None()
  switch (client.authMethod ?? methodFor(metadata)) {
    case 'none':
      return oauth.None()
    case 'client_secret_post':
      return oauth.ClientSecretPost(secret)
    default:
      return basic(secret)
  }
}

/** Where nothing was agreed: what the authorization server lists, Basic where it lists nothing (RFC 8414 section 2). */
function methodFor({ token_endpoint_auth_methods_supported: methods }: AuthorizationServerMetadata): string {
  const known = ['client_secret_basic', 'client_secret_post', 'none']
  return known.find(method => methods?.includes(method)) ?? 'client_secret_basic'
}

/**
 * RFC 6749 section 2.3.1. The library's own escapes `-`, `.` and `_` as well, which the form encoding does not, and which servers
 * that forget to decode take for another name.
 */
function basic(secret: string): oauth.ClientAuth {
  return (_as, client, _body, headers) => {
    headers.set('authorization', `Basic ${btoa(`${formEncoded(client.client_id)}:${formEncoded(secret)}`)}`)
  }
}

function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1)
}
