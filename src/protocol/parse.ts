/**
 * Text to messages. The envelope is checked, what is inside stays as the peer sent it.
 * Specification: 2026-07-28 basic/index, "Messages"; 2025-03-26 basic, "Batching".
 */

import { ambiguityOf } from './ambiguity.js'
import { INVALID_REQUEST, PARSE_ERROR, RpcError, TOO_LARGE } from './errors.js'
import { glimpse } from './glimpse.js'
import { decodeUtf8, JsonScanError, JsonScanner, type Member } from './json-scan.js'
import type { JSONRPCMessage, RequestId } from './message.js'
import { parseProgress } from './progress-line.js'
import { RawJson } from './raw-json.js'

/** Deeper than any sane message, and far from where recursion over a value would overflow the stack. */
export const DEFAULT_MAX_DEPTH = 128

export interface ParseLimits {
  /** How many objects and arrays may be nested, the message itself included. */
  readonly maxDepth: number
  /** Refuses what others may read otherwise, as {@link ambiguityOf} says, but in large results. Default false. */
  readonly unambiguous?: boolean
}

const DEFAULT_LIMITS: ParseLimits = { maxDepth: DEFAULT_MAX_DEPTH }

/** Reads one message. Throws `RpcError`: PARSE_ERROR, INVALID_REQUEST, or TOO_LARGE where nested too deeply. */
export function parseMessage(text: string, limits: ParseLimits = DEFAULT_LIMITS): JSONRPCMessage {
  return parseProgress(text) ?? checkEnvelope(parseJson(text, limits))
}

/**
 * Reads a message or a batch, which comes as an array (2025-03-26 only: whether it is allowed is for the caller
 * to say). Throws as {@link parseMessage}; an empty batch and a batch with an invalid member are invalid as a whole.
 */
export function parseBody(
  text: string,
  limits: ParseLimits = DEFAULT_LIMITS,
): JSONRPCMessage | readonly JSONRPCMessage[] {
  const value = parseJson(text, limits)
  if (!Array.isArray(value)) return checkEnvelope(value)
  if (value.length === 0) throw invalid('an empty batch')
  for (const member of value) checkEnvelope(member)
  return value
}

/**
 * Reads one message from many bytes. A response keeps its `result` as {@link RawJson}; everything else is parsed as
 * usual. `bytes` should be valid UTF-8 and are kept, not copied. Throws as {@link parseMessage}.
 */
export function parseResponseLine(bytes: Uint8Array, limits: ParseLimits = DEFAULT_LIMITS): JSONRPCMessage {
  return parseRawResponse(bytes, limits.maxDepth) ?? parseMessage(decode(bytes), limits)
}

/** The id of a message that is invalid otherwise, for an error reply to it. As good as can be had without effort. */
export function idOf(text: string): RequestId | undefined {
  return glimpse(new TextEncoder().encode(text)).id
}

function parseJson(text: string, { maxDepth, unambiguous }: ParseLimits): unknown {
  if (nestsDeeper(text, maxDepth)) throw tooDeep(maxDepth)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new RpcError(PARSE_ERROR, `Parse error: ${(error as Error).message}`)
  }
  const ambiguity = unambiguous === true ? ambiguityOf(text, value) : undefined
  if (ambiguity !== undefined) throw invalid(ambiguity)
  return value
}

/** Whether a JSON text has more than `maxDepth` containers inside each other. */
export function nestsDeeper(text: string, maxDepth: number): boolean {
  // Each level takes two characters.
  if (text.length <= 2 * maxDepth) return false
  // Most messages have few brackets at all, and `indexOf` counts them at memory speed.
  let budget = maxDepth
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) if (--budget < 0) break
  if (budget >= 0)
    for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) if (--budget < 0) break
  return budget < 0 && scanDepth(text, maxDepth)
}

