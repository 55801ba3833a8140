import type { JSONObject } from '../protocol/message.js'

/** What a server said it has. */
export interface SliceValue {
  readonly entries: readonly JSONObject[]
  /** Milliseconds for which the server calls it fresh. */
  readonly ttlMs: number
  /** Whether it is the same for everybody (2026-07-28 server/utilities/caching, "Cache Scope Field"). */
  readonly scope: 'public' | 'private'
  /** When it came, by the monotonic clock. */
  readonly at: number
}

export interface SliceOptions {
  /** Asks the server. */
  readonly fetch: () => Promise<SliceValue>
  /** How long what was known stands in for what cannot be had, in milliseconds. */
  readonly keep: number
  /** Something was learnt: `late` where nobody waited for it any more; `outdated` where it changed while it was on its way. */
  readonly onSettled: (late: boolean, outdated: boolean) => void
}

/** One list of one server: asked for by one at a time, whoever waits for it. */
export class Slice {
  readonly #options: SliceOptions
  #value: SliceValue | undefined
  #stale = true
  #waited: Promise<void> | undefined
  /** Counts what makes a list that is on its way outdated. */
  #epoch = 0
  #failure:
    | { readonly error: Error; readonly since: number; readonly times: number; readonly retryAt: number }
    | undefined
  /** Changes whenever what is shown of it may have changed. */
  version = 0

  constructor(options: SliceOptions) {
    this.#options = options
  }

  /** Why the server's entries are missing or may be old. */
  get error(): Error | undefined {
    return this.#failure?.error
  }

  /** What is known; nothing where it is too long ago. */
  get value(): SliceValue | undefined {
    if (this.#failure !== undefined && performance.now() - this.#failure.since > this.#options.keep)
      return undefined
    return this.#value
  }

  /** Nothing has to be asked. `watched`: the server says when the list changes. */
  isFresh(watched: boolean): boolean {
    if (this.#value === undefined || this.#stale) return false
    return watched || performance.now() < this.#value.at + this.#value.ttlMs
  }

  /** The list is another one now. */
  invalidate(): void {
    this.#epoch++
    this.#stale = true
  }

  /** Takes what another asker was told, where that holds for everybody. */
  adopt(value: SliceValue): void {
    this.#take(value, this.#epoch)
  }

  /**
   * Resolves once the server has answered or failed, or `patience` milliseconds have passed since it was asked. Never
   * rejects.
   */
  load(patience: number): Promise<void> {
    if (this.#waited !== undefined) return this.#waited
    if (this.#failure !== undefined && performance.now() < this.#failure.retryAt) return Promise.resolve()
    let late = false
    const waited = new Promise<void>(resolve => {
      const timer = setTimeout(() => {
        late = true
        this.#fail(new Error(`No answer within ${patience} ms`))
        resolve()
      }, patience)
      this.#ask()
        .then(() => {
          clearTimeout(timer)
          this.#waited = undefined
          resolve()
          this.#options.onSettled(late, this.#failure === undefined && this.#stale)
        })
        // Only its listener can have thrown, and nobody waits to be told.
        .catch(() => {})
    })
    this.#waited = waited
    return waited
  }

  async #ask(): Promise<void> {
    const epoch = this.#epoch
    try {
      this.#take(await this.#options.fetch(), epoch)
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #take(value: SliceValue, epoch: number): void {
    this.#failure = undefined
    this.#value = value
    // What came in the meantime may be newer than what the server said.
    this.#stale = epoch !== this.#epoch
    this.version++
  }

  #fail(error: Error): void {
    const now = performance.now()
    const times = (this.#failure?.times ?? 0) + 1
    const retryAt = now + Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** (times - 1))
    this.#failure = { error, since: this.#failure?.since ?? now, times, retryAt }
    this.version++
  }
}

/** Milliseconds before a server that failed is asked again. It has a backoff of its own; this spares askers a wait for it. */
const FIRST_RETRY = 250
const LONGEST_RETRY = 5_000
