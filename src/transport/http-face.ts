/** All HTTP bindings on one port: routes, guards, health, draining. */

import type { Handler } from '../exchange/exchange.js'
import type { HttpHandler, HttpReply, HttpRequest } from '../exchange/http.js'
import { drainingReply, InFlight } from '../exchange/in-flight.js'
import { hostGuard } from '../middleware/http/host-guard.js'
import { originGuard } from '../middleware/http/origin-guard.js'
import { type HttpAccess, OPEN } from './open-access.js'
import { refusalsTold } from './refusals-told.js'
import { serveSse } from './sse/serve.js'
import { type StreamableHttpOptions, streamableHttp } from './streamable-http/serve.js'

export interface HttpFaceOptions extends Omit<StreamableHttpOptions, 'inFlight'> {
  /** Who may come in, as {@link httpAccess} makes it of options. Default: everybody whose host and origin are accepted. */
  readonly access?: HttpAccess | undefined
  /** The endpoint of Streamable HTTP. Default `/mcp`. */
  readonly path?: string | undefined
  /** The stream of HTTP+SSE. Default `/sse`. */
  readonly ssePath?: string | undefined
  /** Where clients of HTTP+SSE post. Default `/messages`. */
  readonly messagesPath?: string | undefined
  /** Host names accepted besides the loopback ones. */
  readonly allowHosts?: readonly string[] | undefined
  /** Origins accepted besides the loopback ones. */
  readonly allowOrigins?: readonly string[] | undefined
  /** Accepts the pages of the host that the request is for, once that host was accepted. Default false. */
  readonly sameHost?: boolean | undefined
  /** The address that the server is bound to, where it is not a loopback one: accepted as a host name. */
  readonly boundHost?: string | undefined
  /**
   * The address of the server for the outside, without `path`. Its host and origin are accepted, and its path goes
   * before the paths that clients are told.
   */
  readonly publicUrl?: string | undefined
  /**
   * Servers that are served each alone as well, below `/servers/NAME`: the handler of that name, or undefined where there is
   * none. Default: none.
   */
  readonly servers?: ((name: string) => Handler | undefined) | undefined
  /** Resolves where an upstream can be reached; else rejects and says why not. Default: at once. */
  readonly ready?: (() => Promise<void>) | undefined
  /** Milliseconds that `ready` may take. Default 5 seconds. */
  readonly readyTimeout?: number | undefined
}

export interface HttpFace {
  readonly handler: HttpHandler
  /**
   * Refuses new work, ends the streams that have no end, and waits for open calls, at most so many milliseconds.
   */
  drain(timeoutMs: number): Promise<void>
  /** Ends whatever is left. */
  close(): Promise<void>
}

/** Throws `TypeError` for options that cannot work. */
export function httpFace(handler: Handler, options: HttpFaceOptions = {}): HttpFace {
  const path = pathOf('path', options.path ?? '/mcp')
  const ssePath = pathOf('ssePath', options.ssePath ?? '/sse')
  const messagesPath = pathOf('messagesPath', options.messagesPath ?? '/messages')
  const taken = new Set([path, ssePath, messagesPath, HEALTH_PATH, READY_PATH])
  if (taken.size < 5)
    throw new TypeError(`path, ssePath and messagesPath must differ: ${path}, ${ssePath}, ${messagesPath}`)
  const publicUrl = options.publicUrl === undefined ? undefined : new URL(options.publicUrl)
  const { access = OPEN, onRefused } = options
  const guards = [
    hostGuard({
      allowHosts: [...(options.allowHosts ?? []), ...(publicUrl === undefined ? [] : [publicUrl.host])],
      boundHost: options.boundHost,
    }),
    originGuard({
      allowOrigins: [...(options.allowOrigins ?? []), ...(publicUrl === undefined ? [] : [publicUrl.origin])],
      sameHost: options.sameHost,
      alsoAllowed: access.isAllowedOrigin,
    }),
  ] as const
  const principal = options.principal ?? identified

  const inFlight = new InFlight()
  const root = publicUrl?.href.replace(/\/+$/, '')
  /** What is served below a path, by one handler. */
  const endpointsOf = (served: Handler, base: string, calls: InFlight): Endpoints => ({
    streamable: streamableHttp(served, {
      ...options,
      principal,
      inFlight: calls,
      publicUrl: root === undefined ? undefined : `${root}${base}${path}`,
    }),
    sse: serveSse(served, {
      inFlight: calls,
      messagesPath: base + messagesPath,
      publicUrl: options.publicUrl,
      maxBody: options.maxBody,
      maxDepth: options.maxDepth,
      maxClients: options.maxSessions,
      toSession: options.toSession,
      onSessionEnd: options.onSessionEnd,
      principal,
    }),
  })
  const { streamable, sse } = endpointsOf(handler, '', inFlight)
  const alone = new ServersAlone(options.servers, (served, base) => endpointsOf(served, base, new InFlight()))
  const notFound: HttpReply = {
    status: 404,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      error: 'Not found',
      paths: {
        [path]: 'Streamable HTTP',
        [ssePath]: 'HTTP+SSE',
        [HEALTH_PATH]: 'health',
        [READY_PATH]: 'readiness',
      },
    }),
  }
  const ready = options.ready ?? (() => Promise.resolve())
  const readyTimeout = options.readyTimeout ?? 5_000

  const route: HttpHandler = request => {
    switch (request.path) {
      case path:
        return streamable.handler(request)
      case ssePath:
        return sse.stream(request)
      case messagesPath:
        return sse.messages(request)
      default:
        return below(request) ?? Promise.resolve(notFound)
    }
  }
  const isEndpoint = (asked: string) => asked === path || asked === ssePath || SERVER.test(asked)
  const inside = access.entrance({ publicUrl: options.publicUrl, isEndpoint })(route)
  const dispatch: HttpHandler = request => {
    // Most requests go here, and this is what they cost before the protocol is looked at.
    if (request.path === path) return guarded(request) ?? inside(request)
    switch (request.path) {
      case HEALTH_PATH:
        return Promise.resolve(statusReply(200, { status: 'ok' }))
      case READY_PATH:
        // Whatever it says, nobody is refused.
        request.called = true
        if (inFlight.draining) return Promise.resolve(drainingReply())
        return readiness(
          ready,
          readyTimeout,
          guards[0](request) === undefined && guards[1](request) === undefined,
        )
      default:
        return guarded(request) ?? inside(request)
    }
  }
  const below = (request: HttpRequest): Promise<HttpReply> | undefined => {
    const [endpoints, rest] = alone.find(request.path) ?? []
    if (endpoints === undefined) return undefined
    if (inFlight.draining) return Promise.resolve(drainingReply())
    if (rest === path) return endpoints.streamable.handler(request)
    if (rest === ssePath) return endpoints.sse.stream(request)
    return rest === messagesPath ? endpoints.sse.messages(request) : undefined
  }
  const guarded = (request: HttpRequest): Promise<HttpReply> | undefined => {
    const refused = guards[0](request) ?? guards[1](request)
    return refused === undefined ? undefined : Promise.resolve(refused)
  }

  return {
    handler: access.approach(onRefused === undefined ? next => next : refusalsTold(onRefused))(dispatch),
    drain: async timeoutMs => {
      await Promise.all(
        [sse, ...alone.all().map(endpoints => endpoints.sse)].map(face => face.drain(timeoutMs)),
      )
    },
    close: async () => {
      for (const endpoints of [{ streamable, sse }, ...alone.all()]) {
        endpoints.streamable.close()
        endpoints.sse.close()
      }
    },
  }
}

