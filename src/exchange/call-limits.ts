/** How long calls may take, and who of several can have asked. Whatever carries the calls has the same rules. */

import { METHOD_LISTEN, METHOD_TASK_RESULT, mayAsk } from '../protocol/methods.js'
import type { Call } from './call.js'
import { TransportError } from './errors.js'

export interface CallLimits {
  /** How long the peer may stay silent about a call, in milliseconds. Progress counts as a sign of life. Default 10 minutes. */
  readonly timeout?: number
  /** How long a call may take in all, whatever its progress, in milliseconds. Default one hour. */
  readonly maxTimeout?: number
  /** How many calls may be open at once. Default 10,000. */
  readonly maxCalls?: number
}

const DEFAULT_TIMEOUT = 10 * 60_000
const DEFAULT_MAX_TIMEOUT = 60 * 60_000
export const DEFAULT_MAX_CALLS = 10_000

/** How long one caller that does not read may hold up what others share with it, in milliseconds. */
export const SLOW_READER_LIMIT = 30_000

/** Why the call is to be ended now; undefined where it may go on. Subscriptions last, and our own opening has its own limit. */
export function overdue(
  call: Call,
  time: number,
  { timeout = DEFAULT_TIMEOUT, maxTimeout = DEFAULT_MAX_TIMEOUT }: CallLimits,
  hop: string,
): TransportError | undefined {
  if (call.method === METHOD_LISTEN || call.opening) return undefined
  if (call.openQuestions > 0) call.lastSign = time
  const silent = time - call.lastSign >= timeout
  if (!silent && time - call.openedAt < maxTimeout) return undefined
  const what = silent ? 'did not answer' : 'did not finish'
  const limit = silent ? timeout : maxTimeout
  return new TransportError('ERR_TIMEOUT', `${hop} ${what} ${call.method} within ${limit} ms`, {
    hop,
    knob: silent ? '--timeout' : '--max-timeout',
  })
}

/** One timer for all calls: a timer each would cost more than a small call does. */
export function sweepCalls(limits: CallLimits, expire: () => void): ReturnType<typeof setInterval> {
  const { timeout = DEFAULT_TIMEOUT, maxTimeout = DEFAULT_MAX_TIMEOUT } = limits
  const shortest = Math.min(timeout, maxTimeout, SLOW_READER_LIMIT)
  const timer = setInterval(expire, Math.max(20, Math.min(1000, shortest / 10)))
  ;(timer as { unref?: () => void }).unref?.()
  return timer
}

/**
 * The one call that a message without an address can belong to: the only one that may ask, or else the only
 * one at all. Undefined where there is a choice, because nobody may guess between two callers.
 */
export function onlyCandidate(calls: readonly Call[]): Call | undefined {
  let asking: Call | undefined
  let any: Call | undefined
  let askingCount = 0
  let count = 0
  for (const call of calls) {
    if (call.method === METHOD_LISTEN || call.opening) continue
    count += 1
    any = call
    if (mayAsk(call.method) || call.method === METHOD_TASK_RESULT) {
      askingCount += 1
      asking = call
      if (askingCount > 1) return undefined
    }
  }
  if (askingCount === 1) return asking
  return count === 1 ? any : undefined
}
