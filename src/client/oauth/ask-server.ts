/** Whether a server wants a sign-in, asked without one. */

import { META_CLIENT_CAPABILITIES, META_PROTOCOL_VERSION } from '../../protocol/meta.js'
import { boundedFetch, type RequestLimits } from './bounded-fetch.js'
import { discoverResource } from './protected-resource.js'

export interface SignInDemand {
  /** The status of its answer to a request without a token. */
  readonly status: number
  /** It refuses such requests, or says who issues tokens for it. */
  readonly wanted: boolean
  readonly challenge: string | undefined
}

/** Rejects with `TransportError` where the server does not answer. */
export async function askServer(server: URL, limits: RequestLimits): Promise<SignInDemand> {
  // Changes nothing there, unlike `initialize`, which begins a session.
  const response = await boundedFetch(limits)(server.href, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': VERSION,
      'mcp-method': METHOD,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: METHOD, params: { _meta: META } }),
  })
  const { status } = response
  const challenge = response.headers.get('www-authenticate') ?? undefined
  if (status === 401) return { status, wanted: true, challenge }
  // Some refuse only the calls that matter.
  return { status, wanted: (await discoverResource(server, undefined, limits)) !== undefined, challenge }
}

const METHOD = 'server/discover'
const VERSION = '2026-07-28'
const META = {
  [META_PROTOCOL_VERSION]: VERSION,
  [META_CLIENT_CAPABILITIES]: {},
}
