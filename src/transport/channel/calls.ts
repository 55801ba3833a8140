import type { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import { TOO_LARGE } from '../../protocol/errors.js'
import type { Noise } from '../../protocol/line-codec.js'
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  Params,
  ProgressToken,
  RequestId,
} from '../../protocol/message.js'
import { errorResponse, resultResponse } from '../../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../../protocol/meta.js'
import {
  METHOD_CALL_TOOL,
  METHOD_CANCELLED,
  METHOD_LISTEN,
  METHOD_MESSAGE,
  METHOD_PROGRESS,
  METHOD_TASK_RESULT,
  mayAsk,
} from '../../protocol/methods.js'
import { Call, type CallHost } from './call.js'
import type { Channel } from './channel.js'
import { Slots } from './slots.js'
import { TaskProgress } from './task-progress.js'

export interface CallsOptions {
  /** How long the peer may stay silent about a call, in milliseconds. Progress counts as a sign of life. */
  readonly timeout?: number
  /** How long a call may take in all, whatever its progress, in milliseconds. */
  readonly maxTimeout?: number
  /** How many calls may be open at once on this connection. */
  readonly maxCalls?: number
  /** A request of the peer (legacy peers only). */
  readonly question?: (request: JSONRPCRequest) => void
  /** A notification that belongs to no open call. */
  readonly stray?: (notification: JSONRPCNotification) => void
  readonly noise?: (noise: Noise) => void
  readonly closed?: (error: Error | undefined) => void
}

const DEFAULT_TIMEOUT = 10 * 60_000
const DEFAULT_MAX_TIMEOUT = 60 * 60_000
const DEFAULT_MAX_CALLS = 10_000

/** How long one caller that does not read may hold up the others on a shared pipe, in milliseconds. */
const SLOW_READER_LIMIT = 30_000

/**
 * The client's end of a channel: gives each call an id and a progress token of our own, and brings what comes
 * back to the call it belongs to, under the ids that its caller used.
 */
export class Calls implements CallHost {
  readonly channel: Channel
  /** Called once when the channel has closed; an error says why where nobody asked for it. */
  onClosed: ((error: Error | undefined) => void) | undefined
  /** When a call was last opened, or known to run by whoever asks, in milliseconds. */
  lastUsed = now()
  #options: CallsOptions
  #pending = new Slots<Call>()
  /** Tasks that run at the peer, by the token that their progress comes under: it outlives the call that made them. */
  #tasks = new TaskProgress()
  #waiting: { readonly call: Call; readonly message: JSONRPCRequest }[] = []
  #slow = new Map<Call, number>()
  #closed: { readonly error: Error | undefined } | undefined
  #sweep: ReturnType<typeof setInterval> | undefined
  #congested = false
  #ending = false
  #mayBeAsked: boolean

  constructor(channel: Channel, options: CallsOptions = {}) {
    this.channel = channel
    this.#options = options
    this.#mayBeAsked = options.question !== undefined
    channel.listen({
      message: message => this.#message(message),
      noise: noise => this.#noise(noise),
      ending: () => this.#end(),
      closed: error => this.#close(error),
    })
  }

  get size(): number {
    return this.#pending.size
  }

  /** Nothing can be sent any more; what was said last may still come. */
  get closed(): boolean {
    return this.#closed !== undefined || this.#ending
  }

  /** The peer does not read as fast as we write: a call may have to wait before it is sent. */
  get behind(): boolean {
    return this.#congested
  }

  /** A call is open that is no subscription. */
  get busy(): boolean {
    return this.#pending.all().some(call => call.method !== METHOD_LISTEN)
  }

  /** Cold: the request is written when the call is first pulled. */
  call(request: JSONRPCRequest, context: Context): Call {
    return new Call(this, request, context)
  }

  /** From now on the peer is known to be modern, whose requests break the protocol. */
  refuseQuestions(): void {
    this.#mayBeAsked = false
  }

  send(message: JSONRPCMessage): void {
    if (!this.closed) this.channel.send(message)
  }

  /**
   * The one call that a message without an address can belong to: the only one that may ask, or else the only
   * one at all. Undefined where there is a choice, because nobody may guess between two callers.
   */
  onlyCandidate(): Call | undefined {
    let asking: Call | undefined
    let any: Call | undefined
    let askingCount = 0
    let count = 0
    for (const call of this.#pending.all()) {
      if (call.method === METHOD_LISTEN || call.opening) continue
      count += 1
      any = call
      if (mayAsk(call.method) || call.method === METHOD_TASK_RESULT) {
        askingCount += 1
        asking = call
        if (askingCount > 1) return undefined
      }
    }
    if (askingCount === 1) return asking
    return count === 1 ? any : undefined
  }

