/** The command `anyport serve`. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import type { ServerEntry } from '../config/server-entry.js'
import { TransportError } from '../exchange/errors.js'
import type { Middleware } from '../exchange/exchange.js'
import type { LossKind } from '../legacy/losses.js'
import type { ConfigGateway, ConfigGatewayOptions } from '../node/config/config-gateway.js'
import type { LoadedConfig } from '../node/config/load-config.js'
import type { Governing } from '../node/govern.js'
import { collectWhenIdle } from '../node/idle-collection.js'
import { createLog, type Log, useColors, withFields } from '../node/log.js'
import { serve } from '../node/serve.js'
import type { ServeEvent, Server } from '../node/serve-options.js'
import { eraCache } from '../node/storage/era-cache.js'
import { serverCache } from '../node/storage/server-cache.js'
import { version } from '../node/version.js'
import { limitYoungGeneration } from '../node/young-generation.js'
import { accessOf } from './access.js'
import { type OptionValues, type ParsedArguments, parseArguments, UsageError } from './arguments.js'
import { openDashboard } from './dashboard.js'
import { type Definitions, openDefinitions } from './definitions.js'
import { describeError } from './describe-error.js'
import { openGoverning } from './governing.js'
import { noiseLog } from './log-noise.js'
import { refusedConnectionsLog } from './log-refused-connections.js'
import { pinName } from './pin-name.js'
import { SERVE_OPTIONS, stateKeyOfEnvironment } from './serve-options.js'
import { targetOf } from './target.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>
type Options = OptionValues<typeof SERVE_OPTIONS>

/** Serves until a signal or the end of stdin; resolves with the exit code. */
export function serveCommand(argv: readonly string[]): Promise<number> {
  return serveParsed(parseArguments(SERVE_OPTIONS, argv))
}

