import { Call, type CallHost } from '../../exchange/call.js'
import {
  type CallLimits,
  DEFAULT_MAX_CALLS,
  onlyCandidate,
  overdue,
  SLOW_READER_LIMIT,
  sweepCalls,
} from '../../exchange/call-limits.js'
import type { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import { outgoing, restored, restoredProgress } from '../../exchange/remint.js'
import { TaskProgress } from '../../exchange/task-progress.js'
import { TOO_LARGE } from '../../protocol/errors.js'
import type { Noise } from '../../protocol/line-codec.js'
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from '../../protocol/message.js'
import { errorResponse, isRequest, resultResponse } from '../../protocol/message.js'
import { META_SUBSCRIPTION_ID } from '../../protocol/meta.js'
import {
  METHOD_CANCELLED,
  METHOD_LISTEN,
  METHOD_MESSAGE,
  METHOD_PROGRESS,
  METHOD_TASK_RESULT,
} from '../../protocol/methods.js'
import type { Channel } from './channel.js'
import { Slots } from './slots.js'

export interface CallsOptions extends CallLimits {
  /** A request of the peer (legacy peers only). */
  readonly question?: (request: JSONRPCRequest) => void
  /** A notification that belongs to no open call. */
  readonly stray?: (notification: JSONRPCNotification) => void
  readonly noise?: (noise: Noise) => void
  readonly closed?: (error: Error | undefined) => void
}

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
      undelivered: (message, error) => this.#undelivered(message, error),
      ending: () => this.#end(),
      closed: error => this.#close(error),
    })
  }

  get size(): number {
    return this.#pending.size
  }

  get program(): Channel['program'] {
    return this.channel.program
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

  /** Closes the channel. */
  close(): Promise<void> {
    return this.channel.close()
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

  /** See {@link onlyCandidate}. */
  onlyCandidate(): Call | undefined {
    return onlyCandidate(this.#pending.all())
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
    const message = outgoing(request, call)
    call.openedAt = call.lastSign = now()
    if (call.method === METHOD_TASK_RESULT) this.#tasks.wait(call, request.params)
    if (call.method !== METHOD_LISTEN) this.lastUsed = call.openedAt
    this.#sweep ??= sweepCalls(this.#options, () => this.#expire())
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
    call.respond(restored(message as JSONRPCResponse, call))
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
        if (call === undefined) return
        call.lastSign = now()
        const own = restoredProgress(notification, call)
        if (own !== undefined) call.push(own)
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

  #undelivered(message: JSONRPCMessage, error: Error): void {
    if (!isRequest(message)) return
    const call = this.#pending.get(message.id as number)
    if (call === undefined) return
    this.#forget(call)
    call.fail(error)
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

  #expire(): void {
    if (this.#pending.size === 0) {
      clearInterval(this.#sweep)
      this.#sweep = undefined
      return
    }
    const time = now()
    for (const call of this.#pending.all()) {
      const late = overdue(call, time, this.#options, this.channel.name)
      if (late === undefined) continue
      this.drop(call, 'timeout')
      call.fail(late)
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
}

function now(): number {
  return performance.now()
}