  open(call: Call, request: JSONRPCRequest): void {
    if (this.closed) throw this.#lost(true)
    const limit = this.#options.maxCalls ?? DEFAULT_MAX_CALLS
    if (this.#pending.size >= limit) {
      throw new TransportError('ERR_BUSY', `${this.channel.name} has ${limit} calls open already`, {
        hop: this.channel.name,
        retryable: true,
      })
    }
    call.upstreamId = this.#pending.add(call)
    const { method, params } = request
    const message: JSONRPCRequest =
      params === undefined
        ? { jsonrpc: '2.0', id: call.upstreamId, method }
        : { jsonrpc: '2.0', id: call.upstreamId, method, params: outgoingParams(params, call) }
    call.openedAt = call.lastSign = now()
    if (method === METHOD_TASK_RESULT) this.#tasks.wait(call, params)
    if (call.method !== METHOD_LISTEN) this.lastUsed = call.openedAt
    this.#sweep ??= startSweep(this.#options, () => this.#expire())
    if (this.#congested) this.#waiting.push({ call, message })
    else this.#write(message)
  }

  drop(call: Call, cancelled: string | undefined): void {
    if (!this.#forget(call)) return
    if (cancelled === undefined || this.closed) return
    const queued = this.#waiting.findIndex(entry => entry.call === call)
    if (queued >= 0) this.#waiting.splice(queued, 1)
    else if (call.method !== 'initialize') {
      this.channel.send({
        jsonrpc: '2.0',
        method: METHOD_CANCELLED,
        params: { requestId: call.upstreamId, reason: cancelled },
      })
    }
  }

  congested(call: Call, congested: boolean): void {
    if (congested) {
      if (this.#slow.size === 0) this.channel.pause()
      this.#slow.set(call, now())
    } else if (this.#slow.delete(call) && this.#slow.size === 0) this.channel.resume()
  }

  #write(message: JSONRPCRequest): void {
    if (this.channel.send(message) || this.#congested) return
    this.#congested = true
    void this.channel.drained().then(() => this.#drained())
  }

  #drained(): void {
    this.#congested = false
    while (this.#waiting.length > 0 && !this.#congested && !this.closed) {
      const entry = this.#waiting.shift()
      if (entry !== undefined && !entry.call.settled) this.#write(entry.message)
    }
  }

  #message(message: JSONRPCMessage): void {
    if ('method' in message) {
      if ('id' in message) this.#question(message)
      else this.#notification(message)
      return
    }
    const call = typeof message.id === 'number' ? this.#pending.get(message.id) : undefined
    if (call === undefined) return // late, after a cancel
    this.#forget(call)
    this.#tasks.responded(call, message)
    // The message is ours alone: renaming it in place spares a copy of every response.
    ;(message as { id: RequestId }).id = call.id
    if (call.method === METHOD_LISTEN && 'result' in message) restoreSubscription(message, call.id)
    call.respond(message as JSONRPCResponse)
  }

  #question(request: JSONRPCRequest): void {
    if (request.method === 'ping') this.send(resultResponse(request.id, {}))
    else if (this.#mayBeAsked) this.#options.question?.(request)
    else
      this.send(
        errorResponse(request.id, {
          code: -32601,
          message: `${request.method}: this client takes no requests; ask in the result of a call`,
        }),
      )
  }

  #notification(notification: JSONRPCNotification): void {
    const params = notification.params as Record<string, unknown> | undefined
    switch (notification.method) {
      case METHOD_PROGRESS: {
        const token = params?.progressToken as number
        const call = this.#pending.get(token) ?? this.#tasks.waiterOf(token)
        if (call === undefined || params === undefined) return
        call.lastSign = now()
        // Without a token of the caller's own it was only meant for us.
        if (call.token !== undefined) {
          params.progressToken = call.token satisfies ProgressToken
          call.push(notification)
        }
        return
      }
      case METHOD_MESSAGE: {
        const call = this.onlyCandidate()
        if (call === undefined) this.#options.stray?.(notification)
        else {
          call.lastSign = now()
          call.push(notification)
        }
        return
      }
      case METHOD_CANCELLED: {
        const call = this.#pending.get(params?.requestId as number)
        if (call?.method === METHOD_LISTEN) {
          this.#forget(call)
          call.respond(
            resultResponse(call.id, { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: call.id } }),
          )
        } else this.#options.stray?.(notification)
        return
      }
      default: {
        const meta = params?._meta as Record<string, unknown> | undefined
        const subscription = meta?.[META_SUBSCRIPTION_ID]
        const call = typeof subscription === 'number' ? this.#pending.get(subscription) : undefined
        if (call === undefined || meta === undefined) this.#options.stray?.(notification)
        else {
          meta[META_SUBSCRIPTION_ID] = call.id
          call.push(notification)
        }
      }
    }
  }

  /** A message that could not be taken still answers its caller, where it shows whose it was. */
  #noise(noise: Noise): void {
    // With a method, the id is the peer's own: a question that could not be read.
    const ours = noise.method === undefined && typeof noise.id === 'number'
    const call = ours ? this.#pending.get(noise.id as number) : undefined
    if (call !== undefined) {
      this.#forget(call)
      call.respond(
        errorResponse(call.id, {
          code: TOO_LARGE,
          message:
            noise.kind === 'too-large'
              ? `The answer of ${this.channel.name} has more bytes than --max-message allows`
              : `The answer of ${this.channel.name} could not be read (${noise.kind})`,
          data: { byteLength: noise.byteLength, option: '--max-message' },
        }),
      )
    }
    this.#options.noise?.(noise)
  }

