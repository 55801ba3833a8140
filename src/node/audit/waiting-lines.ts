/** Lines that wait to be written, as bytes: text that was put together of pieces stays alive in its pieces, which are several times as large. */
export class WaitingLines {
  readonly #chunkSize: number
  readonly #chunks: Chunk[] = []
  #spare: Chunk | undefined
  #count = 0

  /** Lines are handed out in chunks of at most so many bytes, but for a line that is longer. */
  constructor(chunkSize: number) {
    this.#chunkSize = chunkSize
  }

  /** Lines that wait, those that are being written among them. */
  get count(): number {
    return this.#count
  }

  /** `line` is ASCII and has no end. `written` is called by whoever writes it. */
  push(line: string, written?: () => void): void {
    let chunk = this.#chunks.at(-1)
    if (chunk === undefined || !chunk.hasRoomFor(line)) {
      chunk = this.#newChunk(line.length + ROOM)
      this.#chunks.push(chunk)
    }
    chunk.push(line)
    if (written !== undefined) chunk.waiting.push(written)
    this.#count++
  }

  /** The oldest lines, to which none is added any more. They stay until they are dropped. */
  first(): Chunk | undefined {
    const chunk = this.#chunks[0]
    if (chunk !== undefined) chunk.closed = true
    return chunk
  }

  /** The oldest lines are written. */
  dropFirst(): void {
    const chunk = this.#chunks.shift()
    if (chunk === undefined) return
    this.#count -= chunk.count
    if (chunk.bytes.length === this.#chunkSize) this.#spare = chunk
  }

  #newChunk(needed: number): Chunk {
    const spare = this.#spare
    if (spare === undefined || needed > this.#chunkSize) return new Chunk(Math.max(needed, this.#chunkSize))
    this.#spare = undefined
    spare.reset()
    return spare
  }
}

/** What the end of a group adds to its last line. */
const ROOM = 256

export class Chunk {
  readonly bytes: Buffer
  used = 0
  count = 0
  closed = false
  waiting: (() => void)[] = []

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size)
  }

  hasRoomFor(line: string): boolean {
    return !this.closed && this.bytes.length - this.used >= line.length + ROOM
  }

  push(line: string): void {
    if (this.count++ > 0) this.bytes[this.used++] = 0x0a
    this.used += this.bytes.write(line, this.used, 'latin1')
  }

  /** Calls back those who wait. */
  tell(): void {
    const { waiting } = this
    this.waiting = []
    for (const written of waiting) written()
  }

  reset(): void {
    this.used = 0
    this.count = 0
    this.closed = false
    this.waiting = []
  }
}
