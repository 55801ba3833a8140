/** The door of the library: one server, on every transport that is asked for. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import type { Dashboard, ServingStatus } from '../client/serving-status.js'
import type { Upstream } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import { compose, type Handler } from '../exchange/exchange.js'
import type { LossKind, LossListener } from '../legacy/losses.js'
import type { Sealer } from '../legacy/request-state.js'
import type { Channel } from '../transport/channel/channel.js'
import type { ServerGateway } from './gateway.js'
import { listenFace } from './listen-face.js'
import { isLoopback } from './loopback.js'
import type { Face, ServeEvent, ServeOptions, Server } from './serve-options.js'
import type { SocketAddress } from './socket.js'
import { channelOptions, framedFor, socketFace, streamsFace } from './stream-faces.js'
import { version } from './version.js'

/** What answers, whatever keeps it alive. */
type Served = Pick<Upstream, 'handler' | 'ready' | 'endSession' | 'close'> &
  Partial<
    Pick<Upstream, 'counts' | 'status' | 'secrets'> & Pick<ServerGateway, 'server' | 'served' | 'secretsOf'>
  >

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
  { onRefused, onRefusedConnection }: ServeOptions,
): Pick<ServeOptions, 'onRefused' | 'onRefusedConnection'> {
  return {
    onRefusedConnection(refused) {
      dashboard.refusedConnection(refused)
      onRefusedConnection?.(refused)
    },
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
