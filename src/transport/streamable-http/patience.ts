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

  /**
   * What `settled` makes of the promise's value, or of undefined once it is slow; what `failed` makes of its error. Rejects with what
   * they throw. Callbacks, since every request comes here, and each promise costs it a hundredth of its time.
   */
  first<T, R>(
    promise: Promise<T>,
    settled: (value: T | undefined) => R,
    failed: (error: unknown) => R,
  ): Promise<R> {
    if (this.#own && this.#interval !== Infinity)
      return firstOf(promise, this.#interval * STEPS).then(settled, failed)
    return new Promise((resolve, reject) => {
      const reply = new Reply(this.#tick, settled, resolve, reject)
      if (this.#interval !== Infinity) {
        this.#waiting.add(reply)
        this.#timer ??= setTimeout(this.#onTick, this.#interval)
      }
      promise.then(
        value => {
          this.#waiting.delete(reply)
          reply.settle(value)
        },
        error => {
          this.#waiting.delete(reply)
          reply.fail(error, failed)
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
  /** The tick at which it came. */
  readonly since: number
  slow(): void
}

/** Settles once: what was slow has its reply. */
class Reply<T, R> implements Waiter {
  readonly since: number
  readonly #settled: (value: T | undefined) => R
  readonly #resolve: (reply: R) => void
  readonly #reject: (error: unknown) => void
  #done = false

  constructor(
    since: number,
    settled: (value: T | undefined) => R,
    resolve: (reply: R) => void,
    reject: (error: unknown) => void,
  ) {
    this.since = since
    this.#settled = settled
    this.#resolve = resolve
    this.#reject = reject
  }

  slow(): void {
    this.#finish(this.#settled, undefined)
  }

  settle(value: T): void {
    this.#finish(this.#settled, value)
  }

  fail(error: unknown, failed: (error: unknown) => R): void {
    this.#finish(failed, error)
  }

  #finish<V>(answer: (value: V) => R, value: V): void {
    if (this.#done) return
    this.#done = true
    try {
      this.#resolve(answer(value))
    } catch (error) {
      this.#reject(error)
    }
  }
}

const STEPS = 4