/** The endpoints of a server that is served alone as well. */
const SERVER = /^\/servers\/[^/]+\/./

function identified(request: HttpRequest): string | undefined {
  return request.identity?.principal
}

interface Endpoints {
  readonly streamable: ReturnType<typeof streamableHttp>
  readonly sse: ReturnType<typeof serveSse>
}

/** The endpoints of servers that are served each alone, made when somebody first comes to them. */
class ServersAlone {
  readonly #handlerOf: (name: string) => Handler | undefined
  readonly #endpointsOf: (handler: Handler, base: string) => Endpoints
  readonly #open = new Map<string, Endpoints>()

  constructor(
    handlerOf: HttpFaceOptions['servers'],
    endpointsOf: (handler: Handler, base: string) => Endpoints,
  ) {
    this.#handlerOf = handlerOf ?? (() => undefined)
    this.#endpointsOf = endpointsOf
  }

  /** The endpoints below which a path lies, and the rest of the path. A name has one spelling: its percent-encoding. */
  find(path: string): readonly [Endpoints, string] | undefined {
    const [, segment, rest] = /^\/servers\/([^/]+)(\/.*)$/s.exec(path) ?? []
    if (segment === undefined || rest === undefined) return undefined
    const name = decoded(segment)
    const handler = name === undefined ? undefined : this.#handlerOf(name)
    if (name === undefined || handler === undefined) {
      this.#forget(segment)
      return undefined
    }
    let endpoints = this.#open.get(segment)
    if (endpoints === undefined) {
      endpoints = this.#endpointsOf(handler, `/servers/${segment}`)
      this.#open.set(segment, endpoints)
    }
    return [endpoints, rest]
  }

  all(): readonly Endpoints[] {
    return [...this.#open.values()]
  }

  /** The server is gone. */
  #forget(segment: string): void {
    const endpoints = this.#open.get(segment)
    if (endpoints === undefined) return
    this.#open.delete(segment)
    endpoints.streamable.close()
    endpoints.sse.close()
  }
}

/**
 * Undefined for a spelling that is not the encoder's own, since two paths to one server would be two to guard, and for names
 * that are steps of a path, which clients and proxies take.
 */
function decoded(segment: string): string | undefined {
  if (segment === '.' || segment === '..') return undefined
  try {
    const name = decodeURIComponent(segment)
    return encodeURIComponent(name) === segment ? name : undefined
  } catch {
    return undefined
  }
}

const HEALTH_PATH = '/healthz'
const READY_PATH = '/readyz'

/** `open` about the reason only with those who might call: it may quote what the server last said. */
async function readiness(ready: () => Promise<void>, timeoutMs: number, open: boolean): Promise<HttpReply> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`No answer from the upstream within ${timeoutMs} ms`)),
        timeoutMs,
      )
    })
    await Promise.race([ready(), late])
    return statusReply(200, { status: 'ready' })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return statusReply(503, { status: 'not ready', ...(open ? { reason } : {}) })
  } finally {
    clearTimeout(timer)
  }
}

function statusReply(status: number, body: Readonly<Record<string, string>>): HttpReply {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return { status, headers, body: JSON.stringify(body) }
}

function pathOf(name: string, path: string): string {
  if (!/^\/[^?#\s]*$/.test(path))
    throw new TypeError(`${name}: expected a path that begins with "/", got "${path}"`)
  return path
}
