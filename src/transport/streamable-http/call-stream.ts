/** One call's messages as one event stream that nobody can resume. */

import type { Context } from '../../exchange/context.js'
import { toErrorObject } from '../../exchange/errors.js'
import type { Drainable } from '../../exchange/in-flight.js'
import type { ReadyExchange } from '../../exchange/relay.js'
import type { SessionExchange } from '../../legacy/session.js'
import type { Encoded } from '../../protocol/encode.js'
import {
  errorResponse,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  resultResponse,
} from '../../protocol/message.js'
import { META_SUBSCRIPTION_ID } from '../../protocol/meta.js'
import { eventOf } from './reply.js'

export type CallStep = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>
type StreamStep = IteratorResult<string | Uint8Array, undefined>

export interface CallStreamOptions {
  /** The step that was asked for already. */
  readonly first: Promise<CallStep>
  /** The exchange has ended (`finished`), or is to be ended because nobody listens to it any more. Called once. */
  readonly onEnd: (finished: boolean) => void
  /** Sees each notification that passes. */
  readonly onMessage?: ((message: JSONRPCNotification | JSONRPCRequest) => void) | undefined
}

export class CallStream implements AsyncIterableIterator<string | Uint8Array> {
  readonly #id: RequestId
  readonly #exchange: SessionExchange
  readonly #options: CallStreamOptions
  #first: Promise<CallStep> | undefined
  #pieces: readonly (string | Uint8Array)[] | undefined
  #piece = 0
  #ended = false

  constructor(id: RequestId, exchange: SessionExchange, options: CallStreamOptions) {
    this.#id = id
    this.#exchange = exchange
    this.#options = options
    this.#first = options.first
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<StreamStep> {
    if (this.#pieces !== undefined) return Promise.resolve(this.#nextPiece(this.#pieces))
    if (this.#ended) return Promise.resolve(DONE)
    const step = this.#first ?? this.#exchange.next()
    this.#first = undefined
    return step.then(this.#onStep, this.#onError)
  }

  /** The client is gone. */
  return(): Promise<StreamStep> {
    this.#end(false)
    return Promise.resolve(DONE)
  }

  protected get ended(): boolean {
    return this.#ended
  }

  /** Some pieces of an event are out, and the others are not. */
  protected get midEvent(): boolean {
    return this.#pieces !== undefined
  }

  protected get id(): RequestId {
    return this.#id
  }

  /** Makes this the last message. `finished`: the exchange has ended by itself. */
  protected last(message: JSONRPCResponse, finished: boolean): StreamStep {
    this.#end(finished)
    return this.#yield(eventOf(message))
  }

  readonly #onStep = (step: CallStep): StreamStep => {
    if (this.#ended) return DONE
    if (step.done) return this.last(step.value, true)
    this.#options.onMessage?.(step.value)
    const encoded = eventOf(step.value)
    return this.#yield(typeof encoded === 'string' ? encoded + this.#burst() : encoded)
  }

  readonly #onError = (error: unknown): StreamStep => {
    if (this.#ended) return DONE
    return this.last(errorResponse(this.#id, toErrorObject(error)), true)
  }

  #end(finished: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnd(finished)
  }

  /** The events of what is at hand already, up to what makes a good write. */
  #burst(): string {
    const exchange = this.#exchange as ReadyExchange<JSONRPCNotification | JSONRPCRequest>
    let text = ''
    while (text.length < BURST) {
      const message = exchange.ready?.()
      if (message === undefined) break
      this.#options.onMessage?.(message)
      // A notification or question has no result that would be bytes.
      text += eventOf(message) as string
    }
    return text
  }

  #yield(encoded: Encoded): StreamStep {
    if (typeof encoded === 'string') return { done: false, value: encoded }
    this.#piece = 0
    this.#pieces = encoded
    return this.#nextPiece(encoded)
  }

  #nextPiece(pieces: readonly (string | Uint8Array)[]): StreamStep {
    const value = pieces[this.#piece++] as string | Uint8Array
    if (this.#piece === pieces.length) this.#pieces = undefined
    return { done: false, value }
  }
}

/**
 * The stream of a `subscriptions/listen`, which ends only when somebody ends it. When it is us, the client gets a
 * graceful result. Specification: 2026-07-28 basic/patterns/subscriptions, "Graceful Closure".
 */
export class ListenStream extends CallStream implements Drainable {
  readonly #context: Context
  #waiting: ((step: StreamStep) => void) | undefined
  #draining = false

  constructor(id: RequestId, exchange: SessionExchange, context: Context, options: CallStreamOptions) {
    super(id, exchange, options)
    this.#context = context
  }

  override next(): Promise<StreamStep> {
    if (this.#draining && !this.ended && !this.midEvent) return Promise.resolve(this.#graceful())
    return new Promise(resolve => {
      this.#waiting = resolve
      super.next().then(step => {
        this.#waiting = undefined
        resolve(step)
      })
    })
  }

  drain(): void {
    if (this.#draining || this.ended) return
    this.#draining = true
    const resolve = this.#waiting
    this.#waiting = undefined
    resolve?.(this.#graceful())
  }

  #graceful(): StreamStep {
    this.#context.cancel('shutdown')
    const { id } = this
    const result = { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: id } }
    return this.last(resultResponse(id, result), false)
  }
}

/** Characters of events that are put together as one chunk. */
const BURST = 32 * 1024

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
