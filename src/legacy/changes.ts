import { type Caller, Context } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import { METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  notification,
} from '../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../protocol/meta.js'
import {
  METHOD_ACKNOWLEDGED,
  METHOD_LISTEN,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'

/** The session whose client hears of the changes. */
export interface ChangesHost {
  readonly handler: Handler
  readonly caller: Caller
  /** Describes a request in `_meta` as coming from this session's client. */
  describe(request: JSONRPCRequest): JSONRPCRequest
  changed(change: JSONRPCNotification): void
}

/** First and longest wait before listening again after a loss, in milliseconds. */
const BACKOFF: readonly [first: number, longest: number] = [500, 30_000]

interface Subscription {
  readonly context: Context
  readonly acknowledged: Promise<JSONObject>
}

const LIST_CHANGES = [
  ['toolsListChanged', METHOD_TOOLS_CHANGED],
  ['promptsListChanged', METHOD_PROMPTS_CHANGED],
  ['resourcesListChanged', METHOD_RESOURCES_CHANGED],
] as const

/**
 * The changes that a legacy session hears of: one `subscriptions/listen` at the modern server, opened anew
 * whenever the session subscribes to something else. The new one is acknowledged before the old one ends, so
 * that no change falls between them.
 */
export class Changes {
  readonly #host: ChangesHost
  readonly #backoff: readonly [first: number, longest: number]
  #lists: JSONObject
  /** Made with the first. */
  #uris: Set<string> | undefined
  #current: Subscription | undefined
  #nextId = 1
  #failures = 0
  #retry: ReturnType<typeof setTimeout> | undefined
  #closed = false

  /** `lists` names the lists whose changes the server announces. */
  constructor(lists: JSONObject, host: ChangesHost, backoff = BACKOFF) {
    this.#lists = lists
    this.#host = host
    this.#backoff = backoff
  }

  /** Starts listening, if there is anything to listen to. */
  start(): void {
    if (this.#current !== undefined || this.#closed || !this.#wantsAny()) return
    this.#replace().catch(() => {})
  }

  /** Resolves once the server acknowledged the resource; rejects with INVALID_PARAMS where it does not. */
  async subscribe(uri: string): Promise<void> {
    if (this.#uris?.has(uri)) return
    this.#uris ??= new Set()
    this.#uris.add(uri)
    const honoured = await this.#replace()
    const uris = honoured.resourceSubscriptions
    if (Array.isArray(uris) && uris.includes(uri)) return
    this.#uris?.delete(uri)
    throw new RpcError(METHOD_NOT_FOUND, `The server does not offer subscriptions to ${uri}`)
  }

  async unsubscribe(uri: string): Promise<void> {
    if (!this.#uris?.delete(uri)) return
    if (this.#wantsAny()) await this.#replace()
    else this.#drop()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    this.#drop()
  }

  #wantsAny(): boolean {
    return (this.#uris?.size ?? 0) > 0 || Object.keys(this.#lists).length > 0
  }

  #drop(): void {
    this.#current?.context.cancel('cancelled')
    this.#current = undefined
  }

  async #replace(): Promise<JSONObject> {
    clearTimeout(this.#retry)
    const previous = this.#current
    const next = this.#open()
    this.#current = next
    try {
      const honoured = await next.acknowledged
      this.#failures = 0
      return honoured
    } finally {
      previous?.context.cancel('cancelled')
    }
  }

  #open(): Subscription {
    const context = new Context(this.#host.caller)
    let acknowledge: (honoured: JSONObject) => void = () => {}
    let refuse: (error: unknown) => void = () => {}
    const acknowledged = new Promise<JSONObject>((resolve, reject) => {
      acknowledge = resolve
      refuse = reject
    })
    acknowledged.catch(() => {})
    const subscription: Subscription = { context, acknowledged }
    void this.#run(subscription, acknowledge, refuse)
    return subscription
  }

  async #run(
    subscription: Subscription,
    acknowledge: (honoured: JSONObject) => void,
    refuse: (error: unknown) => void,
  ): Promise<void> {
    const request = this.#host.describe({
      jsonrpc: '2.0',
      id: `listen-${this.#nextId++}`,
      method: METHOD_LISTEN,
      params: {
        notifications: {
          ...this.#lists,
          ...(this.#uris?.size ? { resourceSubscriptions: [...this.#uris] } : {}),
        },
      },
    })
    let heard = false
    try {
      const exchange = this.#host.handler(request, subscription.context)
      for (;;) {
        const step = await exchange.next()
        if (step.done) {
          if ('error' in step.value) throw new RpcError(step.value.error.code, step.value.error.message)
          break
        }
        if (step.value.method === METHOD_ACKNOWLEDGED) {
          heard = true
          const honoured = step.value.params?.notifications
          acknowledge(isObject(honoured) ? honoured : {})
        } else this.#host.changed(withoutSubscription(step.value))
      }
      // Nothing to honour: the server completed at once, and there is nothing to listen to again.
      if (heard && this.#failures === 0 && this.#current === subscription) this.#again(subscription)
      refuse(new RpcError(METHOD_NOT_FOUND, 'The server ended the subscription before it acknowledged it'))
    } catch (error) {
      refuse(error)
      const unsupported = error instanceof RpcError && error.code === METHOD_NOT_FOUND
      if (!unsupported) this.#again(subscription)
    }
  }

  /** After a loss: listen again, and let the client look, since a change may have passed unheard. */
  #again(lost: Subscription): void {
    if (this.#closed || this.#current !== lost || lost.context.cancelled !== undefined) return
    const [first, longest] = this.#backoff
    const wait = Math.min(longest, first * 2 ** this.#failures++)
    this.#retry = setTimeout(() => {
      this.#replace().then(
        honoured => {
          for (const [key, method] of LIST_CHANGES) {
            if (honoured[key] === true) this.#host.changed(notification(method))
          }
        },
        () => {},
      )
    }, wait)
    ;(this.#retry as { unref?: () => void }).unref?.()
  }
}

function withoutSubscription(change: JSONRPCNotification): JSONRPCNotification {
  const meta = change.params?._meta
  if (meta === undefined) return change
  const { [META_SUBSCRIPTION_ID]: _id, ...rest } = meta
  const { _meta, ...params } = change.params ?? {}
  const hasMeta = Object.keys(rest).length > 0
  if (!hasMeta && Object.keys(params).length === 0) return { jsonrpc: '2.0', method: change.method }
  return { ...change, params: hasMeta ? { ...params, _meta: rest } : params }
}
