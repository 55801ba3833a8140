/** Exact below this many microseconds. */
const EXACT = 64
/** Buckets for each doubling above it. */
const STEPS = 32
const MAX = 2 ** 31 - 1
const SIZE = EXACT + STEPS * 25

/**
 * How long things took, in a fixed amount of memory (3.4 KiB): 32 buckets for each doubling, so that what is read is off by 1.6 % at
 * most, from a microsecond to 35 minutes; longer ones count as that.
 */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(SIZE)
  #count = 0
  #highest = 0

  get count(): number {
    return this.#count
  }

  /** The longest of them, in milliseconds, as it was. */
  get highest(): number {
    return this.#highest
  }

  add(milliseconds: number): void {
    const micros = Math.min(Math.max(Math.round(milliseconds * 1_000), 0), MAX)
    const index = indexOf(micros)
    this.#counts[index] = (this.#counts[index] as number) + 1
    this.#count++
    if (milliseconds > this.#highest) this.#highest = milliseconds
  }

  /** The milliseconds below which this share of them is, such as 0.95; undefined where there are none. */
  quantile(share: number): number | undefined {
    if (this.#count === 0) return undefined
    let left = Math.max(1, Math.ceil(share * this.#count))
    for (let index = 0; index < SIZE; index++) {
      left -= this.#counts[index] as number
      if (left <= 0) return Math.min(middleOf(index) / 1_000, this.#highest)
    }
    return this.#highest
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#highest = 0
  }
}

function indexOf(micros: number): number {
  if (micros < EXACT) return micros
  const shift = 26 - Math.clz32(micros)
  return EXACT + (shift - 1) * STEPS + (micros >>> shift) - STEPS
}

function middleOf(index: number): number {
  if (index < EXACT) return index
  const shift = Math.floor((index - EXACT) / STEPS) + 1
  const lowest = (((index - EXACT) % STEPS) + STEPS) * 2 ** shift
  return lowest + (2 ** shift - 1) / 2
}
