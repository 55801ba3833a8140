import { within } from '../exchange/deadline.js'
import type { Authorizer } from '../exchange/http-client.js'

/** A limit on how long a server may be silent; as {@link within}. */
export type Within = typeof within

/** Time that stands still while somebody signs in: that a person thinks is no silence of the server. */
export interface SignInClock {
  /** Stops the clock as long as it waits. */
  readonly authorizer: Authorizer | undefined
  /** Begins anew after each wait, since the request goes out again. */
  readonly within: Within
}

export function signInClock(authorizer: Authorizer | undefined): SignInClock {
  if (authorizer === undefined) return { authorizer, within }
  const limits = new Set<Limit>()
  let waits = 0
  const stopped = async <T>(wait: Promise<T>): Promise<T> => {
    waits += 1
    for (const limit of limits) limit.stop()
    try {
      return await wait
    } finally {
      waits -= 1
      if (waits === 0) for (const limit of limits) limit.begin()
    }
  }
  return {
    authorizer: {
      headers(context) {
        const given = authorizer.headers(context)
        return given instanceof Promise ? stopped(given) : given
      },
      refused: (refusal, context) => stopped(authorizer.refused(refusal, context)),
    },
    within: (promise, milliseconds, late) =>
      new Promise((resolve, reject) => {
        const limit = newLimit(milliseconds, () => {
          limits.delete(limit)
          reject(late())
        })
        limits.add(limit)
        if (waits === 0) limit.begin()
        promise.then(resolve, reject).finally(() => {
          limits.delete(limit)
          limit.stop()
        })
      }),
  }
}

interface Limit {
  begin(): void
  stop(): void
}

function newLimit(milliseconds: number, over: () => void): Limit {
  let timer: ReturnType<typeof setTimeout> | undefined
  return {
    begin() {
      timer = setTimeout(over, milliseconds)
    },
    stop() {
      clearTimeout(timer)
    },
  }
}
