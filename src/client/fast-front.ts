import { type Caller, Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { whileWaiting } from '../exchange/while-waiting.js'
import { METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import { type JSONRPCRequest, type Result, resultResponse } from '../protocol/message.js'
import type { Implementation } from '../protocol/meta.js'
import { isList, METHOD_CALL_TOOL, METHOD_DISCOVER, METHOD_LISTEN } from '../protocol/methods.js'
import { EarlyListeners } from './early-listeners.js'
import type { UpstreamEvent } from './events.js'
import type { FrontSource } from './front-source.js'
import {
  announcesChanges,
  CHANGES,
  capabilitiesOf,
  differences,
  emptyList,
  KINDS,
  type Kind,
  kindOf,
  lookAt,
  minimalDiscovery,
  type Promised,
  standingIn,
} from './offers.js'
import { RecentServers, type Remembered, type ServerMemory } from './server-memory.js'

export interface FrontOptions {
  /** What outlives this process of what servers offer. Default: nothing. */
  readonly memory?: ServerMemory
  /** Whom clients take for the server while nothing is known of it. Default: anyport. */
  readonly serverInfo?: Implementation
}

/** Milliseconds that a client waits for the truth before it gets what is remembered, or at first next to nothing. */
const PATIENCE = { remembered: 100, unknown: 220 }
/**
 * Where a client has started this very process, it has waited since then, and is answered when the process is about that old: in
 * milliseconds. Of a process older than `young` nobody waits for the start.
 */
const AGE = { answer: 250, young: 1_000 }
/** Milliseconds that a server gets in any case: what is there already should not lose against a guess. */
const LEAST_PATIENCE = 40
/**
 * Milliseconds after which a client that will hear of changes gets an empty list of a server that nothing is remembered of:
 * long enough for most servers to start, and less than the shortest timeouts that clients have.
 */
const LIST_PATIENCE = 3_000
/** Milliseconds after which a server that runs is looked at again when a client comes. */
const FRESH = 10 * 60_000
/** Milliseconds that a server has to itself after its start where nobody is to be told of it. */
const QUIET = 1_000
/** Milliseconds that looking may take. */
const LOOK_LIMIT = 60_000
/** Clients that were promised something, and kinds of them. */
const MAX_PROMISED = 1_000

/** One client, as far as it matters here. */
interface Client {
  /** Of all that are offered the same. */
  readonly key: string
  readonly server: string
  readonly capabilities: string
  /** Its conversation; empty where it has none. */
  readonly session: string
}

/**
 * Answers clients that come before the server is up, since many give up after seconds and a package may take half a minute
 * to be installed: from what is remembered of the server. As soon as it is up it is looked at, and whoever was told
 * something else hears that it has changed. Calls are not its business: they wait.
 */
export class FastFront {
  readonly #source: FrontSource
  readonly #memory: RecentServers
  readonly #identity: string
  readonly #serverInfo: Implementation
  readonly #onEvent: (event: UpstreamEvent) => void
  readonly #listeners: EarlyListeners
  readonly #promises = new Map<string, Map<string, Promised>>()
  readonly #looking = new Set<string>()
  readonly #planned = new Map<string, ReturnType<typeof setTimeout>>()
  /** When the server was last looked at, by kind of clients. */
  readonly #looked = new Map<string, number>()
  /** Lists that clients may ask for although the server does not have them. */
  readonly #lacking = new Set<string>()
  /** The last start failed: nothing is promised in the name of a server that may be broken. */
  #failing = false
  #closed = false

  constructor(
    source: FrontSource,
    options: FrontOptions,
    identity: string,
    onEvent: (event: UpstreamEvent) => void,
  ) {
    this.#source = source
    this.#memory = new RecentServers(options.memory)
    this.#identity = identity
    this.#serverInfo = options.serverInfo ?? { name: 'anyport', version: '0' }
    this.#onEvent = onEvent
    this.#listeners = new EarlyListeners(source)
  }

  readonly handler: Handler = (request, context) => {
    const { method } = request
    if (method === METHOD_CALL_TOOL) return this.#source.direct(request, context)
    if (method === METHOD_DISCOVER) return this.#discover(request, context)
    if (method === METHOD_LISTEN) return this.#listen(request, context)
    if (isList(method)) return this.#list(request, context)
    return this.#source.direct(request, context)
  }

  /** Looks at a server that is up, unless that was done of late: soon, or at once where clients were promised something. */
  look(request: JSONRPCRequest, context = new Context({ binding: 'internal' })): void {
    const client = this.#clientOf(request, context)
    const { key } = client
    if (this.#closed) return
    const promised = this.#promises.has(key)
    const planned = this.#planned.get(key)
    if (promised && planned !== undefined) {
      clearTimeout(planned)
      this.#planned.delete(key)
    } else if (planned !== undefined || this.#looking.has(key)) return
    const looked = this.#looked.get(key) ?? Number.NEGATIVE_INFINITY
    if (!promised && performance.now() - looked < FRESH) return
    const look = () => {
      this.#planned.delete(key)
      // One that was stopped meanwhile is not started for this.
      if (this.#closed || this.#looking.has(key) || !this.#source.connected(request, context)) return
      this.#looking.add(key)
      this.#look(client, request, context.caller)
        // The client's own requests meet what is wrong, and tell.
        .catch(() => {})
        .finally(() => this.#looking.delete(key))
    }
    if (promised) look()
    else {
      const timer = setTimeout(look, QUIET)
      ;(timer as { unref?: () => void }).unref?.()
      this.#planned.set(key, timer)
    }
  }

  forget(session: string): void {
    for (const promised of this.#promises.values()) promised.delete(session)
    this.#listeners.forget(session)
  }

  close(): void {
    this.#closed = true
    for (const timer of this.#planned.values()) clearTimeout(timer)
    this.#listeners.close()
  }

  #discover(request: JSONRPCRequest, context: Context): Exchange {
    if (!this.#source.connected(request, context)) return this.#discoverEarly(request, context)
    this.look(request, detached(context))
    return this.#source.direct(request, context)
  }

  async *#discoverEarly(request: JSONRPCRequest, context: Context): Exchange {
    const client = this.#clientOf(request, context)
    const reached = this.#reach(request, context)
    const remembered = this.#recall(client)
    const patience = remembered === undefined ? PATIENCE.unknown : PATIENCE.remembered
    if (!this.#failing && !(await orCancelled(within(reached, whatIsLeft(patience)), context))) {
      const discovered = remembered?.discovered ?? minimalDiscovery(this.#serverInfo)
      const promised = this.#promisedTo(client)
      promised.capabilities = capabilitiesOf({ discovered, lists: {} })
      promised.guessed = remembered === undefined
      this.#tellEarly(request, remembered)
      return resultResponse(request.id, standingIn(discovered))
    }
    yield* whileWaiting(orCancelled(reached, context), request)
    return yield* this.#source.direct(request, context)
  }

  #list(request: JSONRPCRequest, context: Context): Exchange {
    if (!this.#source.connected(request, context)) return this.#listEarly(request, context)
    return this.#listDirect(request, context)
  }

  async *#listEarly(request: JSONRPCRequest, context: Context): Exchange {
    const client = this.#clientOf(request, context)
    const reached = this.#reach(request, context)
    // Pages that follow are pages of the server's own.
    if (request.params?.cursor === undefined && !this.#failing) {
      const remembered = this.#recall(client)
      const list = remembered?.lists[request.method]
      const up =
        list === undefined
          ? yield* whileWaiting(orCancelled(this.#upOrHeard(reached, client, request), context), request)
          : await orCancelled(within(reached, PATIENCE.remembered), context)
      if (!up) {
        const early = list ?? emptyList(request.method)
        this.#promisedTo(client).lists.set(request.method, early)
        this.#tellEarly(request, list)
        return resultResponse(request.id, standingIn(early))
      }
    }
    yield* whileWaiting(orCancelled(reached, context), request)
    return yield* this.#listDirect(request, context)
  }

  #listDirect(request: JSONRPCRequest, context: Context): Exchange {
    if (!this.#lacking.has(request.method)) return this.#source.direct(request, context)
    return this.#orEmpty(request, context)
  }

  /** A client that was told of a list gets one, though it is empty. */
  async *#orEmpty(request: JSONRPCRequest, context: Context): Exchange {
    const empty = resultResponse(request.id, emptyList(request.method))
    try {
      const response = yield* this.#source.direct(request, context)
      return 'error' in response && response.error.code === METHOD_NOT_FOUND ? empty : response
    } catch (error) {
      if (error instanceof RpcError && error.code === METHOD_NOT_FOUND) return empty
      throw error
    }
  }

  #listen(request: JSONRPCRequest, context: Context): Exchange {
    const { key, session } = this.#clientOf(request, context)
    const connected = this.#source.connected(request, context)
    if (connected && !this.#listeners.concern(session)) return this.#source.direct(request, context)
    const promised = connected ? undefined : this.#promises.get(key)?.get(session)?.capabilities
    return this.#listeners.listen(request, context, key, session, promised)
  }

  /** True once the server is up; false as soon as the client may get an empty list instead, since it will hear more. */
  #upOrHeard(reached: Promise<void>, { key, session }: Client, { method }: JSONRPCRequest): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let patient = true
      const settle = (then: () => void) => {
        clearTimeout(timer)
        off()
        then()
      }
      const look = () => {
        if (patient || !this.#listeners.hears(key, session, kindOf(method))) return
        settle(() => resolve(false))
      }
      const off = this.#listeners.onArrival(look)
      const timer = setTimeout(() => {
        patient = false
        look()
      }, LIST_PATIENCE)
      reached.then(
        () => settle(() => resolve(true)),
        error => settle(() => reject(error)),
      )
    })
  }

  /** Starts the server if need be, also for those who come after this client has left. */
  #reach(request: JSONRPCRequest, context: Context): Promise<void> {
    const own = detached(context)
    const reached = this.#source.reach(request, own)
    reached.then(
      () => {
        this.#failing = false
        this.look(request, own)
      },
      error => {
        const ours = error instanceof TransportError && OUR_OWN.has(error.code)
        if (!ours) this.#failing = true
      },
    )
    return reached
  }

  async #look(client: Client, request: JSONRPCRequest, caller: Caller): Promise<void> {
    const context = new Context(caller)
    const limit = setTimeout(() => context.cancel('timeout'), LOOK_LIMIT)
    let truth: Remembered
    try {
      truth = await lookAt(this.#source.direct, request, context)
    } finally {
      clearTimeout(limit)
    }
    if (this.#closed) return
    bounded(this.#looked, client.key, performance.now())
    this.#memory.set(client.server, client.capabilities, truth)
    this.#settle(client.key, truth)
  }

  /** Now it is known what the server offers: whoever was told something else hears so. */
  #settle(key: string, truth: Remembered): void {
    const offered = capabilitiesOf(truth)
    const changes = new Set<Kind>()
    const promises = this.#promises.get(key)
    this.#promises.delete(key)
    for (const [session, promised] of promises ?? []) {
      for (const kind of KINDS) {
        if (announcesChanges(promised.capabilities, kind) && !announcesChanges(offered, kind))
          this.#listeners.holdOpen()
        if (promised.capabilities?.[kind] !== undefined && offered[kind] === undefined) this.#lack(kind)
      }
      const kinds = differences(promised, truth)
      for (const kind of kinds) changes.add(kind)
      if (kinds.size > 0) this.#listeners.tell(key, session, kinds)
    }
    if (changes.size > 0)
      this.#onEvent({ type: 'corrected', changes: [...changes].map(kind => CHANGES[kind].method) })
  }

  #lack(kind: Kind): void {
    for (const method of LIST_METHODS) if (kindOf(method) === kind) this.#lacking.add(method)
  }

  #recall({ server, capabilities }: Client): Remembered | undefined {
    return this.#failing ? undefined : this.#memory.get(server, capabilities)
  }

  #promisedTo({ key, session }: Client): Promised {
    let promises = this.#promises.get(key)
    if (promises === undefined) {
      promises = new Map()
      bounded(this.#promises, key, promises)
    }
    let promised = promises.get(session)
    if (promised === undefined) {
      promised = { capabilities: undefined, guessed: false, lists: new Map() }
      bounded(promises, session, promised)
    }
    return promised
  }

  #tellEarly({ method }: JSONRPCRequest, remembered: Remembered | Result | undefined): void {
    this.#onEvent({
      type: 'answered-early',
      method,
      from: remembered === undefined ? 'nothing' : 'memory',
    })
  }

  #clientOf(request: JSONRPCRequest, context: Context): Client {
    const [principal, capabilities] = this.#source.memoryKey(request, context)
    return {
      key: JSON.stringify([principal, capabilities]),
      server: JSON.stringify([this.#identity, principal]),
      capabilities,
      session: context.caller.session ?? '',
    }
  }
}

const LIST_METHODS = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list']
/** Failures that say nothing about the server. */
const OUR_OWN: ReadonlySet<string> = new Set(['ERR_CANCELLED', 'ERR_DRAINING', 'ERR_BUSY'])

/** A context that outlives the request, whose headers are not kept. */
function detached({ caller }: Context): Context {
  const { binding, principal, session, address, claims } = caller
  return new Context({
    binding,
    ...(principal === undefined ? {} : { principal }),
    ...(session === undefined ? {} : { session }),
    ...(address === undefined ? {} : { address }),
    ...(claims === undefined ? {} : { claims }),
  })
}

/** False where so many milliseconds pass first; rejects where the promise does. */
function whatIsLeft(patience: number): number {
  const age = performance.now()
  return age > AGE.young ? patience : Math.max(LEAST_PATIENCE, Math.min(patience, AGE.answer - age))
}

function within(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), milliseconds)
    promise.then(
      () => {
        clearTimeout(timer)
        resolve(true)
      },
      error => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

function bounded<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= MAX_PROMISED) return
  for (const oldest of map.keys()) {
    map.delete(oldest)
    return
  }
}
