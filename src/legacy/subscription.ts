import type { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { Queue } from '../exchange/queue.js'
import { Relay } from '../exchange/relay.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  notification,
  type RequestId,
  resultResponse,
} from '../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../protocol/meta.js'
import {
  METHOD_ACKNOWLEDGED,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCE_UPDATED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'

/** What a subscription needs of the connection that it hears. */
export interface SubscriptionHost {
  /** What the server announced that it can do. */
  readonly capabilities: JSONObject
  joined(subscription: Subscription): void
  left(subscription: Subscription): void
  /** Resolves whether the server will tell of changes of the resource. */
  subscribe(uri: string): Promise<boolean>
  unsubscribe(uri: string): void
}

/** What is held for the time of a subscription. */
export interface Held {
  release(): void
}

/** Changes that wait for one subscriber; one that does not read is ended, and listens again. */
const MAX_CHANGES = 1000

const LIST_CHANGES = [
  ['toolsListChanged', 'tools', METHOD_TOOLS_CHANGED],
  ['promptsListChanged', 'prompts', METHOD_PROMPTS_CHANGED],
  ['resourcesListChanged', 'resources', METHOD_RESOURCES_CHANGED],
] as const

/** A change that subscriptions can be about. */
export function isChange({ method }: JSONRPCNotification): boolean {
  return method === METHOD_RESOURCE_UPDATED || LIST_CHANGES.some(([, , changed]) => changed === method)
}

/**
 * A `subscriptions/listen` at a legacy server, fed by what that says outside of calls. Written by hand: thousands are idle at
 * a time, and a generator with its promises takes several times the memory.
 */
export class Subscription extends Relay<JSONRPCNotification> {
  readonly #host: SubscriptionHost
  readonly #request: JSONRPCRequest
  readonly #context: Context
  readonly #held: Held | undefined
  readonly #queue = new Queue<JSONRPCNotification, JSONRPCResponse>()
  /** Methods of the list changes that it hears of. */
  #methods: readonly string[] = []
  #uris: Set<string> | undefined
  #stopListening: (() => void) | undefined
  #begun = false
  #over = false

  constructor(host: SubscriptionHost, request: JSONRPCRequest, context: Context, held?: Held) {
    super()
    this.#host = host
    this.#request = request
    this.#context = context
    this.#held = held
  }

  next(): Promise<IteratorResult<JSONRPCNotification, JSONRPCResponse>> {
    if (this.#begun) return this.#queue.next()
    this.#begun = true
    return this.#begin()
  }

  /** A change at the server, if it is one that this subscription is about. */
  hear(change: JSONRPCNotification): void {
    const wanted =
      change.method === METHOD_RESOURCE_UPDATED
        ? this.#uris?.has(change.params?.uri as string)
        : this.#methods.includes(change.method)
    if (wanted !== true) return
    if (this.#queue.size >= MAX_CHANGES) {
      this.fail(new TransportError('ERR_BUSY', `${MAX_CHANGES} changes wait unread; listen again`))
      return
    }
    const _meta = { ...change.params?._meta, [META_SUBSCRIPTION_ID]: this.#request.id }
    this.#queue.push({ ...change, params: { ...change.params, _meta } })
  }

  /** Ends it gracefully (2026-07-28 basic/patterns/subscriptions, "Graceful Closure"). */
  end(): void {
    this.#queue.close(ended(this.#request.id))
    this.#leave()
  }

  fail(error: TransportError): void {
    this.#queue.fail(error)
    this.#leave()
  }

  protected release(): void {
    this.#begun = true
    this.end()
  }

  /** The first step is the acknowledgement, whatever changes meanwhile. */
  async #begin(): Promise<IteratorResult<JSONRPCNotification, JSONRPCResponse>> {
    const { params, id } = this.#request
    const filter = isObject(params?.notifications) ? params.notifications : {}
    const { capabilities } = this.#host
    const honoured: Record<string, unknown> = {}
    const lists = LIST_CHANGES.filter(
      ([key, capability]) => filter[key] === true && listChanged(capabilities[capability]),
    )
    for (const [key] of lists) honoured[key] = true
    if (lists.length > 0) this.#methods = lists.map(([, , method]) => method)
    this.#stopListening = this.#context.onCancel(() =>
      this.fail(new TransportError('ERR_CANCELLED', 'The subscription was cancelled')),
    )
    if (this.#over) return this.#queue.next()
    this.#host.joined(this)
    const wanted = Array.isArray(filter.resourceSubscriptions)
      ? [...new Set(filter.resourceSubscriptions.map(String))]
      : []
    if (wanted.length > 0 && isObject(capabilities.resources) && capabilities.resources.subscribe === true) {
      const uris = await this.#subscribe(wanted)
      if (uris.length > 0) honoured.resourceSubscriptions = uris
    }
    if (this.#methods.length === 0 && this.#uris === undefined) this.end()
    const _meta = { [META_SUBSCRIPTION_ID]: id }
    return { done: false, value: notification(METHOD_ACKNOWLEDGED, { _meta, notifications: honoured }) }
  }

  async #subscribe(wanted: readonly string[]): Promise<string[]> {
    const accepted = await Promise.all(wanted.map(uri => this.#host.subscribe(uri)))
    const uris = new Set(wanted.filter((_, index) => accepted[index]))
    if (this.#over) for (const uri of uris) this.#host.unsubscribe(uri)
    else if (uris.size > 0) this.#uris = uris
    return [...uris]
  }

  #leave(): void {
    if (this.#over) return
    this.#over = true
    this.#stopListening?.()
    this.#host.left(this)
    if (this.#uris !== undefined) for (const uri of this.#uris) this.#host.unsubscribe(uri)
    this.#held?.release()
  }
}

function listChanged(capability: unknown): boolean {
  return isObject(capability) && capability.listChanged === true
}

function ended(id: RequestId): JSONRPCResponse {
  return resultResponse(id, { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: id } })
}
