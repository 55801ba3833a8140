/** The door of the library: one server, on every transport that is asked for. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import type { ServerMemory } from '../client/server-memory.js'
import type { Dashboard, ServingStatus } from '../client/serving-status.js'
import type { Upstream, UpstreamCounts } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import type { Caller } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { compose, type Handler, type Middleware } from '../exchange/exchange.js'
import type { RefusedConnection } from '../exchange/refused-connection.js'
import type { LossKind, LossListener } from '../legacy/losses.js'
import type { Sealer } from '../legacy/request-state.js'
import type { AddressSet } from '../middleware/http/address-rules.js'
import type { ByteStream, Channel } from '../transport/channel/channel.js'
import type { ServedChannel } from '../transport/channel/serve.js'
import type { HttpAccessOptions } from '../transport/http-access.js'
import type { HttpBeside } from '../transport/http-beside.js'
import type { HttpFaceOptions } from '../transport/http-face.js'
import type { HttpAccess } from '../transport/open-access.js'
import { framed } from './connect.js'
import type { ServerGateway } from './gateway.js'
import { isLoopback } from './loopback.js'
import { formatSocketAddress, listenSocket, type SocketAddress } from './socket.js'
import type { TlsChange } from './tls/tls-change.js'
import type { TlsIdentity } from './tls/tls-identity.js'
import { version } from './version.js'

export interface ServeOptions
  extends HttpAccessOptions,
    Omit<
      HttpFaceOptions,
      | 'access'
      | 'boundHost'
      | 'sameHost'
      | 'servers'
      | 'ready'
      | 'readyTimeout'
      | 'onSessionEnd'
      | 'ownTimers'
    >,
    Omit<UpstreamOptions, 'onEvent' | 'onLoss' | 'front'> {
  /** False: no HTTP, even where nothing else is asked for; clients come by `attach`. Default: see `host`. */
  readonly http?: boolean | undefined
  /** The address for HTTP; 127.0.0.1 by default. HTTP is served where it or `port` is given, or nothing else is asked for. */
  readonly host?: string | undefined
  /** The port for HTTP; 3000 by default, 0 takes any free one. */
  readonly port?: number | undefined
  /**
   * Serves HTTPS: with a certificate and key from PEM files, followed when they change, or with one made for this run.
   * `clientCa` is a PEM file with the authorities whose client certificates are taken (see `certificates`).
   */
  readonly tls?: TlsFiles | TlsSelfSigned | undefined
  /** Serves on our own stdin and stdout; the server ends when its client does. */
  readonly stdio?: boolean | undefined
  /** Serves the stdio framing on a Unix domain socket at this path. */
  readonly socket?: string | undefined
  /** Serves the stdio framing on a TCP port. */
  readonly tcp?: { readonly host: string; readonly port: number } | undefined
  /** Allows addresses that other machines can reach although nobody authenticates. Default false. */
  readonly allowUnauthenticated?: boolean | undefined
  /** Milliseconds of silence after which a stream is kept alive; 15 seconds by default. */
  readonly keepAliveInterval?: number | undefined
  /** Milliseconds that a client may take to send a whole request over HTTP; half of it for its head, 15 seconds at most. Default 30 seconds. */
  readonly requestTimeout?: number | undefined
  /** Bytes that the head of an HTTP request may have; 32 KiB by default. More is answered with 431. */
  readonly maxHeaderSize?: number | undefined
  /** Header lines that an HTTP request may have; 256 by default, 2,000 at most. More is answered with 431. */
  readonly maxHeaders?: number | undefined
  /** HTTP connections open at once; 10,000 by default. More are closed unread. */
  readonly maxClients?: number | undefined
  /**
   * HTTP connections that one address may have (IPv6: one network of 64 bits), but for those of this machine and of trusted proxies; 1,000
   * by default.
   */
  readonly maxClientsPerAddress?: number | undefined
  /**
   * What goes around all that is served, outermost first: the whole, and each server of a gateway that is served alone. What shall
   * see one server's own names goes around it (`around` of `gateway`). A promise is awaited while the server starts; nothing is
   * served before.
   */
  readonly guards?: readonly Middleware[] | Promise<readonly Middleware[]> | undefined
  /** Bytes that a message on stdio or a socket may have; 64 MiB by default. */
  readonly maxMessage?: number | undefined
  /**
   * Starts the server at once rather than on the first request. Default true, unless each session has its own; there it keeps
   * one spare for the next session (see `spares`).
   */
  readonly eager?: boolean | undefined
  /**
   * Clients wait until the server is up. Default false: those who come before get within 300 ms what is remembered of it, or
   * next to nothing, and hear later what has changed.
   */
  readonly strictStart?: boolean | undefined
  /** What outlives this process of what servers offer. Default: nothing. */
  readonly memory?: ServerMemory | undefined
  /**
   * Seals what calls that wait for answers hand to their clients: 16 characters or more, the same for all replicas. Default: a
   * random key of this process.
   */
  readonly stateKey?: string | undefined
  /**
   * A page at `/dashboard` that shows what is served, and lets people try it, made by `dashboard()`. Needs HTTP. Throws `TypeError` where it would be
   * shown to people whom nobody has chosen. Default: none.
   */
  readonly dashboard?: Dashboard | undefined
  /** Hears of each connection that was closed because there are too many, or because what came on it was no request. */
  readonly onRefusedConnection?: ((refused: RefusedConnection) => void) | undefined
  readonly onEvent?: ((event: ServeEvent) => void) | undefined
}

