/**
 * Streamable HTTP, server side: one endpoint for both eras. Specification: 2026-07-28
 * basic/transports/streamable-http; 2025-11-25, 2025-06-18 and 2025-03-26 basic/transports.
 */

import type { Handler } from '../../exchange/exchange.js'
import type { HttpHandler, HttpReply, HttpRequest } from '../../exchange/http.js'
import { type Body, BodyRefusal, DEFAULT_MAX_BODY, isJsonType, readBody } from '../../exchange/http-body.js'
import { errorReply, methodNotAllowed, refusal } from '../../exchange/http-reply.js'
import { InFlight } from '../../exchange/in-flight.js'
import type { ToSessionOptions } from '../../legacy/to-session.js'
import { HEADER_PROTOCOL_VERSION } from '../../protocol/headers.js'
import { protocolVersionOf } from '../../protocol/meta.js'
import { DEFAULT_MAX_DEPTH } from '../../protocol/parse.js'
import { isLegacyVersion, MODERN_VERSIONS } from '../../protocol/versions.js'
import { acceptOf, isBrowser } from './accept.js'
import { humanPage } from './human-page.js'
import { answerLegacy, endSession, type LegacyServices, openStream } from './legacy.js'
import { answerModern, type ModernServices } from './modern.js'
import { Patience } from './patience.js'
import { versionRefusalOf } from './request.js'
import { answerSessionless } from './sessionless.js'
import { Sessions } from './sessions.js'
import { ToolHeaders } from './tool-headers.js'

export interface StreamableHttpOptions {
  /** Bytes that a request body may have. Default 4 MiB. */
  readonly maxBody?: number | undefined
  /** How deep a message may nest. Default 128. */
  readonly maxDepth?: number | undefined
  /**
   * Milliseconds after which a reply that has not begun becomes an event stream, so that its headers and keep-alive
   * comments flow. Default 1 second.
   */
  readonly streamAfter?: number | undefined
  /** A timer for each reply instead of one for all, for platforms that end a request's timers with it. Default false. */
  readonly ownTimers?: boolean | undefined
  /** Refuses what does not accept both JSON and event streams with 406, as the letter asks. Default false. */
  readonly strictAccept?: boolean | undefined
  /** Serves legacy clients without sessions: nothing to ask, to resume or to listen to. Default false. */
  readonly sessionless?: boolean | undefined
  /** Milliseconds without a request or an open stream after which a legacy session ends. Default 30 minutes. */
  readonly sessionTtl?: number | undefined
  /** Legacy sessions that may be open. Default 10,000. */
  readonly maxSessions?: number | undefined
  /** Hears of each session that has ended, however it did. */
  readonly onSessionEnd?: ((session: string) => void) | undefined
  /** Events kept per legacy session for clients that come back. Default 1,000. */
  readonly replayEvents?: number | undefined
  /** Bytes of them. Default 4 MiB. */
  readonly replayBytes?: number | undefined
  /** Milliseconds that legacy clients should wait before they resume a stream. Default 1 second. */
  readonly retry?: number | undefined
  /** The modern revisions served; must be among those that `server/discover` names. Default: all. */
  readonly versions?: readonly string[] | undefined
  /** How legacy clients are translated. */
  readonly toSession?: ToSessionOptions | undefined
  /** Where the endpoint is for the outside, for the page that people see. Default: as the request says. */
  readonly publicUrl?: string | undefined
  /** Who sends the request. Sessions and tool lists are kept apart by it. Default: everybody is the same. */
  readonly principal?: ((request: HttpRequest) => string | undefined) | undefined
  /** Hears of each request that is refused before there is a call, after so many milliseconds. */
  readonly onRefused?: ((request: HttpRequest, reply: HttpReply, duration?: number) => void) | undefined
  /** The open calls, where several faces are drained together. */
  readonly inFlight?: InFlight | undefined
}

export interface StreamableHttp {
  readonly handler: HttpHandler
  /** Refuses new calls, ends streams that have no end, waits for calls at most so many milliseconds. */
  drain(timeoutMs: number): Promise<void>
  /** Ends sessions, calls and streams. */
  close(): void
}

