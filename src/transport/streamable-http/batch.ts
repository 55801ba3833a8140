/**
 * A JSON-RPC batch, which only revision 2025-03-26 has: its calls run side by side and are answered together.
 * Specification: 2025-03-26 basic/transports, "Sending Messages to the Server".
 */

import type { Context } from '../../exchange/context.js'
import { TransportError, toErrorObject } from '../../exchange/errors.js'
import { Outbox } from '../../exchange/outbox.js'
import type { SessionExchange } from '../../legacy/session.js'
import {
  errorResponse,
  isResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResponse,
} from '../../protocol/message.js'

export interface BatchCall {
  readonly request: JSONRPCRequest
  readonly exchange: SessionExchange
  readonly context: Context
}

/** More messages than anybody batches; each of them may be a call. */
export const MAX_BATCH = 256

/** Notifications, questions and responses of all calls, as they come. */
export class Batch {
  readonly #outbox = new Outbox<JSONRPCMessage>(MAX_BATCH)
  readonly #calls: readonly BatchCall[]
  readonly #onEnd: (call: BatchCall) => void
  #running: number
  #started = false
  #plain: ((plain: boolean) => void) | undefined

  constructor(calls: readonly BatchCall[], onEnd: (call: BatchCall) => void) {
    this.#calls = calls
    this.#onEnd = onEnd
    this.#running = calls.length
  }

  /** The responses where the calls yield nothing else; undefined as soon as one does. */
  async responses(): Promise<readonly JSONRPCResponse[] | undefined> {
    const plain = await new Promise<boolean>(resolve => {
      this.#plain = resolve
      this.#start()
    })
    return plain ? this.all() : undefined
  }

  /** The responses, once all are there; whatever else the calls yield is dropped. */
  async all(): Promise<readonly JSONRPCResponse[]> {
    const responses: JSONRPCResponse[] = []
    for (let step = await this.next(); !step.done; step = await this.next()) {
      if (isResponse(step.value)) responses.push(step.value)
    }
    return responses
  }

  /** Nobody waits for {@link responses} any more: messages are taken one by one. */
  stream(): void {
    this.#plain?.(false)
  }

  next(): Promise<IteratorResult<JSONRPCMessage, undefined>> {
    this.#start()
    return this.#outbox.next() as Promise<IteratorResult<JSONRPCMessage, undefined>>
  }

  /** Lets go of calls that have not ended. */
  async return(): Promise<void> {
    this.#outbox.close()
    await Promise.allSettled(this.#calls.map(call => call.exchange.return(undefined as never)))
  }

  #start(): void {
    if (this.#started) return
    this.#started = true
    for (const call of this.#calls) void this.#drive(call)
  }

  async #drive(call: BatchCall): Promise<void> {
    try {
      let step = await call.exchange.next()
      for (; !step.done; step = await call.exchange.next()) {
        this.#plain?.(false)
        const room = this.#outbox.push(step.value)
        if (room !== undefined) await room
      }
      this.#outbox.push(step.value)
    } catch (error) {
      // A cancelled call gets no response, the others do.
      const cancelled = error instanceof TransportError && error.code === 'ERR_CANCELLED'
      if (!cancelled) this.#outbox.push(errorResponse(call.request.id, toErrorObject(error)))
    }
    this.#onEnd(call)
    if (--this.#running > 0) return
    this.#outbox.close()
    this.#plain?.(true)
  }
}
