/**
 * The modern era on HTTP: each POST stands for itself. Specification: 2026-07-28 basic/transports/streamable-http.
 */

import { Context } from '../../exchange/context.js'
import { httpStatusOf, refusalHeadersOf, toErrorObject } from '../../exchange/errors.js'
import { type Exchange, finish, type Handler } from '../../exchange/exchange.js'
import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import type { Body } from '../../exchange/http-body.js'
import { httpCaller } from '../../exchange/http-caller.js'
import { ACCEPTED, because, errorReply, JSON_HEADERS, refusal } from '../../exchange/http-reply.js'
import { drainingReply, type InFlight } from '../../exchange/in-flight.js'
import { whileWaiting } from '../../exchange/while-waiting.js'
import { RpcError } from '../../protocol/errors.js'
import {
  errorResponse,
  isNotification,
  isRequest,
  type JSONRPCErrorObject,
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
} from '../../protocol/message.js'
import {
  METHOD_CALL_TOOL,
  METHOD_LIST_TOOLS,
  METHOD_LISTEN,
  METHOD_TOOLS_CHANGED,
} from '../../protocol/methods.js'
import type { Accept } from './accept.js'
import { type CallStep, CallStream, ListenStream } from './call-stream.js'
import type { Patience } from './patience.js'
import { jsonReply, streamReply } from './reply.js'
import { refusalOf, versionRefusalOf } from './request.js'
import type { ToolHeaders } from './tool-headers.js'

export interface ModernServices {
  readonly handler: Handler
  readonly inFlight: InFlight
  readonly patience: Patience
  readonly toolHeaders: ToolHeaders
  /** The modern revisions that are served, newest first. */
  readonly versions: readonly string[]
  /** Hears of what is refused when the answer may have begun already. */
  readonly onRefused: ((request: HttpRequest, reply: HttpReply) => void) | undefined
}

/** Answers one POST of a modern client. Not async itself: each such layer costs a call some 0.1 microseconds. */
export function answerModern(
  services: ModernServices,
  request: HttpRequest,
  body: Body,
  accept: Accept,
  principal: string | undefined,
): HttpReply | Promise<HttpReply> {
  if (Array.isArray(body))
    return because(refusal(400, 'The body must be a single message: this revision has no batches'), 'batch')
  const message = body as JSONRPCMessage
  if (!isRequest(message)) {
    const refused = versionRefusalOf(request, services.versions)
    if (refused !== undefined) return errorReply(refused.status, refused.error)
    // No notification over HTTP means anything in this revision; those of extensions have nowhere to go.
    return isNotification(message)
      ? ACCEPTED
      : because(refusal(400, 'Clients must not send responses in this revision'), 'response')
  }
  const refused = refusalOf(request, message, services.versions)
  if (refused !== undefined)
    return because(errorReply(refused.status, refused.error, message.id), undefined, message)
  if (services.inFlight.draining) return because(drainingReply(message.id), undefined, message)

  const context = new Context(httpCaller('streamable-http', request, principal))
  request.onHangup(() => context.cancel('hangup'))
  services.inFlight.begin(context)
  if (message.method === METHOD_CALL_TOOL) {
    const error = services.toolHeaders.check(message, request, context)
    if (error instanceof Promise) {
      const handler = checked(services.handler, error, found => {
        services.onRefused?.(request, because(errorReply(400, found, message.id), undefined, message))
      })
      return respond({ ...services, handler }, message, context, accept)
    }
    if (error !== undefined) {
      services.inFlight.end(context)
      request.called = false
      return because(errorReply(400, error, message.id), undefined, message)
    }
  }
  return respond(services, message, context, accept)
}

/** A call whose headers can be checked only when its server has said what tools there are, for which it may have to start. */
function checked(
  handler: Handler,
  check: Promise<JSONRPCErrorObject | undefined>,
  onRefused: (error: JSONRPCErrorObject) => void,
): Handler {
  return async function* (request, context) {
    const error = yield* whileWaiting(check, request)
    if (error !== undefined) {
      onRefused(error)
      throw new RpcError(error.code, error.message, error.data)
    }
    return yield* handler(request, context)
  }
}

function respond(
  services: ModernServices,
  message: JSONRPCRequest,
  context: Context,
  accept: Accept,
): Promise<HttpReply> {
  const listens = message.method === METHOD_LISTEN
  const exchange = services.handler(message, context)
  const failed = (error: unknown) => {
    services.inFlight.end(context)
    const failure = errorResponse(message.id, toErrorObject(error))
    return statusReply(failure, statusOf(failure))
  }
  if (!accept.stream && !listens) {
    // Who takes no stream gets the response alone: notifications are what may be missed.
    return finish(exchange).then(response => answered(services, message, context, response), failed)
  }
  const first = exchange.next()
  return services.patience.first(
    first,
    step => {
      if (step?.done && (accept.json || statusOf(step.value) !== 200))
        return answered(services, message, context, step.value)
      const forget = listens ? services.toolHeaders.keyOf(message, context) : undefined
      const again = step === undefined ? (first as Promise<CallStep>) : Promise.resolve(step as CallStep)
      return openStream(services, context, exchange, again, message.id, forget)
    },
    failed,
  )
}

function answered(
  services: ModernServices,
  message: JSONRPCRequest,
  context: Context,
  response: JSONRPCResponse,
): HttpReply {
  services.inFlight.end(context)
  if (message.method === METHOD_LIST_TOOLS) services.toolHeaders.learn(message, response, context)
  return statusReply(response, statusOf(response))
}

/** Its own function, so that a stream that stays open holds on to no more of its request than it needs. */
function openStream(
  services: ModernServices,
  context: Context,
  exchange: Exchange,
  first: Promise<CallStep>,
  id: RequestId,
  forget: string | undefined,
): HttpReply {
  const onEnd = (finished: boolean) => {
    services.inFlight.end(context)
    if (stream instanceof ListenStream) services.inFlight.closed(stream)
    if (finished) return
    // Closing the stream is how a client of this era cancels ("Cancellation").
    context.cancel('hangup')
    void exchange.return(undefined as never).catch(() => {})
  }
  const stream =
    forget === undefined
      ? new CallStream(id, exchange, { first, onEnd })
      : new ListenStream(id, exchange, context, { first, onEnd, onMessage: forgetting(services, forget) })
  // Gone already, or before anybody reads the stream: then nobody else would end it.
  context.onCancel(reason => {
    if (reason === 'hangup') void stream.return()
  })
  if (stream instanceof ListenStream) {
    // A listen has no end to wait for: as a stream it is ended, as a call it would hold up the drain.
    services.inFlight.end(context)
    services.inFlight.open(stream)
  }
  return streamReply(stream)
}

function forgetting(
  services: ModernServices,
  key: string,
): (event: JSONRPCNotification | JSONRPCRequest) => void {
  return event => {
    if (event.method === METHOD_TOOLS_CHANGED) services.toolHeaders.forget(key)
  }
}

function statusReply(response: JSONRPCResponse, status: number): HttpReply {
  const extra = 'error' in response ? refusalHeadersOf(response.error) : undefined
  return extra === undefined
    ? jsonReply(response, status)
    : jsonReply(response, status, { ...JSON_HEADERS, ...extra })
}

function statusOf(response: JSONRPCResponse): number {
  return 'error' in response ? httpStatusOf(response.error.code) : 200
}