function scanDepth(text: string, maxDepth: number): boolean {
  let depth = 0
  for (let position = 0; position < text.length; position++) {
    const code = text.charCodeAt(position)
    if (code === 0x22) {
      position = closingQuote(text, position)
      if (position < 0) return false
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > maxDepth) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

function closingQuote(text: string, opening: number): number {
  for (let quote = text.indexOf('"', opening + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (text.charCodeAt(before) === 0x5c) before--
    if (((quote - before) & 1) === 1) return quote
  }
  return -1
}

interface Envelope {
  readonly jsonrpc?: unknown
  readonly id?: unknown
  readonly method?: unknown
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: unknown
}

function checkEnvelope(value: unknown): JSONRPCMessage {
  if (!isPlain(value)) throw invalid(`the message must be an object, not ${nameOf(value)}`)
  const message: Envelope = value
  if (message.jsonrpc !== '2.0') throw invalid(`"jsonrpc" must be "2.0", not ${nameOf(message.jsonrpc)}`)
  if (message.method !== undefined) checkCall(message)
  else checkResponse(message)
  return message as unknown as JSONRPCMessage
}

function checkCall(message: Envelope): void {
  const { id, method, params } = message
  if (typeof method !== 'string') throw invalid(`"method" must be a string, not ${nameOf(method)}`)
  if (id !== undefined && !isId(id)) throw invalid(`"id" must be a string or an integer, not ${nameOf(id)}`)
  if (params !== undefined) {
    if (!isPlain(params)) throw invalid(`"params" must be an object, not ${nameOf(params)}`)
    checkMeta('params', params._meta)
  }
  if (message.result !== undefined || message.error !== undefined)
    throw invalid('"method" stands beside "result" or "error"')
}

function checkResponse(message: Envelope): void {
  const { id, result, error } = message
  if (result === undefined && error === undefined) throw invalid('none of "method", "result" and "error"')
  if (result !== undefined && error !== undefined) throw invalid('both "result" and "error"')
  if (result !== undefined) {
    if (!isId(id)) throw invalid(`"id" must be a string or an integer, not ${nameOf(id)}`)
    if (!isPlain(result)) throw invalid(`"result" must be an object, not ${nameOf(result)}`)
    if (!(result instanceof RawJson)) checkMeta('result', result._meta)
    return
  }
  // An error may answer a request whose id could not be read: JSON-RPC says null, MCP 2026-07-28 leaves it out.
  if (id !== undefined && id !== null && !isId(id))
    throw invalid(`"id" must be a string or an integer, not ${nameOf(id)}`)
  if (!isPlain(error)) throw invalid(`"error" must be an object, not ${nameOf(error)}`)
  if (!Number.isInteger(error.code))
    throw invalid(`"error.code" must be an integer, not ${nameOf(error.code)}`)
  if (typeof error.message !== 'string')
    throw invalid(`"error.message" must be a string, not ${nameOf(error.message)}`)
}

function checkMeta(parent: string, meta: unknown): void {
  if (meta !== undefined && !isPlain(meta))
    throw invalid(`"${parent}._meta" must be an object, not ${nameOf(meta)}`)
}

/** Undefined where the bytes hold anything but a plain response with an object for a result. */
function parseRawResponse(bytes: Uint8Array, maxDepth: number): JSONRPCMessage | undefined {
  const scanner = new JsonScanner(bytes, maxDepth)
  const message: Record<string, unknown> = {}
  let plain = true
  try {
    const start = scanner.space(0)
    if (bytes[start] !== 0x7b) return undefined
    const end = scanner.object(start, (key, _, value) => {
      if (key === 'method' || key === 'error' || key === '__proto__' || Object.hasOwn(message, key)) return -1
      if (key === 'result' && bytes[value] === 0x7b) {
        const members: Member[] = []
        const after = scanner.members(value, 2, members)
        plain = members.every(member => member.key !== '_meta' || bytes[member.value] === 0x7b)
        const offset = (at: Member): Member => ({
          key: at.key,
          start: at.start - value,
          value: at.value - value,
          end: at.end - value,
        })
        message.result = RawJson.fromMembers(bytes.subarray(value, after), members.map(offset))
        return after
      }
      const after = scanner.skip(value, 1)
      message[key] = JSON.parse(decode(bytes.subarray(value, after)))
      return after
    })
    if (end < 0 || !plain || !(message.result instanceof RawJson)) return undefined
    if (scanner.space(end) !== bytes.length) throw new JsonScanError('malformed', end)
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error
    throw error.reason === 'too-deep'
      ? tooDeep(maxDepth)
      : new RpcError(PARSE_ERROR, `Parse error: ${error.message}`)
  }
  return checkEnvelope(message)
}

function decode(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes)
  } catch {
    throw new RpcError(PARSE_ERROR, 'Parse error: invalid UTF-8')
  }
}

/** Specification: "Requests MUST include a string or integer ID"; an unsafe integer would come back as another. */
function isId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function nameOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'string') return value.length > 40 ? 'a string' : JSON.stringify(value)
  return String(value)
}

function invalid(what: string): RpcError {
  return new RpcError(INVALID_REQUEST, `Invalid request: ${what}`)
}

function tooDeep(maxDepth: number): RpcError {
  return new RpcError(TOO_LARGE, `Too large: nested more than ${maxDepth} levels deep`)
}
