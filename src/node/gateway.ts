/** Many servers behind one address: the gateway with its servers kept alive. */

import type { UpstreamEvent } from '../client/events.js'
import type { Target } from '../client/open.js'
import { isRemote, type RemoteTarget } from '../client/remote.js'
import type { ServedServer } from '../client/serving-status.js'
import { type Upstream, upstream } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import type { Caller } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { compose, type Handler, type Middleware } from '../exchange/exchange.js'
import { masked } from '../exchange/masked.js'
import { printable } from '../exchange/printable.js'
import { createGateway, type Gateway, type GatewayOptions } from '../gateway/gateway.js'
import type { GatewayServer } from '../gateway/member.js'
import { namedServer } from '../middleware/exchange/audit.js'
import { RpcError } from '../protocol/errors.js'

/** A server behind a gateway, with rules of its own. What it does not say the gateway's options say. */
export interface GatewayTarget
  extends Omit<GatewayServer, 'handler'>,
    Omit<UpstreamOptions, 'onEvent' | 'capacity'> {
  readonly target: Target | RemoteTarget | Handler
  /** Started when all are. Default true, unless each session has its own. */
  readonly warm?: boolean | undefined
  /** What goes around this server alone, outermost first, within the gateway's `around`. Default: nothing. */
  readonly guards?: readonly Middleware[] | undefined
  /** Callers for whom it differs see lists of their own, as where `guards` hide things by who asks. Default: it does not. */
  readonly audienceOf?: ((caller: Caller) => string) | undefined
}

export type GatewaySource = Target | RemoteTarget | Handler | GatewayTarget

export interface ServerGatewayOptions extends GatewayOptions, Omit<UpstreamOptions, 'onEvent'> {
  /** How long open calls of a server that is removed or replaced may go on, in milliseconds. Default 30,000. */
  readonly drainTimeout?: number | undefined
  /** What goes around each server, told its name: what it hides is neither listed nor called, in whatever way. Default: nothing. */
  readonly around?: ((server: string) => Middleware) | undefined
  /** What happens to each server. */
  readonly onServerEvent?: ((server: string, event: UpstreamEvent) => void) | undefined
}

export interface ServersUpdate {
  /** Servers that are new, or take the place of one of the same name. */
  readonly set?: Readonly<Record<string, GatewaySource>> | undefined
  /** Names of those that go. */
  readonly remove?: readonly string[] | undefined
}

/** What `serve` takes for many servers. Whoever serves it closes it. */
export interface ServerGateway extends Omit<Gateway, 'change' | 'close'> {
  /**
   * Adds, replaces and removes servers, all at once: clients hear of each list that changed once, and sessions with other servers
   * see nothing. Open calls of those that go may finish. Throws `TypeError`, and changes nothing, for servers that cannot work.
   */
  update(change: ServersUpdate): void
  /** Starts all servers, rather than each on its first request. */
  warm(): void
  /** Resolves once one of the servers can be reached; rejects with why none can. */
  ready(): Promise<void>
  /** A session has ended: what was opened for it alone is closed. */
  endSession(session: string): void
  /** How each server does, in the order of their names. */
  served(): readonly ServedServer[]
  /** Values that a server was given and nobody else should see. */
  secretsOf(server: string): readonly string[]
  /** Stops all servers. */
  close(): Promise<void>
}

/**
 * Puts servers behind one address: their tools, prompts and resources under names that are never the same, and each server
 * alone. Nothing is started before somebody needs it. Throws `TypeError` for servers or options that cannot work.
 */
export function gateway(
  { servers }: { readonly servers: Readonly<Record<string, GatewaySource>> },
  options: ServerGatewayOptions = {},
): ServerGateway {
  return new RunningGateway(servers, options)
}

class RunningGateway implements ServerGateway {
  readonly #options: ServerGatewayOptions
  readonly #gateway: Gateway
  #upstreams = new Map<string, Upstream>()
  /** What tells callers apart at each server, beyond their principal. */
  #audiences = new Map<string, (caller: Caller) => string>()
  /** Those that start with their first call. Where each session has its own, there is nothing to start before. */
  readonly #lazy = new WeakSet<Upstream>()
  readonly #draining = new Set<Promise<void>>()
  #closing: Promise<void> | undefined

