/** A bounded queue that several producers fill and one consumer drains. */

import { Queue } from './queue.js'

export class Outbox<T> {
  readonly #queue = new Queue<T>()
  readonly #limit: number
  #waiting: (() => void)[] = []

  /** `limit`: how many items may wait before producers have to. */
  constructor(limit: number) {
    this.#limit = limit
  }

  get ended(): boolean {
    return this.#queue.ended
  }

  /** How many items wait. */
  get size(): number {
    return this.#queue.size
  }

  /** Puts an item in. A promise asks the producer to wait until there is room, before it makes the next one. */
  push(item: T): Promise<void> | undefined {
    this.#queue.push(item)
    if (this.#queue.size < this.#limit || this.#queue.ended) return undefined
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  next(): Promise<IteratorResult<T, void>> {
    const step = this.#queue.next()
    if (this.#waiting.length > 0 && this.#queue.size < this.#limit) this.#release()
    return step
  }

  /** Items that wait are still delivered; producers that wait go on, and what they push is dropped. */
  close(): void {
    this.#queue.close(undefined)
    this.#release()
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
