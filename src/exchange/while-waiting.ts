import { type JSONRPCNotification, type JSONRPCRequest, notification } from '../protocol/message.js'
import { progressTokenOf } from '../protocol/meta.js'
import { METHOD_PROGRESS } from '../protocol/methods.js'

/** Milliseconds between two signs of life: below the shortest timeouts that clients have. */
const INTERVAL = 2_000
const WAITING = 'Waiting for the server'

/**
 * Waits for what a call needs before it can be sent. Meanwhile a caller that takes progress hears so every two
 * seconds, so that it does not give up. The wait ends when the promise does: it has to heed the call's cancellation itself.
 */
export async function* whileWaiting<T>(
  promise: Promise<T>,
  request: JSONRPCRequest,
): AsyncGenerator<JSONRPCNotification, T, void> {
  const progressToken = progressTokenOf(request)
  if (progressToken === undefined) return await promise
  const settled = promise.then(
    value => ({ value }),
    error => ({ error }),
  )
  for (;;) {
    const outcome = await orTick(settled)
    if (outcome === undefined) {
      yield notification(METHOD_PROGRESS, { progressToken, progress: beforeTheFirst(), message: WAITING })
    } else if ('error' in outcome) throw outcome.error
    else return outcome.value
  }
}

function orTick<T>(promise: Promise<T>): Promise<T | undefined> {
  return new Promise(resolve => {
    const timer = setTimeout(() => resolve(undefined), INTERVAL)
    void promise.then(value => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}

/** Progress must increase, and the server's own begins at zero: always less than that, and always more than before. */
function beforeTheFirst(): number {
  return -1 / performance.now()
}
