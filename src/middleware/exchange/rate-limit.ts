/** A limit, and how a person writes it. */

import type { Rate } from './token-buckets.js'

/** `key`: the API key that the caller showed (`claims.key`), else as `principal`. */
export type LimitedBy = 'principal' | 'key' | 'address' | 'session' | 'tool'

export interface RateLimit extends Rate {
  /** Who has a bucket of its own: `['principal', 'tool']` gives each principal one per tool. Empty: all callers share one. */
  readonly per: readonly LimitedBy[]
  /** Counts calls of these tools only: `*` stands for any characters, `?` for one. Default: all requests. */
  readonly tools?: readonly string[] | undefined
}

export const LIMITED_BY: readonly LimitedBy[] = ['principal', 'key', 'address', 'session', 'tool']

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 }

/** `principal=50/s,200`, `address=600/m`, `principal+tool:search_*=5/s`. Throws `TypeError`. */
export function parseRateLimit(given: string): RateLimit {
  const [, who, tools, calls, unit, burst] =
    /^([a-z+]+)(?::(.+))?=(\d+(?:\.\d+)?)\/([smh])(?:,(\d+))?$/.exec(given) ?? []
  if (who === undefined || calls === undefined || unit === undefined)
    throw new TypeError(
      `${JSON.stringify(given)} is no limit; write for example principal=50/s,200 or address=600/m`,
    )
  const per = who === 'all' ? [] : who.split('+')
  for (const by of per)
    if (!LIMITED_BY.includes(by as LimitedBy))
      throw new TypeError(`${JSON.stringify(by)}: expected all, ${LIMITED_BY.join(', ')}`)
  const perSecond = Number(calls) / (UNITS[unit] as number)
  if (perSecond === 0 || burst === '0') throw new TypeError(`${JSON.stringify(given)} lets nobody in`)
  return {
    per: per as LimitedBy[],
    perSecond,
    // One second's worth where nothing is said, and at least one call.
    burst: burst === undefined ? Math.max(1, Math.ceil(perSecond)) : Number(burst),
    ...(tools === undefined ? {} : { tools: [tools] }),
  }
}
