/**
 * Keeps refusals of callers that nobody knows from filling the disk: some have a record of their own, the others are counted, and the
 * counts recorded.
 */

import type { AuditRecord, AuditSink, RefusalSummary } from './audit.js'
import { networkOf } from './network-of.js'
import { TokenBuckets } from './token-buckets.js'

export interface RefusalBounds {
  /** Records that refusals of one network address may have at once, and per second in the long run. Default 100 and 1. */
  readonly perAddress?: { readonly burst: number; readonly perSecond: number } | undefined
  /** The same for all addresses together. Default 1,000 and 20. */
  readonly together?: { readonly burst: number; readonly perSecond: number } | undefined
  /** Milliseconds after which what was counted is recorded. Default 10 seconds. */
  readonly interval?: number | undefined
  /** Milliseconds of any clock, for tests. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

export interface BoundedRefusals extends AuditSink {
  /** Records what was counted. */
  flush(): void
}

/**
 * The same sink, for which refusals of callers without a principal are counted where there are too many of them. All others, and refusals
 * of callers who are known, go on as they are.
 */
export function boundedRefusals(
  sink: AuditSink & Required<Pick<AuditSink, 'summarise'>>,
  bounds: RefusalBounds = {},
): BoundedRefusals {
  return new Bounded(sink, bounds)
}

/** Addresses that are kept apart, and those of them that a summary names. */
const MAX_BUCKETS = 1_000
const MAX_NAMED = 32

class Bounded implements BoundedRefusals {
  readonly #sink: AuditSink & Required<Pick<AuditSink, 'summarise'>>
  readonly #perAddress: TokenBuckets
  readonly #together: TokenBuckets
  readonly #interval: number
  readonly #now: () => number
  #since = ''
  #count = 0
  #reasons = new Map<string, number>()
  #addresses = new Map<string, number>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(sink: AuditSink & Required<Pick<AuditSink, 'summarise'>>, bounds: RefusalBounds) {
    this.#sink = sink
    this.#perAddress = new TokenBuckets(bounds.perAddress ?? { burst: 100, perSecond: 1 }, MAX_BUCKETS)
    this.#together = new TokenBuckets(bounds.together ?? { burst: 1_000, perSecond: 20 }, 1)
    this.#interval = bounds.interval ?? 10_000
    this.#now = bounds.now ?? (() => performance.now())
  }

  get blocked(): string | undefined {
    return this.#sink.blocked
  }

  write(record: AuditRecord): Promise<void> | undefined {
    if (record.outcome !== 'refused' || record.principal !== undefined) return this.#sink.write(record)
    const now = this.#now()
    const address = record.address === undefined ? 'unknown' : networkOf(record.address)
    const slot = this.#perAddress.slotOf(address, now)
    if (this.#perAddress.wait(slot, now) === 0 && this.#together.wait('', now) === 0) {
      this.#perAddress.take(slot, now)
      this.#together.take('', now)
      return this.#sink.write(record)
    }
    this.#countOne(record, address)
    return undefined
  }

  summarise(summary: RefusalSummary): void {
    this.#sink.summarise(summary)
  }

  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#count === 0) return
    this.#sink.summarise({
      event: 'refused',
      since: this.#since,
      count: this.#count,
      reasons: Object.fromEntries(this.#reasons),
      addresses: Object.fromEntries(this.#addresses),
    })
    this.#count = 0
    this.#reasons = new Map()
    this.#addresses = new Map()
  }

  #countOne({ refusedBy, reason, time }: AuditRecord, address: string): void {
    if (this.#count++ === 0) this.#since = time
    // Reasons are words of ours: there are not many.
    add(this.#reasons, reason ?? refusedBy ?? 'refused')
    if (this.#addresses.size < MAX_NAMED || this.#addresses.has(address)) add(this.#addresses, address)
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.flush(), this.#interval)
    ;(this.#timer as { unref?: () => void }).unref?.()
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
