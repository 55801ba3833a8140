/**
 * `subscriptions/listen` over all servers: one stream, on which a list is announced when the merged list has changed, and a resource
 * when its server says so. Specification: 2026-07-28 basic/patterns/subscriptions.
 */

import type { Context } from '../exchange/context.js'
import { within } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import { Queue } from '../exchange/queue.js'
import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  notification,
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
import type { Audience } from './audience.js'
import type { Route } from './catalog.js'
import type { Member } from './member.js'
import { type Watch, watch } from './watch.js'

export interface ListenOptions {
  readonly audience: Audience
  /** Whose resource it is; rejects where nobody's. */
  readonly routeUri: (uri: string) => Promise<Route>
  /** The server of that name as it is now. */
  readonly find: (server: string) => Member | undefined
  /** How long the acknowledgement waits for servers, in milliseconds. */
  readonly patience: number
  /** Calls back when the servers are others. Returns how to stop. */
  readonly onServersChanged: (listener: () => void) => () => void
  readonly backoff?: readonly [first: number, longest: number] | undefined
}

const LISTS: readonly (readonly [key: string, method: string])[] = [
  ['toolsListChanged', METHOD_TOOLS_CHANGED],
  ['promptsListChanged', METHOD_PROMPTS_CHANGED],
  ['resourcesListChanged', METHOD_RESOURCES_CHANGED],
]
/** Resources that one stream may watch. */
const MAX_URIS = 10_000

export async function* listen(request: JSONRPCRequest, context: Context, options: ListenOptions): Exchange {
  const filter = request.params?.notifications
  if (!isObject(filter)) throw new RpcError(INVALID_PARAMS, 'params.notifications: expected an object')
  const _meta = { [META_SUBSCRIPTION_ID]: request.id }
  const wanted = new Map(LISTS.filter(([key]) => filter[key] === true).map(([key, method]) => [method, key]))
  const queue = new Queue<JSONRPCNotification>()
  // What waits already need not be said twice, so that the queue has a bound.
  const waiting = new Set<string>()
  const push = (method: string, uri?: string) => {
    const what = `${method}\n${uri ?? ''}`
    if (waiting.size >= MAX_URIS || waiting.size === waiting.add(what).size) return
    queue.push(notification(method, uri === undefined ? { _meta } : { _meta, uri }))
  }
  const updates = new Updates(options, uri => push(METHOD_RESOURCE_UPDATED, uri))
  const off = context.onCancel(reason => {
    if (reason === 'shutdown') queue.close()
    else queue.fail(new TransportError('ERR_CANCELLED', `The subscription was cancelled (${reason})`))
  })
  const unsubscribe =
    wanted.size === 0 ? () => {} : options.audience.subscribe({ wants: method => wanted.has(method), push })
  try {
    const uris = await updates.open(urisOf(filter))
    const honoured: Record<string, unknown> = {}
    for (const key of wanted.values()) honoured[key] = true
    if (uris.length > 0) honoured.resourceSubscriptions = uris
    yield notification(METHOD_ACKNOWLEDGED, { _meta, notifications: honoured })
    for (;;) {
      const step = await queue.next()
      if (step.done) return resultResponse(request.id, { resultType: 'complete', _meta })
      waiting.delete(`${step.value.method}\n${step.value.params?.uri ?? ''}`)
      yield step.value
    }
  } finally {
    off()
    unsubscribe()
    updates.close()
  }
}

function urisOf(filter: JSONObject): readonly string[] {
  const uris = filter.resourceSubscriptions
  if (uris === undefined) return []
  if (!Array.isArray(uris) || uris.some(uri => typeof uri !== 'string') || uris.length > MAX_URIS)
    throw new RpcError(
      INVALID_PARAMS,
      `params.notifications.resourceSubscriptions: expected at most ${MAX_URIS} URIs`,
    )
  return [...new Set(uris as string[])]
}

/** The resources of one stream: a subscription at each of their servers. */
class Updates {
  readonly #options: ListenOptions
  readonly #onUpdate: (uri: string) => void
  /** By the server's name: its URIs, and what the client calls them. */
  readonly #exposed = new Map<string, Map<string, string>>()
  readonly #watches = new Map<string, { readonly member: Member; readonly watch: Watch }>()
  #off = () => {}
  #closed = false

  constructor(options: ListenOptions, onUpdate: (uri: string) => void) {
    this.#options = options
    this.#onUpdate = onUpdate
  }

  /** Resolves with those that their servers agreed to watch within the patience. */
  async open(uris: readonly string[]): Promise<readonly string[]> {
    if (uris.length === 0) return []
    const { routeUri, patience, onServersChanged } = this.#options
    const routes = await Promise.allSettled(uris.map(routeUri))
    if (this.#closed) return []
    for (const [index, outcome] of routes.entries()) {
      if (outcome.status === 'rejected') continue
      const { member, name } = outcome.value
      const own = this.#exposed.get(member.name) ?? new Map<string, string>()
      own.set(name, uris[index] as string)
      this.#exposed.set(member.name, own)
    }
    this.#off = onServersChanged(() => this.#follow())
    const honoured = await Promise.all(
      [...this.#exposed.keys()].map(server => {
        const asked = this.#open(server)
        return within(asked, patience, () => new Error('late')).catch((): readonly string[] => [])
      }),
    )
    const agreed = new Set(honoured.flat())
    return uris.filter(uri => agreed.has(uri))
  }

  close(): void {
    this.#closed = true
    this.#off()
    for (const { watch: open } of this.#watches.values()) open.close()
    this.#watches.clear()
  }

  #open(server: string): Promise<readonly string[]> {
    const member = this.#options.find(server)
    const own = this.#exposed.get(server)
    if (member === undefined || own === undefined) return Promise.resolve([])
    return new Promise(resolve => {
      const open = watch({
        handler: member.handler,
        ...this.#options.audience.asker,
        filter: { resourceSubscriptions: [...own.keys()] },
        backoff: this.#options.backoff,
        onAcknowledged: ({ resourceSubscriptions: uris }, again) => {
          const agreed = (Array.isArray(uris) ? uris : []).flatMap(uri => own.get(uri) ?? [])
          resolve(agreed)
          // Nobody heard what changed in between.
          if (again) for (const uri of agreed) this.#onUpdate(uri)
        },
        onChange: ({ method, params }) => {
          if (method !== METHOD_RESOURCE_UPDATED || typeof params?.uri !== 'string') return
          // It may be part of one that was asked for.
          this.#onUpdate(own.get(params.uri) ?? params.uri)
        },
        onLost: () => resolve([]),
      })
      this.#watches.set(server, { member, watch: open })
    })
  }

  /** Servers may have been replaced: their successors are asked for the same. */
  #follow(): void {
    for (const server of this.#exposed.keys()) {
      const current = this.#options.find(server)
      const known = this.#watches.get(server)
      if (known?.member === current) continue
      known?.watch.close()
      this.#watches.delete(server)
      if (current === undefined) continue
      void this.#open(server).then(agreed => {
        for (const uri of agreed) this.#onUpdate(uri)
      })
    }
  }
}
