/** All HTTP bindings on one port: routes, guards, health, draining. */

import type { Handler } from '../exchange/exchange.js'
import type { HttpHandler, HttpReply, HttpRequest } from '../exchange/http.js'
import { drainingReply, InFlight } from '../exchange/in-flight.js'
import { hostGuard } from '../middleware/http/host-guard.js'
import { originGuard } from '../middleware/http/origin-guard.js'
import { serveSse } from './sse/serve.js'
import { type StreamableHttpOptions, streamableHttp } from './streamable-http/serve.js'

export interface HttpFaceOptions extends Omit<StreamableHttpOptions, 'inFlight'> {
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
  const guards = [
    hostGuard({
      allowHosts: [...(options.allowHosts ?? []), ...(publicUrl === undefined ? [] : [publicUrl.host])],
      boundHost: options.boundHost,
    }),
    originGuard({
      allowOrigins: [...(options.allowOrigins ?? []), ...(publicUrl === undefined ? [] : [publicUrl.origin])],
      sameHost: options.sameHost,
    }),
  ] as const

  const inFlight = new InFlight()
  const streamable = streamableHttp(handler, {
    ...options,
    inFlight,
    publicUrl: publicUrl === undefined ? undefined : `${publicUrl.href.replace(/\/+$/, '')}${path}`,
  })
  const sse = serveSse(handler, {
    inFlight,
    messagesPath,
    publicUrl: options.publicUrl,
    maxBody: options.maxBody,
    maxDepth: options.maxDepth,
    maxClients: options.maxSessions,
    toSession: options.toSession,
    onSessionEnd: options.onSessionEnd,
    principal: options.principal,
  })
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

  const dispatch = (request: HttpRequest): Promise<HttpReply> => {
    // Most requests go here, and this is what they cost before the protocol is looked at.
    if (request.path === path) return guarded(request) ?? streamable.handler(request)
    switch (request.path) {
      case HEALTH_PATH:
        return Promise.resolve(statusReply(200, { status: 'ok' }))
      case READY_PATH:
        return inFlight.draining ? Promise.resolve(drainingReply()) : readiness(ready, readyTimeout)
      case ssePath:
        return guarded(request) ?? sse.stream(request)
      case messagesPath:
        return guarded(request) ?? sse.messages(request)
      default:
        return guarded(request) ?? Promise.resolve(notFound)
    }
  }
  const guarded = (request: HttpRequest): Promise<HttpReply> | undefined => {
    const refused = guards[0](request) ?? guards[1](request)
    return refused === undefined ? undefined : Promise.resolve(refused)
  }

  return {
    handler: dispatch,
    drain: timeoutMs => sse.drain(timeoutMs),
    close: async () => {
      streamable.close()
      sse.close()
    },
  }
}

const HEALTH_PATH = '/healthz'
const READY_PATH = '/readyz'

async function readiness(ready: () => Promise<void>, timeoutMs: number): Promise<HttpReply> {
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
    return statusReply(503, {
      status: 'not ready',
      reason: error instanceof Error ? error.message : String(error),
    })
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
