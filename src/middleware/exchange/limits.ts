/** How often, and how many at a time. */

import type { Caller, Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import type { Exchange, Handler, Middleware } from '../../exchange/exchange.js'
import { matchesGlob } from '../../exchange/glob.js'
import { refusing } from '../../exchange/refusing.js'
import { Watched } from '../../exchange/watched.js'
import type { JSONRPCRequest } from '../../protocol/message.js'
import { METHOD_CALL_TOOL, METHOD_LISTEN } from '../../protocol/methods.js'
import { CALL_NOTES, noteRefusal } from './call-record.js'
import { networkOf } from './network-of.js'
import { LIMITED_BY, type LimitedBy, type RateLimit } from './rate-limit.js'
import { TokenBuckets } from './token-buckets.js'

export interface LimitOptions {
  readonly rates?: readonly RateLimit[] | undefined
  /** Calls that one principal may have open at a time; subscriptions do not count. Default: any number. */
  readonly maxConcurrent?: number | undefined
  /** Buckets that one limit keeps apart; those beyond share a few. Default 10,000. */
  readonly maxBuckets?: number | undefined
  /** The time in milliseconds, for tests. Default `performance.now`. */
  readonly now?: (() => number) | undefined
}

/**
 * Refuses calls over a limit with `TransportError` ERR_LIMITED: on HTTP a 429 with `Retry-After`. A call that is refused takes
 * nothing from any bucket. Throws `TypeError` for limits that cannot work.
 */
export function limits(options: LimitOptions): Middleware {
  const { rates = [], maxConcurrent, maxBuckets = 10_000, now = () => performance.now() } = options
  for (const rate of rates) check(rate)
  positive('maxBuckets', maxBuckets)
  if (maxConcurrent !== undefined) positive('maxConcurrent', maxConcurrent)
  const rules = rates.map(rate => new Rule(rate, maxBuckets))
  const open = maxConcurrent === undefined ? undefined : new OpenCalls(maxConcurrent)
  if (rules.length === 0 && open === undefined) return next => next
  return next => (request, context) => {
    const refused = rules.length === 0 ? undefined : overRate(rules, request, context, now())
    if (refused !== undefined) {
      noteRefusal(context, 'limits', 'rate')
      return refusing(refused)
    }
    if (open === undefined || request.method === METHOD_LISTEN) return next(request, context)
    const notes = context.get(CALL_NOTES)
    if (notes === undefined || notes.onEnd !== undefined) return new CountedCall(open, next, request, context)
    // The call has begun, and somebody watches it already.
    const count = open.begin(context.caller.principal ?? '')
    if (count === undefined) {
      noteRefusal(context, 'limits', 'concurrency')
      return refusing(open.refusal())
    }
    notes.onEnd = () => {
      count.open--
    }
    return next(request, context)
  }
}

class Rule {
  readonly buckets: TokenBuckets
  readonly limit: RateLimit
  #slot: string | undefined
  /** Of the call before: who calls is mostly who called then, and making a key of two parts costs more than comparing them. */
  #parts: readonly [string, string] = ['', '']
  #pairKey = pairOf('', '')

  constructor(limit: RateLimit, maxBuckets: number) {
    this.limit = limit
    this.buckets = new TokenBuckets(limit, maxBuckets)
  }

  /** Milliseconds to wait; undefined where the limit has nothing to do with the call. */
  wait(request: JSONRPCRequest, context: Context, now: number): number | undefined {
    const key = this.#keyOf(request, context.caller)
    this.#slot = key === undefined ? undefined : this.buckets.slotOf(key, now)
    return this.#slot === undefined ? undefined : this.buckets.wait(this.#slot, now)
  }

  /** Undefined where the call has no such thing, or is none that is counted. */
  #keyOf(request: JSONRPCRequest, caller: Caller): string | undefined {
    const { per, tools } = this.limit
    const isTool = request.method === METHOD_CALL_TOOL
    const tool = isTool && typeof request.params?.name === 'string' ? request.params.name : undefined
    if (tools !== undefined && (tool === undefined || !tools.some(pattern => matchesGlob(pattern, tool))))
      return undefined
    if (per.length === 0) return ''
    const first = partOf(per[0] as LimitedBy, caller, tool)
    if (per.length === 1 || first === undefined) return first
    if (per.length === 2) {
      const second = partOf(per[1] as LimitedBy, caller, tool)
      if (second === undefined) return undefined
      if (this.#parts[0] !== first || this.#parts[1] !== second) {
        this.#parts = [first, second]
        this.#pairKey = pairOf(first, second)
      }
      return this.#pairKey
    }
    let key = ''
    for (const by of per) {
      const part = partOf(by, caller, tool)
      if (part === undefined) return undefined
      key += `${part.length}:${part}`
    }
    return key
  }

  /** Of what `wait` was asked for last. */
  take(now: number): void {
    if (this.#slot !== undefined) this.buckets.take(this.#slot, now)
  }
}

function overRate(
  rules: readonly Rule[],
  request: JSONRPCRequest,
  context: Context,
  now: number,
): TransportError | undefined {
  let longest = 0
  let over: Rule | undefined
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as Rule
    const wait = rule.wait(request, context, now)
    if (wait === undefined || wait <= longest) continue
    longest = wait
    over = rule
  }
  if (over === undefined) {
    for (let index = 0; index < rules.length; index++) (rules[index] as Rule).take(now)
    return undefined
  }
  const { per, perSecond, burst } = over.limit
  const whose = per.length === 0 ? 'all callers together' : `one ${per.join(' and ')}`
  return new TransportError(
    'ERR_LIMITED',
    `Too many calls: ${whose} may make ${rounded(perSecond)} per second, ${burst} at once`,
    { knob: '--rate-limit', retryAfter: Math.max(1, Math.ceil(longest / 1_000)) },
  )
}

