import type { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError, wasNeverSent } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { secretsOf } from '../exchange/masked.js'
import { whileWaiting } from '../exchange/while-waiting.js'
import { fingerprint } from '../legacy/capabilities.js'
import { mayBeSse } from '../legacy/detect.js'
import { fromSession, type LegacyHandler } from '../legacy/from-session.js'
import { identityOf, toModernRequest } from '../legacy/requests.js'
import { type JSONRPCNotification, type JSONRPCRequest, resultResponse } from '../protocol/message.js'
import { clientCapabilitiesOf, type Implementation } from '../protocol/meta.js'
import { METHOD_DISCOVER, METHOD_LISTEN } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { type Era, isModernVersion } from '../protocol/versions.js'
import type { CallerCredentials, CallerSignature } from './caller-credentials.js'
import type { StopReason } from './events.js'
import { FastFront } from './fast-front.js'
import type { FrontSource } from './front-source.js'
import { IsolationKeys } from './isolation-keys.js'
import type { Link } from './link.js'
import { type ModernConnection, ModernConnections } from './modern-connections.js'
import { channelOpener, spareChannelOpener, type Target } from './open.js'
import { eraOf, type Opened, type OpenedLegacy, type Opener, type OpenOptions } from './opened.js'
import { Pool } from './pool.js'
import { relisten } from './relisten.js'
import { isRemote, type RemoteTarget } from './remote.js'
import { RepeatedCall, type RepeatHost } from './repeated-call.js'
import { Rests } from './rests.js'
import { type StartedFor, Starts } from './starts.js'
import type { UpstreamOptions } from './upstream-options.js'
import { ServerHistory, type UpstreamStatus } from './upstream-status.js'

export interface Upstream {
  readonly handler: Handler
  /**
   * Starts what is to run before anybody asks: the server, or where it is for a single client (`one`) or each session has its
   * own, one that is still to hear who its client is, if that can be.
   */
  start(one?: boolean): Promise<void>
  /** Resolves once the server can be reached, starting it if need be; rejects with why not. */
  ready(): Promise<void>
  /** The server's era, once it is known. */
  readonly era: () => Era | undefined
  readonly counts: () => UpstreamCounts
  /** How it does, and what has happened to it so far. */
  readonly status: () => UpstreamStatus
  /** Values that it was given and nobody else should see. */
  readonly secrets: readonly string[]
  /** A session has ended: what was opened for it alone (`isolation: 'session'`) is closed. */
  endSession(session: string): void
  close(): Promise<void>
}

/** What an upstream holds at this moment. */
export interface UpstreamCounts {
  readonly connections: number
  /** Calls that the server has not answered yet, subscriptions included. */
  readonly calls: number
  /** Calls that wait for the answers to their questions. */
  readonly parked: number
}

const ANYPORT: Implementation = { name: 'anyport', version: '0' }
/** What opens a connection that nobody has asked for yet: one for those who cannot be asked. */
const READY: JSONRPCRequest = { jsonrpc: '2.0', id: 'ready', method: METHOD_DISCOVER }

/** Keeps one server alive for all callers: started on demand, era found out once, connections shared by rule. */
export function upstream(target: Target | RemoteTarget, options: UpstreamOptions = {}): Upstream {
  return new ServerUpstream(target, options)
}

/** Whom the first start is for. */
interface FirstClient extends StartedFor {
  legacyKey: string
  /** Its session has ended. */
  left?: boolean
}

class ServerUpstream implements Upstream, FrontSource {
  #target: Target | RemoteTarget
  #options: UpstreamOptions
  /** Of a server that is not called with the same for all. */
  readonly #credentials: CallerCredentials | undefined
  readonly #keys: IsolationKeys
  #era: Era | undefined
  #detecting: { readonly era: Promise<Era>; readonly client: FirstClient } | undefined
  #starts: Starts
  #rests = new Rests()
  #modern: ModernConnections
  #pool: Pool
  #legacy: LegacyHandler
  #front: FastFront | undefined
  /** Connections are closed when nobody uses them, so that subscriptions have to outlive them. */
  #rest: boolean
  #reached = false
  #noise = { 'too-large': 0, other: 0 }
  readonly #history = new ServerHistory()
  #closed = false

