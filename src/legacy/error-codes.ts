/** Error codes across the eras. A code that one era reserves never reaches the other. ERAS rows 41-45, 29. */

import {
  HEADER_MISMATCH,
  INTERNAL_ERROR,
  INVALID_PARAMS,
  MISSING_CAPABILITY,
  RESOURCE_NOT_FOUND,
  UNSUPPORTED_VERSION,
  UPSTREAM_TIMEOUT,
  URL_ELICITATION_REQUIRED,
} from '../protocol/errors.js'
import type { JSONRPCErrorObject, JSONRPCRequest } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'

/** The code by which legacy SDKs say that a request timed out. */
const LEGACY_REQUEST_TIMEOUT = -32001

/** An error of a legacy server, for a modern client. */
export function toModernError(error: JSONRPCErrorObject, request: JSONRPCRequest): JSONRPCErrorObject {
  if (error.code === RESOURCE_NOT_FOUND) {
    const data = isObject(error.data) ? error.data : {}
    const uri = data.uri ?? request.params?.uri
    return { ...error, code: INVALID_PARAMS, ...(uri === undefined ? {} : { data: { ...data, uri } }) }
  }
  // Its own words for a request that timed out, which `toLegacyError` put under the code of legacy SDKs.
  if (error.code === LEGACY_REQUEST_TIMEOUT && isObject(error.data) && error.data.code === 'ERR_TIMEOUT')
    return { ...error, code: UPSTREAM_TIMEOUT }
  // Another anyport behind a legacy hop says what the caller can mend; no legacy server words it so.
  if (error.code === MISSING_CAPABILITY && isObject(error.data) && isObject(error.data.requiredCapabilities))
    return error
  // 2026-07-28 basic/index, "Error Codes": the specification alone defines this range, and a legacy server
  // cannot have meant it.
  if (isReserved(error.code) || error.code === URL_ELICITATION_REQUIRED)
    return { ...error, code: INTERNAL_ERROR }
  return error
}

/**
 * An error of a modern server, for a legacy client. Header and version errors are about the bridge's own request;
 * a missing capability is about the client's, and stays what it is.
 */
export function toLegacyError(error: JSONRPCErrorObject): JSONRPCErrorObject {
  switch (error.code) {
    case HEADER_MISMATCH:
    case UNSUPPORTED_VERSION:
      return { ...error, code: INTERNAL_ERROR }
    case UPSTREAM_TIMEOUT:
      return { ...error, code: LEGACY_REQUEST_TIMEOUT }
    default:
      return error
  }
}

function isReserved(code: number): boolean {
  return code <= -32020 && code >= -32099 && code !== URL_ELICITATION_REQUIRED
}
