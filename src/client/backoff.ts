/** When a server that fails may be started again: pure arithmetic, told the time. */

export interface BackoffOptions {
  /** Failures in a row after which callers are no longer made to wait for the next attempt. */
  readonly budget: number
  /** Milliseconds that the server must have lived for its end to count as the first failure again. */
  readonly stable?: number
  /** The shortest and the longest wait between two attempts, in milliseconds. */
  readonly first?: number
  readonly longest?: number
  /** From 0 to 1. */
  readonly random?: () => number
}

export class Backoff {
  /** What went wrong last. */
  error: unknown
  readonly #options: Required<BackoffOptions>
  #failures = 0
  #until = 0
  #readySince: number | undefined

  constructor(options: BackoffOptions) {
    this.#options = { stable: 10_000, first: 100, longest: 30_000, random: Math.random, ...options }
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures
  }

  /** The budget is used up. */
  get exhausted(): boolean {
    return this.#failures > this.#options.budget
  }

  /** Milliseconds until the next attempt. */
  remaining(time: number): number {
    return Math.max(0, this.#until - time)
  }

  ready(time: number): void {
    this.#readySince = time
  }

  /** It did not start, or has ended. Returns the milliseconds until the next attempt: doubled each time, half of it by chance. */
  failed(error: unknown, time: number): number {
    const { first, longest, stable, random } = this.#options
    if (this.#readySince !== undefined && time - this.#readySince >= stable) this.#failures = 0
    this.#readySince = undefined
    this.error = error
    this.#failures += 1
    const wait = Math.min(longest, first * 2 ** (this.#failures - 1)) * (0.5 + random() / 2)
    this.#until = time + wait
    return wait
  }
}
