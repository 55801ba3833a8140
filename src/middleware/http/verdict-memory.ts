import type { Verdict } from './authentication.js'

/** Tokens that were checked a moment ago, a bounded number of them. Those used longest ago go first. */
export class VerdictMemory {
  readonly #kept = new Map<string, { readonly verdict: Verdict; readonly until: number }>()

  constructor(
    private readonly size: number,
    private readonly now: () => number,
  ) {}

  get(token: string): Verdict {
    const found = this.#kept.get(token)
    if (found === undefined) return undefined
    this.#kept.delete(token)
    if (found.until <= this.now()) return undefined
    this.#kept.set(token, found)
    return found.verdict
  }

  /** `until` in milliseconds since 1970. */
  set(token: string, verdict: Verdict, until: number): void {
    if (until <= this.now()) return
    this.#kept.delete(token)
    if (this.#kept.size >= this.size) this.#kept.delete(this.#kept.keys().next().value as string)
    this.#kept.set(token, { verdict, until })
  }
}
