/** What `pg` takes for a socket, with the embedded PostgreSQL at its other end. */

import { Duplex } from 'node:stream'

/** Messages after which PostgreSQL answers: simple query, sync, flush. */
const ENDS_BATCH = new Set(['Q', 'S', 'H'].map(letter => letter.charCodeAt(0)))
const LENGTH_BYTES = 4

export class ProtocolStream extends Duplex {
  #ready
  #send
  /** @type {Buffer} */
  #waiting = Buffer.alloc(0)
  #isStarted = false

  /**
   * @param {() => Promise<void>} ready resolves when PostgreSQL is up
   * @param {(batch: Uint8Array) => void} send
   */
  constructor(ready, send) {
    super({ autoDestroy: true })
    this.#ready = ready
    this.#send = send
  }

  connect() {
    this.#ready().then(
      () => this.emit('connect'),
      error => this.destroy(error),
    )
  }

  // What a socket can do besides.
  setNoDelay() {}
  setKeepAlive() {}
  ref() {}
  unref() {}

  _read() {}

  /**
   * @param {Buffer} chunk
   * @param {unknown} _encoding
   * @param {() => void} done
   */
  _write(chunk, _encoding, done) {
    this.#waiting = Buffer.concat([this.#waiting, chunk])
    const end = this.#endOfBatches()
    if (end > 0) {
      this.#send(Uint8Array.from(this.#waiting.subarray(0, end)))
      this.#waiting = this.#waiting.subarray(end)
    }
    done()
  }

  /** @param {() => void} done */
  _final(done) {
    this.push(null)
    done()
  }

  /** How many bytes may go: PGlite answers whole batches only. */
  #endOfBatches() {
    let end = 0
    for (let start = 0; ; ) {
      const lengthAt = start + (this.#isStarted ? 1 : 0)
      if (this.#waiting.length < lengthAt + LENGTH_BYTES) return end
      const next = lengthAt + this.#waiting.readInt32BE(lengthAt)
      if (this.#waiting.length < next) return end
      if (!this.#isStarted || ENDS_BATCH.has(this.#waiting[start] ?? 0)) end = next
      this.#isStarted = true
      start = next
    }
  }
}
