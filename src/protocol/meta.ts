/** The reserved `_meta` keys. Specification: 2026-07-28 basic/index, "_meta". */

import type { JSONObject, JSONRPCNotification, JSONRPCRequest, ProgressToken } from './message.js'

const PREFIX = 'io.modelcontextprotocol/'
export const META_PROTOCOL_VERSION = `${PREFIX}protocolVersion`
export const META_CLIENT_INFO = `${PREFIX}clientInfo`
export const META_CLIENT_CAPABILITIES = `${PREFIX}clientCapabilities`
export const META_LOG_LEVEL = `${PREFIX}logLevel`
export const META_SUBSCRIPTION_ID = `${PREFIX}subscriptionId`
export const META_SERVER_INFO = `${PREFIX}serverInfo`

export interface Implementation extends JSONObject {
  readonly name: string
  readonly version: string
}

export interface ClientCapabilities extends JSONObject {
  readonly sampling?: JSONObject
  readonly elicitation?: JSONObject
  readonly roots?: JSONObject
}

/** The version that a request declares in `_meta`, which is what makes it modern. */
export function protocolVersionOf(request: JSONRPCRequest | JSONRPCNotification): string | undefined {
  const version = request.params?._meta?.[META_PROTOCOL_VERSION]
  return typeof version === 'string' ? version : undefined
}

export function clientCapabilitiesOf(request: JSONRPCRequest): ClientCapabilities {
  const capabilities = request.params?._meta?.[META_CLIENT_CAPABILITIES]
  return isObject(capabilities) ? capabilities : {}
}

export function clientInfoOf(request: JSONRPCRequest): Implementation | undefined {
  const info = request.params?._meta?.[META_CLIENT_INFO]
  return isObject(info) ? (info as Implementation) : undefined
}

export function logLevelOf(request: JSONRPCRequest): string | undefined {
  const level = request.params?._meta?.[META_LOG_LEVEL]
  return typeof level === 'string' ? level : undefined
}

export function progressTokenOf(request: JSONRPCRequest): ProgressToken | undefined {
  const token = request.params?._meta?.progressToken
  return typeof token === 'string' || typeof token === 'number' ? token : undefined
}

export function isObject(value: unknown): value is JSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
