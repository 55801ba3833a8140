/** Two ends of a pipe within this process, framed like a real one. */

import { TransportError } from '../../exchange/errors.js'
import { encodeLine } from '../../protocol/encode.js'
import { LineDecoder } from '../../protocol/line-codec.js'
import type { JSONRPCMessage } from '../../protocol/message.js'
import type { Channel, ChannelListener } from './channel.js'

export interface MemoryChannelOptions {
  /** Bytes that a message may have. Default 64 MiB. */
  readonly maxMessage?: number
  /** Bytes that may wait at the far end before `send` returns false. Default 64 KiB. */
  readonly highWater?: number
  /** Bytes that may wait at the far end at all; over it both ends fail with ERR_BUSY. Default 128 MiB. */
  readonly maxQueue?: number
}

/**
 * Two connected channels. What one sends the other receives later, in order, encoded and decoded as on a real
 * pipe, so that neither sees the other's objects.
 */
export function memoryChannelPair(options: MemoryChannelOptions = {}): [Channel, Channel] {
  const left = new MemoryChannel('memory (left)', options)
  const right = new MemoryChannel('memory (right)', options)
  left.connect(right)
  right.connect(left)
  return [left, right]
}

const encoder = new TextEncoder()

interface Ended {
  readonly error?: Error
}

class MemoryChannel implements Channel {
  readonly #options: MemoryChannelOptions
  #peer: MemoryChannel | undefined
  #listener: ChannelListener | undefined
  #decoder: LineDecoder | undefined
  /** What the peer has sent and nobody has seen yet. */
  #inbox: Uint8Array[] = []
  #waiting = 0
  #paused = false
  #scheduled = false
  /** No more will come into the inbox. */
  #ended: Ended | undefined
  #closed = false
  /** Resolve when the inbox is empty. */
  #onEmpty: (() => void)[] = []

  constructor(
    readonly name: string,
    options: MemoryChannelOptions,
  ) {
    this.#options = options
  }

  connect(peer: MemoryChannel): void {
    this.#peer = peer
  }

  listen(listener: ChannelListener): void {
    if (this.#listener !== undefined) throw new TypeError(`${this.name} has a listener already`)
    this.#listener = listener
    this.#decoder = new LineDecoder({
      maxMessage: this.#options.maxMessage ?? 64 * 1024 * 1024,
      message: message => listener.message(message),
      noise: noise => listener.noise?.(noise),
    })
    this.#wake()
  }

  send(message: JSONRPCMessage): boolean {
    const peer = this.#peer
    if (this.#ended !== undefined || peer === undefined || peer.#ended !== undefined) return true
    const line = encodeLine(message)
    for (const piece of typeof line === 'string' ? [line] : line)
      peer.#receive(typeof piece === 'string' ? encoder.encode(piece) : piece)
    const { maxQueue = 128 * 1024 * 1024, highWater = 65_536 } = this.#options
    if (peer.#waiting > maxQueue) {
      const error = new TransportError(
        'ERR_BUSY',
        `${peer.name} does not read: more than ${maxQueue} bytes wait`,
        {
          hop: peer.name,
          knob: 'maxQueue',
        },
      )
      peer.#abandon({ error })
      this.#abandon({ error })
      return true
    }
    return peer.#waiting <= highWater
  }

  drained(): Promise<void> {
    const peer = this.#peer
    if (peer === undefined || peer.#waiting === 0 || peer.#ended !== undefined) return Promise.resolve()
    return new Promise(resolve => peer.#onEmpty.push(resolve))
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#wake()
  }

  async close(): Promise<void> {
    if (this.#ended !== undefined) return
    if (this.#peer !== undefined) this.#peer.#finish({})
    this.#abandon({})
  }

  #receive(bytes: Uint8Array): void {
    this.#inbox.push(bytes)
    this.#waiting += bytes.length
    this.#wake()
  }

  /** The far end is gone: what waits is still delivered, then the end is. */
  #finish(end: Ended): void {
    this.#ended ??= end
    // Nobody is left to wait for this end to catch up.
    for (const resolve of this.#onEmpty.splice(0)) resolve()
    this.#wake()
  }

  /** This end is over, paused or not, with what waits for it. */
  #abandon(end: Ended): void {
    this.#inbox = []
    this.#waiting = 0
    this.#paused = false
    this.#finish(end)
  }

  #wake(): void {
    if (this.#scheduled || this.#paused || this.#closed || this.#listener === undefined) return
    if (this.#inbox.length === 0 && this.#ended === undefined) return
    this.#scheduled = true
    queueMicrotask(() => this.#deliver())
  }

  #deliver(): void {
    this.#scheduled = false
    if (this.#closed || this.#paused) return
    const inbox = this.#inbox
    this.#inbox = []
    this.#waiting = 0
    for (const bytes of inbox) this.#decoder?.push(bytes)
    if (this.#inbox.length > 0) {
      this.#wake()
      return
    }
    for (const resolve of this.#onEmpty.splice(0)) resolve()
    if (this.#ended === undefined) return
    this.#closed = true
    this.#decoder?.end()
    this.#listener?.closed(this.#ended.error)
  }
}
