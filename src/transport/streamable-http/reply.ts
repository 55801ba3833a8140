/** Messages as HTTP replies. */

import { refusalHeadersOf, refusalStatusOf } from '../../exchange/errors.js'
import type { HttpBody, HttpReply } from '../../exchange/http.js'
import { JSON_HEADERS, STREAM_HEADERS } from '../../exchange/http-reply.js'
import { type Encoded, encodeMessage } from '../../protocol/encode.js'
import { encodeEvent, KEEP_ALIVE_COMMENT } from '../../protocol/event-stream.js'
import type { JSONRPCMessage, JSONRPCResponse } from '../../protocol/message.js'

/** One response as one JSON body. */
export function jsonReply(
  response: JSONRPCResponse,
  status = 200,
  headers: Readonly<Record<string, string>> = JSON_HEADERS,
): HttpReply {
  return { status, headers, body: bodyOf(encodeMessage(response)) }
}

/** The answer to a legacy client's call: a 200, unless it was refused at the door. */
export function answerReply(
  response: JSONRPCResponse,
  headers?: Readonly<Record<string, string>>,
): HttpReply {
  const status = 'error' in response ? refusalStatusOf(response.error.code) : undefined
  if (status === undefined || !('error' in response))
    return jsonReply(response, 200, headers === undefined ? JSON_HEADERS : { ...JSON_HEADERS, ...headers })
  return jsonReply(response, status, { ...JSON_HEADERS, ...headers, ...refusalHeadersOf(response.error) })
}

/** An event stream. `extra` headers are added. */
export function streamReply(
  body: AsyncIterable<string | Uint8Array>,
  extra?: Readonly<Record<string, string>>,
): HttpReply {
  return {
    status: 200,
    headers: extra === undefined ? STREAM_HEADERS : { ...STREAM_HEADERS, ...extra },
    body,
    keepAlive: KEEP_ALIVE_COMMENT,
  }
}

/** One message as one event. */
export function eventOf(message: JSONRPCMessage, id?: string): Encoded {
  const encoded = encodeMessage(message)
  if (typeof encoded !== 'string') return encodeEvent(encoded, id === undefined ? undefined : { id })
  // What JSON.stringify made has no line breaks that would have to be looked for.
  return id === undefined ? `data: ${encoded}\n\n` : `id: ${id}\ndata: ${encoded}\n\n`
}

const encoder = new TextEncoder()

function bodyOf(encoded: Encoded): HttpBody {
  if (typeof encoded === 'string') return encoded
  return encoded.map(piece => (typeof piece === 'string' ? encoder.encode(piece) : piece))
}
