/**
 * The other side of the HTTP seam: what a binding needs of an HTTP client. `node/` makes one over the network, with its
 * connections, proxies and certificates; tests make one over a handler.
 */

import type { Context } from './context.js'

export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'OPTIONS'
  /** Absolute. */
  readonly url: string
  /** By their names as they are to be written. */
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string | readonly (string | Uint8Array)[]
  /** An open stream may be silent for longer than an answer. */
  readonly stream?: boolean
}

export interface HttpAnswer {
  readonly status: number
  /** What it answers, with all that was added on the way: so that secrets of ours are known where it repeats them. */
  readonly call?: HttpCall
  /** A header's value by its lower-case name; several values are joined with `, `. */
  header(name: string): string | undefined
  /** Starts the delivery of the body. Exactly one listener. */
  listen(listener: HttpBodyListener): void
  pause(): void
  resume(): void
  /** Gives up what is left of the body. The server sees a hang-up, unless it had sent everything. */
  cancel(): void
}

export interface HttpBodyListener {
  data(chunk: Uint8Array): void
  /** Called once, last. An error (a `TransportError`) says why where the body is not complete. */
  closed(error?: Error): void
}

export interface HttpClient {
  /** Begins to load what the first call needs, for those who know that it comes. Connects to nothing. */
  prepare?(): void
  /**
   * Resolves with the answer's head, whatever its status. Rejects with a `TransportError` that names the hop and what failed
   * (name resolution, connection, TLS, proxy, timeout); it is `retryable` where the request certainly never reached the server.
   * Cancelling the context hangs up, at any time until the body has closed.
   */
  send(call: HttpCall, context: Context): Promise<HttpAnswer>
  /** Ends idle connections at once, and those in use. */
  close(): Promise<void>
}

/** Signs requests, and mends refusals where it can (2025-11-25 and 2026-07-28 basic/authorization). */
export interface Authorizer {
  /** What the next request carries. A promise only where something has to be waited for. */
  headers(context: Context): Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>
  /**
   * The server answered 401, or 403 with `insufficient_scope`, to a request that carried these headers. Resolves true where the
   * same request is worth sending once more; rejects with a `TransportError` that says what a person has to do.
   */
  refused(refusal: AuthorizationRefusal, context: Context): Promise<boolean>
}

export interface AuthorizationRefusal {
  readonly status: 401 | 403
  readonly challenge: string | undefined
  readonly sent: Readonly<Record<string, string>>
}
