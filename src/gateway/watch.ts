import { type Caller, Context } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCNotification, JSONRPCRequest } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { METHOD_ACKNOWLEDGED, METHOD_LISTEN } from '../protocol/methods.js'

export interface WatchOptions {
  readonly handler: Handler
  readonly caller: Caller
  /** Describes the client on whose behalf we listen. */
  readonly meta: JSONObject
  /** What to listen to: `params.notifications`. */
  readonly filter: JSONObject
  /** The server listens to this much. `again`: not for the first time, so that a change may have passed unheard. */
  readonly onAcknowledged: (honoured: JSONObject, again: boolean) => void
  readonly onChange: (change: JSONRPCNotification) => void
  /** Nobody tells of changes until it is acknowledged again. */
  readonly onLost: () => void
  /** First and longest wait before listening again after a loss, in milliseconds. Default 500 and 30,000. */
  readonly backoff?: readonly [first: number, longest: number] | undefined
}

export interface Watch {
  close(): void
}

/** Listens to one server, and again after each loss, until it is closed or the server will have none of it. */
export function watch(options: WatchOptions): Watch {
  const context = new Context(options.caller)
  void keepListening(options, context)
  return { close: () => context.cancel('cancelled') }
}

async function keepListening(options: WatchOptions, context: Context): Promise<void> {
  const [first, longest] = options.backoff ?? [500, 30_000]
  let failures = 0
  let acknowledged = 0
  while (context.cancelled === undefined) {
    let over = false
    try {
      await listenOnce(options, context, honoured => {
        failures = 0
        // A server that agrees to nothing ends the subscription at once, and would do so again.
        over = Object.keys(honoured).length === 0
        options.onAcknowledged(honoured, ++acknowledged > 1)
      })
    } catch (error) {
      if (error instanceof RpcError && (error.code === METHOD_NOT_FOUND || error.code === INVALID_PARAMS))
        over = true
    }
    if (context.cancelled !== undefined) return
    options.onLost()
    if (over) return
    await pause(Math.min(longest, first * 2 ** failures++), context)
  }
}

/** Resolves at the graceful end of the subscription. */
async function listenOnce(
  { handler, meta, filter, onChange }: WatchOptions,
  context: Context,
  onAcknowledged: (honoured: JSONObject) => void,
): Promise<void> {
  const request: JSONRPCRequest = {
    jsonrpc: '2.0',
    id: 'watch',
    method: METHOD_LISTEN,
    params: { _meta: meta, notifications: filter },
  }
  const exchange = handler(request, context)
  for (;;) {
    const step = await exchange.next()
    if (step.done) {
      if ('error' in step.value) throw new RpcError(step.value.error.code, step.value.error.message)
      return
    }
    if (context.cancelled !== undefined) {
      exchange.return(undefined as never).catch(() => {})
      return
    }
    if (step.value.method !== METHOD_ACKNOWLEDGED) onChange(step.value)
    else {
      const honoured = step.value.params?.notifications
      onAcknowledged(isObject(honoured) ? honoured : {})
    }
  }
}

function pause(milliseconds: number, context: Context): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(() => {
      off()
      resolve()
    }, milliseconds)
    ;(timer as { unref?: () => void }).unref?.()
    const off = context.onCancel(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
