import type { Context } from '../exchange/context.js'
import { delay } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { METHOD_ACKNOWLEDGED } from '../protocol/methods.js'
import { changes } from './rests.js'

/** How long a subscription must have stood for its loss to be the first one again, in milliseconds. */
const STABLE = 5_000
const FIRST_WAIT = 250
const LONGEST_WAIT = 30_000

/**
 * `subscriptions/listen` over the losses of its stream: networks cut them, servers restart. Once acknowledged, it goes on until
 * its caller leaves or `closed` says that we do. What may have changed meanwhile is announced, once per loss.
 */
export async function* relisten(
  handler: Handler,
  request: JSONRPCRequest,
  context: Context,
  closed: () => boolean,
): Exchange {
  let acknowledged = false
  let failures = 0
  for (;;) {
    const since = performance.now()
    const exchange = handler(request, context)
    let over = false
    try {
      let honoured = false
      for (;;) {
        const step = await exchange.next()
        if (step.done) {
          over = true
          if (!honoured || isFinal(step.value) || context.cancelled !== undefined || closed())
            return step.value
          break
        }
        if (step.value.method !== METHOD_ACKNOWLEDGED) {
          yield step.value
          continue
        }
        const granted = step.value.params?.notifications
        // Where nothing is, the server ends at once, and would again.
        honoured = isObject(granted) && Object.keys(granted).length > 0
        if (acknowledged) yield* changes(request, granted)
        else yield step.value
        acknowledged = true
      }
    } catch (error) {
      over = true
      const lost = error instanceof TransportError && error.code !== 'ERR_CANCELLED'
      if (!acknowledged || !lost || context.cancelled !== undefined || closed()) throw error
    } finally {
      if (!over) exchange.return(undefined as never).catch(() => {})
    }
    if (performance.now() - since >= STABLE) failures = 0
    await delay(Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures++) * (0.5 + Math.random() / 2), context)
    if (context.cancelled !== undefined)
      throw new TransportError('ERR_CANCELLED', `The call was cancelled (${context.cancelled})`)
  }
}

function isFinal(response: JSONRPCResponse): boolean {
  return 'error' in response
}
