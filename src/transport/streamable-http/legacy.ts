/**
 * The legacy era on HTTP: sessions, streams that can be resumed, questions to the client.
 * Specification: 2025-11-25, 2025-06-18 and 2025-03-26 basic/transports, "Streamable HTTP".
 */

import { Context } from '../../exchange/context.js'
import { TransportError, toErrorObject } from '../../exchange/errors.js'
import type { Handler } from '../../exchange/exchange.js'
import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import type { Body } from '../../exchange/http-body.js'
import { httpCaller } from '../../exchange/http-caller.js'
import { ACCEPTED, because, errorReply, JSON_HEADERS, refusal } from '../../exchange/http-reply.js'
import { drainingReply, type InFlight } from '../../exchange/in-flight.js'
import type { SessionExchange } from '../../legacy/session.js'
import { type ToSessionOptions, toSession } from '../../legacy/to-session.js'
import { UPSTREAM_BUSY } from '../../protocol/errors.js'
import { HEADER_LAST_EVENT_ID, HEADER_SESSION } from '../../protocol/headers.js'
import {
  errorResponse,
  isRequest,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
} from '../../protocol/message.js'
import { METHOD_INITIALIZE } from '../../protocol/methods.js'
import { atLeast } from '../../protocol/versions.js'
import type { Accept } from './accept.js'
import { Batch, MAX_BATCH } from './batch.js'
import type { CallStep } from './call-stream.js'
import type { Patience } from './patience.js'
import { answerReply, streamReply } from './reply.js'
import type { SessionStream, StreamOptions } from './session-streams.js'
import type { HttpSession, Sessions } from './sessions.js'

export interface LegacyServices {
  readonly handler: Handler
  readonly inFlight: InFlight
  readonly patience: Patience
  readonly sessions: Sessions
  readonly toSession: ToSessionOptions
  /** Milliseconds that clients should wait before they resume a stream. */
  readonly retry: number
}

/** Calls that one session may have running at a time, attended or not. */
const MAX_CALLS = 1_024

/** Answers one POST of a legacy client. Not async itself, as `answerModern`. */
export function answerLegacy(
  services: LegacyServices,
  request: HttpRequest,
  body: Body,
  accept: Accept,
  principal: string | undefined,
): HttpReply | Promise<HttpReply> {
  if (!Array.isArray(body) && isRequest(body as JSONRPCMessage)) {
    const message = body as JSONRPCRequest
    if (message.method === METHOD_INITIALIZE) return initialize(services, request, message, accept, principal)
  }
  const session = sessionOf(services, request, principal)
  if (!('served' in session)) return because(session, undefined, askedBy(body))
  session.touch()
  if (Array.isArray(body)) return answerBatch(services, session, request, body, accept)
  const message = body as JSONRPCMessage
  if (isRequest(message)) return answerCall(services, session, request, message, accept)
  session.served.deliver(message)
  return ACCEPTED
}

/** Opens the standalone stream, or resumes any stream of the session. */
export function openStream(
  services: LegacyServices,
  request: HttpRequest,
  principal: string | undefined,
): HttpReply {
  const session = sessionOf(services, request, principal)
  if (!('served' in session)) return session
  if (services.inFlight.draining) return drainingReply()
  session.touch()
  const lastEventId = request.header(HEADER_LAST_EVENT_ID)
  if (lastEventId === undefined || lastEventId === '') {
    const connection = session.listen(retryOf(services, session))
    request.onHangup(() => connection.end())
    return streamReply(connection)
  }
  const connection = session.resume(lastEventId)
  if (connection === 'unknown') {
    return because(refusal(400, `Last-Event-ID "${lastEventId}" is not an event of this session`), 'event-id')
  }
  // An event source stops asking on 204. Without it, a client whose call was cancelled would ask for ever.
  if (connection === 'ended') return { status: 204, headers: {} }
  request.onHangup(() => connection.end())
  return streamReply(connection)
}

