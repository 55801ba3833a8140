/** What a server defines, as it last listed it to those who asked. */

import type { Caller, Context } from '../../../exchange/context.js'
import type { Exchange, Handler } from '../../../exchange/exchange.js'
import { type ReadyExchange, Relay } from '../../../exchange/relay.js'
import type {
  JSONObject,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from '../../../protocol/message.js'
import {
  isObject,
  META_CLIENT_CAPABILITIES,
  META_CLIENT_INFO,
  META_PROTOCOL_VERSION,
} from '../../../protocol/meta.js'
import { METHOD_LISTEN } from '../../../protocol/methods.js'
import { readResult } from '../../../protocol/raw-json.js'
import { kindOfList, LISTED_KINDS, LISTS, type ListedKind } from './kinds.js'
import { wholeList } from './whole-list.js'

export interface Listed {
  /** The same object for the same text, whoever it was shown to. */
  readonly definition: JSONObject
  /** Something else of that name stands in the same list. */
  readonly duplicate: boolean
}

interface Remembered extends Listed {
  /** When it was asked for, by the monotonic clock. */
  readonly at: number
  readonly listing: number
  readonly cursor: unknown
}

interface RememberedList {
  entries: Map<string, Remembered>
  /** When the whole list was asked for. */
  wholeAt: number
  /** Which listing the next page belongs to. */
  readonly pages: Map<unknown, number>
  loading: Promise<void> | undefined
}

/** Callers that are told apart, and pages that are expected of each. */
const MAX_AUDIENCES = 256
const MAX_PAGES = 64
/** Characters of definitions that are kept once for all. */
const MAX_KEPT = 32 * 1024 * 1024
/** Milliseconds after which a list is asked for anew before a call, where nothing was heard of a change. */
const RECHECK = 30_000
/** How often it is asked for a list that changes all the time. */
const MAX_ATTEMPTS = 3
/** Names that are remembered of a list; servers may make them up. */
const MAX_ENTRIES = 20_000
/** Milliseconds that a list may take. */
const LIST_LIMIT = 30_000

const KNOWN = new WeakMap<Handler, ListedDefinitions>()

/**
 * The memory of what a server lists, and the handler through which it learns. Guards that stand directly around each other share one:
 * each says so with {@link sharesDefinitions} of the handler that it makes.
 */
export function listedDefinitions(next: Handler): {
  readonly handler: Handler
  readonly definitions: ListedDefinitions
} {
  const known = KNOWN.get(next)
  if (known !== undefined) return { handler: next, definitions: known }
  const definitions = new ListedDefinitions(next)
  return { handler: definitions.handler, definitions }
}

/** What goes around this handler may use the memory as well. */
export function sharesDefinitions(handler: Handler, definitions: ListedDefinitions): Handler {
  KNOWN.set(handler, definitions)
  return handler
}

export class ListedDefinitions {
  readonly #next: Handler
  readonly #audiences = new Map<string, Map<ListedKind, RememberedList>>()
  readonly #changedAt = new Map<ListedKind, number>()
  readonly #texts = new Map<string, JSONObject>()
  #keptCharacters = 0
  readonly #same = new WeakMap<JSONObject, JSONObject>()
  #listings = 0

  constructor(next: Handler) {
    this.#next = next
  }

  readonly handler: Handler = (request, context) => {
    const { method } = request
    const kind = kindOfList(method)
    if (kind !== undefined) {
      const at = performance.now()
      return new Answered(this.#next(request, context), read => {
        this.#take(kind, request, context, read(), at)
        return undefined
      })
    }
    if (method === METHOD_LISTEN) return new Overheard(this.#next(request, context), this.#onNotification)
    return this.#next(request, context)
  }

  /** What is listed under a name, where that is known well enough; undefined where the server has to be asked. */
  known(
    kind: ListedKind,
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): { readonly listed: Listed | undefined } | undefined {
    const list = this.#listFor(kind, request, context)
    const listed = list.entries.get(name)
    if (listed !== undefined && this.#isFresh(kind, listed.at)) return { listed }
    return this.#isFresh(kind, list.wholeAt) ? { listed: undefined } : undefined
  }

  /**
   * The same, and the server is asked where need be: once for all who wait, and again where it says meanwhile that it has changed.
   * Rejects as the server or the way to it fails.
   */
  async find(
    kind: ListedKind,
    name: string,
    request: JSONRPCRequest,
    context: Context,
  ): Promise<Listed | undefined> {
    const list = this.#listFor(kind, request, context)
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const known = this.known(kind, name, request, context)
      if (known !== undefined) return known.listed
      list.loading ??= this.#load(kind, list, request, context).finally(() => {
        list.loading = undefined
      })
      await list.loading
    }
    // It says so all the time: what it last said is as good as anything.
    return list.entries.get(name)
  }

  /** What was remembered of an entry when its list passed. */
  entry(kind: ListedKind, name: string, request: JSONRPCRequest, context: Context): Listed | undefined {
    return this.#listFor(kind, request, context).entries.get(name)
  }

  /** One object for all that have the same text. */
  shared(definition: JSONObject): JSONObject {
    const known = this.#same.get(definition)
    if (known !== undefined) return known
    const text = JSON.stringify(definition)
    let one = this.#texts.get(text)
    if (one === undefined) {
      this.#keptCharacters += text.length
      if (this.#keptCharacters > MAX_KEPT) {
        this.#texts.clear()
        this.#keptCharacters = text.length
      }
      one = definition
      this.#texts.set(text, one)
    }
    this.#same.set(definition, one)
    return one
  }

  #isFresh(kind: ListedKind, at: number): boolean {
    return at > (this.#changedAt.get(kind) ?? 0) && performance.now() - at < RECHECK
  }

  async #load(
    kind: ListedKind,
    list: RememberedList,
    request: JSONRPCRequest,
    { caller }: Context,
  ): Promise<void> {
    const at = performance.now()
    const asker = { caller: withoutHeaders(caller), meta: identityOf(request.params?._meta) }
    const entries = await wholeList(this.#next, kind, asker, LIST_LIMIT)
    list.entries = new Map()
    // Nothing at all may stand in for a server that is not up yet.
    list.wholeAt = entries.length === 0 ? Number.NEGATIVE_INFINITY : at
    this.#remember(kind, list, entries, { at, listing: ++this.#listings, cursor: undefined })
  }

  #take(kind: ListedKind, request: JSONRPCRequest, context: Context, result: JSONObject, at: number): void {
    const entries = result[LISTS[kind].field]
    if (!Array.isArray(entries)) return
    const list = this.#listFor(kind, request, context)
    const cursor = request.params?.cursor
    const { nextCursor } = result
    const listing = (cursor === undefined ? undefined : list.pages.get(cursor)) ?? ++this.#listings
    if (nextCursor !== undefined && nextCursor !== null) bounded(list.pages, nextCursor, listing, MAX_PAGES)
    this.#remember(kind, list, entries.filter(isObject), { at, listing, cursor })
    if (cursor !== undefined || (nextCursor !== undefined && nextCursor !== null)) return
    // That was all there is: what it does not have is gone. Nothing at all may stand in for a server that is not up yet.
    if (entries.length === 0 || at < list.wholeAt) return
    list.wholeAt = at
    for (const [name, entry] of list.entries) if (entry.at < at) list.entries.delete(name)
  }

  #remember(
    kind: ListedKind,
    list: RememberedList,
    entries: readonly JSONObject[],
    from: Pick<Remembered, 'at' | 'listing' | 'cursor'>,
  ): void {
    const { key } = LISTS[kind]
    const names = new Set<unknown>()
    if (list.entries.size + entries.length > MAX_ENTRIES) list.entries.clear()
    for (const entry of entries) {
      const name = entry[key]
      if (typeof name !== 'string') continue
      const definition = this.shared(entry)
      const before = list.entries.get(name)
      // Answers may pass each other.
      if (before !== undefined && before.at > from.at) continue
      const onPage = names.size === names.add(name).size
      // The same once more on another page has only moved there.
      const elsewhere =
        before?.listing === from.listing &&
        before.cursor !== from.cursor &&
        (before.definition !== definition || before.duplicate)
      list.entries.set(name, { ...from, definition, duplicate: onPage || elsewhere })
    }
  }

  #listFor(kind: ListedKind, request: JSONRPCRequest, { caller }: Context): RememberedList {
    const capabilities = request.params?._meta?.[META_CLIENT_CAPABILITIES]
    // Credentials that a server is called with may be made of any claim.
    const key = JSON.stringify([caller.principal, caller.session, caller.claims, capabilities])
    let lists = this.#audiences.get(key)
    if (lists === undefined) {
      lists = new Map()
      bounded(this.#audiences, key, lists, MAX_AUDIENCES)
    }
    let list = lists.get(kind)
    if (list === undefined) {
      list = {
        entries: new Map(),
        wholeAt: Number.NEGATIVE_INFINITY,
        pages: new Map(),
        loading: undefined,
      }
      lists.set(kind, list)
    }
    return list
  }

  readonly #onNotification = ({ method }: JSONRPCNotification): void => {
    if (!method.endsWith('/list_changed')) return
    for (const kind of LISTED_KINDS)
      if (LISTS[kind].changed === method) this.#changedAt.set(kind, performance.now())
  }
}

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

