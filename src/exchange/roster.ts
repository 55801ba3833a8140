/**
 * The few things that are open right now: added and removed with every call. A `Set` would do the same, but a
 * set under constant churn is rebuilt every few hundred changes, and each abandoned table keeps what was in it
 * from being collected young: measured, a third of all garbage then survived, and collecting it took a fifth of
 * the time. A plain list has no such memory, and searching it is cheap at the sizes that are common.
 */
export class Roster<T> {
  readonly #items: T[] = []

  get size(): number {
    return this.#items.length
  }

  add(item: T): void {
    this.#items.push(item)
  }

  delete(item: T): boolean {
    const index = this.#items.indexOf(item)
    if (index < 0) return false
    const last = this.#items.pop() as T
    if (index < this.#items.length) this.#items[index] = last
    return true
  }

  /** A copy, so that who walks it may remove what is met. */
  all(): readonly T[] {
    return this.#items.slice()
  }

  clear(): void {
    this.#items.length = 0
  }
}
