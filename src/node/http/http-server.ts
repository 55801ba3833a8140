/** The HTTP seam on `node:http`, without web `Request`, `Response` or streams in between. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { TransportError } from '../../exchange/errors.js'
import type { HttpHandler, HttpReply, HttpRequest } from '../../exchange/http.js'
import { because, refusal } from '../../exchange/http-reply.js'
import type { RefusedConnection } from '../../exchange/refused-connection.js'
import type { TlsIdentity } from '../tls/tls-identity.js'
import { ConnectionLimits } from './connection-limits.js'
import { NodeHttpRequest } from './http-request.js'
import { httpWriter } from './http-writer.js'
import { hasRequest, refuseUnreadable } from './unreadable-connections.js'

export interface ListenHttpOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free one. */
  readonly port?: number
  /** How long a stream may be silent before its `keepAlive` text is written, in milliseconds; 15 seconds by default. */
  readonly keepAliveInterval?: number | undefined
  /**
   * How long a client may take to send a whole request, in milliseconds; 30 seconds by default. Its head may take half of it, 15
   * seconds at most.
   */
  readonly requestTimeout?: number | undefined
  /** How long a client may leave unread what was written to it, in milliseconds; 60 seconds by default. */
  readonly stallTimeout?: number
  /** Bytes that the head of a request may have; 32 KiB by default. */
  readonly maxHeaderSize?: number | undefined
  /** How many header lines a request may have; 256 by default. */
  readonly maxHeaders?: number | undefined
  /** How many connections may be open at once; 10,000 by default. More are closed before they are read. */
  readonly maxClients?: number | undefined
  /** How many of them one address may have, 1,000 by default; see `uncounted`. */
  readonly maxClientsPerAddress?: number | undefined
  /** Addresses that may have as many connections as all together, since many come from there: proxies. Default: this machine. */
  readonly uncounted?: ((address: string) => boolean) | undefined
  /** Hears of each request that was refused before the handler saw it. */
  readonly onRefused?: ((request: HttpRequest, reply: HttpReply) => void) | undefined
  /** Hears of each connection that was closed because there are too many, or because what came on it was no request. */
  readonly onRefusedConnection?: ((refused: RefusedConnection) => void) | undefined
  /** Serves HTTPS, TLS 1.2 or later, as this identity. */
  readonly tls?: TlsIdentity | undefined
  /** Told about what a handler or a stream threw; the client gets a 500 or a cut stream. */
  readonly onError?: (error: unknown) => void
}

export interface HttpListener {
  /** Where it listens, without a path: `http://127.0.0.1:3000`, or `https:`. */
  readonly url: string
  readonly port: number
  /** Stops accepting, lets open replies finish for at most `drainTimeout` milliseconds, then cuts them. */
  close(options?: { readonly drainTimeout?: number }): Promise<void>
}

