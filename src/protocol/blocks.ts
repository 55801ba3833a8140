/** Chunks from this size on are kept as they came; smaller ones are gathered, so that 1-byte chunks stay cheap. */
const OWN_BLOCK = 16_384
const LARGEST_BLOCK = 65_536

/** Bytes in the order they came, gathered so that neither their number nor their joining grows out of hand. */
export class Blocks {
  #length = 0
  #blocks: Uint8Array[] = []
  /** Bytes used of the last block, where it is ours to fill; else -1. */
  #filled = -1

  get length(): number {
    return this.#length
  }

  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    if (bytes.length >= OWN_BLOCK) {
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
    this.#close()
    const blocks = this.#blocks
    let whole = blocks[0]
    if (whole === undefined || blocks.length > 1) {
      whole = new Uint8Array(this.#length)
      let offset = 0
      for (const block of blocks) {
        whole.set(block, offset)
        offset += block.length
      }
    }
    this.#blocks = []
    this.#length = 0
    return whole
  }

  #close(): void {
    const last = this.#blocks[this.#blocks.length - 1]
    if (this.#filled >= 0 && last !== undefined)
      this.#blocks[this.#blocks.length - 1] = last.subarray(0, this.#filled)
    this.#filled = -1
  }
}
