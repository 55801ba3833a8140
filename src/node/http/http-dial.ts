/** Connections to remote servers: TCP or a Unix socket, through a proxy where there is one, and TLS on top. */

import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http'
import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls'
import { TransportError } from '../../exchange/errors.js'
import {
  type Dialled,
  type DialPhase,
  dialFailure,
  dialTimeout,
  proxyRefusal,
  type Validity,
} from './http-failure.js'
import { type HttpProxy, hostOf, portOf } from './http-proxy.js'

export interface Destination {
  /** As a person names it. */
  readonly hop: string
  readonly secure: boolean
  readonly at: Place
  readonly proxy: HttpProxy | undefined
  /** The proxy fetches absolute addresses, rather than opening a way through. */
  readonly forwarded: boolean
}

type Place = { readonly host: string; readonly port: number } | { readonly path: string }

type DialCallback = (...outcome: [error: null, socket: Socket] | [error: Error, socket: null]) => void

/** Finds out that the other machine is gone, while a call or a stream is silent. */
const KEEP_ALIVE_DELAY = 30_000
const MAX_SESSIONS = 16

/** Dials with one limit for all that it takes. What fails is a `TransportError` that says how far it had come. */
export class Dialler {
  readonly #open = new Set<Dialling>()
  readonly #sessions = new Map<string, Buffer>()

  constructor(
    private readonly timeout: number,
    private readonly context: SecureContext | undefined,
  ) {}

  /** `servername` is the name by which the server shall present itself; by default that of the destination. */
  dial(to: Destination, servername: string | undefined, callback: DialCallback): void {
    const done: DialCallback = (...outcome) => {
      this.#open.delete(dialling)
      callback(...outcome)
    }
    const dialling = new Dialling(to, servername, this.timeout, this.#secured, done)
    this.#open.add(dialling)
    dialling.start()
  }

  close(): void {
    for (const dialling of this.#open) dialling.abandon()
    this.#open.clear()
  }

  readonly #secured = (socket: Socket, host: string): TLSSocket => {
    // An address is no name by which a server could choose its certificate.
    const servername = isIP(host) === 0 ? host : ''
    const session = this.#sessions.get(host)
    const options: ConnectionOptions = {
      socket,
      host,
      servername,
      ALPNProtocols: ['http/1.1'],
      ...(this.context === undefined ? {} : { secureContext: this.context }),
      ...(session === undefined ? {} : { session }),
    }
    const secured = connectTls(options)
    secured.on('session', ticket => {
      if (this.#sessions.size >= MAX_SESSIONS) this.#sessions.clear()
      this.#sessions.set(host, ticket)
    })
    return secured
  }
}

/** One connection that is being made. */
class Dialling {
  #phase: DialPhase = 'connect'
  #socket: Socket | undefined
  #request: ClientRequest | undefined
  #timer: NodeJS.Timeout | undefined
  #validity: Validity | undefined
  #done = false
  readonly #names: Dialled

  constructor(
    private readonly to: Destination,
    private readonly servername: string | undefined,
    private readonly timeout: number,
    private readonly secured: (socket: Socket, host: string) => TLSSocket,
    private readonly callback: DialCallback,
  ) {
    const { at, hop, proxy } = to
    this.#names = { hop, place: formatPlace(at), host: 'host' in at ? at.host : at.path, proxy: proxy?.name }
  }

  start(): void {
    const { at, proxy, forwarded } = this.to
    if (this.timeout > 0) {
      this.#timer = setTimeout(
        () => this.#fail(dialTimeout(this.timeout, this.#phase, this.#names)),
        this.timeout,
      )
    }
    if (proxy === undefined) this.#connect(at, 'connect', socket => this.#reached(socket))
    else {
      const place = { host: hostOf(proxy.url), port: portOf(proxy.url) }
      const ready = (socket: Socket) => (forwarded ? this.#succeed(socket) : this.#ask(socket, proxy))
      this.#connect(place, 'proxy', socket => {
        if (proxy.url.protocol === 'http:') ready(socket)
        else this.#encrypt(socket, place.host, 'proxy-tls', ready)
      })
    }
  }

  /** Nobody waits for it any more. */
  abandon(): void {
    this.#end()
    this.#request?.destroy()
    this.#socket?.destroy()
  }

  #connect(at: Place, phase: DialPhase, then: (socket: Socket) => void): void {
    this.#phase = phase
    const common = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY }
    const socket = connectSocket(
      'path' in at ? { path: at.path } : { ...at, ...common, autoSelectFamily: true },
    )
    this.#socket = socket
    socket.on('error', error => this.#fail(error))
    socket.once('connect', () => then(socket))
  }

  #encrypt(socket: Socket, host: string, phase: DialPhase, then: (socket: TLSSocket) => void): void {
    this.#phase = phase
    const encrypted = this.secured(socket, host)
    this.#socket = encrypted
    // Before Node looks at the certificate itself: an error about it does not say what it holds.
    encrypted.prependOnceListener('secure', () => {
      if (!this.#done) this.#validity = encrypted.getPeerCertificate()
    })
    // For as long as it lives: in TLS 1.3 the server refuses a client certificate when the handshake is over for the client, by an
    // error that does not close the connection, and what follows would hide it.
    encrypted.on('error', error => (this.#done ? encrypted.destroy(error) : this.#fail(error)))
    encrypted.once('secureConnect', () => then(encrypted))
  }

  /** CONNECT (RFC 9110, section 9.3.6). */
  #ask(socket: Socket, { authorization }: HttpProxy): void {
    this.#phase = 'proxy-answer'
    const { place } = this.#names
    const headers = {
      host: place,
      ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }),
    }
    const request = requestHttp({ method: 'CONNECT', path: place, headers, createConnection: () => socket })
    this.#request = request
    request.on('error', error => this.#fail(error))
    const refused = ({ statusCode = 0 }: IncomingMessage) =>
      this.#fail(proxyRefusal(statusCode, authorization !== undefined, this.#names))
    request.once('response', refused)
    request.once('connect', (response, tunnel: Socket, head) => {
      if (response.statusCode === undefined || response.statusCode >= 300) return refused(response)
      // A server that speaks first is none of ours; what it said would be lost.
      if (head.byteLength > 0) tunnel.unshift(head)
      this.#request = undefined
      this.#socket = tunnel
      this.#reached(tunnel)
    })
    request.end()
  }

  #reached(socket: Socket): void {
    const { at, secure } = this.to
    if (!secure) return this.#succeed(socket)
    const host = this.servername ?? ('host' in at ? at.host : 'localhost')
    this.#encrypt(socket, host, 'tls', encrypted => this.#succeed(encrypted))
  }

  #succeed(socket: Socket): void {
    if (this.#done) return
    this.#end()
    this.callback(null, socket)
  }

  #fail(error: unknown): void {
    if (this.#done) return
    const failure =
      error instanceof TransportError ? error : dialFailure(error, this.#phase, this.#names, this.#validity)
    this.abandon()
    this.callback(failure, null)
  }

  #end(): void {
    this.#done = true
    this.#validity = undefined
    clearTimeout(this.#timer)
  }
}

function formatPlace(at: Place): string {
  if ('path' in at) return at.path
  return `${isIP(at.host) === 6 ? `[${at.host}]` : at.host}:${at.port}`
}
