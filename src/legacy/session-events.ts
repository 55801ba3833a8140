import type { Context } from '../exchange/context.js'
import { Queue } from '../exchange/queue.js'
import { Relay } from '../exchange/relay.js'
import type { JSONRPCNotification } from '../protocol/message.js'

/** Whose events they are. */
export interface EventsHost {
  /** Somebody reads from now on. */
  started(events: SessionEvents): void
  /** Nobody does any more. */
  stopped(events: SessionEvents): void
}

/** What belongs to no call of a legacy session. Written by hand, since thousands of sessions are idle at a time. */
export class SessionEvents extends Relay<JSONRPCNotification, undefined> {
  readonly #host: EventsHost
  readonly #context: Context
  readonly #queue = new Queue<JSONRPCNotification, undefined>()
  #stopListening: (() => void) | undefined
  #started = false

  constructor(host: EventsHost, context: Context) {
    super()
    this.#host = host
    this.#context = context
  }

  /** How many wait to be read. */
  get size(): number {
    return this.#queue.size
  }

  next(): Promise<IteratorResult<JSONRPCNotification, undefined>> {
    if (!this.#started) {
      this.#started = true
      this.#host.started(this)
      this.#stopListening = this.#context.onCancel(() => this.close())
    }
    return this.#queue.next()
  }

  push(event: JSONRPCNotification): void {
    this.#queue.push(event)
  }

  /** What waits is still read. */
  close(): void {
    if (this.#queue.ended) return
    this.#queue.close(undefined)
    this.#stopListening?.()
    this.#host.stopped(this)
  }

  protected release(): void {
    this.#started = true
    this.close()
  }
}