export async function serveParsed(fromLine: Parsed): Promise<number> {
  const many =
    fromLine.options.config !== undefined ||
    (fromLine.positionals.length === 0 && fromLine.rest === undefined)
  // Loaded only where there is a file.
  const { parsed, inFile } = many
    ? await (await import('./file-guards.js')).withFileGuards(fromLine)
    : { parsed: fromLine, inFile: {} }
  const { options, given } = parsed
  const log = createLog({
    level: options.quiet && !given.has('log-level') ? 'error' : options['log-level'],
    format: options['log-format'],
  })
  const own = version()
  const access = await accessOf(options, log).catch(error => {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  })
  const dashboard = await openDashboard(parsed)
  const governing = await openGoverning(parsed, many, log, inFile)
  let definitions: Definitions | undefined
  const guardsIn = async ({ file, gateway, servers }: LoadedConfig) => {
    const modes = servers.map(({ settings }) => settings?.pin)
    const opened = await openDefinitions({ options, log, config: { file, gateway }, modes })
    definitions = opened
    const guards = await opened.load()
    return ({ name, settings }: ServerEntry) => guards(name, settings)
  }
  const config = many ? await openConfig(parsed, log, own, governing, guardsIn) : undefined
  const target = config === undefined ? await targetOf(parsed, log) : { name: namesOf(config) }
  if (config === undefined) definitions = await openDefinitions({ options, log })
  const unusable = new Unusable()
  // Before anything is started: a signal that nobody hears would leave the server behind.
  const signal = signalled(config)
  const noise = noiseLog(log)
  const refusedConnections = refusedConnectionsLog(log)
  const onEvent = (event: ServeEvent) => {
    if (event.type === 'noise') noise(event)
    else if (event.type === 'connection-refused') refusedConnections(event)
    else if (!unusable.hear(event)) logEvent(log, target.name, event)
  }

  let server: Server
  try {
    server = await serve(config?.gateway ?? (target as Target | RemoteTarget), {
      ...serveOptions(parsed),
      ...access.options,
      // They are loaded while the server starts.
      guards: guardsAround(governing, config === undefined ? definitions : undefined, target.name),
      onRefused: governing?.onRefused,
      dashboard,
      onRefusedConnection: governing?.onRefusedConnection,
      clientInfo: { name: 'anyport', version: own },
      onEvent,
    })
  } catch (error) {
    await config?.close()
    definitions?.close()
    await governing?.close()
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
  // By the end of this turn it is known whether the program could be started.
  await new Promise(resolve => setImmediate(resolve))
  if (unusable.error === undefined) await announce(server, { own, target, options, log, config })
  limitYoungGeneration()
  collectWhenIdle()

  const end = await Promise.race([server.closed.then(() => undefined), signal, unusable.found])
  if (end instanceof Error) {
    await server.close({ drainTimeout: 0 })
    await governing?.close()
    throw end
  }
  if (end !== undefined) {
    log.info('draining', `${end}: no new work, open calls may finish`, { timeout: options['drain-timeout'] })
    await server.close({ drainTimeout: options['drain-timeout'] })
    log.info('stopped', 'Stopped')
  }
  access.close()
  await config?.close()
  definitions?.close()
  await governing?.close()
  await log.flush()
  return 0
}

async function guardsAround(
  governing: Governing | undefined,
  definitions: Definitions | undefined,
  serving: string,
): Promise<readonly Middleware[]> {
  const own = (await definitions?.load())?.(pinName(serving)) ?? []
  return [...(governing?.guards ?? []), ...own]
}

/** A program that can never be started is a mistake of the command line, which ends us; later it is bad luck of one start. */
class Unusable {
  error: Error | undefined
  readonly found: Promise<Error>
  #resolve: (error: Error) => void = () => {}
  #wasReady = false

  constructor() {
    this.found = new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  /** True for the event that shows it. */
  hear(event: ServeEvent): boolean {
    if (event.type === 'ready') this.#wasReady = true
    if (event.type !== 'failed' || this.#wasReady) return false
    if (!(event.error instanceof TransportError && event.error.code === 'ERR_SPAWN')) return false
    this.error = event.error
    this.#resolve(event.error)
    return true
  }
}

/** Many servers. Loaded only then. */
async function openConfig(
  parsed: Parsed,
  log: Log,
  version: string,
  governing: Governing | undefined,
  guardsIn: ConfigGatewayOptions['guardsIn'],
): Promise<ConfigGateway> {
  const noises = new Map<string, ReturnType<typeof noiseLog>>()
  const { openConfig } = await import('./serve-config.js')
  return await openConfig(parsed, {
    log,
    version,
    guardsIn,
    ...(governing === undefined ? {} : { governing }),
    common: { ...serveOptions(parsed), clientInfo: { name: 'anyport', version } },
    onServerEvent: (server, event) => {
      const own = server === '' ? log : withFields(log, { server })
      if (event.type !== 'noise') return logEvent(own, server, event)
      const noise = noises.get(server) ?? noiseLog(own)
      noises.set(server, noise)
      noise(event)
    },
  })
}

function namesOf(config: ConfigGateway): string {
  const { servers, file } = config.config()
  return `${servers.length === 1 ? '1 server' : `${servers.length} servers`} of ${file}`
}

/**
 * Resolves with the first signal to end; from then on another one ends us at once, children included. SIGHUP asks a daemon to
 * read its configuration again; on a terminal it says that this has gone.
 */
function signalled(config: ConfigGateway | undefined): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    let signals = 0
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (signal === 'SIGHUP' && config !== undefined && !process.stdin.isTTY && !process.stderr.isTTY) {
          void config.reload()
          return
        }
        if (++signals > 1) process.exit(signal === 'SIGINT' ? 130 : 143)
        resolve(signal)
      })
    }
  })
}

