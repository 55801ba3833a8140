/** Chunks from this size on are kept as they came; smaller ones are gathered, so that 1-byte chunks stay cheap. */
const OWN_BLOCK = 16_384
const LARGEST_BLOCK = 65_536
/** From this length on, bytes go to where they will be needed at once: kept as they came, they would be there twice in the end. */
const JOINED = 24 * 1024 * 1024

/** Bytes in the order they came, gathered so that neither their number nor their joining grows out of hand. */
export class Blocks {
  #length = 0
  #blocks: Uint8Array[] = []
  /** Bytes used of the last block, where it is ours to fill; else -1. */
  #filled = -1
  /** Holds all of it from {@link JOINED} on. */
  #whole: Uint8Array | undefined
  readonly #limit: number

  /** `limit` is what {@link length} never exceeds; so much address space is taken for long ones, memory only as it fills. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get length(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (this.#length + bytes.length > JOINED) {
      this.#whole ??= this.#join(this.#limit)
      this.#whole.set(bytes, this.#length)
    } else if (bytes.length >= OWN_BLOCK) {
      this.#close()
      this.#blocks.push(bytes)
    } else {
      const open = this.#filled < 0 ? undefined : this.#blocks[this.#blocks.length - 1]
      if (open !== undefined && this.#filled + bytes.length <= open.length) {
        open.set(bytes, this.#filled)
        this.#filled += bytes.length
      } else {
        this.#close()
        const block = new Uint8Array(Math.max(bytes.length, Math.min(LARGEST_BLOCK, 2 * this.#length)))
        block.set(bytes)
        this.#blocks.push(block)
        this.#filled = bytes.length
      }
    }
    this.#length += bytes.length
  }

  /** All of it as one array; afterwards there is nothing. */
  take(): Uint8Array {
    const whole = this.#whole?.subarray(0, this.#length) ?? this.#join(this.#length)
    this.#whole = undefined
    this.#length = 0
    return whole
  }

  /** The blocks one after the other, in an array that may be longer. */
  #join(length: number): Uint8Array {
    this.#close()
    const [first, ...more] = this.#blocks
    if (first !== undefined && more.length === 0 && first.length === length) {
      this.#blocks = []
      return first
    }
    const whole = new Uint8Array(length)
    let offset = 0
    for (const block of this.#blocks) {
      whole.set(block, offset)
      offset += block.length
    }
    this.#blocks = []
    return whole
  }

  #close(): void {
    const last = this.#blocks[this.#blocks.length - 1]
    if (this.#filled >= 0 && last !== undefined)
      this.#blocks[this.#blocks.length - 1] = last.subarray(0, this.#filled)
    this.#filled = -1
  }
}
