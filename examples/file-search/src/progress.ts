/** Tells the caller who wants to hear it how far a search is. */

import type { ServerContext } from '@modelcontextprotocol/server'

export interface Progress extends Disposable {
  /** What to say next; asked for at most five times a second, and only where somebody listens. */
  say(words: () => string | Promise<string>): void
}

/** Milliseconds from one notification to the next. */
const PAUSE = 200

/** `progress` is the seconds since the beginning: how many files there are is known at the end only. */
export function progressOf(context: ServerContext): Progress {
  const progressToken = context.mcpReq._meta?.progressToken
  if (progressToken === undefined) return { say() {}, [Symbol.dispose]() {} }
  const began = performance.now()
  let words: (() => string | Promise<string>) | undefined
  let busy = false
  const tell = async () => {
    if (words === undefined || busy || context.mcpReq.signal.aborted) return
    busy = true
    try {
      const message = await words()
      const progress = Math.round(performance.now() - began) / 1000
      if (words !== undefined)
        await context.mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress, message },
        })
    } catch {
      // Who has left hears nothing, and the search itself ends by the signal.
    } finally {
      busy = false
    }
  }
  const timer = setInterval(tell, PAUSE)
  return {
    say(next) {
      const first = words === undefined
      words = next
      if (first) void tell()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      words = undefined
    },
  }
}