/** The words of the command line as the library takes them. */
export function serveOptions({ options, given }: Pick<Parsed, 'options' | 'given'>) {
  if (options.lazy && options.eager) throw new UsageError('--eager and --lazy say the opposite of each other')
  return {
    // Left out where not given: HTTP is served beside a socket only where somebody asks for it.
    ...(given.has('host') ? { host: options.host } : {}),
    ...(given.has('port') ? { port: options.port } : {}),
    path: options.path,
    ssePath: options['sse-path'],
    messagesPath: options['messages-path'],
    sessionless: options.sessionless,
    publicUrl: options['public-url'],
    keepAliveInterval: options['keep-alive'],
    strictAccept: options['strict-accept'],
    stdio: options.stdio,
    socket: options.socket,
    tcp: options.tcp,
    protocol: options.protocol,
    isolation: options.isolation,
    startTimeout: options['start-timeout'],
    probeTimeout: options['probe-timeout'],
    ...(options.lazy ? { eager: false } : {}),
    ...(options.eager ? { eager: true } : {}),
    // What was remembered of a server says nothing about what it is now.
    strictStart: options['strict-start'] || options.pin === 'strict',
    spares: options.warm,
    ...(options['idle-timeout'] === undefined ? {} : { idleTimeout: options['idle-timeout'] }),
    maxRestarts: options['max-restarts'],
    reconnectTimeout: options['reconnect-timeout'],
    maxConnections: options['max-children'],
    queueTimeout: options['queue-timeout'],
    ...(options['era-cache'] === 'off' ? {} : { eras: eraCache(options['era-cache']) }),
    ...(options['server-cache'] === 'off' ? {} : { memory: serverCache(options['server-cache']) }),
    allowOrigins: options['allow-origin'],
    allowHosts: options['allow-host'],
    allowUnauthenticated: options['allow-unauthenticated'],
    timeout: options.timeout,
    maxTimeout: options['max-timeout'],
    parkTimeout: options['park-timeout'],
    maxBody: options['max-body'],
    requestTimeout: options['request-timeout'],
    maxHeaderSize: options['max-header-size'],
    maxHeaders: options['max-headers'],
    maxClients: options['max-clients'],
    maxClientsPerAddress: options['max-clients-per-address'],
    maxMessage: options['max-message'],
    maxDepth: options['max-depth'],
    maxSessions: options['max-sessions'],
    sessionTtl: options['session-ttl'],
    maxParked: options['max-parked'],
    stateKey: options['state-key'] ?? stateKeyOfEnvironment(),
  }
}

interface Situation {
  readonly own: string
  readonly target: { readonly name: string }
  readonly options: Options
  readonly log: Log
  readonly config: ConfigGateway | undefined
}

async function announce(server: Server, { own, target, options, log, config }: Situation): Promise<void> {
  if (options['log-format'] === 'text') {
    // Nobody reads a banner on the stderr of a program that is some client's stdio server.
    if (options.quiet || options.stdio || options['log-level'] === 'silent') return
    const { announcement } = await import('./announce.js')
    const colors = useColors(process.stderr)
    const servers = config?.config().servers.map(({ name }) => name)
    process.stderr.write(announcement({ version: own, serving: target.name, server, servers, colors }))
    return
  }
  const places = [server.url, ...server.sockets, ...(options.stdio ? ['stdio'] : [])]
  for (const url of places) {
    if (url === undefined) continue
    const sse =
      url === server.url
        ? {
            sse: server.sseUrl,
            ...(server.dashboardUrl === undefined ? {} : { dashboard: server.dashboardUrl }),
            ...(server.fingerprint === undefined ? {} : { fingerprint: server.fingerprint }),
          }
        : {}
    log.info('listening', `Listening on ${url}`, {
      url,
      ...sse,
      serving: target.name,
      version: own,
      pid: process.pid,
    })
  }
}

