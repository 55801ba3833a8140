import { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError, wasNeverSent } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { Relay } from '../exchange/relay.js'
import { whileWaiting } from '../exchange/while-waiting.js'
import { INTERNAL_ERROR, METHOD_NOT_FOUND, RpcError, URL_ELICITATION_REQUIRED } from '../protocol/errors.js'
import {
  errorResponse,
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  resultResponse,
} from '../protocol/message.js'
import {
  clientCapabilitiesOf,
  clientInfoOf,
  isObject,
  logLevelOf,
  META_SERVER_INFO,
  progressTokenOf,
} from '../protocol/meta.js'
import {
  isRemovedInModern,
  METHOD_CANCELLED,
  METHOD_DISCOVER,
  METHOD_ELICIT,
  METHOD_LISTEN,
  METHOD_MESSAGE,
  METHOD_PROGRESS,
  mayAsk,
} from '../protocol/methods.js'
import { MODERN_VERSIONS } from '../protocol/versions.js'
import { canBeAsked, missingCapabilities, translatedCapabilities } from './capabilities.js'
import { LegacyConnection, severity } from './connection.js'
import type { ConnectionSource, Lease } from './connection-source.js'
import { toModernError } from './error-codes.js'
import type { LossListener } from './losses.js'
import { PlainCall } from './plain-call.js'
import { createSealer, type Sealer } from './request-state.js'
import { toLegacyRequest } from './requests.js'
import { toModernResult } from './results.js'
import type { Session } from './session.js'
import { type CallStep, missingCapabilityError, SuspendedCall, toInputRequest } from './suspended-call.js'
import { inputResponsesOf, SuspendedCalls } from './suspended-calls.js'
import { SUSPENSION } from './suspension.js'

export interface FromSessionOptions {
  readonly sealer?: Sealer
  /** How long a suspended call waits for its retry, in milliseconds. Default 10 minutes. */
  readonly parkTimeout?: number
  /** How many calls may be suspended at once. Default 10,000 in all and 1,000 for one principal. */
  readonly maxParked?: number
  readonly maxParkedPerPrincipal?: number
  /** How long a server may go on asking before its questions go out together, in milliseconds. Default 15. */
  readonly settle?: number
  /** Hears of what could not cross to the client. */
  readonly onLoss?: LossListener
}

export interface LegacyHandler {
  readonly handler: Handler
  /** How many calls wait for answers. */
  readonly parked: () => number
  close(): void
}

/** A legacy server as a modern Handler: its questions become `input_required`, its handshake `server/discover`. */
export function fromSession(
  source: ConnectionSource | Session,
  options: FromSessionOptions = {},
): LegacyHandler {
  const connections = 'acquire' in source ? source : soleConnection(source, options.onLoss)
  const suspended = new SuspendedCalls({
    sealer: options.sealer ?? createSealer(),
    parkTimeout: options.parkTimeout ?? 10 * 60_000,
    maxParked: options.maxParked ?? 10_000,
    maxParkedPerPrincipal: options.maxParkedPerPrincipal ?? 1_000,
  })
  const settle = options.settle ?? 15
  const handler: Handler = (request, context) => {
    if (mayAsk(request.method) && canBeAsked(clientCapabilitiesOf(request))) {
      return askingCall(connections, suspended, settle, request, context)
    }
    if (request.method === METHOD_DISCOVER) return discover(connections, request, context)
    if (request.method === METHOD_LISTEN) return new Listening(connections, request, context)
    if (isRemovedInModern(request.method)) return removed(request)
    return new PlainCall({
      request,
      context,
      acquire: () => connections.acquire(request, context, false),
      respond: (response, connection) => modernResponse(response, connection, suspended, request, context),
      refuse: (question, connection) => refuseQuestion(question, request, connection),
      wanted: isForCaller,
    })
  }
  return { handler, parked: () => suspended.size, close: () => suspended.close() }
}

/** One session for all callers, opened for the first with the capabilities that its request declares. */
function soleConnection(session: Session, onLoss?: LossListener): ConnectionSource {
  let opening: Promise<LegacyConnection> | undefined
  let turn: Promise<void> = Promise.resolve()
  return {
    async acquire(request, context, exclusive) {
      opening ??= LegacyConnection.open(
        session,
        { capabilities: clientCapabilitiesOf(request), clientInfo: clientInfoOf(request), onLoss },
        new Context(context.caller),
      )
      const connection = await orCancelled(opening, context)
      if (!exclusive) return { connection, release: () => {} }
      const previous = turn
      let release: () => void = () => {}
      turn = new Promise(resolve => {
        release = resolve
      })
      try {
        await orCancelled(previous, context)
      } catch (error) {
        void previous.then(release)
        throw error
      }
      return { connection, release }
    },
  }
}

