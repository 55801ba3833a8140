/** The HTTP bindings as one function of web-standard `Request` and `Response`, for platforms without Node. */

import { type InstancesOptions, instances } from '../client/instances.js'
import type { Target } from '../client/open.js'
import type { Handler } from '../exchange/exchange.js'
import type { HttpReply } from '../exchange/http.js'
import { errorReply, failureReply } from '../exchange/http-reply.js'
import { createSealer } from '../legacy/request-state.js'
import { METHOD_NOT_FOUND } from '../protocol/errors.js'
import { type HttpFaceOptions, httpFace } from '../transport/http-face.js'
import { FetchRequest } from './fetch-request.js'
import { fetchStream } from './fetch-stream.js'

export interface FetchHandlerOptions
  extends Omit<HttpFaceOptions, 'boundHost' | 'sameHost' | 'sessionless' | 'ownTimers'>,
    Omit<InstancesOptions, 'sealer'> {
  /**
   * Legacy clients get no session, so that any instance answers any request: GET and DELETE are refused at once, and there is
   * no HTTP+SSE. Default true. Without it, sessions live in the memory of this function.
   */
  readonly sessionless?: boolean | undefined
  /**
   * Seals what calls that wait for answers hand to their clients: 16 characters or more, the same for all instances. Default: a
   * random key of this one. Without effect on handlers.
   */
  readonly stateKey?: string | undefined
  /**
   * Host names accepted besides the loopback ones. Default: whatever name the platform accepts requests for. Give them where the handler is
   * reached without such a platform, on a person's machine or in a private network: there a web page could have
   * its own name lead to it.
   */
  readonly allowHosts?: readonly string[] | undefined
  /** Origins accepted besides the loopback ones and that of the host which the request is for. */
  readonly allowOrigins?: readonly string[] | undefined
  /** Milliseconds of silence after which a comment keeps an event stream open. Default 8 seconds, since Bun cuts what is silent for 10; Infinity: none. */
  readonly keepAlive?: number | undefined
  /** Told about what the handler or a stream threw; the client gets a 500 or a cut stream. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/**
 * Serves a handler, or a server in this process (`fromSdk`), on Streamable HTTP, all revisions, at `path` (default `/mcp`); with
 * `sessionless: false` on HTTP+SSE as well. Aborting the request's signal or cancelling the response's body cancels the call. Throws `TypeError`
 * for options that cannot work; the function returned never rejects.
 */
export function fetchHandler(
  what: Handler | Target,
  options: FetchHandlerOptions = {},
): (request: Request) => Promise<Response> {
  const { keepAlive = 8_000, onError = () => {}, sessionless = true } = options
  if (!(keepAlive > 0)) throw new TypeError(`keepAlive: expected a number above 0, got ${keepAlive}`)
  const { allowHosts = ['*'] } = options
  const face = httpFace(handlerOf(what, options), {
    ...options,
    sessionless,
    allowHosts,
    sameHost: true,
    ownTimers: true,
  })
  const refused = new Set(sessionless ? [options.ssePath ?? '/sse', options.messagesPath ?? '/messages'] : [])

  return async request => {
    const seen = new FetchRequest(request)
    let reply: HttpReply
    try {
      reply = refused.has(seen.path) ? NO_SESSIONS : await face.handler(seen)
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

function handlerOf(what: Handler | Target, { stateKey, ...options }: FetchHandlerOptions): Handler {
  if (typeof what === 'function') return what
  return instances(what, stateKey === undefined ? options : { ...options, sealer: createSealer(stateKey) })
}

/** HTTP+SSE is a session: its stream and its posts have to reach the same instance. */
const NO_SESSIONS = errorReply(404, {
  code: METHOD_NOT_FOUND,
  message: 'HTTP+SSE needs sessions, which are not kept here (sessionless): use Streamable HTTP',
})

function joined(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}