/** `name` is the server's. */
export function logEvent(log: Log, name: string, event: Exclude<ServeEvent, { type: 'noise' }>): void {
  switch (event.type) {
    case 'waiting':
      log.info('server_waiting', WAITS[event.for], { for: event.for, ms: Math.round(event.milliseconds) })
      break
    case 'starting':
      log.debug('server_starting', event.spare ? 'Starting a spare server' : 'Starting the server', {
        server: name,
        spare: event.spare,
      })
      break
    case 'ready':
      log.info('server_ready', event.spare ? 'A spare server is ready' : 'The server is ready', {
        era: event.era,
        ms: Math.round(event.milliseconds),
        spare: event.spare,
      })
      break
    case 'taken':
      log.debug('server_taken', 'A spare server is used now', { server: name })
      break
    case 'failed':
      log.error('server_failed', failureText(log, event.error), {
        ...factsOf(event.error),
        failures: event.failures,
        retryIn: Math.round(event.retryIn),
        spare: event.spare,
      })
      break
    case 'given-up':
      log.error(
        'server_given_up',
        `It failed ${event.failures} times in a row: callers are told at once from now on, until it starts again`,
        { ...factsOf(event.error), failures: event.failures, retryIn: Math.round(event.retryIn) },
      )
      break
    case 'exited':
      log.error('server_exited', failureText(log, event.error), {
        ...factsOf(event.error),
        ms: Math.round(event.milliseconds),
        spare: event.spare,
      })
      break
    case 'answered-early':
      log.info('answered_early', EARLY[event.from], { method: event.method, from: event.from })
      break
    case 'corrected':
      log.info('corrected', 'The server offers something else than clients were told: they hear of it', {
        changes: event.changes,
      })
      break
    case 'session-lost':
      log.info('session_lost', `${describeError(event.error)}; the next call begins another one`, {
        ms: Math.round(event.milliseconds),
      })
      break
    case 'stopped':
      log.info('server_stopped', STOPS[event.reason], { reason: event.reason })
      break
    case 'loss': {
      // Once for people; each for who looks closer.
      const tell = event.count === 1 ? log.info : log.debug
      tell('loss', LOSSES[event.kind], { kind: event.kind, detail: event.detail, count: event.count })
      break
    }
    case 'certificate':
      if (event.error === undefined)
        log.info('certificate_changed', `HTTPS has a new certificate: ${event.fingerprint}`, {
          fingerprint: event.fingerprint,
        })
      else log.error('certificate_broken', `HTTPS keeps its certificate: ${describeError(event.error)}`)
      break
    case 'error': {
      const stack = log.enabled('debug') && event.error instanceof Error ? { stack: event.error.stack } : {}
      log.error('internal_error', describeError(event.error), stack)
    }
  }
}

const WAITS = {
  backoff: 'The server is started again after a while, since it failed before; a caller waits',
  place: 'As many servers run as may; a caller waits for one of them to be free',
} as const

const EARLY = {
  memory: 'The server is not up yet: a client got what is remembered of it',
  nothing: 'The server is not up yet, and nothing is remembered of it: a client will hear when it is',
} as const

const STOPS = {
  idle: 'Stopped the server, which nobody used; the next call starts it again',
  session: 'Stopped the server of a session that has ended',
  room: 'Stopped the server that nobody had used for longest, to make room',
} as const

/** docs/eras.md, "What cannot cross". */
const LOSSES: Readonly<Record<LossKind, string>> = {
  'notification-outside-call': 'A notification that belongs to no call was dropped: modern clients take none',
  'notification-while-suspended':
    'A notification was dropped: too many came while a call waited for an answer',
  'log-without-owner': 'A log line of the server was dropped: it is not known which call it belongs to',
  'question-outside-call': 'A question of the server was refused: no call was open that it could belong to',
  'roots-list-changed': 'A change of the roots was dropped: modern servers ask for them anew',
  'elicitation-complete': 'The end of an elicitation was dropped: modern clients learn of it by their retry',
  'sampling-rejected':
    'A call failed because its client refused a sampling, which modern servers cannot be told',
  'invalid-tool': 'a tool of the server is left out, because its x-mcp-header annotations are invalid',
}

/** What the server wrote last stands in the log already, where it shows as much. */
function failureText(log: Log, error: unknown): string {
  return log.enabled('info') && error instanceof Error ? error.message : describeError(error)
}

function factsOf(error: unknown) {
  if (!(error instanceof TransportError)) return {}
  const { hop, knob, exitCode, signal } = error.facts
  return { code: error.code, hop, option: knob, exitCode, signal }
}
