/** One client of HTTP+SSE: its stream, its session, its calls. */

import { Context } from '../../exchange/context.js'
import { TransportError, toErrorObject } from '../../exchange/errors.js'
import type { Drainable, InFlight } from '../../exchange/in-flight.js'
import { Outbox } from '../../exchange/outbox.js'
import type { ServedSession } from '../../legacy/to-session.js'
import { type Encoded, encodeMessage } from '../../protocol/encode.js'
import { encodeEvent } from '../../protocol/event-stream.js'
import { errorResponse, type JSONRPCMessage, type JSONRPCRequest } from '../../protocol/message.js'

/** Messages that wait for the client's connection before its calls have to. */
const MAX_WAITING = 64

export class SseClient implements AsyncIterableIterator<string | Uint8Array>, Drainable {
  readonly session: ServedSession
  readonly principal: string | undefined
  readonly #inFlight: InFlight
  readonly #onClose: () => void
  readonly #outbox = new Outbox<Encoded>(MAX_WAITING)
  readonly #calls = new Set<Context>()
  readonly #events = new Context({ binding: 'sse' })
  #pieces: (string | Uint8Array)[] = []
  #draining = false
  #closed = false

  constructor(
    session: ServedSession,
    principal: string | undefined,
    inFlight: InFlight,
    onClose: () => void,
  ) {
    this.session = session
    this.principal = principal
    this.#inFlight = inFlight
    this.#onClose = onClose
  }

  /** How many calls run. */
  get calls(): number {
    return this.#calls.size
  }

  /** Tells the client where to post, which must come before anything else. */
  open(endpoint: string): void {
    this.#outbox.push(encodeEvent(endpoint, { event: 'endpoint' }))
    this.#inFlight.open(this)
    void this.#tell()
  }

  /** Runs a call; its messages go out on the stream. */
  call(request: JSONRPCRequest, context: Context): void {
    this.#calls.add(context)
    this.#inFlight.begin(context)
    void this.#run(request, context)
  }

  /** Shutting down: the stream ends after the calls. */
  drain(): void {
    this.#draining = true
    if (this.#calls.size === 0) this.close()
  }

  /** The client is gone, or has to go. Without its stream nothing could answer its calls. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#events.cancel('hangup')
    for (const call of [...this.#calls]) call.cancel('hangup')
    this.#outbox.close()
    this.#inFlight.closed(this)
    this.session[Symbol.asyncDispose]().then(undefined, () => {})
    this.#onClose()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    const piece = this.#pieces.shift()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    return this.#outbox.next().then(step => {
      if (step.done) return DONE
      if (typeof step.value === 'string') return { done: false, value: step.value }
      this.#pieces = step.value.slice(1)
      return { done: false, value: step.value[0] as string | Uint8Array }
    })
  }

  return(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    this.close()
    return Promise.resolve(DONE)
  }

  async #run(request: JSONRPCRequest, context: Context): Promise<void> {
    try {
      const exchange = this.session.request(request, context)
      for (;;) {
        const step = await exchange.next()
        // A call is pulled no faster than the client reads.
        const room = this.#send(step.value)
        if (step.done) break
        if (room !== undefined) await room
      }
    } catch (error) {
      // A cancelled call must not be answered (2024-11-05 basic/utilities/cancellation).
      const cancelled = error instanceof TransportError && error.code === 'ERR_CANCELLED'
      if (!cancelled) this.#send(errorResponse(request.id, toErrorObject(error)))
    }
    this.#calls.delete(context)
    this.#inFlight.end(context)
    if (this.#draining && this.#calls.size === 0) this.close()
  }

  /** What belongs to no call. */
  async #tell(): Promise<void> {
    try {
      for await (const event of this.session.events(this.#events)) {
        const room = this.#send(event)
        if (room !== undefined) await room
      }
    } catch {
      // The far side is gone: its calls say so, and there is nobody else to tell.
    }
  }

  #send(message: JSONRPCMessage): Promise<void> | undefined {
    if (this.#closed) return undefined
    return this.#outbox.push(encodeEvent(encodeMessage(message), MESSAGE))
  }
}

/** Some clients listen for the name, which is the default anyway. */
const MESSAGE = { event: 'message' }
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