/** Serves a handler on one endpoint. Throws `TypeError` for options out of range. */
export function streamableHttp(handler: Handler, options: StreamableHttpOptions = {}): StreamableHttp {
  const inFlight = options.inFlight ?? new InFlight()
  const patience = new Patience(positive('streamAfter', options.streamAfter ?? 1_000), options.ownTimers)
  const sessions = new Sessions(
    {
      ttl: positive('sessionTtl', options.sessionTtl ?? 30 * 60_000),
      maxSessions: positive('maxSessions', options.maxSessions ?? 10_000),
      onEnd: options.onSessionEnd ?? (() => {}),
      replay: {
        events: positive('replayEvents', options.replayEvents ?? 1_000),
        bytes: positive('replayBytes', options.replayBytes ?? 4 * 1024 * 1024),
      },
    },
    inFlight,
  )
  const modern: ModernServices = {
    handler,
    inFlight,
    patience,
    toolHeaders: new ToolHeaders(handler),
    versions: options.versions ?? MODERN_VERSIONS,
    onRefused: options.onRefused,
  }
  const legacy: LegacyServices = {
    handler,
    inFlight,
    patience,
    sessions,
    toSession: options.toSession ?? {},
    retry: positive('retry', options.retry ?? 1_000),
  }
  const limits = {
    maxBody: positive('maxBody', options.maxBody ?? DEFAULT_MAX_BODY),
    maxDepth: positive('maxDepth', options.maxDepth ?? DEFAULT_MAX_DEPTH),
  }
  const principalOf = options.principal ?? (() => undefined)
  const sessionless = options.sessionless === true
  const strict = options.strictAccept === true

  const post = async (request: HttpRequest): Promise<HttpReply> => {
    if (!isJsonType(request.header('content-type'))) {
      return refusal(415, 'The Content-Type of a request must be application/json')
    }
    const accept = acceptOf(request.header('accept'))
    if (strict && !(accept.json && accept.stream)) {
      return refusal(406, 'The Accept header must list application/json and text/event-stream')
    }
    const body = await readBody(request, limits)
    if (body instanceof BodyRefusal) return body.reply
    const principal = principalOf(request)
    if (isModern(request, body)) return await answerModern(modern, request, body, accept, principal)
    if (sessionless) return await answerSessionless(legacy, request, body, accept, principal)
    return await answerLegacy(legacy, request, body, accept, principal)
  }

  /** GET and DELETE have a meaning for legacy clients with sessions only. */
  const refuseLegacyVerb = (request: HttpRequest): HttpReply | undefined => {
    if (sessionless) return methodNotAllowed('POST')
    const refused = versionRefusalOf(request, modern.versions)
    if (refused !== undefined) return errorReply(refused.status, refused.error)
    return isModernHeader(request) ? methodNotAllowed('POST') : undefined
  }

  const get = (request: HttpRequest): HttpReply => {
    const accept = request.header('accept')
    if (isBrowser(accept)) return humanPage(options.publicUrl ?? urlOf(request))
    const elsewhere = refuseLegacyVerb(request)
    if (elsewhere !== undefined) return elsewhere
    if (strict && !acceptOf(accept).stream) {
      return refusal(406, 'The Accept header of a GET request must list text/event-stream')
    }
    return openStream(legacy, request, principalOf(request))
  }

  const other = async (request: HttpRequest): Promise<HttpReply> => {
    switch (request.method) {
      case 'GET':
        return get(request)
      case 'DELETE':
        return refuseLegacyVerb(request) ?? endSession(legacy, request, principalOf(request))
      default:
        return methodNotAllowed(sessionless ? 'POST' : 'GET, POST, DELETE')
    }
  }

  return {
    handler: request => (request.method === 'POST' ? post(request) : other(request)),
    drain: timeoutMs => inFlight.drain(timeoutMs),
    close: () => {
      patience.close()
      inFlight.close()
      sessions.close()
    },
  }
}

/**
 * An explicit header decides, whatever is left over in `_meta`. A value that we do not know is a modern client's:
 * it learns from the error which revisions there are.
 */
function isModern(request: HttpRequest, body: Body): boolean {
  const header = request.header(HEADER_PROTOCOL_VERSION)
  if (header !== undefined) return !isLegacyVersion(header)
  if (Array.isArray(body) || !('method' in body)) return false
  const version = protocolVersionOf(body)
  return version !== undefined && !isLegacyVersion(version)
}

function isModernHeader(request: HttpRequest): boolean {
  const header = request.header(HEADER_PROTOCOL_VERSION)
  return header !== undefined && !isLegacyVersion(header)
}

function urlOf(request: HttpRequest): string {
  return `${request.scheme}://${request.header('host') ?? 'localhost'}${request.prefix ?? ''}${request.path}`
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new TypeError(`${name}: expected a number above 0, got ${value}`)
  return value
}