/** A call whose server may ask: made on a connection of its own, and suspended while the caller thinks. */
async function* askingCall(
  connections: ConnectionSource,
  suspended: SuspendedCalls,
  settle: number,
  request: JSONRPCRequest,
  context: Context,
): Exchange {
  const level = logLevelOf(request)
  const answers = inputResponsesOf(request)
  const state = request.params?.requestState
  let call = typeof state === 'string' ? await suspended.claim(state, request, context, answers) : undefined
  // Sent again, the call would only ask again.
  if (call === undefined && state !== undefined && [...answers.values()].some(isRefusal)) {
    throw new RpcError(INTERNAL_ERROR, `${request.method} needs a page to be visited, which was refused`)
  }
  // Begun here, it may begin once more where its server was gone before it was told of it.
  let mayBeginAgain = call === undefined
  if (call === undefined) call = yield* beginCall(connections, request, context, answers)
  else call.resume(answers)
  let unlink = linkCancellation(context, call)
  let parked = false
  try {
    for (;;) {
      let step: CallStep
      try {
        step = await call.next(settle)
      } catch (error) {
        if (!mayBeginAgain || !wasNeverSent(error)) throw error
        mayBeginAgain = false
        unlink()
        call.end()
        call = yield* beginCall(connections, request, context, answers)
        unlink = linkCancellation(context, call)
        continue
      }
      if (step.kind === 'response') {
        // The server answers the request that began the call; this exchange may be a retry of another id.
        return modernResponse(
          { ...step.response, id: request.id },
          call.connection,
          suspended,
          request,
          context,
        )
      }
      if (step.kind === 'notification') {
        const own = isForCaller(step.notification, level) ? forRequest(step.notification, request) : undefined
        if (own !== undefined) yield own
        continue
      }
      unlink()
      const inputRequests = Object.fromEntries(
        [...call.questions].map(([key, question]) => [key, toInputRequest(question)]),
      )
      const requestState = await suspended.park(call, request, context)
      parked = true
      if (context.cancelled !== undefined) {
        // Nobody will see the state, so nobody will retry.
        suspended.abandon(call)
        throw new TransportError('ERR_CANCELLED', `The call was cancelled (${context.cancelled})`)
      }
      offerSuspension(context, suspended, call)
      return resultResponse(request.id, { resultType: 'input_required', inputRequests, requestState })
    }
  } finally {
    unlink()
    if (!parked) call.end()
  }
}

async function* beginCall(
  connections: ConnectionSource,
  request: JSONRPCRequest,
  context: Context,
  presets: Map<string, JSONObject>,
): AsyncGenerator<JSONRPCNotification, SuspendedCall, void> {
  const lease = yield* acquired(connections, request, context)
  try {
    const level = logLevelOf(request)
    const ready = level === undefined ? undefined : lease.connection.ensureLevel(level)
    if (ready !== undefined) await orCancelled(ready, context)
    const own = new Context(context.caller)
    const exchange = lease.connection.call(toLegacyRequest(request), own)
    return new SuspendedCall({
      exchange,
      context: own,
      presets,
      lease,
    })
  } catch (error) {
    lease.release()
    throw error
  }
}

/** A connection of the call's own, and no lease left behind where its caller leaves while it waits. */
async function* acquired(
  connections: ConnectionSource,
  request: JSONRPCRequest,
  context: Context,
): AsyncGenerator<JSONRPCNotification, Lease, void> {
  const acquiring = connections.acquire(request, context, true)
  if (!(acquiring instanceof Promise)) return acquiring
  let had = false
  try {
    const lease = yield* whileWaiting(acquiring, request)
    had = true
    return lease
  } finally {
    if (!had)
      acquiring.then(
        lease => lease.release(),
        () => {},
      )
  }
}

/** While an exchange pulls the call, that exchange's cancellation is the call's. */
function linkCancellation(context: Context, call: SuspendedCall): () => void {
  return context.onCancel(reason => call.context.cancel(reason))
}

function offerSuspension(context: Context, suspended: SuspendedCalls, call: SuspendedCall): void {
  context.set(SUSPENSION, {
    reject: (key, error) => call.reject(key, error),
    abandon: () => suspended.abandon(call),
  })
}

async function* discover(connections: ConnectionSource, request: JSONRPCRequest, context: Context): Exchange {
  const lease = await connections.acquire(request, context, false)
  try {
    const { protocolVersion: _version, capabilities, serverInfo, _meta, ...rest } = lease.connection.server
    return resultResponse(request.id, {
      ...rest,
      resultType: 'complete',
      supportedVersions: MODERN_VERSIONS,
      capabilities: translatedCapabilities(capabilities),
      ttlMs: 0,
      cacheScope: 'private',
      _meta: { ...(isObject(_meta) ? _meta : {}), [META_SERVER_INFO]: serverInfo },
    })
  } finally {
    lease.release()
  }
}