  /** What was not written by now never is: it may go elsewhere. The peer may still have answers to the rest. */
  #end(): void {
    this.#ending = true
    const unsent = this.#waiting
    this.#waiting = []
    for (const { call } of unsent) {
      this.#forget(call)
      call.fail(this.#lost(true))
    }
  }

  #close(error: Error | undefined): void {
    if (this.#closed !== undefined) return
    this.#closed = { error }
    clearInterval(this.#sweep)
    const unsent = new Set(this.#waiting.map(entry => entry.call))
    this.#waiting = []
    const calls = this.#pending.all()
    this.#pending.clear()
    this.#slow.clear()
    for (const call of calls) call.fail(this.#lost(unsent.has(call)))
    this.#options.closed?.(error)
    this.onClosed?.(error)
  }

  #lost(retryable: boolean): TransportError {
    const error = this.#closed?.error
    if (error instanceof TransportError) {
      return retryable === error.retryable
        ? error
        : new TransportError(error.code, error.message, { ...error.facts, retryable })
    }
    return new TransportError('ERR_CLOSED', `${this.channel.name} closed the connection`, {
      hop: this.channel.name,
      retryable,
      ...(error === undefined ? {} : { cause: error }),
    })
  }

  #forget(call: Call): boolean {
    if (call.method === METHOD_TASK_RESULT) this.#tasks.ended(call)
    return this.#pending.delete(call.upstreamId, call)
  }

  /** One timer for all calls: a timer each would cost more than a small call does. */
  #expire(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#sweep)
      this.#sweep = undefined
      return
    }
    const time = now()
    const { timeout = DEFAULT_TIMEOUT, maxTimeout = DEFAULT_MAX_TIMEOUT } = this.#options
    for (const call of this.#pending.all()) {
      if (call.method === METHOD_LISTEN || call.opening) continue
      if (call.openQuestions > 0) call.lastSign = time
      const silent = time - call.lastSign >= timeout
      if (silent || time - call.openedAt >= maxTimeout)
        this.#timeOut(call, silent ? timeout : maxTimeout, silent)
    }
    for (const [call, since] of [...this.#slow]) {
      if (time - since < SLOW_READER_LIMIT) continue
      this.drop(call, 'the reader is too slow')
      call.fail(
        new TransportError('ERR_BUSY', `The caller did not read for ${SLOW_READER_LIMIT / 1000} s`, {
          hop: this.channel.name,
        }),
      )
    }
  }

  #timeOut(call: Call, limit: number, silent: boolean): void {
    this.drop(call, 'timeout')
    const what = silent ? 'did not answer' : 'did not finish'
    call.fail(
      new TransportError('ERR_TIMEOUT', `${this.channel.name} ${what} ${call.method} within ${limit} ms`, {
        hop: this.channel.name,
        knob: silent ? '--timeout' : '--max-timeout',
      }),
    )
  }
}

function startSweep(options: CallsOptions, expire: () => void): ReturnType<typeof setInterval> {
  const { timeout = DEFAULT_TIMEOUT, maxTimeout = DEFAULT_MAX_TIMEOUT } = options
  const shortest = Math.min(timeout, maxTimeout, SLOW_READER_LIMIT)
  const timer = setInterval(expire, Math.max(20, Math.min(1000, shortest / 10)))
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}

/**
 * A caller's progress token means nothing to the peer: ours is the call's own id there. Tools are asked for progress
 * even where the caller is not interested, since it is the sign of life that keeps a long call from being cut.
 */
function outgoingParams(params: Params, call: Call): Params {
  if (call.token === undefined && call.method !== METHOD_CALL_TOOL) return params
  // What is new comes first: adding a property to a spread copy costs ten times what overwriting one does.
  const _meta: Record<string, unknown> = { progressToken: call.upstreamId, ...params._meta }
  _meta.progressToken = call.upstreamId
  const outgoing: Record<string, unknown> = { _meta, ...params }
  outgoing._meta = _meta
  return outgoing
}

function restoreSubscription(response: JSONRPCResponse, id: RequestId): void {
  if (!('result' in response) || !isObject(response.result)) return
  const meta = (response.result as { _meta?: Record<string, unknown> })._meta
  if (meta !== undefined && META_SUBSCRIPTION_ID in meta) meta[META_SUBSCRIPTION_ID] = id
}

function now(): number {
  return performance.now()
}
