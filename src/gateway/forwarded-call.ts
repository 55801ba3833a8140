/** A call that goes to one server, seen from outside. */

import type { Context } from '../exchange/context.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { type ReadyExchange, Relay } from '../exchange/relay.js'
import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  resultResponse,
} from '../protocol/message.js'
import { clientCapabilitiesOf, isObject, logLevelOf } from '../protocol/meta.js'
import { METHOD_MESSAGE, mayAsk } from '../protocol/methods.js'
import { readResult, resultKey, withResultKey } from '../protocol/raw-json.js'

export interface Forwarded {
  readonly server: string
  readonly handler: Handler
  /** What changes in `params`: the name or URI as its server knows it. */
  readonly params: JSONObject
  /** Log lines say which server they are of. */
  readonly namesLogs: boolean
  /** The URI that the client read, where its server calls it otherwise. */
  readonly alias?: { readonly own: string; readonly exposed: string } | undefined
}

/**
 * Sends a request on. Where nothing of the outcome changes, this is the server's own exchange, and costs nothing. Throws `RpcError`
 * INVALID_PARAMS for the retry of a call that another server asked about.
 */
export function forward(request: JSONRPCRequest, context: Context, to: Forwarded): Exchange {
  const { requestState } = request.params ?? {}
  const params: JSONObject = { ...request.params, ...to.params }
  const stated =
    requestState === undefined ? params : { ...params, requestState: ownState(to.server, requestState) }
  const exchange = to.handler({ ...request, params: stated }, context)
  const { sampling, elicitation, roots } = clientCapabilitiesOf(request)
  const mayBeAsked =
    mayAsk(request.method) && (sampling !== undefined || elicitation !== undefined || roots !== undefined)
  const logs = to.namesLogs && logLevelOf(request) !== undefined
  return mayBeAsked || logs || to.alias !== undefined ? new ForwardedCall(exchange, to, logs) : exchange
}

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

class ForwardedCall extends Relay<JSONRPCNotification> {
  readonly #exchange: Exchange & ReadyExchange<JSONRPCNotification>
  readonly #to: Forwarded
  readonly #logs: boolean

  constructor(exchange: Exchange, to: Forwarded, logs: boolean) {
    super()
    this.#exchange = exchange
    this.#to = to
    this.#logs = logs
  }

  next(): Promise<Step> {
    return this.#exchange.next().then(this.#onStep)
  }

  override ready(): JSONRPCNotification | undefined {
    const notification = this.#exchange.ready?.()
    return notification === undefined ? undefined : this.#named(notification)
  }

  protected release(): void {
    this.#exchange.return(undefined as never).catch(() => {})
  }

  readonly #onStep = (step: Step): Step => {
    if (!step.done) {
      const value = this.#named(step.value)
      return value === step.value ? step : { done: false, value }
    }
    const value = this.#answered(step.value)
    return value === step.value ? step : { done: true, value }
  }

  #named(notification: JSONRPCNotification): JSONRPCNotification {
    if (!this.#logs || notification.method !== METHOD_MESSAGE) return notification
    const { server } = this.#to
    const logger = notification.params?.logger
    const named = typeof logger === 'string' && logger !== '' ? `${server}/${logger}` : server
    return { ...notification, params: { ...notification.params, logger: named } }
  }

  #answered(response: JSONRPCResponse): JSONRPCResponse {
    if ('error' in response) return response
    const { server, alias } = this.#to
    const { id, result } = response
    if (resultKey(result, 'resultType') === 'input_required') {
      const state = resultKey(result, 'requestState')
      if (typeof state !== 'string') return response
      return resultResponse(id, withResultKey(result, 'requestState', sealedFor(server, state)))
    }
    if (alias === undefined) return response
    const { contents } = readResult(result)
    if (!Array.isArray(contents)) return response
    const renamed = contents.map(content =>
      isObject(content) && content.uri === alias.own ? { ...content, uri: alias.exposed } : content,
    )
    return resultResponse(id, withResultKey(result, 'contents', renamed))
  }
}

/** One server's state never reaches another, whatever has become of the names between a question and its answer. */
function sealedFor(server: string, state: string): string {
  return `${encodeURIComponent(server)}:${state}`
}

function ownState(server: string, state: unknown): string {
  const start = sealedFor(server, '')
  if (typeof state === 'string' && state.startsWith(start)) return state.slice(start.length)
  throw new RpcError(INVALID_PARAMS, 'requestState is of another call: begin this one anew, without it')
}
