/** The background anyport of a user: serves the stdio clients of a machine, with one server for all who ask for the same. */

import type { SignInEvent } from '../../client/oauth/sign-in-events.js'
import type { Target } from '../../client/open.js'
import type { RemoteTarget } from '../../client/remote.js'
import { nameOfUrl } from '../../exchange/http-address.js'
import type { ByteStream } from '../../transport/channel/channel.js'
import { type ConnectOptions, connect } from '../connect.js'
import type { LaunchPlan } from '../process/launch-plan.js'
import { compareVersions, parseVersion } from '../process/version-range.js'
import { serve } from '../serve.js'
import type { ServeEvent, ServeOptions, Server } from '../serve-options.js'
import { claim } from './claim.js'
import { entryKey, type SharedCommand, type SharedEntry, type SharedRemote } from './entry.js'
import {
  type BackgroundState,
  type BackgroundStatus,
  type Hello,
  hear,
  reply,
  type SharedServerStatus,
} from './greeting.js'
import type { OwnPlace, Places } from './places.js'
import type { SharedTarget } from './remote-target.js'

export type BackgroundEvent =
  | { readonly type: 'serving' }
  /** It takes no new clients, and ends with those that it has. */
  | { readonly type: 'retired'; readonly why: string }
  | { readonly type: 'arrived'; readonly server: string; readonly clients: number }
  | { readonly type: 'left'; readonly server: string; readonly clients: number }
  | { readonly type: 'event'; readonly server: string; readonly event: ServeEvent }
  | { readonly type: 'launch'; readonly server: string; readonly launch: LaunchPlan }
  | { readonly type: 'stderr'; readonly server: string; readonly line: string }
  | { readonly type: 'sign-in'; readonly server: string; readonly event: SignInEvent }

/** How a server is served. */
export interface SharedSettings {
  readonly serve: ServeOptions
  readonly connect: ConnectOptions
}

export interface BackgroundOptions {
  readonly places: Places
  readonly version: string
  /** Reads the options of an entry. Throws `TypeError` for what cannot work. */
  readonly settings: (options: SharedEntry['options']) => SharedSettings
  readonly onEvent?: (event: BackgroundEvent) => void
  /** Milliseconds that the first client may take to come. Default 30 seconds. */
  readonly patience?: number
  /** Milliseconds between two looks whether others still find us. Default 10 seconds. */
  readonly lookInterval?: number
}

export interface Background {
  readonly status: () => BackgroundStatus
  /** Resolves once it has ended: nobody uses it any more, or somebody asked for its end. */
  readonly closed: Promise<void>
  /** Takes no new clients, lets open calls finish within so many milliseconds, then ends. */
  stop(drainTimeout: number): Promise<void>
}

const HELLO_TIMEOUT = 5_000

/** Resolves once clients are served; with undefined where another background serves them. */
export async function startBackground(options: BackgroundOptions): Promise<Background | undefined> {
  const background = new SharedBackground(options)
  return (await background.start()) ? background : undefined
}

interface Shared {
  readonly name: string
  readonly since: number
  readonly linger: number
  readonly server: Promise<Server>
  /** Gives back what is its own beside the server. */
  release: () => Promise<void>
  running: Server | undefined
  clients: number
  timer: ReturnType<typeof setTimeout> | undefined
}

interface Opening extends Pick<Shared, 'name' | 'linger'> {
  readonly settings: SharedSettings
  readonly target: () => Promise<{ readonly target: Target | RemoteTarget; close(): Promise<void> }>
}

class SharedBackground implements Background {
  readonly closed: Promise<void>
  readonly #options: BackgroundOptions
  readonly #since = Date.now()
  readonly #servers = new Map<string, Shared>()
  /** Servers that are ending, by their key: their like does not start beside them. */
  readonly #ending = new Map<string, Promise<void>>()
  #place: OwnPlace | undefined
  #state: BackgroundState = 'starting'
  /** Settles with whether we are the one that serves. */
  readonly #decided: Promise<boolean>
  #decide: (serving: boolean) => void = () => {}
  #resolveClosed: () => void = () => {}
  /** Connections that have not said yet what they want, or that get it at this moment. */
  #pending = 0
  #patience: ReturnType<typeof setTimeout> | undefined
  #look: ReturnType<typeof setInterval> | undefined
  #stopping: Promise<void> | undefined
  #served = false
  #ended = false

