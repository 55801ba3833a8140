import type { Exchange } from '../../../exchange/exchange.js'
import { Relay } from '../../../exchange/relay.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCResponse,
  notification,
  type RequestId,
} from '../../../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../../../protocol/meta.js'
import {
  METHOD_ACKNOWLEDGED,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../../../protocol/methods.js'

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

const CHANGES = {
  toolsListChanged: METHOD_TOOLS_CHANGED,
  promptsListChanged: METHOD_PROMPTS_CHANGED,
  resourcesListChanged: METHOD_RESOURCES_CHANGED,
} as const

/** A subscription that also tells when other definitions were accepted: the lists are others then, though the server says nothing. */
export class ListensToPins extends Relay<JSONRPCNotification> {
  readonly #exchange: Exchange
  readonly #id: RequestId
  readonly #stop: () => void
  readonly #own: JSONRPCNotification[] = []
  #honoured: JSONObject = {}
  /** The server's next step, which may be asked for long before it comes. */
  #pending: Promise<Step> | undefined
  #wake: (() => void) | undefined

  constructor(exchange: Exchange, id: RequestId, onChange: (listener: () => void) => () => void) {
    super()
    this.#exchange = exchange
    this.#id = id
    this.#stop = onChange(() => this.#tell())
  }

  async next(): Promise<Step> {
    const own = this.#own.shift()
    if (own !== undefined) return { done: false, value: own }
    this.#pending ??= this.#exchange.next()
    const woken = new Promise<undefined>(resolve => {
      this.#wake = () => resolve(undefined)
    })
    try {
      const step = await Promise.race([this.#pending, woken])
      if (step === undefined) return { done: false, value: this.#own.shift() as JSONRPCNotification }
      this.#pending = undefined
      if (step.done) this.#stop()
      else if (step.value.method === METHOD_ACKNOWLEDGED) {
        const honoured = step.value.params?.notifications
        this.#honoured = isObject(honoured) ? honoured : {}
      }
      return step
    } catch (error) {
      this.#stop()
      throw error
    } finally {
      this.#wake = undefined
    }
  }

  protected release(): void {
    this.#stop()
    this.#pending?.catch(() => {})
    this.#exchange.return(undefined as never).catch(() => {})
  }

  #tell(): void {
    for (const [field, method] of Object.entries(CHANGES)) {
      // Once is enough for who has not taken the last one yet.
      if (this.#honoured[field] !== true || this.#own.some(own => own.method === method)) continue
      this.#own.push(notification(method, { _meta: { [META_SUBSCRIPTION_ID]: this.#id } }))
    }
    if (this.#own.length > 0) this.#wake?.()
  }
}