type OnResult = (read: () => JSONObject, response: JSONRPCResponse) => JSONRPCResponse | undefined

/** Hears of the result, and may put another in its place. */
export class Answered extends Relay<JSONRPCNotification> {
  readonly #exchange: Exchange & ReadyExchange<JSONRPCNotification>
  readonly #onResult: OnResult

  constructor(exchange: Exchange, onResult: OnResult) {
    super()
    this.#exchange = exchange
    this.#onResult = onResult
  }

  async next(): Promise<Step> {
    const step = await this.#exchange.next()
    if (!step.done || 'error' in step.value) return step
    const { result } = step.value
    const other = this.#onResult(() => readResult(result), step.value)
    return other === undefined ? step : { done: true, value: other }
  }

  override ready(): JSONRPCNotification | undefined {
    return this.#exchange.ready?.()
  }

  protected release(): void {
    this.#exchange.return(undefined as never).catch(() => {})
  }
}

/** Hears of the notifications. */
class Overheard extends Relay<JSONRPCNotification> {
  readonly #exchange: Exchange & ReadyExchange<JSONRPCNotification>
  readonly #onNotification: (notification: JSONRPCNotification) => void

  constructor(exchange: Exchange, onNotification: (notification: JSONRPCNotification) => void) {
    super()
    this.#exchange = exchange
    this.#onNotification = onNotification
  }

  async next(): Promise<Step> {
    const step = await this.#exchange.next()
    if (!step.done) this.#onNotification(step.value)
    return step
  }

  override ready(): JSONRPCNotification | undefined {
    const notification = this.#exchange.ready?.()
    if (notification !== undefined) this.#onNotification(notification)
    return notification
  }

  protected release(): void {
    this.#exchange.return(undefined as never).catch(() => {})
  }
}

function withoutHeaders({ header: _header, ...caller }: Caller): Caller {
  return caller
}

/** What of `_meta` describes the client; the rest belongs to one request. */
function identityOf(meta: JSONObject | undefined): JSONObject {
  const identity: Record<string, unknown> = {}
  for (const key of [META_PROTOCOL_VERSION, META_CLIENT_INFO, META_CLIENT_CAPABILITIES])
    if (meta?.[key] !== undefined) identity[key] = meta[key]
  return identity
}

function bounded<K, V>(map: Map<K, V>, key: K, value: V, limit: number): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= limit) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
