import type { CallOutcome } from './call-outcome.js'
import { LatencyHistogram } from './latency-histogram.js'

/** What went wrong last. */
export interface LastError {
  /** ISO 8601. */
  readonly time: string
  readonly method?: string | undefined
  readonly target?: string | undefined
  /** Of the JSON-RPC error; undefined where a tool said that it failed. */
  readonly code?: number | undefined
  /** Without control characters, and what it repeats of arguments and credentials. */
  readonly message: string
}

/** Milliseconds. */
export interface Latency {
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly highest: number
  /** How many calls it is made of. */
  readonly calls: number
  /** The last five to ten minutes; where nothing was called then, all since the start. */
  readonly of: 'recent' | 'all'
}

/** Calls so far. JSON as it is. */
export interface TrafficReport {
  /** All that ended, subscriptions not included. */
  readonly calls: number
  readonly errors: number
  /** The tool itself said that it failed. */
  readonly toolErrors: number
  /** A guard let them go no further. */
  readonly refused: number
  readonly cancelled: number
  /** The server asked back. */
  readonly questions: number
  readonly latency?: Latency | undefined
  /** Calls that ended in each of the last 60 seconds, the oldest first. */
  readonly perSecond: readonly number[]
  readonly lastError?: LastError | undefined
}

/** Milliseconds after which what is called recent begins anew. */
const WINDOW = 5 * 60_000
const SECONDS = 60

/** Counts calls, in a fixed amount of memory. `now` is milliseconds of one clock that never goes back. */
export class Traffic {
  lastError: LastError | undefined
  readonly #all = new LatencyHistogram()
  #recent = new LatencyHistogram()
  #before = new LatencyHistogram()
  #windowEnds = 0
  readonly #seconds = new Uint32Array(SECONDS)
  #second = 0
  #calls = 0
  readonly #outcomes = { ok: 0, 'tool-error': 0, error: 0, refused: 0, question: 0, cancelled: 0 }

  add(outcome: CallOutcome, milliseconds: number, now: number): void {
    this.#calls++
    this.#outcomes[outcome]++
    this.#inSecond(now)
    // How long it takes to refuse, or somebody to lose patience, says nothing of the server.
    if (outcome === 'refused' || outcome === 'cancelled') return
    this.#turn(now)
    this.#all.add(milliseconds)
    this.#recent.add(milliseconds)
  }

  report(now: number): TrafficReport {
    const second = Math.floor(now / 1_000)
    const outcomes = this.#outcomes
    const latency = this.#latency(now)
    return {
      calls: this.#calls,
      errors: outcomes.error,
      toolErrors: outcomes['tool-error'],
      refused: outcomes.refused,
      cancelled: outcomes.cancelled,
      questions: outcomes.question,
      ...(latency === undefined ? {} : { latency }),
      perSecond: Array.from({ length: SECONDS }, (_, index) => this.#at(second - SECONDS + 1 + index)),
      ...(this.lastError === undefined ? {} : { lastError: this.lastError }),
    }
  }

  #latency(now: number): Latency | undefined {
    this.#turn(now)
    // The fuller one of both, so that the numbers do not jump when a window begins.
    const recent = this.#recent.count >= this.#before.count ? this.#recent : this.#before
    const shown = recent.count > 0 ? recent : this.#all
    if (shown.count === 0) return undefined
    const at = (share: number) => rounded(shown.quantile(share) as number)
    return {
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      highest: rounded(shown.highest),
      calls: shown.count,
      of: shown === this.#all ? 'all' : 'recent',
    }
  }

  #turn(now: number): void {
    if (now < this.#windowEnds) return
    const missed = now >= this.#windowEnds + WINDOW
    const oldest = this.#before
    this.#before = this.#recent
    this.#recent = oldest
    this.#recent.clear()
    if (missed) this.#before.clear()
    this.#windowEnds = now + WINDOW
  }

  #inSecond(now: number): void {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) {
      const gap = Math.min(second - this.#second, SECONDS)
      for (let index = 0; index < gap; index++) this.#seconds[(second - index) % SECONDS] = 0
      this.#second = second
    }
    const slot = second % SECONDS
    this.#seconds[slot] = (this.#seconds[slot] as number) + 1
  }

  #at(second: number): number {
    if (second > this.#second || second <= this.#second - SECONDS || second < 0) return 0
    return this.#seconds[second % SECONDS] as number
  }
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000
}