export interface TlsFiles {
  readonly cert: string
  readonly key: string
  readonly clientCa?: string | undefined
}

export interface TlsSelfSigned {
  readonly selfSigned: true
  readonly clientCa?: string | undefined
}

export type ServeEvent =
  /** The files of the certificate have changed; with an error, the one before goes on. */
  | ({ readonly type: 'certificate' } & TlsChange)
  | Parameters<NonNullable<UpstreamOptions['onEvent']>>[0]
  /** Something could not cross between the eras: what, and how often that kind has happened. */
  | {
      readonly type: 'loss'
      readonly kind: LossKind
      readonly detail: string
      readonly count: number
    }
  /** A connection was closed because there are too many, or because what came on it was no request. */
  | ({ readonly type: 'connection-refused' } & RefusedConnection)
  /** A bug: something failed that no caller can be told about. */
  | { readonly type: 'error'; readonly error: unknown }

export interface Server {
  /** The endpoint of Streamable HTTP, where HTTP is served. */
  readonly url?: string
  /** The stream of HTTP+SSE, where HTTP is served. */
  readonly sseUrl?: string
  /** The page that shows what is served, where there is one. */
  readonly dashboardUrl?: string
  /** SHA-256 of the certificate of HTTPS. */
  readonly fingerprint?: string
  /** Addresses of the byte streams served: `socket:PATH`, `tcp://HOST:PORT`. */
  readonly sockets: readonly string[]
  /** Resolves once the server has closed, whoever asked for it. */
  readonly closed: Promise<void>
  /**
   * Serves one more client, which speaks the stdio framing over a stream of bytes, a session of its own. Resolves once it is
   * served; `closed` resolves when it has left. Rejects with `TransportError` ERR_DRAINING once the server closes.
   */
  attach(stream: ByteStream): Promise<{ readonly closed: Promise<void> }>
  /** What is open behind it at this moment; nothing where a handler is served. */
  counts(): UpstreamCounts
  /** What is served, and how each server does. JSON as it is, without secrets. */
  status(): ServingStatus
  /**
   * Refuses new work, lets open calls finish for at most `drainTimeout` milliseconds (default 5 seconds), ends the rest,
   * then stops what was started. Repeated calls give the same promise.
   */
  close(options?: { readonly drainTimeout?: number }): Promise<void>
}

/** What answers, whatever keeps it alive. */
type Served = Pick<Upstream, 'handler' | 'ready' | 'endSession' | 'close'> &
  Partial<
    Pick<Upstream, 'counts' | 'status' | 'secrets'> & Pick<ServerGateway, 'server' | 'served' | 'secretsOf'>
  >

/** Something that can be drained and then closed. */
interface Face {
  drain(timeout: number): Promise<void>
}

/**
 * Serves a target, a handler or a gateway, which is closed with the server; a gateway's servers are also served each alone, below
 * `/servers/NAME`. Resolves once the first request would be answered. Throws `TypeError` for options that
 * cannot work, rejects with `TransportError` ERR_LISTEN for an address that cannot be had.
 */
