/** Error codes on the wire. Specification: 2026-07-28 basic/index, "Error Codes". */

import type { JSONRPCErrorObject } from './message.js'

export const PARSE_ERROR = -32700
export const INVALID_REQUEST = -32600
export const METHOD_NOT_FOUND = -32601
export const INVALID_PARAMS = -32602
export const INTERNAL_ERROR = -32603
/** Modern only: a mirrored header is missing, malformed or differs from the body. */
export const HEADER_MISMATCH = -32020
/** Modern only: the server needs a capability that the request did not declare. */
export const MISSING_CAPABILITY = -32021
/** Modern only: the requested revision is not served; `data.supported` lists those that are. */
export const UNSUPPORTED_VERSION = -32022
/** Legacy only: never sent to a modern peer. */
export const RESOURCE_NOT_FOUND = -32002
/** Legacy only (2025-11-25): never sent to a modern peer. */
export const URL_ELICITATION_REQUIRED = -32042

/**
 * Codes of our own, for what fails on the way rather than at the server. They lie outside the range that
 * JSON-RPC reserves, so that nobody can mistake them for an error of the specification.
 */
export const UPSTREAM_UNAVAILABLE = -31001
export const UPSTREAM_TIMEOUT = -31002
export const UPSTREAM_BUSY = -31003
export const TOO_LARGE = -31004
export const SHUTTING_DOWN = -31005
/** A limit on calls; `data.retryAfter` says in how many seconds another one is let in. */
export const RATE_LIMITED = -31006
/** The caller's authorization does not go far enough; `data.scope` says what it would take. */
export const INSUFFICIENT_SCOPE = -31007
/** Calls are to be on record, and the record cannot be written. */
export const UNRECORDED = -31008

/** A JSON-RPC error: travels on the wire as it is. */
export class RpcError extends Error {
  override readonly name = 'RpcError'

  constructor(
    readonly code: number,
    message: string,
    readonly data?: unknown,
  ) {
    super(message)
  }

  toErrorObject(): JSONRPCErrorObject {
    return this.data === undefined
      ? { code: this.code, message: this.message }
      : { code: this.code, message: this.message, data: this.data }
  }
}
