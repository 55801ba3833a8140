/** Why a body could not be read. Every platform that brings requests to the HTTP seam says it the same way. */

import { PARSE_ERROR, RpcError, TOO_LARGE } from '../protocol/errors.js'
import { TransportError } from './errors.js'

export function bodyTooLarge(limit: number): RpcError {
  return new RpcError(TOO_LARGE, `The request body is larger than the limit of ${limit} bytes (--max-body)`, {
    limit,
    option: '--max-body',
  })
}

export function bodyNotText(): RpcError {
  return new RpcError(PARSE_ERROR, 'Parse error: the body is not valid UTF-8')
}

export function bodyCut(cause?: unknown): TransportError {
  return new TransportError('ERR_CLOSED', 'The client left before its request was complete', { cause })
}