export async function serve(
  what: Target | RemoteTarget | Handler | ServerGateway,
  given: ServeOptions = {},
): Promise<Server> {
  const { host = '127.0.0.1', port = 3000, stdio = false, socket, tcp, onEvent = () => {} } = given
  const http =
    given.http ??
    (given.host !== undefined || given.port !== undefined || !(stdio || socket !== undefined || tcp))
  if (!given.allowUnauthenticated) {
    if (http && given.authentication === undefined) refuseOpenBind(host)
    if (tcp !== undefined) refuseOpenBind(tcp.host)
  }
  const { dashboard } = given
  if (dashboard !== undefined) checkDashboard(dashboard, given, http)
  const onLoss = lossEvents(onEvent)
  const eager = given.eager ?? (given.isolation !== 'session' || (given.spares ?? 0) > 0)
  const loading = Promise.resolve(given.guards ?? [])
  // Whoever waits for them hears of it.
  loading.catch(() => {})
  const options = {
    ...given,
    eager,
    spares: Math.max(given.spares ?? 0, given.isolation === 'session' && eager ? 1 : 0),
    toSession: { onLoss, ...given.toSession },
    onSessionEnd: (session: string) => {
      dashboard?.sessionEnded(session)
      up?.endSession(session)
    },
    ...(dashboard === undefined ? {} : refusalsWatchedBy(dashboard, given)),
  }
  const sealer = options.stateKey === undefined ? options.sealer : await sealerOf(options.stateKey)

  // A program takes its time to start, and so does loading what serves it: both at once. All the imports of this file
  // that are not needed before are therefore dynamic.
  const target = 'open' in what && eager ? openedEarly(what) : what
  if ('warm' in target && eager) target.warm()
  if ('remote' in target && eager) prepareFor(target)
  const up: Served | undefined =
    typeof target === 'function'
      ? undefined
      : 'handler' in target
        ? target
        : await openUpstream(target, {
            ...options,
            one: stdio && !http && socket === undefined && tcp === undefined,
            onLoss,
            onEvent,
            ...(sealer === undefined ? {} : { sealer }),
          })
  const own = await loading.catch(async error => {
    await up?.close()
    throw error
  })
  const guards = dashboard === undefined ? own : [dashboard.guard, ...own]
  const handler = compose(typeof target === 'function' ? target : (up as Served).handler, ...guards)
  const attached = streamsFace(handler, options)
  const faces: Face[] = [attached]
  const sockets: string[] = []
  let closing: Promise<void> | undefined
  let resolveClosed = () => {}
  const closed = new Promise<void>(resolve => {
    resolveClosed = resolve
  })
  const close = (drainTimeout: number) => {
    closing ??= Promise.all(faces.map(face => face.drain(drainTimeout)))
      .then(() => up?.close())
      .finally(resolveClosed)
    return closing
  }

  const startedAt = new Date().toISOString()
  const name = typeof target !== 'function' && 'name' in target ? target.name : 'anyport'
  const { path = '/mcp', ssePath = '/sse' } = options
  const status = (): ServingStatus => ({
    name,
    version: version(),
    pid: process.pid,
    startedAt,
    gateway: up?.served !== undefined,
    ...(http ? { path, ssePath } : {}),
    stdio,
    sockets: [...sockets],
    servers: up?.served?.() ?? [{ name, status: up?.status?.() }],
  })

  const server: Server = {
    closed,
    close: ({ drainTimeout = 5_000 } = {}) => close(drainTimeout),
    sockets,
    attach: stream => attached.attach(stream, { binding: 'socket' }),
    counts: () => up?.counts?.() ?? { connections: 0, calls: 0, parked: 0 },
    status,
  }
  try {
    for (const address of addressesOf(socket, tcp)) {
      const face = await socketFace(address, handler, options)
      faces.push(face)
      sockets.push(face.name)
    }
    if (stdio) {
      const [{ serveChannel }, { standardStreams }] = await Promise.all([
        import('../transport/channel/serve.js'),
        import('./standard-streams.js'),
      ])
      const channel = framedFor(standardStreams(), options)
      const served = serveChannel(channel, handler, { binding: 'stdio' }, channelOptions(options))
      faces.push(served)
      void served.closed.then(() => close(0))
    }
    if (!http) return server
    const beside = dashboard?.open({
      status,
      secretsOf: server => (server === undefined ? up?.secrets : up?.secretsOf?.(server)) ?? [],
      authenticated: given.authentication !== undefined,
      trustsProxy: given.trustProxy !== undefined,
    })
    const { url, fingerprint, ...face } = await listenFace(handler, up, {
      ...options,
      guards,
      host,
      port,
      beside,
    })
    faces.push(face)
    const certified = fingerprint === undefined ? {} : { fingerprint }
    return {
      ...server,
      ...certified,
      url: url + path,
      sseUrl: url + ssePath,
      ...(dashboard === undefined ? {} : { dashboardUrl: url + DASHBOARD }),
    }
  } catch (error) {
    await close(0)
    throw error
  }
}

const DASHBOARD = '/dashboard'