  constructor(target: Target | RemoteTarget, options: UpstreamOptions) {
    const { isolation = 'principal', maxConnections = 256 } = options
    this.#target = target
    this.#options = options
    this.#credentials = isRemote(target) ? target.remote.credentials : undefined
    this.#keys = new IsolationKeys(isolation, this.#credentials)
    if (this.#credentials !== undefined && isolation === 'shared')
      throw new TypeError(
        `${target.name}: callers with credentials of their own cannot share a connection; leave out isolation "shared"`,
      )
    this.#era = options.protocol === 'auto' ? undefined : options.protocol
    this.#starts = new Starts({
      name: target.name,
      opener: isRemote(target) ? lateOpener(target) : channelOpener(target),
      spareOpener: isRemote(target) ? undefined : spareChannelOpener(target),
      open: this.#openOptions(),
      maxRestarts: options.maxRestarts ?? 5,
      maxConnections,
      capacity: options.capacity,
      queueTimeout: options.queueTimeout ?? 30_000,
      spares: options.spares ?? 0,
      closeOne: () => this.#modern.closeOne() || this.#pool.closeOne(),
      onEvent: event => {
        if (event.type === 'ready') this.#reached = true
        this.#history.hear(event)
        options.onEvent?.(event)
      },
    })
    const idleTimeout = options.idleTimeout ?? (isolation === 'session' ? 30 * 60_000 : 0)
    const shared = {
      idleTimeout: idleTimeout === 0 ? Number.POSITIVE_INFINITY : idleTimeout,
      opened: (key: string) => this.#rests.awake(key),
      stopping: (key: string, link: Link, reason: StopReason, listened: boolean) => {
        this.#starts.stopping(link, reason)
        if (listened) this.#rests.fellAsleep(key)
      },
    }
    this.#rest = idleTimeout !== 0
    this.#modern = new ModernConnections({
      ...shared,
      gone: () => this.#starts.draining(),
    })
    this.#pool = new Pool({
      ...shared,
      name: target.name,
      keyOf: (request, context) => this.#keys.ofLegacy(request, context),
      open: (request, key, signature) => this.#openLegacy(request, key, signature),
      signatureOf: context => this.#credentials?.of(context.caller),
      maxPerGroup: options.maxAskingConnections ?? 4,
      maxSuspendedPerGroup: options.maxSuspendedConnections ?? 12,
      spillAfter: options.spillAfter ?? 2_000,
      reclaimAfter: options.reclaimAfter ?? 60_000,
      queueTimeout: 10 * 60_000,
      spareIdleTimeout: 60_000,
    })
    this.#legacy = fromSession(this.#pool, options)
    if (isRemote(target)) this.handler = this.#repeating(this.#repeatHost())
    else if (options.front !== undefined) {
      this.#front = new FastFront(this, options.front, this.#identity, event => options.onEvent?.(event))
      this.handler = this.#front.handler
    }
  }

  readonly era = (): Era | undefined => this.#era

  readonly counts = (): UpstreamCounts => {
    const modern = this.#modern.all()
    return {
      connections: modern.length + this.#pool.size,
      calls: modern.reduce((sum, { link }) => sum + link.size, this.#pool.calls),
      parked: this.#legacy.parked(),
    }
  }

  readonly status = (): UpstreamStatus => {
    const counts = this.counts()
    const programs = [...this.#modern.all().map(({ link }) => link), ...this.#pool.links()].flatMap(
      ({ program, closed }) => (program === undefined || closed ? [] : [program]),
    )
    return {
      ...counts,
      ...this.#history.report(counts.connections, this.secrets, programs),
      era: this.#era,
      ...(this.#era === 'legacy' ? { revision: this.#history.revision } : {}),
      transport: this.#transport(),
    }
  }

  get secrets(): readonly string[] {
    return isRemote(this.#target) ? secretsOfRemote(this.#target) : (this.#target.secrets ?? [])
  }

  #transport(): UpstreamStatus['transport'] {
    if (!isRemote(this.#target)) return this.#target.transport
    const { dialect } = this.#history
    if (dialect === undefined) return undefined
    return dialect === 'sse' ? 'sse' : 'streamable-http'
  }

  readonly direct: Handler = (request, context) => {
    if (this.#rest && request.method === METHOD_LISTEN) return this.#listen(request, context)
    return this.#serve(request, context)
  }

  readonly handler: Handler = this.direct

  connected(request: JSONRPCRequest, context: Context): boolean {
    if (this.#era === 'modern') return this.#modern.get(this.#keys.of(context)) !== undefined
    return this.#era === 'legacy' && this.#pool.has(this.#keys.ofLegacy(request, context))
  }

  async reach(request: JSONRPCRequest, context: Context): Promise<void> {
    if (this.#closed) throw this.#starts.draining()
    const key = this.#keys.of(context)
    const era = this.#era ?? (await this.#detect(request, key, context))
    if (era === 'modern') await this.#modernConnection(key, request, context)
    else (await this.#pool.acquire(request, context, false)).release()
  }

  memoryKey(request: JSONRPCRequest, context: Context): readonly [principal: string, capabilities: string] {
    const principal = this.#options.isolation === 'shared' ? '' : (context.caller.principal ?? '')
    return [principal, fingerprint(clientCapabilitiesOf(request))]
  }

  async *#listen(request: JSONRPCRequest, context: Context): Exchange {
    const own = this.#keys.of(context)
    const legacyKey = this.#keys.ofLegacy(request, context)
    if (this.#credentials !== undefined) await this.#signing(context)
    const era = this.#era ?? (await orCancelled(this.#detect(request, own, context), context))
    return yield* this.#rests.listen(era === 'modern' ? own : legacyKey, this.#serve, request, context)
  }

  readonly #serve: Handler = (request, context) => {
    if (this.#era === 'legacy') return this.#legacy.handler(request, context)
    if (this.#era === 'modern' && request.method !== METHOD_DISCOVER) {
      // Before the first connection it is found out whether this caller can be signed for at all.
      const connection = this.#keys.has(context) ? this.#modern.get(this.#keys.of(context)) : undefined
      // Where a call may have to wait before it is sent, it may also have to go elsewhere.
      if (connection !== undefined && !connection.link.behind) return connection.handler(request, context)
    }
    return this.#cold(request, context)
  }

  async start(one = false): Promise<void> {
    const { isolation, eras, clientInfo = ANYPORT } = this.#options
    const dialect = eras?.get(this.#identity)
    const era = this.#era ?? (dialect === undefined ? undefined : eraOf(dialect))
    // A legacy server learns once who its client is, so it has to wait for the first who comes.
    const waits = era !== undefined && (isolation === 'session' || (one && era === 'legacy'))
    if (waits && this.#starts.prepare(era)) return
    await this.ready()
    this.#front?.look(toModernRequest(READY, identityOf(clientInfo, {}, undefined)))
  }

  async ready(): Promise<void> {
    if (this.#closed) throw this.#starts.draining()
    // It can be called for somebody only.
    if (this.#credentials !== undefined) return
    // One that rests is as good as one that runs.
    if (this.#modern.all().length > 0 || this.#pool.size > 0 || this.#starts.healthy) return
    const key = this.#options.isolation === 'shared' ? '' : 'principal:'
    if (this.#era === undefined) await this.#detect(READY, key, undefined)
    else if (this.#era === 'modern') await this.#modernConnection(key, READY, undefined)
    else {
      const opened = await this.#starts.open({ key: `${key}|{}`, request: READY }, 'legacy')
      this.#pool.adopt(`${key}|{}`, opened as OpenedLegacy)
    }
  }

  endSession(session: string): void {
    this.#front?.forget(session)
    if (this.#options.isolation !== 'session') return
    const key = `session:${session}`
    const client = this.#detecting?.client
    if (client !== undefined && (client.key === key || client.key.startsWith(`${key}|`))) client.left = true
    this.#end(key)
    this.#rests.forget(key)
  }

  #end(key: string): void {
    this.#modern.end(key)
    this.#pool.end(`${key}|`)
  }

  get #identity(): string {
    return this.#target.identity ?? this.#target.name
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#front?.close()
    this.#pool.stop()
    // While there are connections, so that servers are told.
    this.#legacy.close()
    this.#rests.close()
    await Promise.all([this.#starts.close(), this.#modern.close(), this.#pool.close()])
  }

  /** Calls can get lost on the way. */
  #repeating(host: RepeatHost): Handler {
    return (request, context) =>
      request.method === METHOD_LISTEN
        ? relisten(this.direct, request, context, () => this.#closed)
        : new RepeatedCall(host, request, context)
  }

  #repeatHost(): RepeatHost {
    return {
      handler: this.direct,
      wasReached: () => this.#reached,
      reconnectTimeout: this.#options.reconnectTimeout ?? 10_000,
    }
  }

  /** A call that has to wait for something first: the era, a connection. */
  async *#cold(request: JSONRPCRequest, context: Context): Exchange {
    if (this.#closed) throw this.#starts.draining()
    const key = this.#keys.of(context)
    if (this.#credentials !== undefined) yield* whileWaiting(this.#signing(context), request)
    const era = this.#era ?? (yield* this.#found(request, key, context))
    if (era === 'legacy') return yield* this.#legacy.handler(request, context)
    const response = yield* this.#callModern(key, request, context)
    if (request.method !== METHOD_DISCOVER || 'error' in response) return response
    // What the server speaks beyond our modern revisions is not served here under its name.
    const result = readResult(response.result)
    const versions = Array.isArray(result.supportedVersions) ? result.supportedVersions : []
    return resultResponse(response.id, { ...result, supportedVersions: versions.filter(isModernVersion) })
  }

  #found(request: JSONRPCRequest, key: string, context: Context): AsyncGenerator<JSONRPCNotification, Era> {
    const detecting = this.#detect(request, key, context)
    return whileWaiting(orCancelled(detecting, context), request)
  }

  /** Once more where the server was gone before the request could be sent; never where it may have been read. */
  async *#callModern(key: string, request: JSONRPCRequest, context: Context): Exchange {
    try {
      const { handler } = yield* this.#connecting(key, request, context)
      return yield* handler(request, context)
    } catch (error) {
      if (!wasNeverSent(error)) throw error
    }
    const { handler } = yield* this.#connecting(key, request, context)
    return yield* handler(request, context)
  }

  #connecting(key: string, request: JSONRPCRequest, context: Context) {
    return whileWaiting(orCancelled(this.#modernConnection(key, request, context), context), request)
  }

  /** Before others may wait for what is opened: what is wrong with one caller's credentials is for him alone. */
  async #signing(context: Context): Promise<void> {
    await orCancelled((this.#credentials as CallerCredentials).of(context.caller).ready(context), context)
  }

  /** `context` is undefined where it is started for nobody. */
  #detect(request: JSONRPCRequest, key: string, context: Context | undefined): Promise<Era> {
    const legacyKey = context === undefined ? `${key}|{}` : this.#keys.ofLegacy(request, context)
    if (this.#detecting !== undefined) {
      const { era, client } = this.#detecting
      // What a server answers to the credentials of one caller says nothing to another.
      if (this.#credentials !== undefined && client.key !== key)
        return era.catch(() => this.#era ?? this.#detect(request, key, context))
      // Started for nobody, it is for the first who comes.
      if (client.request === READY && !client.known) Object.assign(client, { request, key, legacyKey })
      return era
    }
    const signature = context === undefined ? undefined : this.#credentials?.of(context.caller)
    const client: FirstClient = { request, key, legacyKey, signature }
    const era = this.#openRemembered(client)
      .then(opened => {
        this.#era = eraOf(opened.dialect)
        this.#options.eras?.set(this.#identity, opened.dialect)
        if (opened.dialect === 'modern') this.#modern.adopt(client.key, opened)
        else this.#pool.adopt(client.legacyKey, opened)
        if (client.left) this.#end(client.key)
        return this.#era
      })
      .finally(() => {
        this.#detecting = undefined
      })
    this.#detecting = { era, client }
    return era
  }

  /**
   * Only a legacy verdict is worth remembering, since a modern server answers the probe at once. Where the
   * remembered handshake fails, the server has changed: it is asked again.
   */
  async #openRemembered(client: FirstClient): Promise<Opened> {
    const dialect = this.#options.eras?.get(this.#identity)
    if (dialect === undefined || dialect === 'modern') return this.#starts.open(client, undefined)
    try {
      return await this.#starts.open(client, dialect)
    } catch (error) {
      if (!(error instanceof TransportError) || error.code === 'ERR_SPAWN') throw error
      this.#starts.forgive(client.key)
      return this.#starts.open(client, undefined)
    }
  }

  async #openLegacy(
    request: JSONRPCRequest,
    key: string,
    signature: CallerSignature | undefined,
  ): Promise<OpenedLegacy> {
    try {
      const opened = await this.#starts.open({ key, request, signature }, 'legacy')
      if (opened.dialect === 'modern') throw new TypeError('A pinned era changed')
      return opened
    } catch (error) {
      const auto = (this.#options.protocol ?? 'auto') === 'auto'
      if (!auto || !isRemote(this.#target) || !isMisfit(error)) throw error
      // The server was upgraded: whoever calls again finds out to what.
      this.#era = undefined
      this.#starts.forgive(key)
      throw error
    }
  }

  #modernConnection(
    key: string,
    request: JSONRPCRequest,
    context: Context | undefined,
  ): Promise<ModernConnection> {
    return this.#modern.need(key, async () => {
      const signature = context === undefined ? undefined : this.#credentials?.of(context.caller)
      const opened = await this.#starts.open({ key, request, signature }, 'modern')
      if (opened.dialect !== 'modern') throw new TypeError('A pinned era changed')
      return opened
    })
  }

  #openOptions(): OpenOptions {
    const {
      clientInfo = ANYPORT,
      probeTimeout = 3_000,
      startTimeout = 60_000,
      timeout,
      maxTimeout,
      onEvent,
      onLoss,
    } = this.#options
    return {
      clientInfo,
      probeTimeout,
      startTimeout,
      ...(timeout === undefined ? {} : { timeout }),
      ...(maxTimeout === undefined ? {} : { maxTimeout }),
      noise: noise => {
        const kind = noise.kind === 'too-large' ? 'too-large' : 'other'
        onEvent?.({ type: 'noise', noise, count: ++this.#noise[kind] })
      },
      onLoss,
      ...((this.#options.protocol ?? 'auto') === 'auto' ? { onOutdated: () => this.#outdated() } : {}),
    }
  }

  /** An older server has taken the place of the modern one: whoever calls again finds out which. */
  #outdated(): void {
    if (this.#era === 'modern') this.#era = undefined
  }
}

/** The server answers, but not to what it was found to speak. */
function isMisfit(error: unknown): error is TransportError {
  if (!(error instanceof TransportError)) return false
  return error.code === 'ERR_HANDSHAKE' || (error.code === 'ERR_STATUS' && mayBeSse(error.facts.status))
}

/** What goes with each request to it. */
function secretsOfRemote({ remote: { url, headers = {} } }: RemoteTarget): readonly string[] {
  return secretsOf({ url, headers })
}

/** Programs are started without what only addresses need. */
function lateOpener(target: RemoteTarget): Opener {
  let opener: Promise<Opener> | undefined
  return async (...opening) => {
    opener ??= import('./open-remote.js').then(({ remoteOpener }) => remoteOpener(target))
    return (await opener)(...opening)
  }
}
