/**
 * What fails between us and a peer. It stays local: one table says what a caller on the wire gets to see.
 */

import {
  INSUFFICIENT_SCOPE,
  INTERNAL_ERROR,
  INVALID_REQUEST,
  METHOD_NOT_FOUND,
  PARSE_ERROR,
  RATE_LIMITED,
  RpcError,
  SHUTTING_DOWN,
  TOO_LARGE,
  UNRECORDED,
  UPSTREAM_BUSY,
  UPSTREAM_TIMEOUT,
  UPSTREAM_UNAVAILABLE,
} from '../protocol/errors.js'
import type { JSONRPCErrorObject } from '../protocol/message.js'

export type TransportErrorCode =
  | 'ERR_SPAWN' // the program could not be started
  | 'ERR_EXITED' // the program ended while the call was open
  | 'ERR_CLOSED' // the connection closed while the call was open
  | 'ERR_CONNECT' // nothing answers at the address
  | 'ERR_LISTEN' // we could not listen at the address
  | 'ERR_HANDSHAKE' // the peer answered, but not as an MCP server
  | 'ERR_STATUS' // the peer answered with an HTTP status that is no answer to the call
  | 'ERR_TIMEOUT' // no answer within the limit
  | 'ERR_TOO_LARGE' // a message exceeded a limit
  | 'ERR_BUSY' // a bounded queue or pool is full
  | 'ERR_CANCELLED' // the caller left or cancelled
  | 'ERR_DRAINING' // we are shutting down
  | 'ERR_PROTOCOL' // the peer broke the protocol
  | 'ERR_SIGN_IN' // the server wants a sign-in that there is not, or that failed
  | 'ERR_LIMITED' // the caller calls more often than it may
  | 'ERR_UNRECORDED' // calls are to be on record, and the record cannot be written

export interface TransportFacts {
  /** Which hop failed, as a person would name it: the command or address. */
  readonly hop?: string
  /** The option that changes this behaviour. */
  readonly knob?: string
  readonly exitCode?: number
  readonly signal?: string
  /** The HTTP status that the peer answered with. */
  readonly status?: number
  /** The last lines the program wrote to stderr. */
  readonly stderr?: readonly string[]
  /** True where the request certainly never reached the peer, so that repeating it is safe. */
  readonly retryable?: boolean
  /** The request was delivered, and what came of it is not known: it may have run. */
  readonly outcome?: 'unknown'
  /** It is about who calls: others may well be served. */
  readonly ofCaller?: boolean
  /** Seconds after which the same call would be let in. */
  readonly retryAfter?: number
  readonly cause?: unknown
}

export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly retryable: boolean

  constructor(
    readonly code: TransportErrorCode,
    message: string,
    readonly facts: TransportFacts = {},
  ) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.retryable = facts.retryable ?? false
  }
}

/** The request never reached a peer that has gone: another one may have it. */
export function wasNeverSent(error: unknown): boolean {
  return (
    error instanceof TransportError &&
    error.retryable &&
    (error.code === 'ERR_EXITED' || error.code === 'ERR_CLOSED')
  )
}

/** The same error for a call of which a part did reach the peer. */
export function asSent(error: unknown): unknown {
  if (!wasNeverSent(error)) return error
  const { code, message, facts } = error as TransportError
  return new TransportError(code, message, { ...facts, retryable: false })
}

const RPC_CODES: Record<TransportErrorCode, number> = {
  ERR_SPAWN: UPSTREAM_UNAVAILABLE,
  ERR_EXITED: UPSTREAM_UNAVAILABLE,
  ERR_CLOSED: UPSTREAM_UNAVAILABLE,
  ERR_CONNECT: UPSTREAM_UNAVAILABLE,
  ERR_LISTEN: INTERNAL_ERROR,
  ERR_HANDSHAKE: UPSTREAM_UNAVAILABLE,
  ERR_STATUS: UPSTREAM_UNAVAILABLE,
  ERR_TIMEOUT: UPSTREAM_TIMEOUT,
  ERR_TOO_LARGE: TOO_LARGE,
  ERR_BUSY: UPSTREAM_BUSY,
  ERR_CANCELLED: UPSTREAM_UNAVAILABLE,
  ERR_DRAINING: SHUTTING_DOWN,
  ERR_PROTOCOL: INTERNAL_ERROR,
  ERR_SIGN_IN: UPSTREAM_UNAVAILABLE,
  ERR_LIMITED: RATE_LIMITED,
  ERR_UNRECORDED: UNRECORDED,
}

/** The error object that a caller on the wire sees for whatever a handler threw. */
export function toErrorObject(error: unknown): JSONRPCErrorObject {
  if (error instanceof RpcError) return error.toErrorObject()
  if (error instanceof TransportError) {
    const { hop, knob, exitCode, signal, status, stderr, outcome, retryAfter } = error.facts
    const data: Record<string, unknown> = { code: error.code }
    if (hop !== undefined) data.hop = hop
    if (knob !== undefined) data.option = knob
    if (exitCode !== undefined) data.exitCode = exitCode
    if (signal !== undefined) data.signal = signal
    if (status !== undefined) data.status = status
    if (stderr !== undefined && stderr.length > 0) data.stderr = stderr
    if (outcome !== undefined) data.outcome = outcome
    if (retryAfter !== undefined) data.retryAfter = retryAfter
    return { code: RPC_CODES[error.code], message: error.message, data }
  }
  // A bug of ours or of a handler: its text may hold anything, so the caller gets none of it.
  return { code: INTERNAL_ERROR, message: 'Internal error' }
}

/** The HTTP status of a modern error that ends a request before its stream began. */
export function httpStatusOf(code: number): number {
  switch (code) {
    case PARSE_ERROR:
    case INVALID_REQUEST:
    case -32020:
    case -32021:
    case -32022:
      return 400
    case METHOD_NOT_FOUND:
      return 404
    case INSUFFICIENT_SCOPE:
      return 403
    case RATE_LIMITED:
      return 429
    case UPSTREAM_BUSY:
    case SHUTTING_DOWN:
    case UNRECORDED:
      return 503
    case TOO_LARGE:
      return 413
    default:
      // In-band outcomes of a call that was well formed: the HTTP hop worked, and clients read the JSON-RPC
      // error of a 200 but often drop that of a 502.
      return 200
  }
}

/**
 * The status of a call that was refused at the door, in either era; undefined for all other errors. Legacy clients are
 * told what went wrong at the server with a 200, but 403 and 429 mean something to them.
 */
export function refusalStatusOf(code: number): number | undefined {
  return code === INSUFFICIENT_SCOPE || code === RATE_LIMITED ? httpStatusOf(code) : undefined
}

/** The headers that such a status asks for (RFC 9110 10.2.3; RFC 6750 3); undefined for all other errors. */
export function refusalHeadersOf({ code, data }: JSONRPCErrorObject): Record<string, string> | undefined {
  const facts = (data ?? {}) as { readonly retryAfter?: unknown; readonly scope?: unknown }
  if (code === RATE_LIMITED) return { 'retry-after': String(facts.retryAfter ?? 1) }
  if (code !== INSUFFICIENT_SCOPE) return undefined
  return { 'www-authenticate': `Bearer error="insufficient_scope", scope="${String(facts.scope ?? '')}"` }
}
