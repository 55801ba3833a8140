import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  ProgressToken,
  RequestId,
} from '../protocol/message.js'
import { progressTokenOf } from '../protocol/meta.js'
import { METHOD_DISCOVER, METHOD_INITIALIZE } from '../protocol/methods.js'
import type { Context } from './context.js'
import { TransportError } from './errors.js'
import { Relay } from './relay.js'

type Step = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>

/** What a call needs of the connection that carries it. */
export interface CallHost {
  /** Registers the call and writes the request; throws where the connection cannot take it. */
  open(call: Call, request: JSONRPCRequest): void
  /** Forgets the call; `cancelled` also tells the peer to stop. */
  drop(call: Call, cancelled: string | undefined): void
  /** The call's reader fell behind, or caught up. */
  congested(call: Call, congested: boolean): void
}

const HIGH_WATER = 1024
const LOW_WATER = 256

/**
 * One call at a peer: an exchange written by hand, since an async generator would add two promises to
 * every step. The peer sees an id and a progress token of ours; the caller sees its own again.
 */
export class Call extends Relay<JSONRPCNotification | JSONRPCRequest> {
  /** Our id at the peer, which is also our progress token there; set when the request is written. */
  upstreamId = 0
  readonly method: string
  readonly id: RequestId
  readonly token: ProgressToken | undefined
  /** Part of our own opening of the connection, whose limit is `--start-timeout` and whoever opens it keeps. */
  readonly opening: boolean
  /** When the peer last said something about this call (or it was opened), in milliseconds. */
  lastSign = 0
  openedAt = 0
  /** Questions of the peer about this call that nobody has answered: its silence is ours until then. */
  openQuestions = 0

  /** What surrounds it at its caller. */
  readonly context: Context
  #host: CallHost
  #request: JSONRPCRequest | undefined
  #stopListening: (() => void) | undefined
  #items: (JSONRPCNotification | JSONRPCRequest)[] = []
  #head = 0
  #congested = false
  #outcome: { readonly response: JSONRPCResponse } | { readonly error: unknown } | undefined
  #resolve: ((step: Step) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(host: CallHost, request: JSONRPCRequest, context: Context) {
    super()
    this.#host = host
    this.method = request.method
    this.id = request.id
    this.token = progressTokenOf(request)
    this.opening =
      context.caller.binding === 'internal' &&
      (request.method === METHOD_INITIALIZE || request.method === METHOD_DISCOVER)
    this.#request = request
    this.context = context
  }

  get settled(): boolean {
    return this.#outcome !== undefined
  }

  next(): Promise<Step> {
    if (this.#request !== undefined) this.#open(this.#request)
    if (this.#head < this.#items.length) return Promise.resolve({ done: false, value: this.#shift() })
    const outcome = this.#outcome
    if (outcome !== undefined) {
      if ('error' in outcome) return Promise.reject(outcome.error)
      return Promise.resolve({ done: true, value: outcome.response })
    }
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  override ready(): JSONRPCNotification | JSONRPCRequest | undefined {
    return this.#head < this.#items.length ? this.#shift() : undefined
  }

  /** An unfinished call is cancelled at the peer. */
  protected release(): void {
    this.#request = undefined
    if (this.#outcome === undefined) this.#abandon('abandoned')
    this.#items = []
    this.#head = 0
  }

  /** A notification or question that belongs to this call, already carrying the caller's own ids. */
  push(message: JSONRPCNotification | JSONRPCRequest): void {
    if (this.#outcome !== undefined) return
    const resolve = this.#resolve
    if (resolve !== undefined) {
      this.#resolve = this.#reject = undefined
      resolve({ done: false, value: message })
      return
    }
    this.#items.push(message)
    if (!this.#congested && this.#items.length - this.#head >= HIGH_WATER) {
      this.#congested = true
      this.#host.congested(this, true)
    }
  }

  /** The peer's response, already carrying the caller's own id. What was pushed before is delivered first. */
  respond(response: JSONRPCResponse): void {
    if (this.#outcome !== undefined) return
    this.#settle({ response })
    const resolve = this.#resolve
    this.#resolve = this.#reject = undefined
    resolve?.({ done: true, value: response })
  }

  fail(error: unknown): void {
    if (this.#outcome !== undefined) return
    this.#settle({ error })
    const reject = this.#reject
    this.#resolve = this.#reject = undefined
    reject?.(error)
  }

  #open(request: JSONRPCRequest): void {
    this.#request = undefined
    const cancelled = this.context.cancelled
    if (cancelled !== undefined) {
      this.#outcome = { error: cancelledError(cancelled) }
      return
    }
    try {
      this.#host.open(this, request)
    } catch (error) {
      this.#outcome = { error }
      return
    }
    this.#stopListening = this.context.onCancel(reason => this.#abandon(reason))
  }

  #abandon(reason: string): void {
    if (this.#outcome !== undefined) return
    this.#host.drop(this, reason)
    this.fail(cancelledError(reason))
  }

  #settle(outcome: { readonly response: JSONRPCResponse } | { readonly error: unknown }): void {
    this.#outcome = outcome
    this.#stopListening?.()
    this.#stopListening = undefined
    if (this.#congested) {
      this.#congested = false
      this.#host.congested(this, false)
    }
  }

  #shift(): JSONRPCNotification | JSONRPCRequest {
    const item = this.#items[this.#head] as JSONRPCNotification | JSONRPCRequest
    this.#head += 1
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    }
    if (this.#congested && this.#items.length - this.#head <= LOW_WATER) {
      this.#congested = false
      this.#host.congested(this, false)
    }
    return item
  }
}

function cancelledError(reason: string): TransportError {
  return new TransportError('ERR_CANCELLED', `The call was cancelled (${reason})`)
}
