/**
 * The waist of the house. A client's request is answered by notifications that belong to it and then by
 * exactly one response; a server, a child process, a remote URL, a gateway, a guard chain: each is a Handler.
 */

import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import type { Context } from './context.js'

/** Cold: nothing happens until it is pulled. Yields notifications, returns the response. */
export type Exchange = AsyncGenerator<JSONRPCNotification, JSONRPCResponse, void>

/**
 * Answers requests. Failures are thrown as `RpcError` (travels as it is) or `TransportError` (translated at
 * the edge), never returned as a half-made response.
 */
export type Handler = (request: JSONRPCRequest, context: Context) => Exchange

export type Middleware = (next: Handler) => Handler

/** Wraps a handler in middlewares; the first one given is the outermost. */
export function compose(handler: Handler, ...middlewares: readonly Middleware[]): Handler {
  return middlewares.reduceRight((next, middleware) => middleware(next), handler)
}

/**
 * Runs an exchange to its end. `for await` would drop the response, so outside `exchange/` an exchange is
 * only `yield*`-ed or handed to this function.
 */
export async function finish(
  exchange: Exchange,
  onNotification: (notification: JSONRPCNotification) => void | Promise<void> = () => {},
): Promise<JSONRPCResponse> {
  for (;;) {
    const step = await exchange.next()
    if (step.done) return step.value
    const wait = onNotification(step.value)
    if (wait !== undefined) await wait
  }
}
