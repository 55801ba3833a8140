/**
 * HTTP+SSE, server side: a stream for the server's messages, and a second endpoint for the client's.
 * Specification: 2024-11-05 basic/transports, "HTTP with SSE".
 */

import { Context } from '../../exchange/context.js'
import type { Handler } from '../../exchange/exchange.js'
import type { HttpHandler, HttpReply, HttpRequest } from '../../exchange/http.js'
import { BodyRefusal, DEFAULT_MAX_BODY, isJsonType, readBody } from '../../exchange/http-body.js'
import { httpCaller } from '../../exchange/http-caller.js'
import {
  ACCEPTED,
  because,
  errorReply,
  methodNotAllowed,
  refusal,
  STREAM_HEADERS,
} from '../../exchange/http-reply.js'
import { drainingReply, InFlight } from '../../exchange/in-flight.js'
import { type ToSessionOptions, toSession } from '../../legacy/to-session.js'
import { UPSTREAM_BUSY } from '../../protocol/errors.js'
import { KEEP_ALIVE_COMMENT } from '../../protocol/event-stream.js'
import { isRequest, type JSONRPCMessage } from '../../protocol/message.js'
import { DEFAULT_MAX_DEPTH } from '../../protocol/parse.js'
import { SseClient } from './client.js'

export interface SseOptions {
  /** Where clients post their messages. Default `/messages`. */
  readonly messagesPath?: string | undefined
  /** What a reverse proxy strips from the path, or the whole public address: its path goes before `messagesPath`. */
  readonly publicUrl?: string | undefined
  /** Bytes that a message may have. Default 4 MiB. */
  readonly maxBody?: number | undefined
  /** How deep a message may nest. Default 128. */
  readonly maxDepth?: number | undefined
  /** Clients that may be connected. Default 10,000. */
  readonly maxClients?: number | undefined
  /** How the clients are translated. */
  readonly toSession?: ToSessionOptions | undefined
  /** Hears of each client that has left. */
  readonly onSessionEnd?: ((session: string) => void) | undefined
  /** Who sends the request: a client's messages come from whoever opened its stream. Default: everybody is the same. */
  readonly principal?: ((request: HttpRequest) => string | undefined) | undefined
  /** The open calls, where several faces are drained together. */
  readonly inFlight?: InFlight | undefined
}

export interface SseServer {
  /** Answers at the stream's path. */
  readonly stream: HttpHandler
  /** Answers at `messagesPath`. */
  readonly messages: HttpHandler
  /** Refuses new calls, waits for open ones at most so many milliseconds, ends the streams. */
  drain(timeoutMs: number): Promise<void>
  /** Ends everything. */
  close(): void
}

/** Calls that one client may have running at a time. */
const MAX_CALLS = 1_024
const MAX_BATCH = 256

export function serveSse(handler: Handler, options: SseOptions = {}): SseServer {
  const inFlight = options.inFlight ?? new InFlight()
  const clients = new Map<string, SseClient>()
  const limits = {
    maxBody: options.maxBody ?? DEFAULT_MAX_BODY,
    maxDepth: options.maxDepth ?? DEFAULT_MAX_DEPTH,
  }
  const maxClients = options.maxClients ?? 10_000
  const principalOf = options.principal ?? (() => undefined)
  const messagesPath = options.messagesPath ?? '/messages'
  const prefix = options.publicUrl === undefined ? undefined : prefixOf(options.publicUrl)

  const stream = async (request: HttpRequest): Promise<HttpReply> => {
    if (request.method !== 'GET') return methodNotAllowed('GET')
    if (inFlight.draining) return drainingReply()
    if (clients.size >= maxClients) {
      const message = 'Too many clients are connected (--max-sessions)'
      const refused = errorReply(503, { code: UPSTREAM_BUSY, message }, undefined, { 'retry-after': '10' })
      return because(refused, 'sessions')
    }
    // 122 random bits: whoever knows the id may speak for the client.
    const id = crypto.randomUUID()
    const client = new SseClient(
      toSession(handler, options.toSession),
      principalOf(request),
      inFlight,
      () => {
        clients.delete(id)
        options.onSessionEnd?.(id)
      },
    )
    clients.set(id, client)
    // Relative to the origin, which behind a proxy only the client knows.
    client.open(`${prefix ?? request.prefix ?? ''}${messagesPath}?sessionId=${id}`)
    request.onHangup(() => client.close())
    return { status: 200, headers: STREAM_HEADERS, body: client, keepAlive: KEEP_ALIVE_COMMENT }
  }

  const messages = async (request: HttpRequest): Promise<HttpReply> => {
    if (request.method !== 'POST') return methodNotAllowed('POST')
    if (!isJsonType(request.header('content-type'))) {
      return refusal(415, 'The Content-Type of a message must be application/json')
    }
    const id = new URLSearchParams(request.query).get('sessionId')
    if (id === null) {
      const missing = 'The query lacks sessionId: use the address that the stream began with'
      return because(refusal(400, missing), 'no-session')
    }
    const client = clients.get(id)
    if (client === undefined || client.principal !== principalOf(request)) {
      return because(refusal(404, 'The client has left or never was. Open the stream again'), 'session')
    }
    const body = await readBody(request, limits)
    if (body instanceof BodyRefusal) return body.reply
    return receive(
      client,
      request,
      id,
      Array.isArray(body) ? body : [body as JSONRPCMessage],
      Array.isArray(body),
    )
  }

  const receive = (
    client: SseClient,
    request: HttpRequest,
    session: string,
    batch: readonly JSONRPCMessage[],
    isBatch: boolean,
  ): HttpReply => {
    const version = client.session.protocolVersion
    if (isBatch && version !== '2025-03-26') {
      const text = `Batches are not part of revision ${version ?? '2024-11-05'}`
      return because(refusal(400, text), 'batch')
    }
    if (batch.length > MAX_BATCH)
      return because(refusal(400, `The batch has more than ${MAX_BATCH} messages`), 'batch')
    const requests = batch.filter(isRequest)
    if (requests.length > 0) {
      if (inFlight.draining) return because(drainingReply(), undefined, requests[0])
      if (client.calls + requests.length > MAX_CALLS) {
        const message = `The client has ${MAX_CALLS} calls open already`
        const refused = errorReply(503, { code: UPSTREAM_BUSY, message }, undefined, { 'retry-after': '1' })
        return because(refused, undefined, requests[0])
      }
    }
    for (const message of batch) {
      if (isRequest(message))
        client.call(message, new Context(httpCaller('sse', request, client.principal, session)))
      else client.session.deliver(message)
    }
    return ACCEPTED
  }

  return {
    stream,
    messages,
    drain: async timeoutMs => {
      await inFlight.drain(timeoutMs)
      for (const client of [...clients.values()]) client.close()
    },
    close: () => {
      for (const client of [...clients.values()]) client.close()
    },
  }
}

/** Throws `TypeError` where the public address is none. */
function prefixOf(publicUrl: string | undefined): string {
  if (publicUrl === undefined) return ''
  const path = publicUrl.startsWith('/') ? publicUrl : new URL(publicUrl).pathname
  return path.replace(/\/+$/, '')
}
