/**
 * Messages as lines over a stream of bytes: stdio, a socket.
 * Specification: 2026-07-28 basic/transports/stdio, "Custom transports built on such streams SHOULD reuse this framing".
 */

import { TransportError } from '../../exchange/errors.js'
import { type Encoded, encodeLine } from '../../protocol/encode.js'
import { LineDecoder } from '../../protocol/line-codec.js'
import type { JSONRPCMessage } from '../../protocol/message.js'
import type { ByteStream, Channel, ChannelListener } from '../channel/channel.js'

export interface LineChannelOptions {
  /** Bytes that a received message may have; a longer one is noise. Default 64 MiB. */
  readonly maxMessage?: number
  /** Nesting that a received message may have. Default 128. */
  readonly maxDepth?: number
  /** Refuses messages in which a key is there twice, or a number would change on its way: for what clients send. Default false. */
  readonly unambiguous?: boolean
  /** See `LineDecoder`. */
  readonly isUtf8?: (bytes: Uint8Array) => boolean
  /**
   * Calls back when what was sent in this turn should be written. `node/` gives `setImmediate`, which gathers what
   * several sockets cause in one turn of the event loop. Default: after a few microtasks, which gathers what one
   * event causes.
   */
  readonly schedule?: (flush: () => void) => void
  /**
   * Characters and bytes that may wait for a far side that does not read; over it the channel fails with
   * ERR_BUSY, because a sender ignored that {@link Channel.send} returned false. Default 128 MiB.
   */
  readonly maxQueue?: number
}

const DEFAULT_MAX_MESSAGE = 64 * 1024 * 1024
const DEFAULT_MAX_QUEUE = 128 * 1024 * 1024
/** What is worth a write of its own before the turn is over. */
const FULL = 65_536

export function lineChannel(stream: ByteStream, options: LineChannelOptions = {}): Channel {
  return new LineChannel(stream, options)
}

class LineChannel implements Channel {
  readonly name: string
  readonly program: Channel['program']
  readonly #stream: ByteStream
  readonly #options: LineChannelOptions
  readonly #schedule: (flush: () => void) => void
  readonly #maxQueue: number
  readonly #flush = () => {
    this.#scheduled = false
    this.#write()
  }
  #listener: ChannelListener | undefined
  /** Text that waits, one string however many messages; it comes after the pieces. */
  #text = ''
  #pieces: (string | Uint8Array)[] = []
  #size = 0
  #scheduled = false
  /** Settles when the far side has caught up; set while it has not. */
  #draining: Promise<void> | undefined
  #closed = false
  #closing: Promise<void> | undefined

  constructor(stream: ByteStream, options: LineChannelOptions) {
    this.name = stream.name
    this.program = stream.program
    this.#stream = stream
    this.#options = options
    this.#schedule = options.schedule ?? afterMicrotasks
    this.#maxQueue = options.maxQueue ?? DEFAULT_MAX_QUEUE
  }

  listen(listener: ChannelListener): void {
    if (this.#listener !== undefined) throw new TypeError(`${this.name} has a listener already`)
    this.#listener = listener
    const { maxMessage = DEFAULT_MAX_MESSAGE, maxDepth, unambiguous = false, isUtf8 } = this.#options
    const decoder = new LineDecoder({
      maxMessage,
      unambiguous,
      ...(maxDepth === undefined ? {} : { maxDepth }),
      ...(isUtf8 === undefined ? {} : { isUtf8 }),
      message: message => listener.message(message),
      noise: noise => listener.noise?.(noise),
    })
    this.#stream.listen({
      data: chunk => {
        if (!this.#closed) decoder.push(chunk)
      },
      ending: () => listener.ending?.(),
      closed: error => {
        if (this.#closed) return
        decoder.end()
        this.#end(error)
      },
    })
  }

  send(message: JSONRPCMessage): boolean {
    if (this.#closed || this.#closing !== undefined) return true
    this.#queue(encodeLine(message))
    if (this.#draining !== undefined) {
      if (this.#size > this.#maxQueue) this.#fail()
    } else if (this.#size >= FULL) this.#write()
    else if (!this.#scheduled) {
      this.#scheduled = true
      this.#schedule(this.#flush)
    }
    return this.#draining === undefined
  }

  drained(): Promise<void> {
    this.#write()
    return this.#draining ?? Promise.resolve()
  }

  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  close(): Promise<void> {
    if (this.#closing === undefined) {
      if (this.#size > 0 && !this.#closed) this.#stream.write(this.#take())
      this.#closing = this.#stream.close()
    }
    return this.#closing
  }

  #queue(encoded: Encoded): void {
    if (typeof encoded === 'string') {
      // A single string costs the writer one conversion, where many would cost as many.
      this.#text += encoded
      this.#size += encoded.length
      return
    }
    if (this.#text !== '') this.#pieces.push(this.#text)
    this.#text = ''
    for (const piece of encoded) {
      this.#pieces.push(piece)
      this.#size += piece.length
    }
  }

  #take(): readonly (string | Uint8Array)[] {
    const pieces = this.#pieces
    if (this.#text !== '') pieces.push(this.#text)
    this.#text = ''
    this.#pieces = []
    this.#size = 0
    return pieces
  }

  /** Writes what waits, unless the far side is slow: then it waits here, where it is counted. */
  #write(): void {
    if (this.#size === 0 || this.#draining !== undefined || this.#closed || this.#closing !== undefined)
      return
    if (!this.#stream.write(this.#take())) this.#draining = this.#untilDrained()
  }

  async #untilDrained(): Promise<void> {
    for (;;) {
      await this.#stream.drained()
      if (this.#closed || this.#closing !== undefined || this.#size === 0) break
      if (this.#stream.write(this.#take())) break
    }
    this.#draining = undefined
  }

  #fail(): void {
    const error = new TransportError(
      'ERR_BUSY',
      `${this.name} does not read: more than ${this.#maxQueue} bytes wait to be written`,
      { hop: this.name, knob: 'maxQueue' },
    )
    this.#take()
    this.#closing = this.#stream.close()
    this.#end(error)
  }

  #end(error: Error | undefined): void {
    if (this.#closed) return
    this.#closed = true
    this.#take()
    this.#listener?.closed(error)
  }
}

/**
 * As many microtasks as it takes from a message through a handler's awaits to the message that it causes. Measured with
 * 64 calls of one to twelve awaits each: 1 gathers 5 messages per write, 8 gather 19, 16 all 64.
 */
const MICROTASKS = 16

function afterMicrotasks(flush: () => void): void {
  let left = MICROTASKS
  const step = () => {
    if (--left === 0) flush()
    else queueMicrotask(step)
  }
  queueMicrotask(step)
}
