/** Those who wait at once; whoever comes then is refused. */
const MAX_WAITING = 1_000
/** Milliseconds between two looks at what could be closed to make room. */
const LOOK_AGAIN = 250

interface Waiter {
  settle(got: boolean): void
}

/**
 * How many connections there may be, over all servers that share this. Whoever finds no place waits in line for one, and what
 * nobody uses is closed meanwhile.
 */
export class Capacity {
  readonly limit: number
  /** The option that changes the limit. */
  readonly knob: string
  #used = 0
  /** Places that are about to be free, since what had them is being closed. */
  #leaving = 0
  readonly #waiters: Waiter[] = []
  readonly #holders = new Set<() => boolean>()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(limit: number, knob = '--max-children') {
    this.limit = limit
    this.knob = knob
  }

  get used(): number {
    return this.#used
  }

  /** False where there is no place, or others wait for one. */
  take(): boolean {
    if (this.#used >= this.limit || this.#waiters.length > 0) return false
    this.#used += 1
    return true
  }

  /**
   * Waits for a place. False where none came free in so many milliseconds, too many wait, or the wait was ended: `waits` holds
   * what ends it while it lasts.
   */
  wait(milliseconds: number, waits: Set<() => void>): Promise<boolean> {
    if (this.take()) return Promise.resolve(true)
    if (this.#waiters.length >= MAX_WAITING || milliseconds <= 0) return Promise.resolve(false)
    return new Promise(resolve => {
      const settle = (got: boolean) => {
        clearTimeout(timer)
        waits.delete(leave)
        const index = this.#waiters.indexOf(waiter)
        if (index >= 0) this.#waiters.splice(index, 1)
        if (this.#waiters.length === 0) this.#stopLooking()
        resolve(got)
      }
      const waiter: Waiter = { settle }
      const leave = () => settle(false)
      const timer = setTimeout(leave, milliseconds)
      waits.add(leave)
      this.#waiters.push(waiter)
      this.#timer ??= setInterval(() => this.#makeRoom(), LOOK_AGAIN)
      this.#makeRoom()
    })
  }

  release(): void {
    if (this.#leaving > 0) this.#leaving -= 1
    const next = this.#waiters[0]
    if (next === undefined) this.#used -= 1
    else next.settle(true)
  }

  /** Somebody who can close one of its connections that nobody uses: true where one is being closed. Returns how to leave. */
  addHolder(closeOne: () => boolean): () => void {
    this.#holders.add(closeOne)
    return () => this.#holders.delete(closeOne)
  }

  #makeRoom(): void {
    for (const closeOne of this.#holders) {
      while (this.#leaving < this.#waiters.length) {
        // Counted first: the place may be free before this returns.
        this.#leaving += 1
        if (closeOne()) continue
        this.#leaving -= 1
        break
      }
    }
  }

  #stopLooking(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