/** Ends a session because its client asks for it. */
export function endSession(
  services: LegacyServices,
  request: HttpRequest,
  principal: string | undefined,
): HttpReply {
  const session = sessionOf(services, request, principal)
  if (!('served' in session)) return session
  services.sessions.end(session)
  return { status: 204, headers: {} }
}

/** The session that a request names, or why not. */
function sessionOf(
  services: LegacyServices,
  request: HttpRequest,
  principal: string | undefined,
): HttpSession | HttpReply {
  const id = request.header(HEADER_SESSION)
  if (id === undefined) {
    const missing = 'The Mcp-Session-Id header is missing. A session begins with an initialize request'
    return because(refusal(400, missing), 'no-session')
  }
  const gone = 'The session has ended or never was. Begin a new one with an initialize request'
  return services.sessions.find(id, principal) ?? because(refusal(404, gone), 'session')
}

/** The call in a body; the first one of a batch. */
function askedBy(body: Body): JSONRPCRequest | undefined {
  const messages = Array.isArray(body) ? (body as readonly JSONRPCMessage[]) : [body as JSONRPCMessage]
  return messages.find(isRequest)
}

/** Begins a session. Whatever session the client had before, the specification asks it to come without. */
async function initialize(
  services: LegacyServices,
  request: HttpRequest,
  message: JSONRPCRequest,
  accept: Accept,
  principal: string | undefined,
): Promise<HttpReply> {
  if (services.inFlight.draining) return because(drainingReply(message.id), undefined, message)
  const session = services.sessions.create(() => toSession(services.handler, services.toSession), principal)
  if (session === undefined) {
    const error = {
      code: UPSTREAM_BUSY,
      message: 'Too many sessions are open (--max-sessions)',
      data: { option: '--max-sessions' },
    }
    return because(errorReply(503, error, message.id, { 'retry-after': '10' }), 'sessions', message)
  }
  const endUnlessBegun = () => {
    if (session.served.protocolVersion === undefined) services.sessions.end(session)
  }
  const headers = { [HEADER_SESSION]: session.id }
  const reply = await answerCall(services, session, request, message, accept, headers, endUnlessBegun)
  const { [HEADER_SESSION]: _, ...without } = reply.headers
  return services.sessions.find(session.id, principal) === undefined ? { ...reply, headers: without } : reply
}

function answerCall(
  services: LegacyServices,
  session: HttpSession,
  request: HttpRequest,
  message: JSONRPCRequest,
  accept: Accept,
  headers?: Readonly<Record<string, string>>,
  onEnd?: () => void,
): HttpReply | Promise<HttpReply> {
  const refused = refuseCall(services, session, message.id)
  if (refused !== undefined) return because(refused, undefined, message)
  const context = new Context(httpCaller('streamable-http', request, session.principal, session.id))
  const finished = () => {
    session.finished(context)
    onEnd?.()
  }
  const replying = () => {
    session.requests--
    session.touch()
  }
  const failed = (error: unknown) => {
    replying()
    finished()
    // A cancelled call must not be answered (2025-11-25 basic/utilities/cancellation): a stream can end without.
    if (isCancelled(error) && accept.stream) return streamReply(nothing())
    return answerReply(errorResponse(message.id, toErrorObject(error)))
  }
  session.begin(context)
  session.requests++
  const exchange = session.served.request(message, context)
  const first = accept.stream ? exchange.next() : unmissable(exchange)
  const settled = (step: CallStep | undefined) => {
    replying()
    if (step?.done && accept.json) {
      finished()
      return answerReply(step.value, headers)
    }
    const again = step === undefined ? first : Promise.resolve(step)
    const stream = { requestId: message.id, first: again, onEnd: finished }
    return streamCall(services, session, request, exchange, stream, headers)
  }
  return accept.stream ? services.patience.first(first, settled, failed) : first.then(settled, failed)
}