  constructor(sources: Readonly<Record<string, GatewaySource>>, options: ServerGatewayOptions) {
    this.#options = options
    const { servers, upstreams, audiences } = this.#opened(sources)
    this.#upstreams = upstreams
    this.#audiences = audiences
    const perSession =
      options.isolation === 'session' ||
      Object.values(sources).some(source => 'target' in source && source.isolation === 'session')
    this.#gateway = createGateway(servers, {
      perSession,
      ...options,
      audienceOf: caller => this.#audienceOf(caller),
    })
  }

  get handler(): Handler {
    return this.#gateway.handler
  }

  get server() {
    return this.#gateway.server
  }

  get servers() {
    return this.#gateway.servers
  }

  update({ set = {}, remove = [] }: ServersUpdate): void {
    if (this.#closing !== undefined) throw new TypeError('The gateway is closed')
    const { servers, upstreams, audiences } = this.#opened(set)
    this.#gateway.change({ set: servers, remove })
    const before = this.#upstreams
    this.#upstreams = new Map(
      [...before].filter(([name]) => !remove.includes(name) && !Object.hasOwn(set, name)),
    )
    for (const [name, up] of upstreams) this.#upstreams.set(name, up)
    this.#audiences = new Map(
      [...this.#audiences].filter(([name]) => !remove.includes(name) && !Object.hasOwn(set, name)),
    )
    for (const [name, audienceOf] of audiences) this.#audiences.set(name, audienceOf)
    const kept = new Set(this.#upstreams.values())
    for (const up of before.values()) if (!kept.has(up)) this.#drain(up)
  }

  warm(): void {
    // What goes wrong is an event, and told to each caller as well.
    for (const up of this.#upstreams.values()) if (!this.#lazy.has(up)) up.ready().catch(() => {})
  }

  async ready(): Promise<void> {
    const upstreams = [...this.#upstreams]
    if (upstreams.length === 0) return
    try {
      await Promise.any(upstreams.map(([, up]) => up.ready()))
    } catch (error) {
      const reasons = (error as AggregateError).errors.map(
        (reason, index) => `${upstreams[index]?.[0]}: ${reason instanceof Error ? reason.message : reason}`,
      )
      throw new TransportError('ERR_CONNECT', `None of the servers can be reached. ${reasons.join('; ')}`)
    }
  }

  served(): readonly ServedServer[] {
    return this.servers().map(({ name, error }) => {
      const up = this.#upstreams.get(name)
      const unavailable = error === undefined ? undefined : shownError(error, up?.secrets ?? [])
      return { name, path: `/servers/${encodeURIComponent(name)}`, unavailable, status: up?.status() }
    })
  }

  secretsOf(server: string): readonly string[] {
    return this.#upstreams.get(server)?.secrets ?? []
  }

  endSession(session: string): void {
    for (const up of this.#upstreams.values()) up.endSession(session)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#gateway.close()
    await Promise.all([...[...this.#upstreams.values()].map(up => up.close()), ...this.#draining])
  }

  #opened(sources: Readonly<Record<string, GatewaySource>>) {
    const upstreams = new Map<string, Upstream>()
    const audiences = new Map<string, (caller: Caller) => string>()
    const servers = Object.entries(sources).map(([name, source]): [string, GatewayServer] => {
      const {
        target,
        prefix,
        tools,
        prompts,
        warm,
        guards = [],
        audienceOf,
        ...own
      }: GatewayTarget = 'target' in source ? source : { target: source }
      const tells = [audienceOf, typeof target === 'function' ? undefined : signatureOf(target)].filter(
        each => each !== undefined,
      )
      if (tells.length > 0) audiences.set(name, caller => JSON.stringify(tells.map(tell => tell(caller))))
      let handler = target
      if (typeof handler !== 'function') {
        const up = upstream(handler, {
          ...this.#common(),
          ...own,
          onEvent: event => this.#options.onServerEvent?.(name, event),
        })
        upstreams.set(name, up)
        const perSession = (own.isolation ?? this.#options.isolation) === 'session'
        if (!(warm ?? !perSession)) this.#lazy.add(up)
        handler = up.handler
      }
      const guarded = compose(handler, ...guards)
      const inside = this.#options.around?.(name)(guarded) ?? guarded
      // Whoever watches the whole learns where a call went.
      return [name, { handler: namedServer(name)(inside), prefix, tools, prompts }]
    })
    return { servers: Object.fromEntries(servers), upstreams, audiences }
  }

  #audienceOf(caller: Caller): string {
    const given = this.#options.audienceOf?.(caller) ?? ''
    if (this.#audiences.size === 0) return given
    return JSON.stringify([given, ...[...this.#audiences.values()].map(each => each(caller))])
  }

  /** What holds for servers that do not say otherwise. */
  #common(): UpstreamOptions {
    const { onEvent: _gatewayEvents, ...rest } = this.#options
    return rest
  }

  /** Nobody finds it any more: what is open may finish. */
  #drain(up: Upstream): void {
    const ended = drained(up, this.#options.drainTimeout ?? 30_000, () => this.#closing !== undefined)
      .then(() => up.close())
      .finally(() => this.#draining.delete(ended))
    this.#draining.add(ended)
  }
}

/** What else went wrong is a bug of ours or of a handler: its text may hold anything. */
function shownError(error: Error, secrets: readonly string[]): string {
  if (!(error instanceof TransportError || error instanceof RpcError)) return 'Internal error'
  return printable(masked(error.message.slice(0, 1_000), secrets))
}

/** Whose credentials differ may see different things. */
function signatureOf(target: Target | RemoteTarget): ((caller: Caller) => string) | undefined {
  const credentials = isRemote(target) ? target.remote.credentials : undefined
  if (credentials === undefined) return undefined
  return caller => {
    try {
      return credentials.of(caller).key
    } catch {
      // Who cannot be signed for sees nothing of it.
      return ''
    }
  }
}

/** Resolves once no call is open, or so many milliseconds have passed, or nobody wants to wait. */
async function drained(up: Upstream, timeout: number, isOver: () => boolean): Promise<void> {
  const end = performance.now() + timeout
  do {
    await new Promise(resolve => setTimeout(resolve, LOOK))
  } while (up.counts().calls > 0 && performance.now() < end && !isOver())
}

/** Milliseconds between two looks at a server that drains. */
const LOOK = 50