function checkDashboard(dashboard: Dashboard, options: ServeOptions, http: boolean): void {
  if (!http) throw new TypeError('The dashboard is a page, so that it needs HTTP: give a host or a port, too')
  for (const name of ['path', 'ssePath', 'messagesPath'] as const)
    if (options[name] === DASHBOARD || options[name]?.startsWith(`${DASHBOARD}/`))
      throw new TypeError(`${name}: the dashboard is at ${DASHBOARD}, got "${options[name]}"`)
  dashboard.check({ authenticated: options.authentication !== undefined })
}

/** It sees all that comes, also what guards refuse. */
function refusalsWatchedBy(
  dashboard: Dashboard,
  { onRefused }: ServeOptions,
): Pick<ServeOptions, 'onRefused'> {
  return {
    onRefused(request, reply, duration) {
      dashboard.refused(request, reply, duration)
      onRefused?.(request, reply, duration)
    },
  }
}

/** The same target, whose first connection is being opened already. */
function openedEarly(target: Target): Target {
  let first: Promise<Channel> | undefined = target.open()
  // Whoever opens hears of it.
  first.catch(() => {})
  return {
    ...target,
    open() {
      const opened = first ?? target.open()
      first = undefined
      return opened
    },
  }
}

/** Loads what the first call to a remote server takes, beside all else that is loaded. */
function prepareFor({ remote }: RemoteTarget): void {
  import('../client/open-remote.js').catch(() => {})
  remote.client.prepare?.()
}

/** Tells of each loss, with how often its kind has happened. */
function lossEvents(onEvent: (event: ServeEvent) => void): LossListener {
  const counts = new Map<LossKind, number>()
  return (kind, detail) => {
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    onEvent({ type: 'loss', kind, detail, count })
  }
}

async function sealerOf(key: string): Promise<Sealer> {
  return (await import('../legacy/request-state.js')).createSealer(key)
}

async function openUpstream(
  target: Target | RemoteTarget,
  options: UpstreamOptions &
    Pick<ServeOptions, 'eager' | 'strictStart' | 'memory'> & { readonly one: boolean },
): Promise<Upstream> {
  const { upstream } = await import('../client/upstream.js')
  const { eager, strictStart, memory, clientInfo } = options
  const front = {
    ...(memory === undefined ? {} : { memory }),
    ...(clientInfo === undefined ? {} : { serverInfo: clientInfo }),
  }
  const up = upstream(target, strictStart ? options : { ...options, front })
  // What goes wrong is an event, and told to each caller as well.
  if (eager) up.start(options.one).catch(() => {})
  return up
}

async function listenFace(
  handler: Handler,
  up: Served | undefined,
  options: FaceOptions & {
    readonly guards: readonly Middleware[]
    readonly host: string
    readonly port: number
    readonly beside: HttpBeside | undefined
  },
): Promise<Face & { readonly url: string; readonly fingerprint: string | undefined }> {
  const { host, port, onEvent } = options
  const [{ httpFace }, { listenHttp }] = await Promise.all([
    import('../transport/http-face.js'),
    import('./http/http-server.js'),
  ])
  const face = httpFace(handler, {
    ...options,
    access: await accessOf(options, options.beside),
    boundHost: isLoopback(host) ? undefined : host,
    // Its page calls the endpoints beside it.
    sameHost: options.dashboard !== undefined,
    servers: guardedServers(up?.server, options.guards),
    ready: up === undefined ? undefined : () => up.ready(),
  })
  const tls = await tlsIdentity(options)
  const trusted = await trustedAddresses(options)
  const listener = await listenHttp(face.handler, {
    host,
    port,
    tls,
    keepAliveInterval: options.keepAliveInterval,
    requestTimeout: options.requestTimeout,
    maxHeaderSize: options.maxHeaderSize,
    maxHeaders: options.maxHeaders,
    maxClients: options.maxClients,
    maxClientsPerAddress: options.maxClientsPerAddress,
    // Behind a proxy, one address is all clients.
    ...(trusted === undefined ? {} : { uncounted: address => isLoopback(address) || trusted(address) }),
    onRefused: options.onRefused,
    onRefusedConnection: refused => {
      options.onRefusedConnection?.(refused)
      onEvent?.({ type: 'connection-refused', ...refused })
    },
    onError: error => onEvent?.({ type: 'error', error }),
  })
  return {
    url: listener.url,
    fingerprint: tls?.fingerprint,
    async drain(timeout) {
      options.dashboard?.close()
      // The face ends what it can within the time; the rest is a client that does not take its reply.
      const gone = listener.close({ drainTimeout: timeout + 500 })
      await face.drain(timeout)
      await face.close()
      await gone
    },
  }
}