function pairOf(first: string, second: string): string {
  return `${first.length}:${first}${second}`
}

function partOf(by: LimitedBy, caller: Caller, tool: string | undefined): string | undefined {
  switch (by) {
    case 'principal':
      return caller.principal ?? ''
    case 'key':
      return typeof caller.claims?.key === 'string' ? caller.claims.key : (caller.principal ?? '')
    case 'address':
      return caller.address === undefined ? undefined : networkOf(caller.address)
    case 'session':
      return caller.session
    case 'tool':
      // Names that long are nobody's.
      return tool?.slice(0, 256)
  }
}

interface OpenCount {
  open: number
}

/** Principals that may at least be kept although they have no call open. */
const MIN_KEPT = 1_000

class OpenCalls {
  readonly #limit: number
  readonly #counts = new Map<string, OpenCount>()
  #sweepAbove = MIN_KEPT

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Counts one more, until whoever began it ends it; undefined where there are too many. */
  begin(principal: string): OpenCount | undefined {
    let count = this.#counts.get(principal)
    if (count === undefined) {
      if (this.#counts.size >= this.#sweepAbove) this.#sweep()
      count = { open: 0 }
      this.#counts.set(principal, count)
    }
    if (count.open >= this.#limit) return undefined
    count.open++
    return count
  }

  /** Only now and then: a map from which each call deletes costs more than all else here. */
  #sweep(): void {
    for (const [principal, { open }] of this.#counts) if (open === 0) this.#counts.delete(principal)
    this.#sweepAbove = Math.max(MIN_KEPT, 2 * this.#counts.size)
  }

  refusal(): TransportError {
    return new TransportError(
      'ERR_LIMITED',
      `Too many calls at once: one principal may have ${this.#limit}`,
      {
        knob: '--max-concurrent',
        retryAfter: 1,
      },
    )
  }
}

class CountedCall extends Watched {
  readonly #open: OpenCalls
  readonly #next: Handler
  readonly #request: JSONRPCRequest
  readonly #context: Context
  #count: OpenCount | undefined

  constructor(open: OpenCalls, next: Handler, request: JSONRPCRequest, context: Context) {
    super()
    this.#open = open
    this.#next = next
    this.#request = request
    this.#context = context
  }

  protected begin(): Exchange {
    this.#count = this.#open.begin(this.#context.caller.principal ?? '')
    if (this.#count !== undefined) return this.#next(this.#request, this.#context)
    noteRefusal(this.#context, 'limits', 'concurrency')
    throw this.#open.refusal()
  }

  protected ended(): undefined {
    if (this.#count !== undefined) this.#count.open--
  }
}

function check({ per, perSecond, burst, tools }: RateLimit): void {
  positive('perSecond', perSecond)
  if (!(burst >= 1)) throw new TypeError(`burst: expected 1 or more, got ${burst}`)
  for (const by of per)
    if (!LIMITED_BY.includes(by))
      throw new TypeError(`per: expected ${LIMITED_BY.join(', ')}, got ${JSON.stringify(by)}`)
  if (tools?.some(pattern => pattern === '')) throw new TypeError('tools: a pattern is empty')
}

function positive(name: string, value: number): void {
  if (!(value > 0)) throw new TypeError(`${name}: expected a number above 0, got ${value}`)
}

function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
