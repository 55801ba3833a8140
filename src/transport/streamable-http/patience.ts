import { Roster } from '../../exchange/roster.js'

/**
 * Tells which replies are slow, with one coarse timer for all of them: a timer per request costs more than a small
 * request does.
 */
export class Patience {
  readonly #waiting = new Roster<Waiter>()
  readonly #interval: number
  #tick = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  /** Each reply has a timer. */
  readonly #own: boolean

  /**
   * `delayMs`: how long is not slow yet. What is slow is noticed at most a quarter later; Infinity never is. `own` gives each reply
   * a timer: some platforms end a request's timers with the request.
   */
  constructor(delayMs: number, own = false) {
    this.#interval = delayMs / STEPS
    this.#own = own
  }

  /** The promise's outcome, or undefined once it is slow. */
  first<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.#interval === Infinity) return promise
    if (this.#own) return firstOf(promise, this.#interval * STEPS)
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { since: this.#tick, slow: resolve as () => void }
      this.#waiting.add(waiter)
      this.#timer ??= setTimeout(this.#onTick, this.#interval)
      promise.then(
        value => {
          this.#waiting.delete(waiter)
          resolve(value)
        },
        error => {
          this.#waiting.delete(waiter)
          reject(error)
        },
      )
    })
  }

  /** Lets go of the timer: from here on nothing is slow. */
  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#waiting.clear()
  }

  readonly #onTick = (): void => {
    this.#tick++
    this.#releaseUntil(this.#tick - STEPS)
    this.#timer = this.#waiting.size > 0 ? setTimeout(this.#onTick, this.#interval) : undefined
  }

  #releaseUntil(tick: number): void {
    for (const waiter of this.#waiting.all()) {
      // Less, not equal: who arrived just before a tick has waited almost nothing for it.
      if (waiter.since >= tick) continue
      this.#waiting.delete(waiter)
      waiter.slow()
    }
  }
}

async function firstOf<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const slow = new Promise<undefined>(resolve => {
    timer = setTimeout(resolve, milliseconds, undefined)
  })
  try {
    return await Promise.race([promise, slow])
  } finally {
    clearTimeout(timer)
  }
}

interface Waiter {
  readonly since: number
  readonly slow: () => void
}

const STEPS = 4
