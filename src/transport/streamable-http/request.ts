/** What makes a modern request acceptable. Specification: streamable-http, "Request Metadata" and "Server Validation". */

import type { HttpRequest } from '../../exchange/http.js'
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, UNSUPPORTED_VERSION } from '../../protocol/errors.js'
import { checkMirror, HEADER_PROTOCOL_VERSION } from '../../protocol/headers.js'
import type { JSONRPCErrorObject, JSONRPCRequest } from '../../protocol/message.js'
import {
  isObject,
  META_CLIENT_CAPABILITIES,
  META_PROTOCOL_VERSION,
  protocolVersionOf,
} from '../../protocol/meta.js'
import { isRemovedInModern } from '../../protocol/methods.js'
import { isLegacyVersion } from '../../protocol/versions.js'

export interface Refusal {
  readonly status: number
  readonly error: JSONRPCErrorObject
}

/** Why a request is refused before anybody looks at what it asks; undefined where it is not. */
export function refusalOf(
  request: HttpRequest,
  message: JSONRPCRequest,
  versions: readonly string[],
): Refusal | undefined {
  const version = protocolVersionOf(message)
  if (version === undefined) {
    const header = request.header(HEADER_PROTOCOL_VERSION)?.trim()
    // Whoever speaks a revision that we do not know may also describe itself in a way that we do not know.
    if (header !== undefined && !versions.includes(header)) return unsupported(header, versions)
    return missing(META_PROTOCOL_VERSION)
  }
  try {
    checkMirror(message, name => request.header(name))
  } catch (error) {
    if (error instanceof RpcError) return { status: 400, error: error.toErrorObject() }
    throw error
  }
  if (!versions.includes(version)) return unsupported(version, versions)
  if (!isObject(message.params?._meta?.[META_CLIENT_CAPABILITIES])) return missing(META_CLIENT_CAPABILITIES)
  if (isRemovedInModern(message.method)) {
    const text = `Method not found: ${message.method} is not part of revision ${version}`
    return { status: 404, error: { code: METHOD_NOT_FOUND, message: text } }
  }
  return undefined
}

/** Why a request without a body that describes itself is refused: its header names a revision that nobody serves. */
export function versionRefusalOf(request: HttpRequest, versions: readonly string[]): Refusal | undefined {
  const header = request.header(HEADER_PROTOCOL_VERSION)
  if (header === undefined || isLegacyVersion(header) || versions.includes(header)) return undefined
  return unsupported(header, versions)
}

function missing(key: string): Refusal {
  return { status: 400, error: { code: INVALID_PARAMS, message: `Invalid params: _meta lacks "${key}"` } }
}

function unsupported(requested: string, supported: readonly string[]): Refusal {
  const message = `Unsupported protocol version: ${requested}`
  return { status: 400, error: { code: UNSUPPORTED_VERSION, message, data: { supported, requested } } }
}