  constructor(options: BackgroundOptions) {
    this.#options = options
    this.#decided = new Promise(resolve => {
      this.#decide = resolve
    })
    this.closed = new Promise(resolve => {
      this.#resolveClosed = resolve
    })
  }

  async start(): Promise<boolean> {
    await loaded()
    const { places, version, patience = 30_000, lookInterval = 10_000 } = this.#options
    const onConnection = (stream: ByteStream) => void this.#connection(stream)
    const place = await claim(places, { version, onConnection }).catch(error => {
      this.#decide(false)
      throw error
    })
    if (place === undefined) {
      this.#decide(false)
      return false
    }
    this.#place = place
    this.#state = 'serving'
    this.#patience = setTimeout(() => {
      this.#patience = undefined
      this.#endIfUnused()
    }, patience)
    this.#look = setInterval(() => {
      if (!place.isKnown()) this.#retire('its socket is not there any more')
    }, lookInterval)
    this.#decide(true)
    this.#tell({ type: 'serving' })
    return true
  }

  readonly status = (): BackgroundStatus => ({
    pid: process.pid,
    version: this.#options.version,
    state: this.#state,
    socket: this.#place?.file ?? '',
    since: this.#since,
    servers: [...this.#servers.values()].map(statusOf),
  })

  stop(drainTimeout: number): Promise<void> {
    this.#stopping ??= this.#stop(drainTimeout)
    return this.#stopping
  }

  async #stop(drainTimeout: number): Promise<void> {
    this.#retire('it was told to end')
    await Promise.all([...this.#servers].map(([key, shared]) => this.#endServer(key, shared, drainTimeout)))
    await Promise.all(this.#ending.values())
    await this.#end()
  }

  async #connection(stream: ByteStream): Promise<void> {
    this.#pending += 1
    try {
      const { hello, rest } = await hear(stream, { timeout: HELLO_TIMEOUT })
      await this.#grant(hello, rest)
    } catch {
      // Whoever does not say what it wants is nobody of ours.
      await stream.close()
    } finally {
      this.#pending -= 1
      this.#endIfUnused()
    }
  }

  async #grant(hello: Hello, stream: ByteStream): Promise<void> {
    const { version } = this.#options
    const accepted = { ok: true, pid: process.pid, version } as const
    switch (hello.want) {
      case 'status':
        reply(stream, { ...accepted, status: this.status() })
        return await stream.close()
      case 'stop':
        await this.stop(hello.drainTimeout)
        reply(stream, accepted)
        return await stream.close()
      case 'serve':
        if (!(await this.#decided) || !this.#serves(hello)) {
          reply(stream, { ok: false, reason: 'retired', message: 'Another background anyport takes over' })
          return await stream.close()
        }
        return await this.#serve(hello.entry, stream)
      default:
        return await stream.close()
    }
  }

  /** False where this client is for our successor. */
  #serves({ version }: Hello): boolean {
    if (this.#state === 'serving' && isNewer(version, this.#options.version))
      this.#retire(`version ${version} takes over`)
    return this.#state === 'serving'
  }

  async #serve(entry: SharedEntry, stream: ByteStream): Promise<void> {
    let key: string
    let shared: Shared
    let server: Server
    try {
      key = entryKey(entry)
      shared = this.#servers.get(key) ?? this.#open(key, entry)
      clearTimeout(shared.timer)
      shared.clients += 1
      server = await shared.server
    } catch (error) {
      reply(stream, { ok: false, reason: 'refused', message: (error as Error).message })
      return await stream.close()
    }
    reply(stream, { ok: true, pid: process.pid, version: this.#options.version })
    try {
      const { closed } = await server.attach(stream)
      this.#tell({ type: 'arrived', server: shared.name, clients: shared.clients })
      void closed.then(() => this.#left(key, shared))
    } catch {
      // It is ending, and the client with it.
      await stream.close()
      this.#left(key, shared)
    }
  }

  #left(key: string, shared: Shared): void {
    shared.clients -= 1
    this.#tell({ type: 'left', server: shared.name, clients: shared.clients })
    if (shared.clients > 0 || this.#servers.get(key) !== shared) return
    const linger = this.#state === 'serving' ? shared.linger : 0
    shared.timer = setTimeout(() => {
      if (shared.clients === 0) void this.#endServer(key, shared, 0)
    }, linger)
  }

  #open(key: string, { server, options, linger }: SharedEntry): Shared {
    if (!(linger >= 0 && linger <= 2_147_483_647)) throw new TypeError(`linger: no duration: ${linger}`)
    const settings = this.#options.settings(options)
    if ('url' in server) {
      const name = nameOfUrl(server.url)
      return this.#add(key, { name, linger, settings, target: () => this.#remote(server, name, settings) })
    }
    const target = this.#program(server, settings)
    const opened = { target, close: async () => {} }
    return this.#add(key, { name: target.name, linger, settings, target: async () => opened })
  }

  /** Throws `TypeError`. */
  #program(server: SharedCommand, settings: SharedSettings): Target {
    let name = ''
    const target = connect(
      {
        command: server.command,
        args: server.args,
        cwd: server.cwd,
        env: server.env,
        // The client's, all of it, and nothing of ours.
        inherit: server.inherited,
        inheritEnv: true,
        onStderr: line => this.#tell({ type: 'stderr', server: name, line }),
        onLaunch: launch => this.#tell({ type: 'launch', server: name, launch }),
      },
      settings.connect,
    )
    name = target.name
    return target
  }

  /** Its parts are loaded here, all at once: for programs nobody needs them. */
  async #remote(server: SharedRemote, name: string, settings: SharedSettings): Promise<SharedTarget> {
    const { remoteTarget } = await import('./remote-target.js')
    return await remoteTarget(server, settings.connect, event =>
      this.#tell({ type: 'sign-in', server: name, event }),
    )
  }

  #add(key: string, { name, linger, settings, target }: Opening): Shared {
    const before = this.#ending.get(key) ?? Promise.resolve()
    const shared: Shared = {
      name,
      since: Date.now(),
      linger,
      server: before.then(target).then(async opened => {
        shared.release = opened.close
        return await serve(opened.target, {
          // The first client calls at once, and with what it can be asked for: started before, it would start twice.
          eager: false,
          ...settings.serve,
          http: false,
          stdio: false,
          socket: undefined,
          tcp: undefined,
          clientInfo: { name: 'anyport', version: this.#options.version },
          onEvent: event => this.#tell({ type: 'event', server: name, event }),
        })
      }),
      release: async () => {},
      running: undefined,
      clients: 0,
      timer: undefined,
    }
    this.#servers.set(key, shared)
    shared.server.then(
      running => {
        shared.running = running
      },
      () => {
        if (this.#servers.get(key) === shared) this.#servers.delete(key)
        return shared.release()
      },
    )
    return shared
  }

  #endServer(key: string, shared: Shared, drainTimeout: number): Promise<void> {
    clearTimeout(shared.timer)
    if (this.#servers.get(key) !== shared) return this.#ending.get(key) ?? Promise.resolve()
    this.#servers.delete(key)
    const ending = shared.server
      .then(server => server.close({ drainTimeout }))
      .finally(() => shared.release())
      // It could not be served in the first place, as its clients were told.
      .catch(() => {})
      .finally(() => {
        if (this.#ending.get(key) === ending) this.#ending.delete(key)
        this.#endIfUnused()
      })
    this.#ending.set(key, ending)
    return ending
  }

  #retire(why: string): void {
    if (this.#state !== 'serving') return
    this.#state = 'retired'
    this.#place?.retire()
    this.#tell({ type: 'retired', why })
    for (const [key, shared] of this.#servers) {
      if (shared.clients === 0) void this.#endServer(key, shared, 0)
    }
    this.#endIfUnused()
  }

  #endIfUnused(): void {
    const used = this.#servers.size + this.#ending.size + this.#pending > 0
    // The one who started us is still on the way.
    const waits = this.#state === 'serving' && this.#patience !== undefined && !this.#served
    if (used || waits || this.#place === undefined || this.#stopping !== undefined) return
    void this.#end()
  }

  async #end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    clearTimeout(this.#patience)
    clearInterval(this.#look)
    this.#state = 'retired'
    await this.#place?.close()
    this.#resolveClosed()
  }

  #tell(event: BackgroundEvent): void {
    if (event.type === 'arrived') this.#served = true
    this.#options.onEvent?.(event)
  }
}

/** All that `serve` loads when it needs it: by then an upgrade may have replaced the files. */
async function loaded(): Promise<void> {
  await Promise.all([
    import('../../client/upstream.js'),
    import('../../legacy/request-state.js'),
    import('../../transport/channel/serve.js'),
  ])
}

function statusOf({ name, since, clients, running }: Shared): SharedServerStatus {
  const { connections, calls } = running?.counts() ?? { connections: 0, calls: 0 }
  return { name, since, clients, children: connections, calls }
}

/** Prereleases of one version count as the same. */
function isNewer(version: string, than: string): boolean {
  const a = parseVersion(version)
  const b = parseVersion(than)
  return a !== undefined && b !== undefined && compareVersions(a, b) > 0
}
