import type { ServerMemory } from '../client/server-memory.js'
import type { Dashboard, ServingStatus } from '../client/serving-status.js'
import type { UpstreamCounts } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import type { Middleware } from '../exchange/exchange.js'
import type { RefusedConnection } from '../exchange/refused-connection.js'
import type { LossKind } from '../legacy/losses.js'
import type { ByteStream } from '../transport/channel/channel.js'
import type { HttpAccessOptions } from '../transport/http-access.js'
import type { HttpFaceOptions } from '../transport/http-face.js'
import type { TlsChange } from './tls/tls-change.js'

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

/** The options as the faces need them. */
export type FaceOptions = ServeOptions & { readonly onSessionEnd: (session: string) => void }

/** Something that can be drained and then closed. */
export interface Face {
  drain(timeout: number): Promise<void>
}
