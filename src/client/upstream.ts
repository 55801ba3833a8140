import type { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { canBeAsked, fingerprint } from '../legacy/capabilities.js'
import { type FromSessionOptions, fromSession, type LegacyHandler } from '../legacy/from-session.js'
import type { Noise } from '../protocol/line-codec.js'
import { type JSONRPCRequest, resultResponse } from '../protocol/message.js'
import { clientCapabilitiesOf, clientInfoOf, type Implementation } from '../protocol/meta.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { type Era, isModernVersion } from '../protocol/versions.js'
import type { Calls } from '../transport/channel/calls.js'
import type { Channel } from '../transport/channel/channel.js'
import { type Opened, type OpenOptions, openServer, type Target } from './open.js'
import { Pool } from './pool.js'

export type UpstreamEvent =
  | { readonly type: 'starting' }
  | { readonly type: 'ready'; readonly era: Era; readonly milliseconds: number }
  | { readonly type: 'failed'; readonly error: Error }
  /** A line that is no message was skipped: the how manieth of its kind (too large, or anything else). */
  | { readonly type: 'noise'; readonly noise: Noise; readonly count: number }

/** Remembers what eras servers belong to, by their identity, so that a silent one costs its probe timeout once. */
export interface EraMemory {
  get(server: string): Era | undefined
  set(server: string, era: Era): void
}

export interface UpstreamOptions extends FromSessionOptions {
  /** The server's era: found out by a probe (`auto`, the default), or pinned. */
  readonly protocol?: 'auto' | Era
  /**
   * Who shares a connection to the server: callers of one principal (the default), each legacy session for
   * itself, or everybody.
   */
  readonly isolation?: 'principal' | 'session' | 'shared'
  /** What outlives this process of the servers' eras. Default: nothing. */
  readonly eras?: EraMemory
  readonly clientInfo?: Implementation
  /** How long the server may stay silent before it is taken for a legacy one, in milliseconds. Default 3,000. */
  readonly probeTimeout?: number
  /** How long the server may take to start and shake hands, in milliseconds. Default 60,000. */
  readonly startTimeout?: number
  /** How long the server may stay silent about a call, in milliseconds. Default 10 minutes. */
  readonly timeout?: number
  /** How long a call may take in all, in milliseconds. Default one hour. */
  readonly maxTimeout?: number
  /** How many connections calls that may ask get per caller, so that one question does not hold up the rest. Default 4. */
  readonly maxAskingConnections?: number
  /** How long a call waits for a busy connection before another one is opened, in milliseconds. Default 2,000. */
  readonly spillAfter?: number
  /**
   * How long a call that waits for its caller keeps its connection while others wait for one, in milliseconds; then it is given
   * up, longest first, and its retry is told to start anew. Default one minute.
   */
  readonly reclaimAfter?: number
  /** How many connections there may be in all. Default 256. */
  readonly maxConnections?: number
  readonly onEvent?: (event: UpstreamEvent) => void
}

export interface Upstream {
  readonly handler: Handler
  /** Resolves once the server can be reached, starting it if need be; rejects with why not. */
  ready(): Promise<void>
  /** The server's era, once it is known. */
  readonly era: () => Era | undefined
  readonly counts: () => UpstreamCounts
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
const FIRST_BACKOFF = 100
const LONGEST_BACKOFF = 10_000

/** Keeps one server alive for all callers: started on demand, era found out once, connections shared by rule. */
export function upstream(target: Target, options: UpstreamOptions = {}): Upstream {
  return new ServerUpstream(target, options)
}

interface ModernConnection {
  readonly calls: Calls
  readonly handler: Handler
}

class ServerUpstream implements Upstream {
  #target: Target
  #options: UpstreamOptions
  #era: Era | undefined
  #detecting: Promise<Era> | undefined
  #modern = new Map<string, ModernConnection>()
  #opening = new Map<string, Promise<ModernConnection>>()
  #pool: Pool
  #legacy: LegacyHandler
  /** Channels whose handshake is not over, so that closing does not wait for a server that never answers. */
  #handshaking = new Set<Channel>()
  #failures = 0
  #noise = { 'too-large': 0, other: 0 }
  #failed: { readonly error: unknown; readonly until: number } | undefined
  #closed = false

  constructor(target: Target, options: UpstreamOptions) {
    this.#target = target
    this.#options = options
    this.#era = options.protocol === 'auto' ? undefined : options.protocol
    this.#pool = new Pool({
      name: target.name,
      keyOf: (request, context) => this.#legacyKey(request, context),
      open: async request => {
        const opened = await this.#open('legacy', request)
        if (opened.era === 'modern') throw new TypeError('A pinned era changed')
        return opened
      },
      maxPerGroup: options.maxAskingConnections ?? 4,
      maxConnections: options.maxConnections ?? 256,
      spillAfter: options.spillAfter ?? 2_000,
      reclaimAfter: options.reclaimAfter ?? 60_000,
      queueTimeout: 10 * 60_000,
      idleTimeout: options.isolation === 'session' ? 30 * 60_000 : Number.POSITIVE_INFINITY,
      spareIdleTimeout: 60_000,
    })
    this.#legacy = fromSession(this.#pool, options)
  }

  readonly era = (): Era | undefined => this.#era

  readonly counts = (): UpstreamCounts => {
    const modern = [...this.#modern.values()].filter(({ calls }) => !calls.closed)
    return {
      connections: modern.length + this.#pool.size,
      calls: modern.reduce((sum, { calls }) => sum + calls.size, this.#pool.calls),
      parked: this.#legacy.parked(),
    }
  }

  readonly handler: Handler = (request, context) => {
    if (this.#era === 'legacy') return this.#legacy.handler(request, context)
    if (this.#era === 'modern' && request.method !== METHOD_DISCOVER) {
      const connection = this.#modern.get(this.#isolationKey(context))
      if (connection !== undefined && !connection.calls.closed) return connection.handler(request, context)
    }
    return this.#cold(request, context)
  }

  async ready(): Promise<void> {
    if (this.#closed) throw draining(this.#target)
    const living = [...this.#modern.values()].some(connection => !connection.calls.closed)
    if (living || this.#pool.size > 0) return
    const request: JSONRPCRequest = { jsonrpc: '2.0', id: 'ready', method: METHOD_DISCOVER }
    const key = this.#options.isolation === 'shared' ? '' : 'principal:'
    if (this.#era === undefined) await this.#detect(request, key, `${key}|{}`)
    else if (this.#era === 'modern') await this.#modernConnection(key, request)
    else
      this.#pool.adopt(
        `${key}|{}`,
        (await this.#open('legacy', request)) as Extract<Opened, { era: 'legacy' }>,
      )
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#pool.stop()
    // While there are connections, so that servers are told.
    this.#legacy.close()
    const modern = [...this.#modern.values()].map(connection => connection.calls.channel.close())
    const handshaking = [...this.#handshaking].map(channel => channel.close())
    await Promise.all([...modern, ...handshaking, this.#pool.close()])
  }

  /** A call that has to wait for something first: the era, a connection. */
  async *#cold(request: JSONRPCRequest, context: Context): Exchange {
    if (this.#closed) throw draining(this.#target)
    const key = this.#isolationKey(context)
    const era =
      this.#era ?? (await orCancelled(this.#detect(request, key, this.#legacyKey(request, context)), context))
    if (era === 'legacy') return yield* this.#legacy.handler(request, context)
    const connection = await orCancelled(this.#modernConnection(key, request), context)
    const response = yield* connection.handler(request, context)
    if (request.method !== METHOD_DISCOVER || 'error' in response) return response
    // What the server speaks beyond our modern revisions is not served here under its name.
    const result = readResult(response.result)
    const versions = Array.isArray(result.supportedVersions) ? result.supportedVersions : []
    return resultResponse(response.id, { ...result, supportedVersions: versions.filter(isModernVersion) })
  }

  #detect(request: JSONRPCRequest, key: string, legacyKey: string): Promise<Era> {
    this.#detecting ??= this.#openRemembered(request)
      .then(opened => {
        this.#era = opened.era
        this.#options.eras?.set(this.#target.identity ?? this.#target.name, opened.era)
        if (opened.era === 'modern') this.#modern.set(key, opened)
        else this.#pool.adopt(legacyKey, opened)
        return opened.era
      })
      .finally(() => {
        this.#detecting = undefined
      })
    return this.#detecting
  }

  /**
   * Only a legacy verdict is worth remembering, since a modern server answers the probe at once. Where the
   * remembered handshake fails, the server has changed: it is asked again.
   */
  async #openRemembered(request: JSONRPCRequest): Promise<Opened> {
    if (this.#options.eras?.get(this.#target.identity ?? this.#target.name) !== 'legacy')
      return this.#open(undefined, request)
    try {
      return await this.#open('legacy', request)
    } catch (error) {
      if (!(error instanceof TransportError) || error.code === 'ERR_SPAWN') throw error
      this.#failed = undefined
      return this.#open(undefined, request)
    }
  }

  #modernConnection(key: string, request: JSONRPCRequest): Promise<ModernConnection> {
    const open = this.#modern.get(key)
    if (open !== undefined && !open.calls.closed) return Promise.resolve(open)
    let opening = this.#opening.get(key)
    if (opening === undefined) {
      opening = this.#open('modern', request)
        .then(opened => {
          if (opened.era === 'legacy') throw new TypeError('A pinned era changed')
          this.#modern.set(key, opened)
          return opened
        })
        .finally(() => this.#opening.delete(key))
      this.#opening.set(key, opening)
    }
    return opening
  }

  async #open(era: Era | undefined, request: JSONRPCRequest): Promise<Opened> {
    if (this.#closed) throw draining(this.#target)
    if (this.#failed !== undefined && performance.now() < this.#failed.until) throw this.#failed.error
    const started = performance.now()
    this.#options.onEvent?.({ type: 'starting' })
    const channels: Channel[] = []
    const target: Target = {
      name: this.#target.name,
      open: async () => {
        const channel = await this.#target.open()
        channels.push(channel)
        this.#handshaking.add(channel)
        if (this.#closed) void channel.close()
        return channel
      },
    }
    try {
      const capabilities = clientCapabilitiesOf(request)
      const clientInfo = clientInfoOf(request) ?? this.#options.clientInfo ?? ANYPORT
      const opened = await openServer(
        target,
        era,
        { capabilities, clientInfo, onLoss: this.#options.onLoss },
        this.#openOptions(),
      )
      this.#failures = 0
      this.#failed = undefined
      this.#options.onEvent?.({ type: 'ready', era: opened.era, milliseconds: performance.now() - started })
      if (this.#closed) {
        void opened.calls.channel.close()
        throw draining(this.#target)
      }
      return opened
    } catch (error) {
      const wait = Math.min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** this.#failures++)
      this.#failed = { error, until: performance.now() + wait }
      this.#options.onEvent?.({ type: 'failed', error: error as Error })
      throw error
    } finally {
      for (const channel of channels) this.#handshaking.delete(channel)
    }
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
    }
  }

  /** Callers with different keys never share a connection. */
  #isolationKey(context: Context): string {
    const { caller } = context
    switch (this.#options.isolation ?? 'principal') {
      case 'shared':
        return ''
      case 'session':
        if (caller.session !== undefined) return `session:${caller.session}`
        return `principal:${caller.principal ?? ''}`
      case 'principal':
        return `principal:${caller.principal ?? ''}`
    }
  }

  /**
   * A legacy server learns a client's capabilities once, and offers by them, so callers share a connection only
   * with their like: those who can be asked, and by what; and the mute ones.
   */
  #legacyKey(request: JSONRPCRequest, context: Context): string {
    const capabilities = clientCapabilitiesOf(request)
    return `${this.#isolationKey(context)}|${canBeAsked(capabilities) ? '?' : ''}${fingerprint(capabilities)}`
  }
}

function draining(target: Target): TransportError {
  return new TransportError('ERR_DRAINING', `${target.name} is shutting down`, { hop: target.name })
}