/** Most faces need no guards of their own: nothing is loaded for them. */
async function accessOf(
  options: HttpAccessOptions,
  beside: HttpBeside | undefined,
): Promise<HttpAccess | undefined> {
  const { authentication, cors, trustProxy, allowAddresses = [], denyAddresses = [] } = options
  const isOpen = authentication === undefined && cors === undefined && trustProxy === undefined
  const own =
    isOpen && allowAddresses.length + denyAddresses.length === 0
      ? undefined
      : (await import('../transport/http-access.js')).httpAccess(options)
  if (beside === undefined) return own
  const [{ accessBeside }, { OPEN }] = await Promise.all([
    import('../transport/http-beside.js'),
    import('../transport/open-access.js'),
  ])
  return accessBeside(own ?? OPEN, beside)
}

async function trustedAddresses({ trustProxy }: HttpAccessOptions): Promise<AddressSet | undefined> {
  if (trustProxy === undefined) return undefined
  const { addressSet } = await import('../middleware/http/address-rules.js')
  return addressSet('trustProxy', trustProxy.addresses)
}

async function tlsIdentity({
  tls,
  host,
  publicUrl,
  onEvent,
}: ServeOptions): Promise<TlsIdentity | undefined> {
  if (tls === undefined) return undefined
  const { selfSigned, tlsFiles } = await import('./tls/tls-identity.js')
  if (!('selfSigned' in tls))
    return tlsFiles({ ...tls, onChange: change => onEvent?.({ type: 'certificate', ...change }) })
  const outside = publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')]
  const bound = host === undefined || host === '0.0.0.0' || host === '::' ? [] : [host]
  return selfSigned([...new Set([...outside, ...bound, 'localhost', '127.0.0.1', '::1'])], tls)
}

/** The servers of a gateway that are served each alone. */
function guardedServers(
  server: ServerGateway['server'] | undefined,
  guards: readonly Middleware[],
): ServerGateway['server'] | undefined {
  if (server === undefined || guards.length === 0) return server
  return name => {
    const own = server(name)
    return own === undefined ? undefined : compose(own, ...guards)
  }
}

async function socketFace(
  address: SocketAddress,
  handler: Handler,
  options: FaceOptions,
): Promise<Face & { readonly name: string }> {
  // Loaded before the first client comes.
  await import('../transport/channel/serve.js')
  const streams = streamsFace(handler, options)
  const listener = await listenSocket(address, (stream, { address: peer }) => {
    const caller: Caller = { binding: 'socket', ...(peer === undefined ? {} : { address: peer }) }
    // Whoever comes while we close is closed.
    streams.attach(stream, caller).catch(() => stream.close())
  })
  return {
    name: formatSocketAddress(listener.address),
    async drain(timeout) {
      await listener.close()
      await streams.drain(timeout)
    },
  }
}

/** Serves clients, one per stream. */
function streamsFace(handler: Handler, options: FaceOptions) {
  const open = new Set<ServedChannel>()
  let draining = false
  return {
    async attach(stream: ByteStream, caller: Caller): Promise<ServedChannel> {
      const { serveChannel } = await import('../transport/channel/serve.js')
      if (draining) throw new TransportError('ERR_DRAINING', 'The server is shutting down')
      const served = serveChannel(framedFor(stream, options), handler, caller, channelOptions(options))
      open.add(served)
      void served.closed.then(() => open.delete(served))
      return served
    },
    async drain(timeout: number): Promise<void> {
      draining = true
      await Promise.all([...open].map(served => served.drain(timeout)))
    },
  }
}

type FaceOptions = ServeOptions & { readonly onSessionEnd: (session: string) => void }

function channelOptions({ toSession, onSessionEnd }: FaceOptions) {
  return { ...toSession, onSessionEnd }
}

function framedFor(stream: ByteStream, { maxMessage, maxDepth }: ServeOptions): Channel {
  return framed(stream, {
    unambiguous: true,
    ...(maxMessage === undefined ? {} : { maxMessage }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
  })
}

function addressesOf(socket: string | undefined, tcp: ServeOptions['tcp']): readonly SocketAddress[] {
  return [...(socket === undefined ? [] : [{ path: socket }]), ...(tcp === undefined ? [] : [tcp])]
}

function refuseOpenBind(host: string): void {
  if (isLoopback(host)) return
  throw new TypeError(
    `${host} can be reached from other machines, and nobody would have to authenticate: everybody who reaches it could use the server. ` +
      'Bind to 127.0.0.1, ask for a credential (--keys, --auth-issuer, --tls-client-ca; authentication in the library), or accept that with --allow-unauthenticated (allowUnauthenticated: true)',
  )
}
