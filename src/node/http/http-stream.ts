/**
 * A streamed reply. Everything that is ready within one turn of the event loop leaves as one write; the
 * head and what is ready with it leave at once.
 */

import type { ServerResponse } from 'node:http'
import { whenDrained } from '../byte-stream.js'

/** What waits for the turn's end leaves early above this length. */
const FLUSH_ABOVE = 64 * 1024
/** Above this many bytes that the client has not taken, the source is not pulled. */
const HIGH_WATER = 64 * 1024

export interface HttpStreamOptions {
  readonly keepAlive?: string | undefined
  readonly stallTimeout: number
  readonly onError: (error: unknown) => void
  /** Called once, when the reply is complete or the client left. */
  readonly onClose: (stream: HttpStream) => void
}

export class HttpStream {
  readonly #iterator: AsyncIterator<string | Uint8Array>
  /** What waits to be written: chunks, where the source yields bytes too, and then text. */
  #chunks: (string | Uint8Array)[] | undefined
  #text = ''
  #waiting = 0
  #scheduled = true
  #headSent = false
  /** Something was written since the last tick. */
  #active = true
  #closed = false

  /** Takes over a response whose head is written but not sent. */
  constructor(
    body: AsyncIterable<string | Uint8Array>,
    private readonly outgoing: ServerResponse,
    private readonly options: HttpStreamOptions,
  ) {
    this.#iterator = body[Symbol.asyncIterator]()
  }

  start(): void {
    if (this.outgoing.destroyed) {
      this.#close()
      return
    }
    this.outgoing.on('close', () => this.#close())
    // Runs once all promises that are settled by now have been heard.
    process.nextTick(flush, this)
    void this.#pump()
  }

  /** Writes the keep-alive text where nothing was written since the last call. */
  tick(): void {
    const { outgoing, options } = this
    // One that is complete may still wait for an earlier reply of its connection.
    if (this.#closed || outgoing.writableEnded) return
    if (this.#active) this.#active = false
    else if (options.keepAlive !== undefined && !outgoing.writableNeedDrain) {
      this.#active = true
      outgoing.write(options.keepAlive)
    }
  }

  flush(): void {
    this.#scheduled = false
    if (this.#closed) return
    if (this.#waiting > 0) this.#write()
    else if (!this.#headSent) this.outgoing.flushHeaders()
    this.#headSent = true
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const step = await this.#iterator.next()
        if (this.#closed) return
        if (step.done) break
        this.#add(step.value)
        if (this.#waiting > FLUSH_ABOVE) {
          this.flush()
          // Others have their turn, and the system takes what it can.
          await nextTurn()
        }
        if (this.outgoing.writableLength > HIGH_WATER) await this.#drained()
      }
      if (this.#waiting > 0) this.#write()
      this.outgoing.end()
      if (this.outgoing.writableLength > HIGH_WATER) this.outgoing.setTimeout(this.options.stallTimeout)
    } catch (error) {
      if (this.#closed) return
      this.options.onError(error)
      // The client must not take what it has for the whole.
      this.outgoing.destroy()
    }
  }

  #add(chunk: string | Uint8Array): void {
    if (typeof chunk === 'string') this.#text += chunk
    else {
      this.#chunks ??= []
      if (this.#text !== '') this.#chunks.push(this.#text)
      this.#chunks.push(chunk)
      this.#text = ''
    }
    this.#waiting += chunk.length
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(flush, this)
  }

  #write(): void {
    const { outgoing } = this
    if (this.#chunks !== undefined) for (const chunk of this.#chunks) outgoing.write(chunk)
    if (this.#text !== '') outgoing.write(this.#text)
    this.#chunks = undefined
    this.#text = ''
    this.#waiting = 0
    this.#active = true
  }

  async #drained(): Promise<void> {
    // Counts from the last byte that the client took; when time is up the connection is destroyed.
    this.outgoing.setTimeout(this.options.stallTimeout)
    await whenDrained(this.outgoing)
    this.outgoing.setTimeout(0)
  }

  #close(): void {
    this.#closed = true
    this.#text = ''
    this.#chunks = undefined
    this.#waiting = 0
    this.options.onClose(this)
    // Releases a source that was not read to its end. It may wait behind a pending read, and nobody waits for it.
    Promise.resolve(this.#iterator.return?.()).catch(() => {})
  }
}

function flush(stream: HttpStream): void {
  stream.flush()
}

function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}
