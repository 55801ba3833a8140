/** Replies that more than one HTTP binding or guard gives. */

import { INVALID_REQUEST } from '../protocol/errors.js'
import type { JSONRPCErrorObject, JSONRPCRequest, RequestId } from '../protocol/message.js'
import { errorResponse } from '../protocol/message.js'
import { toErrorObject } from './errors.js'
import type { HttpReply } from './http.js'

export const JSON_HEADERS: Readonly<Record<string, string>> = { 'content-type': 'application/json' }

/** `no-transform` keeps compressing proxies from holding events back, `X-Accel-Buffering` nginx and its kin. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
}

/** Taken, and nothing to say. */
export const ACCEPTED: HttpReply = { status: 202, headers: {} }

/** A JSON-RPC error. Without an id where the request's id could not be read, or was not looked at. */
export function errorReply(
  status: number,
  error: JSONRPCErrorObject,
  id?: RequestId,
  headers?: Readonly<Record<string, string>>,
): HttpReply {
  return {
    status,
    headers: headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers },
    body: JSON.stringify(errorResponse(id, error)),
    refusal: { code: error.code },
  }
}

/** The same reply, for whose record there is more to say than its code and status do. */
export function because(reply: HttpReply, reason: string | undefined, asked?: JSONRPCRequest): HttpReply {
  const { refusal: known } = reply
  return { ...reply, refusal: { code: known?.code, reason: reason ?? known?.reason, asked } }
}

/** A request that is wrong as HTTP, whatever it asks. */
export function refusal(status: number, message: string): HttpReply {
  return errorReply(status, { code: INVALID_REQUEST, message })
}

/** What answers for a handler that threw: a bug of ours, whose text the client does not get. */
export function failureReply(error: unknown): HttpReply {
  const body = JSON.stringify({ jsonrpc: '2.0', id: null, error: toErrorObject(error) })
  return { status: 500, headers: JSON_HEADERS, body }
}

/** 405, with the methods that are allowed: `GET, POST`. */
export function methodNotAllowed(allow: string): HttpReply {
  const message = `Method not allowed. Allowed here: ${allow}`
  return errorReply(405, { code: INVALID_REQUEST, message }, undefined, { allow })
}
