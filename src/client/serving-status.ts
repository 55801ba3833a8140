/** What is served at this moment, and the part that shows it to people. */

import type { Middleware } from '../exchange/exchange.js'
import type { HttpReply, HttpRequest } from '../exchange/http.js'
import type { RefusedConnection } from '../exchange/refused-connection.js'
import type { HttpBeside } from '../transport/http-beside.js'
import type { UpstreamStatus } from './upstream-status.js'

/** One server. JSON as it is. */
export interface ServedServer {
  /** Its name behind a gateway; else the command or address. */
  readonly name: string
  /** Where it is served alone, behind a gateway. */
  readonly path?: string | undefined
  /** Why it does not say what it has, behind a gateway. */
  readonly unavailable?: string | undefined
  /** Undefined for what runs in this process. */
  readonly status?: UpstreamStatus | undefined
}

/** JSON as it is. */
export interface ServingStatus {
  readonly name: string
  readonly version: string
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  /** Several servers behind one address. */
  readonly gateway: boolean
  /** The endpoint of Streamable HTTP, and the stream of HTTP+SSE, as paths; undefined where there is no HTTP. */
  readonly path?: string | undefined
  readonly ssePath?: string | undefined
  /** Serves on stdin and stdout. */
  readonly stdio: boolean
  /** `socket:PATH`, `tcp://HOST:PORT`. */
  readonly sockets: readonly string[]
  readonly servers: readonly ServedServer[]
}

/** What a dashboard is given. */
export interface DashboardSource {
  readonly status: () => ServingStatus
  /** Values that a server was given and nobody else should see. Without a name: the only one. */
  readonly secretsOf: (server: string | undefined) => readonly string[]
  /** Somebody has to show a credential. */
  readonly authenticated: boolean
  /** The addresses of requests are those that a trusted proxy tells, where there is one. */
  readonly trustsProxy: boolean
}

/** A page that shows what is served, made by `dashboard()`. For one `serve` only. */
export interface Dashboard {
  /** Throws `TypeError` where it would be shown to people whom nobody has chosen. */
  check(source: Pick<DashboardSource, 'authenticated'>): void
  /** Goes around all that is served. */
  readonly guard: Middleware
  /** Hears of requests that are refused before there is a call. */
  refused(request: HttpRequest, reply: HttpReply, duration?: number): void
  /** Hears of connections that are closed without a request. */
  refusedConnection(refused: RefusedConnection): void
  sessionEnded(session: string): void
  /** What is served beside the endpoints. */
  open(source: DashboardSource): HttpBeside
  /** Ends what its viewers have open. */
  close(): void
}
