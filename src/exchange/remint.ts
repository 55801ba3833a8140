/**
 * Ids and progress tokens of our own. Those of our callers mean nothing to the peer, and two callers may use the same
 * (2026-07-28 basic/index, "Requests"; basic/patterns/progress).
 */

import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  Params,
  RequestId,
} from '../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../protocol/meta.js'
import { METHOD_CALL_TOOL, METHOD_LISTEN } from '../protocol/methods.js'
import type { Call } from './call.js'

/** The request as the peer gets it: under the call's `upstreamId`, which is its progress token there, too. */
export function outgoing({ method, params }: JSONRPCRequest, call: Call): JSONRPCRequest {
  return params === undefined
    ? { jsonrpc: '2.0', id: call.upstreamId, method }
    : { jsonrpc: '2.0', id: call.upstreamId, method, params: outgoingParams(params, call) }
}

/** The peer's response under the id of the caller. The message must be ours alone: it is changed. */
export function restored(response: JSONRPCResponse, call: Call): JSONRPCResponse {
  // Renaming it in place spares a copy of every response.
  ;(response as { id: RequestId }).id = call.id
  if (call.method === METHOD_LISTEN && 'result' in response) restoreSubscription(response, call.id)
  return response
}

/** Progress under the token of the caller; undefined where it has none, so that the progress was only meant for us. */
export function restoredProgress(
  notification: JSONRPCNotification,
  call: Call,
): JSONRPCNotification | undefined {
  if (call.token === undefined || notification.params === undefined) return undefined
  ;(notification.params as Record<string, unknown>).progressToken = call.token
  return notification
}

/**
 * Tools are asked for progress even where the caller is not interested, since it is the sign of life that keeps a long call
 * from being cut.
 */
function outgoingParams(params: Params, call: Call): Params {
  if (call.token === undefined && call.method !== METHOD_CALL_TOOL) return params
  // What is new comes first: adding a property to a spread copy costs ten times what overwriting one does.
  const _meta: Record<string, unknown> = { progressToken: call.upstreamId, ...params._meta }
  _meta.progressToken = call.upstreamId
  const changed: Record<string, unknown> = { _meta, ...params }
  changed._meta = _meta
  return changed
}

function restoreSubscription(response: JSONRPCResponse, id: RequestId): void {
  if (!('result' in response) || !isObject(response.result)) return
  const meta = (response.result as { _meta?: Record<string, unknown> })._meta
  if (meta !== undefined && META_SUBSCRIPTION_ID in meta) meta[META_SUBSCRIPTION_ID] = id
}
