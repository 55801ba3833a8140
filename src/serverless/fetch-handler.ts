/** The HTTP bindings as one function of web-standard `Request` and `Response`, for platforms without Node. */

import type { Handler } from '../exchange/exchange.js'
import type { HttpReply } from '../exchange/http.js'
import { failureReply } from '../exchange/http-reply.js'
import { type HttpFaceOptions, httpFace } from '../transport/http-face.js'
import { FetchRequest } from './fetch-request.js'
import { fetchStream } from './fetch-stream.js'

export interface FetchHandlerOptions extends Omit<HttpFaceOptions, 'boundHost' | 'sameHost'> {
  /**
   * Host names accepted besides the loopback ones. Default: whatever name the platform accepts requests for. Give them where the handler is
   * reached without such a platform, on a person's machine or in a private network: there a web page could have
   * its own name lead to it.
   */
  readonly allowHosts?: readonly string[] | undefined
  /** Origins accepted besides the loopback ones and that of the host which the request is for. */
  readonly allowOrigins?: readonly string[] | undefined
  /** Milliseconds of silence after which a comment keeps an event stream open. Default 15 seconds; Infinity: none. */
  readonly keepAlive?: number | undefined
  /** Told about what the handler or a stream threw; the client gets a 500 or a cut stream. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/**
 * Serves a handler on Streamable HTTP (all revisions, at `path`, default `/mcp`) and HTTP+SSE. Aborting the request's signal
 * or cancelling the response's body cancels the call. Legacy sessions live in this function: where the platform may
 * answer a client's next request elsewhere, serve with `sessionless`. Throws `TypeError` for options that cannot
 * work; the function returned never rejects.
 */
export function fetchHandler(
  handler: Handler,
  options: FetchHandlerOptions = {},
): (request: Request) => Promise<Response> {
  const { keepAlive = 15_000, onError = () => {} } = options
  if (!(keepAlive > 0)) throw new TypeError(`keepAlive: expected a number above 0, got ${keepAlive}`)
  const face = httpFace(handler, { ...options, allowHosts: options.allowHosts ?? ['*'], sameHost: true })

  return async request => {
    const seen = new FetchRequest(request)
    let reply: HttpReply
    try {
      reply = await face.handler(seen)
    } catch (error) {
      onError(error)
      reply = failureReply(error)
    }
    const { status, headers, body } = reply
    if (typeof body === 'object' && Symbol.asyncIterator in body) {
      const stream = fetchStream(body, seen, { keepAlive: reply.keepAlive, interval: keepAlive, onError })
      return new Response(stream, { status, headers })
    }
    seen.complete()
    return new Response(typeof body === 'object' ? joined(body) : (body ?? null), { status, headers })
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