/** Rejects with `TransportError` ERR_LISTEN where the address cannot be bound, and with `TypeError` for a limit that is none. */
export async function listenHttp(
  handler: HttpHandler,
  options: ListenHttpOptions = {},
): Promise<HttpListener> {
  const {
    host = '127.0.0.1',
    port = 0,
    keepAliveInterval = 15_000,
    requestTimeout = 30_000,
    stallTimeout = 60_000,
    maxHeaderSize = 32 * 1024,
    maxHeaders = 256,
    maxClients = 10_000,
    maxClientsPerAddress = 1_000,
    uncounted,
    onRefused,
    onRefusedConnection = () => {},
    tls,
    onError = () => {},
  } = options
  checkLimits({ requestTimeout, maxHeaderSize, maxHeaders, maxClients, maxClientsPerAddress })
  let closing = false
  const { serve, refuse, stop } = httpWriter(handler, {
    keepAliveInterval,
    stallTimeout,
    maxHeaders,
    onRefused,
    onError,
    closing: () => closing,
  })

  const settings = {
    // Both count until a request has arrived whole; how long its answer takes is the handler's matter.
    requestTimeout,
    headersTimeout: Math.min(Math.ceil(requestTimeout / 2), 15_000),
    connectionsCheckingInterval: Math.min(5_000, requestTimeout),
    // Longer than the usual 60 seconds of reverse proxies, so that it is they who end an idle connection.
    keepAliveTimeout: 65_000,
    maxHeaderSize,
    // What Node itself answers is nowhere told.
    requireHostHeader: false,
    noDelay: true,
    // Finds clients whose machine is gone.
    keepAlive: true,
    keepAliveInitialDelay: 30_000,
  }
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    if (tls !== undefined) unused.delete(incoming.socket)
    hasRequest(incoming, outgoing)
    const request = new NodeHttpRequest(incoming, outgoing, false)
    // RFC 9112, section 3.2.
    if (request.lacksHost) refuse(request, outgoing, NO_HOST)
    else serve(request, outgoing)
  }
  const sockets = new Set<Socket>()
  const unused = new Set<Socket>()
  const keep = (among: Set<Socket>) => (socket: Socket) => {
    among.add(socket)
    socket.on('close', () => among.delete(socket))
  }
  const secure =
    tls === undefined
      ? undefined
      : createTlsServer({ ...settings, ...tls.settings, handshakeTimeout: 15_000 }, onRequest)
  const server = secure ?? createServer(settings, onRequest)
  server.on('checkContinue', (incoming, outgoing) => {
    unused.delete(incoming.socket)
    hasRequest(incoming, outgoing)
    serve(new NodeHttpRequest(incoming, outgoing, true), outgoing)
  })
  server.on('checkExpectation', (incoming, outgoing) => {
    unused.delete(incoming.socket)
    hasRequest(incoming, outgoing)
    refuse(new NodeHttpRequest(incoming, outgoing, true), outgoing, UNEXPECTED)
  })
  refuseUnreadable(server, onRefusedConnection)
  const limits = new ConnectionLimits({ maxClients, maxClientsPerAddress, uncounted, onRefusedConnection })
  server.on('connection', socket => {
    if (limits.admit(socket)) keep(sockets)(socket)
    else socket.destroy()
  })
  // Its bytes tell of the handshake, too.
  secure?.on('secureConnection', keep(unused))
  const stopFollowing = tls?.follow(changed => secure?.setSecureContext(changed))
  // Node takes a connection that has sent nothing yet for busy; browsers and pools open such in advance.
  const closeIdle = () => {
    server.closeIdleConnections()
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy()
    for (const socket of unused) socket.destroy()
  }
  await listen(server, host, port)
  const bound = (server.address() as AddressInfo).port

  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    async close({ drainTimeout = 5_000 } = {}) {
      closing = true
      stopFollowing?.()
      const closed = new Promise<void>(resolve => server.close(() => resolve()))
      // Connections become idle one by one, and Node closes only those that are at the moment of asking.
      const sweep = setInterval(closeIdle, 20)
      const cut = setTimeout(() => server.closeAllConnections(), drainTimeout)
      closeIdle()
      await closed
      clearInterval(sweep)
      clearTimeout(cut)
      stop()
    },
  }
}

const NO_HOST = because(refusal(400, 'A request of HTTP/1.1 has a Host header'), 'host')
const UNEXPECTED = because(refusal(417, 'Only 100-continue can be expected'), 'expectation')

/** Without a limit one slow or greedy client keeps out all others; `node:http` takes 0 for none. */
function checkLimits(limits: Readonly<Record<string, number>>): void {
  for (const [name, limit] of Object.entries(limits))
    if (!Number.isSafeInteger(limit) || limit < 1)
      throw new TypeError(`${name}: expected a whole number above 0, got ${limit}`)
  if ((limits.maxHeaders as number) > MAX_HEADERS)
    throw new TypeError(`maxHeaders: expected ${MAX_HEADERS} at most, got ${limits.maxHeaders}`)
}

/** `node:http` drops those beyond, so that guards would not see them. */
const MAX_HEADERS = 2_000

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const knob = error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' ? '--host' : '--port'
      const hop = `${host}:${port}`
      reject(new TransportError('ERR_LISTEN', listenMessage(host, port, error), { hop, knob, cause: error }))
    })
    server.listen({ host, port }, () => {
      server.removeAllListeners('error')
      // A failure to accept (out of file descriptors) concerns one connection, not the server.
      server.on('error', () => {})
      resolve()
    })
  })
}

function listenMessage(host: string, port: number, error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is already in use; choose another with --port (0 takes any free one)`
    case 'EACCES':
      return `No permission to listen on port ${port}; choose one above 1023 with --port`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine; choose another with --host`
    default:
      return `Cannot listen on ${host}:${port}: ${error.message}`
  }
}
