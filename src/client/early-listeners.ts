import type { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange } from '../exchange/exchange.js'
import {
  type JSONObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  notification,
  resultResponse,
} from '../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../protocol/meta.js'
import { METHOD_ACKNOWLEDGED } from '../protocol/methods.js'
import type { FrontSource } from './front-source.js'
import { announcesChanges, CHANGES, KINDS, type Kind } from './offers.js'

/** Sessions that are owed an announcement. */
const MAX_OWED = 1_000

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

interface Listener {
  readonly key: string
  readonly session: string
  readonly filter: JSONObject
  /** Lists that have changed, and it has not been told. */
  readonly kinds: Set<Kind>
  wake: () => void
}

/** Subscriptions of clients that were told of a server before it was up: they hear what turned out otherwise. */
export class EarlyListeners {
  readonly #source: FrontSource
  readonly #listeners = new Set<Listener>()
  readonly #arrivals = new Set<() => void>()
  /** Sessions that did not listen when there was something to tell. */
  readonly #owed = new Map<string, Set<Kind>>()
  /** Clients were told of announcements that the server does not make: their subscriptions stay open all the same. */
  #holding = false
  #closed = false

  constructor(source: FrontSource) {
    this.#source = source
  }

  /** There is, or may be, something to tell the session that its server does not. */
  concern(session: string): boolean {
    return this.#holding || (this.#owed.size > 0 && this.#owed.has(session))
  }

  /** The session will hear where lists of the kind change. */
  hears(key: string, session: string, kind: Kind): boolean {
    for (const listener of this.#listeners) {
      if (listener.key === key && listener.session === session && wants(listener, kind)) return true
    }
    return false
  }

  /** Calls back whenever somebody begins to listen. Returns how to stop that. */
  onArrival(callback: () => void): () => void {
    this.#arrivals.add(callback)
    return () => this.#arrivals.delete(callback)
  }

  /** Tells a session at once where it listens, else as soon as it does. */
  tell(key: string, session: string, kinds: ReadonlySet<Kind>): void {
    let told = false
    for (const listener of this.#listeners) {
      if (listener.key !== key || listener.session !== session) continue
      for (const kind of kinds) listener.kinds.add(kind)
      listener.wake()
      told = true
    }
    if (told || session === '') return
    this.#owed.set(session, new Set([...(this.#owed.get(session) ?? []), ...kinds]))
    if (this.#owed.size <= MAX_OWED) return
    for (const oldest of this.#owed.keys()) {
      this.#owed.delete(oldest)
      return
    }
  }

  holdOpen(): void {
    this.#holding = true
  }

  forget(session: string): void {
    this.#owed.delete(session)
  }

  close(): void {
    this.#closed = true
    for (const { wake } of this.#listeners) wake()
  }

  /**
   * `subscriptions/listen`, acknowledged at once as far as it was `promised`. A subscription to resources is not: only the
   * server knows which ones there are.
   */
  async *listen(
    request: JSONRPCRequest,
    context: Context,
    key: string,
    session: string,
    promised: JSONObject | undefined,
  ): Exchange {
    const given = request.params?.notifications
    const filter = isObject(given) ? given : {}
    const owed = this.#owed.get(session)
    this.#owed.delete(session)
    const listener: Listener = { key, session, filter, kinds: new Set(owed), wake: () => {} }
    this.#listeners.add(listener)
    for (const arrived of [...this.#arrivals]) arrived()
    let acknowledged = false
    let early = false
    let honoured = true
    let exchange: Exchange | undefined = this.#source.direct(request, context)
    try {
      if (promised !== undefined && !asksForResources(filter)) {
        early = acknowledged = true
        const lists = KINDS.filter(kind => wants(listener, kind) && announcesChanges(promised, kind))
        yield notification(METHOD_ACKNOWLEDGED, {
          _meta: { [META_SUBSCRIPTION_ID]: request.id },
          notifications: Object.fromEntries(lists.map(kind => [CHANGES[kind].filter, true])),
        })
      }
      let pending = handled(exchange.next())
      for (;;) {
        if (acknowledged) yield* announcements(listener, request)
        const step = await (acknowledged ? orWoken(pending, listener) : pending)
        if (exchange === undefined && this.#closed) return ended(request)
        if (step === undefined) continue
        if (step.done) {
          exchange = undefined
          const lost = 'error' in step.value || context.cancelled !== undefined || this.#closed
          if (honoured || lost || !(early || this.#holding)) return step.value
          pending = handled(cancellation(context))
          continue
        }
        if (exchange !== undefined) pending = handled(exchange.next())
        if (step.value.method === METHOD_ACKNOWLEDGED) {
          honoured = honoursAny(step.value.params?.notifications)
          if (acknowledged) continue
          acknowledged = true
        }
        yield step.value
      }
    } finally {
      this.#listeners.delete(listener)
      exchange?.return(undefined as never).catch(() => {})
    }
  }
}

function wants({ filter }: Listener, kind: Kind): boolean {
  return filter[CHANGES[kind].filter] === true
}

function asksForResources({ resourceSubscriptions }: JSONObject): boolean {
  return Array.isArray(resourceSubscriptions) && resourceSubscriptions.length > 0
}

function honoursAny(honoured: unknown): boolean {
  return isObject(honoured) && Object.keys(honoured).length > 0
}

function* announcements(listener: Listener, request: JSONRPCRequest): Generator<JSONRPCNotification> {
  const kinds = [...listener.kinds].filter(kind => wants(listener, kind))
  listener.kinds.clear()
  for (const kind of kinds)
    yield notification(CHANGES[kind].method, { _meta: { [META_SUBSCRIPTION_ID]: request.id } })
}

/** Whoever awaits it hears of its failure; nobody may be left to do so. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  return promise
}

/** Undefined where the listener was woken first. */
function orWoken(pending: Promise<Step>, listener: Listener): Promise<Step | undefined> {
  if (listener.kinds.size > 0) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    listener.wake = () => resolve(undefined)
    pending.then(resolve, reject)
  })
}

/** Rejects when the call is cancelled; else nothing happens. */
function cancellation(context: Context): Promise<never> {
  return new Promise((_, reject) => {
    context.onCancel(() => reject(new TransportError('ERR_CANCELLED', 'The subscription was cancelled')))
  })
}

function ended({ id }: JSONRPCRequest): JSONRPCResponse {
  return resultResponse(id, { resultType: 'complete', _meta: { [META_SUBSCRIPTION_ID]: id } })
}
