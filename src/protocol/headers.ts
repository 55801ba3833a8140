/**
 * The HTTP headers of the protocol and how body fields are mirrored into them.
 * Specification: 2026-07-28 basic/transports/streamable-http, "Request Metadata".
 */

import { HEADER_MISMATCH, RpcError } from './errors.js'
import { decodeUtf8 } from './json-scan.js'
import type { JSONRPCRequest } from './message.js'
import { protocolVersionOf } from './meta.js'
import { nameParameter } from './methods.js'

/** Legacy only (2025-03-26 to 2025-11-25). */
export const HEADER_SESSION = 'mcp-session-id'
export const HEADER_PROTOCOL_VERSION = 'mcp-protocol-version'
export const HEADER_METHOD = 'mcp-method'
export const HEADER_NAME = 'mcp-name'
/** Legacy only: which event of a stream the client saw last. */
export const HEADER_LAST_EVENT_ID = 'last-event-id'
/** Begins the names of headers that carry tool arguments. */
export const PARAM_PREFIX = 'mcp-param-'

const SENTINEL_START = '=?base64?'
const SENTINEL_END = '?='
/** Visible ASCII, with spaces inside. A tab would be legal inside too, but not every peer takes it. */
const PLAIN = /^(?:[!-~](?:[ -~]*[!-~])?)?$/
/** RFC 9110, section 5.5. */
const LEGAL = /^[\t -~]*$/
/** RFC 4648, section 4, with padding. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

const encoder = new TextEncoder()

/** The value as it goes into a header: as it is, or in the Base64 sentinel ("Value Encoding"). */
export function encodeHeaderValue(value: string): string {
  if (PLAIN.test(value) && !hasSentinel(value)) return value
  let binary = ''
  for (const byte of encoder.encode(value)) binary += String.fromCharCode(byte)
  return `${SENTINEL_START}${btoa(binary)}${SENTINEL_END}`
}

/** The value that a header carries; undefined where it has invalid characters, bad Base64 or bad UTF-8. */
export function decodeHeaderValue(value: string): string | undefined {
  if (!LEGAL.test(value)) return undefined
  // Nothing else that it trims is legal; an expression would need the square of the time for blanks within.
  const trimmed = value.trim()
  if (!hasSentinel(trimmed) || trimmed.length < SENTINEL_START.length + SENTINEL_END.length) return trimmed
  const payload = trimmed.slice(SENTINEL_START.length, -SENTINEL_END.length)
  if (!BASE64.test(payload)) return undefined
  try {
    return decodeUtf8(Uint8Array.from(atob(payload), character => character.charCodeAt(0)))
  } catch {
    return undefined
  }
}

/**
 * Checks that the standard headers say what the body says ("Server Validation"). Throws `RpcError` HEADER_MISMATCH.
 * A body without a protocol version is not refused here: that is an error of the body, INVALID_PARAMS.
 *
 * @param header A header's value by its lower-case name.
 */
export function checkMirror(request: JSONRPCRequest, header: (name: string) => string | undefined): void {
  const version = protocolVersionOf(request)
  if (version !== undefined)
    checkValue('MCP-Protocol-Version', header(HEADER_PROTOCOL_VERSION)?.trim(), version)
  checkValue('Mcp-Method', header(HEADER_METHOD)?.trim(), request.method)
  const parameter = nameParameter(request.method)
  if (parameter === undefined) return
  const name = request.params?.[parameter]
  checkEncoded('Mcp-Name', header(HEADER_NAME), typeof name === 'string' ? name : undefined)
}

/** The standard headers of a request, by their lower-case names. */
export function mirrorHeaders(request: JSONRPCRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  const version = protocolVersionOf(request)
  if (version !== undefined) headers[HEADER_PROTOCOL_VERSION] = encodeHeaderValue(version)
  // Not every string is a legal value, and what is not must never reach the wire as it is.
  headers[HEADER_METHOD] = encodeHeaderValue(request.method)
  const parameter = nameParameter(request.method)
  const name = parameter === undefined ? undefined : request.params?.[parameter]
  if (typeof name === 'string') headers[HEADER_NAME] = encodeHeaderValue(name)
  return headers
}

/** Throws HEADER_MISMATCH unless an encoded header says what the body says; undefined stands for nothing. */
export function checkEncoded(name: string, value: string | undefined, expected: string | undefined): void {
  if (value === undefined) {
    if (expected !== undefined) throw mismatch(name, undefined, expected)
    return
  }
  const decoded = decodeHeaderValue(value)
  if (decoded === undefined)
    throw new RpcError(
      HEADER_MISMATCH,
      `Header mismatch: ${name} header value ${quoted(value)} has invalid characters or invalid Base64`,
    )
  // A lone surrogate has no UTF-8, so that a header cannot carry it.
  if (decoded !== expected && (expected === undefined || decoded !== wellFormed(expected)))
    throw mismatch(name, decoded, expected)
}

/** A HEADER_MISMATCH that names the header, its value and the body's. */
export function mismatch(name: string, value: string | undefined, expected: string | undefined): RpcError {
  const body = expected === undefined ? 'the body, which has no such value' : `body value ${quoted(expected)}`
  return new RpcError(
    HEADER_MISMATCH,
    value === undefined
      ? `Header mismatch: ${name} header is missing, body value is ${quoted(expected ?? '')}`
      : `Header mismatch: ${name} header value ${quoted(value)} does not match ${body}`,
  )
}

function checkValue(name: string, value: string | undefined, expected: string): void {
  if (value !== expected) throw mismatch(name, value, expected)
}

function hasSentinel(value: string): boolean {
  return value.startsWith(SENTINEL_START) && value.endsWith(SENTINEL_END)
}

function wellFormed(text: string): string {
  return decodeUtf8(encoder.encode(text))
}

function quoted(value: string): string {
  return `'${value.length > 200 ? `${value.slice(0, 200)}...` : value}'`
}
