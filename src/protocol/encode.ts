/** Messages to text. A large result goes out as the bytes it came as. */

import type { JSONRPCMessage, JSONRPCNotification } from './message.js'
import { METHOD_PROGRESS } from './methods.js'
import { RawJson } from './raw-json.js'

/** Text, or pieces of text and bytes to be written one after the other. */
export type Encoded = string | readonly (string | Uint8Array)[]

/** One message as JSON: a string, or pieces where its result is {@link RawJson} (whose whitespace is kept). */
export function encodeMessage(message: JSONRPCMessage): Encoded {
  const result = 'result' in message ? message.result : undefined
  if (result instanceof RawJson) return pieces(message, result.segments(), '}')
  return 'method' in message && message.method === METHOD_PROGRESS
    ? encodeProgress(message)
    : JSON.stringify(message)
}

/** Progress comes by the ten thousand, and writing its outer object by hand takes a third off its encoding. */
function encodeProgress(message: JSONRPCMessage): string {
  const { params } = message as JSONRPCNotification
  if (params === undefined || Object.keys(message).length !== 3) return JSON.stringify(message)
  return `${PROGRESS}${JSON.stringify(params)}}`
}

const PROGRESS = `{"jsonrpc":"2.0","method":"${METHOD_PROGRESS}","params":`

/** One message as a line: the newline at its end is the only one (2026-07-28 basic/transports/stdio). */
export function encodeLine(message: JSONRPCMessage): Encoded {
  const result = 'result' in message ? message.result : undefined
  if (!(result instanceof RawJson)) return `${JSON.stringify(message)}\n`
  return pieces(message, result.segments().map(withoutNewlines), '}\n')
}

/** UTF-8 bytes of what will be written, exactly. It looks at every character: not for hot paths. */
export function encodedLength(encoded: Encoded): number {
  if (typeof encoded === 'string') return utf8Length(encoded)
  let total = 0
  for (const piece of encoded) total += typeof piece === 'string' ? utf8Length(piece) : piece.byteLength
  return total
}

/**
 * The bytes with spaces for newlines, which JSON allows only between tokens (a pretty-printed HTTP body). The same
 * bytes where there are none.
 */
export function withoutNewlines(bytes: Uint8Array): Uint8Array {
  if (!hasNewline(bytes)) return bytes
  return bytes.map(byte => (byte === 0x0a || byte === 0x0d ? 0x20 : byte))
}

/** Four bytes at a time, for it runs over every byte of a large result. */
function hasNewline(bytes: Uint8Array): boolean {
  const start = -bytes.byteOffset & 3
  const count = (bytes.length - start) >> 2
  if (count <= 0) return bytes.includes(0x0a) || bytes.includes(0x0d)
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start, count)
  for (let index = 0; index < count; index++) {
    const feeds = (words[index] as number) ^ 0x0a0a0a0a
    const returns = (words[index] as number) ^ 0x0d0d0d0d
    if (((((feeds - 0x01010101) & ~feeds) | ((returns - 0x01010101) & ~returns)) & 0x80808080) !== 0)
      return true
  }
  const end = start + 4 * count
  for (let index = 0; index < start; index++) if (bytes[index] === 0x0a || bytes[index] === 0x0d) return true
  for (let index = end; index < bytes.length; index++)
    if (bytes[index] === 0x0a || bytes[index] === 0x0d) return true
  return false
}

function pieces(
  message: JSONRPCMessage,
  segments: readonly Uint8Array[],
  end: string,
): readonly (string | Uint8Array)[] {
  const { result: _, ...rest } = message as JSONRPCMessage & { result: unknown }
  return [`${JSON.stringify(rest).slice(0, -1)},"result":`, ...segments, end]
}

function utf8Length(text: string): number {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x80) continue
    if (code < 0x800) length++
    else if (code >= 0xd800 && code < 0xdc00 && isLowSurrogate(text.charCodeAt(index + 1))) {
      // Four bytes for two characters.
      length += 2
      index++
    } else length += 2
  }
  return length
}

function isLowSurrogate(code: number): boolean {
  return code >= 0xdc00 && code < 0xe000
}
