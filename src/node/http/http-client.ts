/** The HTTP client behind remote servers: undici's connections, dialled, limited and explained by us (decisions/0012). */

import type { Client } from 'undici'
import type { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import { isSameOrigin, nameOfUrl } from '../../exchange/http-address.js'
import type { HttpAnswer, HttpCall, HttpClient } from '../../exchange/http-client.js'
import type { CertificateOptions } from '../tls/certificate-options.js'
import { version } from '../version.js'
import { secureContextOf } from './http-certificates.js'
import { HttpConnections } from './http-connections.js'
import { type ConversationOwner, HttpConversation } from './http-conversation.js'
import { Dialler } from './http-dial.js'
import { type HttpProxy, parseProxy, proxyOfEnvironment } from './http-proxy.js'
import { type HttpRoute, routeOf } from './http-route.js'

export interface HttpClientOptions extends CertificateOptions {
  /** How long a connection may take, from the name to the end of the TLS handshake, in milliseconds. Default 10 seconds; 0 for no limit. */
  readonly connectTimeout?: number | undefined
  /** How long the server may take from the request to the head of its answer, in milliseconds. Default 10 minutes; 0 for no limit. */
  readonly responseTimeout?: number | undefined
  /** How long it may be silent within an answer, open streams excepted, in milliseconds. Default 10 minutes; 0 for no limit. */
  readonly readTimeout?: number | undefined
  /** Connections for calls, per origin; more calls than that wait. Open streams have connections of their own. Default 256. */
  readonly maxConnections?: number | undefined
  /** The address of an HTTP proxy, false for none. Default: what the environment says (`HTTPS_PROXY`, `NO_PROXY` and the like). */
  readonly proxy?: string | false | undefined
  /** Where variables come from. Default our own environment. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

/** Calls that wait for a connection, beyond those that have one. */
const MAX_WAITING = 4_096
const MAX_STREAMS = 10_000
const MAX_REDIRECTS = 5
const MAX_ROUTES = 256
/** Servers that announce nothing close idle connections after 5 seconds (Node, uvicorn) or later. */
const KEEP_ALIVE = 4_000
/** A redirect's body is read so far, to keep the connection. */
const MAX_DROPPED = 64 * 1024

/** Throws `TypeError` for options that cannot work. Nothing is connected before the first call. */
export function httpClient(options: HttpClientOptions = {}): HttpClient {
  return new NodeHttpClient(options)
}

class NodeHttpClient implements HttpClient, ConversationOwner {
  readonly responseTimeout: number
  readonly readTimeout: number
  readonly #maxConnections: number
  readonly #proxyFor: (url: URL) => HttpProxy | undefined
  readonly #dialler: Dialler
  readonly #routes = new Map<string, HttpRoute>()
  readonly #connections = new Map<string, HttpConnections>()
  readonly #agent = `anyport/${version()}`
  #Client: typeof Client | undefined
  #closed: Promise<void> | undefined

  constructor(options: HttpClientOptions) {
    this.responseTimeout = milliseconds('responseTimeout', options.responseTimeout ?? 600_000)
    this.readTimeout = milliseconds('readTimeout', options.readTimeout ?? 600_000)
    this.#maxConnections = count('maxConnections', options.maxConnections ?? 256)
    const proxy = typeof options.proxy === 'string' ? parseProxy(options.proxy, 'proxy') : undefined
    const { environment } = options
    this.#proxyFor = options.proxy === undefined ? url => proxyOfEnvironment(url, environment) : () => proxy
    const connectTimeout = milliseconds('connectTimeout', options.connectTimeout ?? 10_000)
    this.#dialler = new Dialler(connectTimeout, secureContextOf(options))
  }

  prepare(): void {
    // Whoever calls hears of it.
    loadClient().catch(() => {})
  }

  send(call: HttpCall, context: Context): Promise<HttpAnswer> {
    return this.#Client === undefined ? this.#first(call, context) : this.#send(call, context, 0)
  }

  close(): Promise<void> {
    this.#closed ??= (async () => {
      this.#dialler.close()
      const all = [...this.#connections.values()]
      await Promise.all(all.map(connections => connections.close(closedError())))
    })()
    return this.#closed
  }

  released(conversation: HttpConversation): void {
    this.#connectionsFor(conversation).release(conversation)
  }

  repeat(conversation: HttpConversation): void {
    if (this.#closed === undefined) this.#connectionsFor(conversation).repeat(conversation)
    else conversation.onResponseError(undefined, closedError())
  }

  redirected(conversation: HttpConversation): Promise<HttpAnswer> | undefined {
    const { call, context, route, redirects, status } = conversation
    const location = conversation.header('location')
    if (location === undefined || !REDIRECTS.has(status)) return undefined
    const outcome = redirectOf(call, route.url, status, location, redirects)
    discard(conversation)
    if (outcome instanceof Error) return Promise.reject(outcome)
    // It says that this will always be so (RFC 9110, section 15.4.9).
    if (status === 308) this.#routes.set(call.url, this.#route(outcome.href))
    return this.#send({ ...call, url: outcome.href }, context, redirects + 1)
  }

  async #first(call: HttpCall, context: Context): Promise<HttpAnswer> {
    this.#Client = await loadClient()
    return this.#send(call, context, 0)
  }

  #send(call: HttpCall, context: Context, redirects: number): Promise<HttpAnswer> {
    if (this.#closed !== undefined) return Promise.reject(closedError())
    const { cancelled } = context
    if (cancelled !== undefined) return Promise.reject(cancelledError(cancelled))
    let route: HttpRoute
    try {
      route = this.#route(call.url)
    } catch (error) {
      return Promise.reject(error)
    }
    const request = {
      path: route.target,
      method: call.method,
      headers: headersOf(call, route, this.#agent),
      body: bodyOf(call.body),
      headersTimeout: this.responseTimeout,
      bodyTimeout: call.stream === true ? 0 : this.readTimeout,
    }
    const conversation = new HttpConversation(this, call, context, route, request, redirects)
    const connections = this.#connectionsFor(conversation)
    if (!connections.start(conversation)) conversation.stop(busyError(call, route.hop, connections.size))
    return conversation.head
  }

  /** Streams stay open, so calls would wait for them if they shared connections. */
  #connectionsFor({ call, route }: HttpConversation): HttpConnections {
    const stream = call.stream === true
    const key = stream ? `${route.key} stream` : route.key
    let connections = this.#connections.get(key)
    if (connections === undefined) {
      connections = stream
        ? new HttpConnections(() => this.#client(route), MAX_STREAMS, 0)
        : new HttpConnections(() => this.#client(route), this.#maxConnections, MAX_WAITING)
      this.#connections.set(key, connections)
    }
    return connections
  }

  #client({ origin, destination }: HttpRoute): Client {
    return new (this.#Client as typeof Client)(origin, {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE,
      connect: ({ servername }, callback) =>
        this.#dialler.dial(destination, servername || undefined, callback),
    })
  }

  #route(url: string): HttpRoute {
    const known = this.#routes.get(url)
    if (known !== undefined) return known
    const route = routeOf(url, this.#proxyFor)
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear()
    this.#routes.set(url, route)
    return route
  }
}

/**
 * Undici takes some time to load, and a server that is never called does not need it. All of it would take three times as long, and would
 * change the `fetch` of the whole process, which is not ours.
 */
async function loadClient(): Promise<typeof Client> {
  // @ts-expect-error: the file has no types of its own.
  const { default: client } = await import('undici/lib/dispatcher/client.js')
  return client
}

const REDIRECTS = new Set([301, 302, 303, 307, 308])

/** Where a redirect leads; an error where we do not follow it. */
function redirectOf(
  { method }: HttpCall,
  from: URL,
  status: number,
  location: string,
  redirects: number,
): URL | TransportError {
  const hop = nameOfUrl(from.href)
  const refuse = (why: string) => new TransportError('ERR_STATUS', `${hop} ${why}`, { hop, status })
  let to: URL
  try {
    to = new URL(location, from)
  } catch {
    return refuse(`redirects (${status}) to something that is no address`)
  }
  // Behind a Unix socket a server takes itself for one of this machine.
  if (from.protocol === 'http+unix:' && to.origin === 'http://localhost') {
    to = new URL(`${to.pathname}${to.search}`, from)
  }
  const there = nameOfUrl(to.href)
  if (!isSameOrigin(from, to)) {
    return refuse(
      `redirects (${status}) to ${there}, which is another origin, so nothing was sent there; if that is where you want to go, use that address`,
    )
  }
  if (method !== 'GET' && status !== 307 && status !== 308) {
    return refuse(`redirects (${status}) to ${there} in a way that would lose the request; use that address`)
  }
  if (redirects >= MAX_REDIRECTS)
    return refuse(`redirects more than ${MAX_REDIRECTS} times, last to ${there}`)
  return to
}

/** Read to its end where that is near: the connection can be used again then. */
function discard(answer: HttpAnswer): void {
  let length = 0
  answer.listen({
    data(chunk) {
      length += chunk.byteLength
      if (length > MAX_DROPPED) answer.cancel()
    },
    closed() {},
  })
}

function headersOf({ headers }: HttpCall, route: HttpRoute, agent: string): string[] {
  const flat: string[] = []
  let own = false
  let authorized = false
  for (const name in headers) {
    flat.push(name, headers[name] as string)
    if (name.length === 10 && name.toLowerCase() === 'user-agent') own = true
    if (name.length === 13 && name.toLowerCase() === 'authorization') authorized = true
  }
  if (!own) flat.push('user-agent', agent)
  for (let index = 0; index < route.headers.length; index += 2) {
    const name = route.headers[index] as string
    // What the call says by itself is more exact than what its address says.
    if (name !== 'authorization' || !authorized) flat.push(name, route.headers[index + 1] as string)
  }
  return flat
}

function bodyOf(body: HttpCall['body']): string | Uint8Array | null {
  if (body === undefined || typeof body === 'string') return body ?? null
  if (body.length === 1) return body[0] as string | Uint8Array
  return Buffer.concat(body.map(part => (typeof part === 'string' ? Buffer.from(part) : part)))
}

function cancelledError(reason: string): TransportError {
  return new TransportError('ERR_CANCELLED', `The call was cancelled (${reason})`, { retryable: true })
}

function closedError(): TransportError {
  return new TransportError('ERR_DRAINING', 'The connections to the server were closed')
}

function busyError({ stream }: HttpCall, hop: string, open: number): TransportError {
  const what =
    stream === true ? 'streams are open' : 'calls are open or wait for a connection (--max-connections)'
  return new TransportError('ERR_BUSY', `${hop} is busy: ${open} ${what}`, {
    hop,
    retryable: true,
    ...(stream === true ? {} : { knob: '--max-connections' }),
  })
}

function milliseconds(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0 && value <= 2_147_483_647) return value
  throw new TypeError(`${name}: ${value} is no number of milliseconds`)
}

function count(name: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new TypeError(`${name}: ${value} is no number of connections`)
}
