/**
 * Token buckets, one number each: the time at which a bucket would be full again ("generic cell rate algorithm"). A bucket that is
 * full is the same as none, so that nothing has to be refilled by a timer.
 */

export interface Rate {
  /** Calls that are let in per second, in the long run. */
  readonly perSecond: number
  /** Calls that may come at once after a pause. At least 1. */
  readonly burst: number
}

/** Buckets beyond the limit are shared: nobody's is forgotten before it is full, or a flood of new keys would refill all. */
const SHARED = 64

export class TokenBuckets {
  readonly #interval: number
  readonly #tolerance: number
  readonly #limit: number
  readonly #fullAt = new Map<string, number>()
  #sweptAt = Number.NEGATIVE_INFINITY

  /** Times are in milliseconds of any one clock. */
  constructor({ perSecond, burst }: Rate, maxBuckets: number) {
    this.#interval = 1_000 / perSecond
    // A millionth of an interval forgives what sums of fractions lose.
    this.#tolerance = (burst - 1 + 1e-6) * this.#interval
    this.#limit = maxBuckets
  }

  get size(): number {
    return this.#fullAt.size
  }

  /** Under which the key is counted; to be asked once per call. */
  slotOf(key: string, now: number): string {
    if (this.#fullAt.size < this.#limit || this.#fullAt.has(key)) return key
    // Once a second, or a flood of new keys would cost a sweep each.
    if (now - this.#sweptAt >= 1_000) this.#sweep(now)
    return this.#fullAt.size < this.#limit ? key : `\u0000${hash(key) % SHARED}`
  }

  /** Milliseconds until a call would be let in; 0 for now. Takes nothing. */
  wait(slot: string, now: number): number {
    const fullAt = this.#fullAt.get(slot)
    return fullAt === undefined ? 0 : Math.max(0, fullAt - now - this.#tolerance)
  }

  take(slot: string, now: number): void {
    this.#fullAt.set(slot, Math.max(now, this.#fullAt.get(slot) ?? now) + this.#interval)
  }

  #sweep(now: number): void {
    this.#sweptAt = now
    for (const [key, fullAt] of this.#fullAt) if (fullAt <= now) this.#fullAt.delete(key)
  }
}

function hash(text: string): number {
  let value = 0
  for (let index = 0; index < text.length; index++) value = (value * 31 + text.charCodeAt(index)) >>> 0
  return value
}
