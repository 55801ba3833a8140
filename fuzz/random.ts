/** Chance that can be repeated: the same seed, target and number give the same input, whatever was run before. */
export class Random {
  #a: number
  #b: number
  #c: number
  #d = 1

  constructor(seed: number, name: string, index: number) {
    this.#a = hash(`${seed}`)
    this.#b = hash(name)
    this.#c = hash(`${index}/${name}/${seed}`)
    for (let round = 0; round < 12; round++) this.#next()
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor((this.#next() / 2 ** 32) * limit)
  }

  chance(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T
  }

  /** Small numbers mostly, and large ones sometimes. */
  size(limit: number): number {
    return Math.floor(limit ** (this.#next() / 2 ** 32))
  }

  /** sfc32, by Chris Doty-Humphrey: small, fast and without a known weakness. */
  #next(): number {
    const sum = (this.#a + this.#b + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum
    return sum >>> 0
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  return value | 0
}
