/** How far apart the ids of one slot are, so that a late answer never meets its slot's next owner. */
const STRIDE = 65_536

/**
 * Open calls by the id that they have at the peer: a slot of a list, and how often the slot was used. A `Map`
 * costs more, most of all in garbage that survives (see `exchange/roster.ts`). Ids are not reused.
 */
export class Slots<T> {
  #slots: (T | undefined)[] = []
  #ids: number[] = []
  #free: number[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Takes a slot and returns its id. There are as many slots as ids leave room for: 65,535. */
  add(item: T): number {
    const slot = this.#free.pop() ?? this.#slots.length
    if (slot >= STRIDE - 1) throw new RangeError('Too many calls are open')
    const id = (this.#ids[slot] ?? slot + 1 - STRIDE) + STRIDE
    this.#ids[slot] = id
    this.#slots[slot] = item
    this.#size += 1
    return id
  }

  get(id: number): T | undefined {
    const slot = (id % STRIDE) - 1
    return this.#ids[slot] === id ? this.#slots[slot] : undefined
  }

  delete(id: number, item: T): boolean {
    const slot = (id % STRIDE) - 1
    if (this.#ids[slot] !== id || this.#slots[slot] !== item) return false
    this.#slots[slot] = undefined
    this.#free.push(slot)
    this.#size -= 1
    return true
  }

  all(): T[] {
    return this.#slots.filter(item => item !== undefined)
  }

  clear(): void {
    for (let slot = 0; slot < this.#slots.length; slot++) {
      if (this.#slots[slot] === undefined) continue
      this.#slots[slot] = undefined
      this.#free.push(slot)
    }
    this.#size = 0
  }
}
