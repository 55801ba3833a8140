/** How many connections there may be, over all servers that share this. */
export class Capacity {
  readonly limit: number
  #used = 0

  constructor(limit: number) {
    this.limit = limit
  }

  get used(): number {
    return this.#used
  }

  /** False where there is no room. */
  take(): boolean {
    if (this.#used >= this.limit) return false
    this.#used += 1
    return true
  }

  release(): void {
    this.#used -= 1
  }
}
