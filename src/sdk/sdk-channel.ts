/** A channel whose far end is a transport of an SDK, in the same process: messages pass as they are, nothing is encoded. */

import { TransportError } from '../exchange/errors.js'
import { INTERNAL_ERROR } from '../protocol/errors.js'
import { errorResponse, type JSONRPCMessage } from '../protocol/message.js'
import { readResult } from '../protocol/raw-json.js'
import type { Channel, ChannelListener } from '../transport/channel/channel.js'
import type { SdkTransport } from './sdk-transport.js'

/** Messages of the SDK that may wait while our reader is behind. */
const MAX_WAITING = 10_000

export class SdkChannel implements Channel {
  /** The end that the SDK gets. */
  readonly transport: SdkTransport
  readonly name: string
  /** Resolves once the SDK listens. */
  readonly started: Promise<void>
  readonly #closing: () => Promise<void>
  #listener: ChannelListener | undefined
  #started = false
  #paused = false
  #closed = false
  #closedTold = false
  #scheduled = false
  /** To the SDK. */
  #outbox: JSONRPCMessage[] = []
  /** From the SDK, while nobody listens or the reader is behind. */
  #inbox: { readonly message: JSONRPCMessage; readonly taken: () => void }[] = []

  /** `closing` ends what uses the transport, when it is our side that closes. */
  constructor(name: string, closing: () => Promise<void> = async () => {}) {
    this.name = name
    this.#closing = closing
    let tellStarted: () => void = () => {}
    this.started = new Promise(resolve => {
      tellStarted = resolve
    })
    this.transport = {
      start: async () => {
        this.#started = true
        tellStarted()
        this.#wake()
      },
      send: message => this.#receive(message as JSONRPCMessage),
      close: async () => this.#end(),
    }
  }

  get isStarted(): boolean {
    return this.#started
  }

  /** The far end turned out not to work. */
  fail(error: Error): void {
    this.#end(error)
  }

  listen(listener: ChannelListener): void {
    if (this.#listener !== undefined) throw new TypeError(`${this.name} has a listener already`)
    this.#listener = listener
    this.#deliver()
  }

  /** The far end takes messages as fast as they come: it is a function call away. */
  send(message: JSONRPCMessage): boolean {
    if (this.#closed) return true
    this.#outbox.push(message)
    this.#wake()
    return true
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#deliver()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#flush()
    await this.#closing()
    this.#end()
  }

  /** A turn later, since who is called must not answer before the caller has noted what was asked. */
  #wake(): void {
    if (this.#scheduled || !this.#started || this.#outbox.length === 0) return
    this.#scheduled = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#scheduled = false
    if (!this.#started) return
    for (const message of this.#outbox.splice(0)) {
      try {
        this.transport.onmessage?.(plain(message))
      } catch (error) {
        this.#refused(message, error instanceof Error ? error : new Error(String(error)))
      }
    }
  }

  /** Whoever waits for what becomes of the message would wait forever. */
  #refused(message: JSONRPCMessage, error: Error): void {
    this.transport.onerror?.(error)
    const what = `${this.name} could not take what it was sent: ${error.message}`
    if (!('method' in message)) {
      this.#end(new TransportError('ERR_CLOSED', what, { hop: this.name, cause: error }))
    } else if ('id' in message) {
      this.#receive(errorResponse(message.id, { code: INTERNAL_ERROR, message: what })).catch(() => {})
    }
  }

  /** Resolves when the message was taken, so that whoever awaits what it sends cannot outrun the reader. */
  #receive(message: JSONRPCMessage): Promise<void> {
    if (this.#closed) return Promise.reject(this.#gone())
    if (!this.#paused && this.#inbox.length === 0 && this.#listener !== undefined) {
      this.#listener.message(message)
      return DONE
    }
    if (this.#inbox.length >= MAX_WAITING) {
      const error = new TransportError(
        'ERR_BUSY',
        `${this.name} sent ${MAX_WAITING} messages that nobody read`,
        {
          hop: this.name,
        },
      )
      this.#end(error)
      return Promise.reject(error)
    }
    return new Promise(taken => this.#inbox.push({ message, taken }))
  }

  #deliver(): void {
    while (!this.#paused && this.#listener !== undefined) {
      const next = this.#inbox.shift()
      if (next === undefined) break
      this.#listener.message(next.message)
      next.taken()
    }
    this.#tellClosed()
  }

  #error: Error | undefined

  #end(error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#error = error
    this.#outbox = []
    // What was said last is still heard.
    this.#paused = false
    try {
      this.transport.onclose?.()
    } catch {
      // Whoever cannot be told that it has ended, has ended all the same.
    }
    this.#deliver()
  }

  #tellClosed(): void {
    if (!this.#closed || this.#closedTold || this.#listener === undefined) return
    this.#closedTold = true
    this.#listener.closed(this.#error)
  }

  #gone(): TransportError {
    return new TransportError('ERR_CLOSED', `${this.name} has closed`, { hop: this.name })
  }
}

const DONE = Promise.resolve()

/** Results that anyport kept as bytes become objects. */
function plain(message: JSONRPCMessage): JSONRPCMessage {
  return 'result' in message ? { ...message, result: readResult(message.result) } : message
}