/** A `subscriptions/listen`, for which a connection is held. By hand, as what it leads to is. */
class Listening extends Relay<JSONRPCNotification> {
  readonly #connections: ConnectionSource
  readonly #request: JSONRPCRequest
  readonly #context: Context
  #subscription: Exchange | undefined
  #over = false

  constructor(connections: ConnectionSource, request: JSONRPCRequest, context: Context) {
    super()
    this.#connections = connections
    this.#request = request
    this.#context = context
  }

  next(): Promise<IteratorResult<JSONRPCNotification, JSONRPCResponse>> {
    return this.#subscription?.next() ?? this.#begin()
  }

  protected release(): void {
    this.#over = true
    this.#subscription?.return(undefined as never).catch(() => {})
  }

  async #begin(): Promise<IteratorResult<JSONRPCNotification, JSONRPCResponse>> {
    if (this.#over) throw new Error('The subscription is over')
    const lease = await this.#connections.acquire(this.#request, this.#context, false)
    this.#subscription = lease.connection.listen(this.#request, this.#context, lease)
    const first = this.#subscription.next()
    if (this.#over) this.release()
    return first
  }
}

async function* removed(request: JSONRPCRequest): Exchange {
  throw new RpcError(METHOD_NOT_FOUND, `${request.method} is not a method of the modern protocol`)
}

/** A promise only where a state must be sealed: the hot path has nothing to wait for. */
function modernResponse(
  response: JSONRPCResponse,
  connection: LegacyConnection,
  suspended: SuspendedCalls,
  request: JSONRPCRequest,
  context: Context,
): JSONRPCResponse | Promise<JSONRPCResponse> {
  if ('result' in response) {
    ;(response as { result: unknown }).result = toModernResult(
      request.method,
      response.result,
      connection.server.serverInfo,
    )
    return response
  }
  if (response.error.code === URL_ELICITATION_REQUIRED && mayAsk(request.method)) {
    const inputRequests = urlElicitations(response.error.data)
    const missing = missingCapabilities(METHOD_ELICIT, { mode: 'url' }, clientCapabilitiesOf(request))
    if (inputRequests !== undefined && missing !== undefined) {
      return errorResponse(request.id, missingCapabilityError(METHOD_ELICIT, missing).toErrorObject())
    }
    if (inputRequests !== undefined) {
      // The legacy contract is "visit, then send the request again": the retry is the call anew.
      return suspended
        .reissue(request, context)
        .then(requestState =>
          resultResponse(request.id, { resultType: 'input_required', inputRequests, requestState }),
        )
    }
  }
  return errorResponse(request.id, toModernError(response.error, request))
}

function urlElicitations(data: unknown): JSONObject | undefined {
  const elicitations = isObject(data) ? data.elicitations : undefined
  if (!Array.isArray(elicitations) || elicitations.length === 0) return undefined
  return Object.fromEntries(
    elicitations.filter(isObject).map((params, index) => [
      `url_${index + 1}`,
      toInputRequest({
        jsonrpc: '2.0',
        id: index,
        method: 'elicitation/create',
        params: { ...params, mode: 'url' },
      }),
    ]),
  )
}

function isRefusal(answer: JSONObject): boolean {
  return answer.action === 'decline' || answer.action === 'cancel'
}

/** Progress under the token of the request that is open now, which a retry may have changed. */
function forRequest(
  notification: JSONRPCNotification,
  request: JSONRPCRequest,
): JSONRPCNotification | undefined {
  if (notification.method !== METHOD_PROGRESS) return notification
  const progressToken = progressTokenOf(request)
  if (progressToken === undefined) return undefined
  return { ...notification, params: { ...notification.params, progressToken } }
}

/** A question that cannot be passed on: the server hears so, and the call fails where its caller could mend it. */
function refuseQuestion(
  question: JSONRPCRequest,
  request: JSONRPCRequest,
  connection: LegacyConnection,
): void {
  connection.session.deliver(
    errorResponse(question.id, {
      code: METHOD_NOT_FOUND,
      message: `The client does not support ${question.method}`,
    }),
  )
  if (!mayAsk(request.method)) {
    connection.onLoss?.('question-outside-call', question.method)
    return
  }
  const missing = missingCapabilities(question.method, question.params, connection.clientCapabilities)
  throw missingCapabilityError(question.method, missing ?? {})
}

/** Logs go to callers that asked for them, from their level on (2026-07-28 server/utilities/logging). */
function isForCaller(notification: JSONRPCNotification, level: string | undefined): boolean {
  if (notification.method === METHOD_CANCELLED) return false
  if (notification.method !== METHOD_MESSAGE) return true
  return level !== undefined && severity(notification.params?.level) >= severity(level)
}
