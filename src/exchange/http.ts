/**
 * The HTTP seam: as much of HTTP as the protocol needs. `node/` writes it straight to `node:http`,
 * `serverless/` wraps it as `(Request) => Promise<Response>`, so that protocol code exists once.
 */

import type { JSONObject, JSONRPCRequest } from '../protocol/message.js'

/** Who sends a request, as an authentication guard found out. */
export interface HttpIdentity {
  /** Never the same for two who are not the same, whichever way they authenticate. */
  readonly principal: string
  /** What is known of the principal; `scope` holds its scopes, divided by spaces. */
  readonly claims?: JSONObject | undefined
}

export interface HttpRequest {
  readonly method: string
  /** The path as it was sent, without the query. */
  readonly path: string
  /** Without the question mark; empty where there is none. */
  readonly query: string
  /** `http` or `https`, as the client sees it. */
  readonly scheme: 'http' | 'https'
  /** What a trusted proxy has taken off the front of the path: `/a/b`. */
  readonly prefix?: string | undefined
  /** The peer's network address, where the platform tells. */
  readonly address?: string | undefined
  /** The subject of the client certificate, where TLS has verified one: `CN=NAME,O=COMPANY`. */
  readonly certificate?: string | undefined
  /** Set by an authentication guard once it knows, and by nobody else. */
  identity?: HttpIdentity | undefined
  /** True once there is a call: whatever refuses it from there on sees the call. */
  called?: boolean | undefined
  /** A header's value by its lower-case name; several values are joined with `, `. */
  header(name: string): string | undefined
  /**
   * Reads the body once. Rejects with `RpcError` TOO_LARGE over `limit` bytes, PARSE_ERROR for invalid UTF-8.
   */
  text(limit: number): Promise<string>
  /** Calls back once if the client goes away before the reply is complete. Returns how to stop listening. */
  onHangup(listener: () => void): () => void
}

/** Text, bytes as they came, or a stream of either (an event stream). */
export type HttpBody = string | readonly Uint8Array[] | AsyncIterable<string | Uint8Array>

export interface HttpReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: HttpBody
  /**
   * For a stream: text to write when nothing was written for the platform's keep-alive interval (an event
   * stream's comment line), so that proxies do not cut it.
   */
  readonly keepAlive?: string
  /** What a record says of a refusal. It is not sent. */
  readonly refusal?: RefusalNote | undefined
}

/** Why a request was refused before there was a call. Where there is no reason, the code and the status are reason enough. */
export interface RefusalNote {
  /** Of the JSON-RPC error in the body. */
  readonly code?: number | undefined
  /** One word. */
  readonly reason?: string | undefined
  /** What it asked for, where that was read. */
  readonly asked?: JSONRPCRequest | undefined
}

export type HttpHandler = (request: HttpRequest) => Promise<HttpReply>

/** Something around a handler: it may answer itself, or change what comes in or goes out. */
export type HttpMiddleware = (next: HttpHandler) => HttpHandler