/** Who takes no stream misses the notifications; a question must reach it, or the call would hang. */
async function unmissable(exchange: SessionExchange): Promise<CallStep> {
  let step = await exchange.next()
  while (!step.done && !isRequest(step.value)) step = await exchange.next()
  return step
}

/** Its own function, so that a call that is answered at once pays for no closures of a stream. */
function streamCall(
  services: LegacyServices,
  session: HttpSession,
  request: HttpRequest,
  exchange: SessionExchange,
  options: StreamOptions,
  headers: Readonly<Record<string, string>> | undefined,
): HttpReply {
  const stream = session.streams.open(exchange, options)
  return attach(services, session, request, stream, headers)
}

/** The responses of a batch that yields nothing else. */
type Plain = readonly JSONRPCResponse[] | undefined

async function answerBatch(
  services: LegacyServices,
  session: HttpSession,
  request: HttpRequest,
  messages: readonly JSONRPCMessage[],
  accept: Accept,
): Promise<HttpReply> {
  const version = session.served.protocolVersion ?? '2025-03-26'
  if (version !== '2025-03-26')
    return because(refusal(400, `Batches are not part of revision ${version}`), 'batch')
  if (messages.length > MAX_BATCH)
    return because(refusal(400, `The batch has more than ${MAX_BATCH} messages`), 'batch')
  const requests = messages.filter(isRequest)
  if (requests.some(message => message.method === METHOD_INITIALIZE)) {
    return because(refusal(400, 'The initialize request must not be part of a batch'), 'batch')
  }
  for (const message of messages) if (!isRequest(message)) session.served.deliver(message)
  if (requests.length === 0) return ACCEPTED
  const refused = refuseCall(services, session)
  if (refused !== undefined) return refused

  const calls = requests.map(message => {
    const context = new Context(httpCaller('streamable-http', request, session.principal, session.id))
    session.begin(context)
    return { request: message, context, exchange: session.served.request(message, context) }
  })
  const batch = new Batch(calls, call => session.finished(call.context))
  const attached = () => attach(services, session, request, session.streams.open(batch))
  if (!accept.json) return attached()
  const settled = (plain: Plain) => {
    session.requests--
    session.touch()
    if (plain !== undefined) return { status: 200, headers: JSON_HEADERS, body: JSON.stringify(plain) }
    batch.stream()
    return attached()
  }
  const failed = (error: unknown) => {
    throw error
  }
  session.requests++
  const responses = batch.responses()
  return accept.stream
    ? services.patience.first<Plain, HttpReply>(responses, settled, failed)
    : responses.then(settled)
}

/** Hands a call's stream to the client that made the call. When it leaves, the call goes on. */
function attach(
  services: LegacyServices,
  session: HttpSession,
  request: HttpRequest,
  stream: SessionStream,
  headers?: Readonly<Record<string, string>>,
): HttpReply {
  const connection = stream.attach(undefined, retryOf(services, session))
  request.onHangup(() => connection.end())
  return streamReply(connection, headers)
}

function refuseCall(services: LegacyServices, session: HttpSession, id?: RequestId): HttpReply | undefined {
  if (services.inFlight.draining) return drainingReply(id)
  if (session.calls < MAX_CALLS) return undefined
  const message = `The session has ${MAX_CALLS} calls open already`
  return errorReply(503, { code: UPSTREAM_BUSY, message }, id, { 'retry-after': '1' })
}

/** Clients before 2025-11-25 know no empty events: they would try to parse them. */
function retryOf(services: LegacyServices, session: HttpSession): number | undefined {
  const version = session.served.protocolVersion
  return version !== undefined && atLeast(version, '2025-11-25') ? services.retry : undefined
}

function isCancelled(error: unknown): boolean {
  return error instanceof TransportError && error.code === 'ERR_CANCELLED'
}

async function* nothing(): AsyncGenerator<string> {}
