/** Requests and notifications across the eras: what is added to a legacy one and taken from a modern one. */

import type { JSONObject, JSONRPCRequest, Params } from '../protocol/message.js'
import {
  type ClientCapabilities,
  type Implementation,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_LOG_LEVEL,
  META_PROTOCOL_VERSION,
} from '../protocol/meta.js'
import { LATEST_MODERN } from '../protocol/versions.js'

export interface Identity {
  readonly clientInfo: Implementation | undefined
  readonly capabilities: ClientCapabilities
  readonly logLevel: string | undefined
  /** The description itself, made once for all requests of a client. */
  readonly meta: JSONObject
}

export function identityOf(
  clientInfo: Implementation | undefined,
  capabilities: ClientCapabilities,
  logLevel: string | undefined,
): Identity {
  const meta: Record<string, unknown> = {
    [META_PROTOCOL_VERSION]: LATEST_MODERN,
    [META_CLIENT_CAPABILITIES]: capabilities,
  }
  if (clientInfo !== undefined) meta[META_CLIENT_INFO] = clientInfo
  if (logLevel !== undefined) meta[META_LOG_LEVEL] = logLevel
  return { clientInfo, capabilities, logLevel, meta }
}

/** A legacy request, described in `_meta` as the modern era wants every request to be. */
export function toModernRequest(request: JSONRPCRequest, identity: Identity): JSONRPCRequest {
  const params = legacyOnlyParams(request.params)
  const own = params?._meta
  const _meta = own === undefined ? identity.meta : { ...own, ...identity.meta }
  // `_meta` comes first, since adding it to a spread copy costs ten times what overwriting it does.
  const described: Record<string, unknown> = { _meta, ...params }
  described._meta = _meta
  return { ...request, params: described }
}

/**
 * A modern request as a legacy server knows it: without the per-request description, and without the answers
 * to questions, which travel as messages of their own there.
 */
export function toLegacyRequest(request: JSONRPCRequest): JSONRPCRequest {
  const params = request.params
  if (params === undefined) return request
  const { _meta, inputResponses: _responses, requestState: _state, ...rest } = params
  const meta = withoutDescription(_meta)
  if (meta !== undefined) return { ...request, params: { ...rest, _meta: meta } }
  return { ...request, params: rest }
}

/** `task` asks for a core task of 2025-11-25, which the modern era does not know (SEP-2663). */
function legacyOnlyParams(params: Params | undefined): Params | undefined {
  if (params?.task === undefined) return params
  const { task: _task, ...rest } = params
  return rest
}

function withoutDescription(meta: JSONObject | undefined): JSONObject | undefined {
  if (meta === undefined) return undefined
  const {
    [META_PROTOCOL_VERSION]: _version,
    [META_CLIENT_INFO]: _info,
    [META_CLIENT_CAPABILITIES]: _capabilities,
    [META_LOG_LEVEL]: _level,
    ...rest
  } = meta
  for (const _key in rest) return rest
  return undefined
}
