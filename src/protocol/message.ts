/**
 * The words of the protocol: JSON-RPC 2.0 messages as MCP uses them.
 * Specification: 2026-07-28 basic/index, "Messages".
 */

import type { RawJson } from './raw-json.js'

export type RequestId = string | number
export type ProgressToken = string | number

export interface JSONObject {
  readonly [key: string]: unknown
}

export interface Params extends JSONObject {
  readonly _meta?: JSONObject
}

export interface Result extends JSONObject {
  readonly _meta?: JSONObject
  readonly resultType?: string
}

export interface JSONRPCRequest {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  readonly method: string
  readonly params?: Params
}

export interface JSONRPCNotification {
  readonly jsonrpc: '2.0'
  readonly method: string
  readonly params?: Params
}

export interface JSONRPCResultResponse {
  readonly jsonrpc: '2.0'
  readonly id: RequestId
  /** A large result stays the bytes it arrived as: see {@link RawJson}. */
  readonly result: Result | RawJson
}

export interface JSONRPCErrorObject {
  readonly code: number
  readonly message: string
  readonly data?: unknown
}

export interface JSONRPCErrorResponse {
  readonly jsonrpc: '2.0'
  /** Absent (modern) or null (legacy) where the request's id could not be read. */
  readonly id?: RequestId | null
  readonly error: JSONRPCErrorObject
}

export type JSONRPCResponse = JSONRPCResultResponse | JSONRPCErrorResponse
export type JSONRPCMessage = JSONRPCRequest | JSONRPCNotification | JSONRPCResponse

export function isRequest(message: JSONRPCMessage): message is JSONRPCRequest {
  return 'method' in message && 'id' in message
}

export function isNotification(message: JSONRPCMessage): message is JSONRPCNotification {
  return 'method' in message && !('id' in message)
}

export function isResponse(message: JSONRPCMessage): message is JSONRPCResponse {
  return !('method' in message)
}

export function resultResponse(id: RequestId, result: Result | RawJson): JSONRPCResultResponse {
  return { jsonrpc: '2.0', id, result }
}

export function errorResponse(id: RequestId | undefined, error: JSONRPCErrorObject): JSONRPCErrorResponse {
  return id === undefined ? { jsonrpc: '2.0', error } : { jsonrpc: '2.0', id, error }
}

export function notification(method: string, params?: Params): JSONRPCNotification {
  return params === undefined ? { jsonrpc: '2.0', method } : { jsonrpc: '2.0', method, params }
}
