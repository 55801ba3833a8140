/** A server within somebody else's HTTP server: plain `node:http`, Express, Fastify. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Target } from '../../client/open.js'
import type { RemoteTarget } from '../../client/remote.js'
import { type Upstream, upstream } from '../../client/upstream.js'
import type { UpstreamOptions } from '../../client/upstream-options.js'
import type { Handler } from '../../exchange/exchange.js'
import { bodyTooLarge } from '../../exchange/http-body-errors.js'
import { createSealer } from '../../legacy/request-state.js'
import { INTERNAL_ERROR, RpcError } from '../../protocol/errors.js'
import { type HttpAccessOptions, httpAccess } from '../../transport/http-access.js'
import { type HttpFaceOptions, httpFace } from '../../transport/http-face.js'
import { NodeHttpRequest } from './http-request.js'
import { httpWriter } from './http-writer.js'

export interface MountOptions
  extends HttpAccessOptions,
    Omit<
      HttpFaceOptions,
      'access' | 'boundHost' | 'servers' | 'ready' | 'readyTimeout' | 'onSessionEnd' | 'ownTimers'
    >,
    Omit<UpstreamOptions, 'sealer'> {
  /** What stands before all paths: with `/tools` the endpoint is `/tools/mcp`. Default: nothing. */
  readonly prefix?: string | undefined
  /** Milliseconds of silence after which a stream is kept alive. Default 15 seconds. */
  readonly keepAliveInterval?: number | undefined
  /** Seals what calls that wait for answers hand to their clients: 16 characters or more. Default: a random key of this process. */
  readonly stateKey?: string | undefined
  /** Told about what the handler or a stream threw; the client gets a 500 or a cut stream. */
  readonly onError?: ((error: unknown) => void) | undefined
}

/** A request of `node:http`, or what a framework made of it: its type by the fields that tell it, so that no types of Node are needed. */
export interface IncomingLike {
  readonly url?: string | undefined
  readonly rawHeaders: readonly string[]
  readonly socket: object
}

/** The response of `node:http`. */
export interface OutgoingLike {
  readonly headersSent: boolean
  readonly writableLength: number
}

export interface Mounted {
  /** Answers what is asked at its paths, whole ones, wherever a framework mounted it; `next` gets the rest, or 404 does. */
  (incoming: IncomingLike, outgoing: OutgoingLike, next?: (error?: unknown) => void): void
  /** Lets open calls finish for at most `drainTimeout` milliseconds (default 5 seconds), then stops what was started. */
  close(options?: { readonly drainTimeout?: number }): Promise<void>
}

type Listener = (incoming: IncomingLike, outgoing: OutgoingLike, next?: (error?: unknown) => void) => void

/** What frameworks add to requests: a body that they have parsed, the address before they cut it. */
interface FrameworkRequest extends IncomingMessage {
  readonly body?: unknown
  readonly rawBody?: unknown
  readonly originalUrl?: string
}

/**
 * A target or a handler as the listener of a `node:http` server, or the middleware of Express and its kin. Bodies may have been
 * parsed before. Throws `TypeError` for options that cannot work.
 */
export function mount(what: Target | RemoteTarget | Handler, options: MountOptions = {}): Mounted {
  const { prefix = '', keepAliveInterval = 15_000, stateKey, onError = () => {}, ...rest } = options
  if (prefix !== '' && !/^(\/[^/?#\s]+)+$/.test(prefix))
    throw new TypeError(`prefix: expected a path such as "/tools", got "${prefix}"`)
  const sealer = stateKey === undefined ? {} : { sealer: createSealer(stateKey) }
  const up: Upstream | undefined =
    typeof what === 'function' ? undefined : upstream(what, { ...rest, ...sealer })
  const handler = typeof what === 'function' ? what : (up as Upstream).handler
  const paths = {
    path: prefix + (options.path ?? '/mcp'),
    ssePath: prefix + (options.ssePath ?? '/sse'),
    messagesPath: prefix + (options.messagesPath ?? '/messages'),
  }
  const access = httpAccess(rest)
  const face = httpFace(handler, {
    ...rest,
    ...paths,
    access,
    onSessionEnd: session => up?.endSession(session),
  })
  const own = new Set(Object.values(paths))
  let closing = false
  const writer = httpWriter(face.handler, {
    keepAliveInterval,
    stallTimeout: 60_000,
    onRefused: options.onRefused,
    onError,
    closing: () => closing,
  })

  const listener: Listener = (incoming, outgoing, next) => {
    const request = new MountedRequest(incoming as FrameworkRequest, outgoing as ServerResponse)
    if (next !== undefined && !own.has(request.path)) next()
    else writer.serve(request, outgoing as ServerResponse)
  }
  return Object.assign(listener, {
    async close({ drainTimeout = 5_000 } = {}) {
      closing = true
      await face.drain(drainTimeout)
      await face.close()
      await up?.close()
      writer.stop()
    },
  })
}

/** A request that others may have read before. */
class MountedRequest extends NodeHttpRequest {
  readonly #incoming: FrameworkRequest

  constructor(incoming: FrameworkRequest, outgoing: ServerResponse) {
    super(incoming, outgoing, false, incoming.originalUrl)
    this.#incoming = incoming
  }

  override text(limit: number): Promise<string> {
    const { body, rawBody } = this.#incoming
    const read = rawBody ?? body
    if (!this.#incoming.readableEnded) return super.text(limit)
    if (read === undefined) return Promise.reject(new RpcError(INTERNAL_ERROR, BODY_GONE))
    const text =
      typeof read === 'string' ? read : isBytes(read) ? new TextDecoder().decode(read) : JSON.stringify(read)
    return Buffer.byteLength(text) > limit ? Promise.reject(bodyTooLarge(limit)) : Promise.resolve(text)
  }
}

const BODY_GONE =
  'The body was read before and not kept: mount before what reads it, or give what was read as `body` of the request'

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}
