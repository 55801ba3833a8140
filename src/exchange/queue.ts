/**
 * A bounded queue between a producer that cannot wait (a pipe, a timer) and one consumer that pulls.
 * `next` answers at once while items are ready, so that a burst is drained within one turn of the event loop.
 */
export class Queue<T, R = void> {
  #items: T[] = []
  #head = 0
  #waiting: ((step: IteratorResult<T, R>) => void) | undefined
  #rejecting: ((error: unknown) => void) | undefined
  #end: { readonly value: R } | { readonly error: unknown } | undefined

  /** How many items wait. */
  get size(): number {
    return this.#items.length - this.#head
  }

  get ended(): boolean {
    return this.#end !== undefined
  }

  push(item: T): void {
    if (this.#end !== undefined) return
    const resolve = this.#waiting
    if (resolve !== undefined) {
      this.#waiting = this.#rejecting = undefined
      resolve({ done: false, value: item })
    } else this.#items.push(item)
  }

  /** Items that wait are still delivered, then the end is. */
  close(value: R): void {
    if (this.#end !== undefined) return
    this.#end = { value }
    const resolve = this.#waiting
    this.#waiting = this.#rejecting = undefined
    resolve?.({ done: true, value })
  }

  fail(error: unknown): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    const reject = this.#rejecting
    this.#waiting = this.#rejecting = undefined
    reject?.(error)
  }

  /** One consumer at a time. */
  next(): Promise<IteratorResult<T, R>> {
    if (this.#head < this.#items.length) {
      const value = this.#items[this.#head] as T
      this.#items[this.#head++] = undefined as T
      if (this.#head === this.#items.length) {
        this.#items = []
        this.#head = 0
      }
      return Promise.resolve({ done: false, value })
    }
    if (this.#end !== undefined) {
      if ('error' in this.#end) return Promise.reject(this.#end.error)
      return Promise.resolve({ done: true, value: this.#end.value })
    }
    return new Promise((resolve, reject) => {
      this.#waiting = resolve
      this.#rejecting = reject
    })
  }
}
