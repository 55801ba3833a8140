/**
 * The newline framing of stdio, as a decoder that is fed bytes.
 * Specification: 2026-07-28 basic/transports/stdio.
 */

import { Blocks } from './blocks.js'
import { encodedLength } from './encode.js'
import { INVALID_REQUEST, RpcError, TOO_LARGE } from './errors.js'
import { type Glimpse, glimpse } from './glimpse.js'
import { decodeUtf8 } from './json-scan.js'
import type { JSONRPCMessage, RequestId } from './message.js'
import { DEFAULT_MAX_DEPTH, type ParseLimits, parseBody, parseMessage, parseResponseLine } from './parse.js'

/** `not-json` is what cannot be a message from its first character on, and what does not parse. */
export type NoiseKind = 'not-json' | 'not-a-message' | 'too-large' | 'invalid-utf8' | 'too-deep'

/** A line that is no message that can be delivered. */
export interface Noise {
  readonly kind: NoiseKind
  /** The first 200 characters, without control characters and terminal colours. */
  readonly text: string
  /** Of the whole line. */
  readonly byteLength: number
  /** Where the line still shows it: whose response it is, or with {@link method} which request. */
  readonly id?: RequestId
  /** Where the line still shows it: it is a request or a notification, and `id` is the sender's own. */
  readonly method?: string
}

export interface LineDecoderOptions {
  /** Bytes that a line may have; a longer one is skipped in constant memory. */
  readonly maxMessage: number
  /** Default {@link DEFAULT_MAX_DEPTH}. */
  readonly maxDepth?: number
  /** See {@link ParseLimits}. Default false. */
  readonly unambiguous?: boolean
  message(message: JSONRPCMessage): void
  noise(noise: Noise): void
  /** Checks large lines that are kept as bytes; `isUtf8` of `node:buffer` is the fast one. Default: TextDecoder. */
  readonly isUtf8?: (bytes: Uint8Array) => boolean
}

const NEWLINE = 0x0a
const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
/** Bytes from which a line is scanned as bytes rather than decoded and parsed. */
const LARGE = 65_536
/** Bytes kept of each end of a line that is skipped. */
const EDGE = 4096
const NOISE_TEXT = 200
const NOTHING: Glimpse = {}

const encoder = new TextEncoder()
const lenientDecoder = new TextDecoder()

export class LineDecoder {
  readonly #options: LineDecoderOptions
  readonly #limits: ParseLimits
  readonly #isUtf8: (bytes: Uint8Array) => boolean
  readonly #small: number
  /** The beginning of a line whose newline has not come yet. */
  readonly #pending: Blocks
  /** Set while a line over the limit is skipped. */
  #skipping: SkippedLine | undefined
  #ended = false

  constructor(options: LineDecoderOptions) {
    this.#options = options
    this.#pending = new Blocks(options.maxMessage)
    this.#limits = {
      maxDepth: options.maxDepth ?? DEFAULT_MAX_DEPTH,
      unambiguous: options.unambiguous ?? false,
    }
    this.#isUtf8 = options.isUtf8 ?? decodes
    this.#small = Math.min(LARGE, options.maxMessage)
  }

  /** Delivers the messages that `chunk` completes. It may be kept: do not reuse it. */
  push(chunk: Uint8Array): void {
    let start = 0
    if (this.#pending.length > 0 || this.#skipping !== undefined) {
      const newline = chunk.indexOf(NEWLINE)
      if (newline < 0) {
        this.#append(chunk)
        return
      }
      this.#append(chunk.subarray(0, newline))
      this.#finish()
      start = newline + 1
    }
    const last = chunk.lastIndexOf(NEWLINE)
    if (last >= start) {
      if (last - start <= this.#small) this.#run(chunk.subarray(start, last))
      else this.#split(chunk, start, last)
      start = last + 1
    }
    if (start < chunk.length) this.#append(start === 0 ? chunk : chunk.subarray(start))
  }

  /**
   * The bytes have ended; a last line without a newline counts. One that is no message was cut off, so that its id answers nobody: how
   * the sender ended says more.
   */
  end(): void {
    this.#ended = true
    if (this.#pending.length > 0 || this.#skipping !== undefined) this.#finish()
  }

  #append(bytes: Uint8Array): void {
    if (this.#skipping !== undefined) this.#skipping.append(bytes)
    else if (this.#pending.length + bytes.length <= this.#options.maxMessage) this.#pending.append(bytes)
    else {
      this.#skipping = new SkippedLine()
      this.#skipping.append(this.#pending.take())
      this.#skipping.append(bytes)
    }
  }

  #finish(): void {
    const skipped = this.#skipping
    if (skipped === undefined) {
      this.#line(this.#pending.take())
      return
    }
    this.#skipping = undefined
    this.#noise('too-large', lenient(skipped.head), skipped.byteLength, glimpse(skipped.head, skipped.tail))
  }

  /** Complete lines that together are small: decoded at once, which costs a fraction of decoding each. */
  #run(bytes: Uint8Array): void {
    let text: string
    try {
      text = decodeUtf8(bytes)
    } catch {
      this.#each(bytes, line => this.#line(line))
      return
    }
    let start = 0
    while (start <= text.length) {
      const newline = text.indexOf('\n', start)
      const end = newline < 0 ? text.length : newline
      if (end > start) this.#text(start === 0 && newline < 0 ? text : text.slice(start, end))
      start = end + 1
    }
  }

  /** Complete lines of which some are large. */
  #split(chunk: Uint8Array, start: number, end: number): void {
    let runStart = start
    let lineStart = start
    while (lineStart <= end) {
      const newline = chunk.indexOf(NEWLINE, lineStart)
      if (newline - runStart > this.#small) {
        if (lineStart > runStart) this.#run(chunk.subarray(runStart, lineStart - 1))
        runStart = lineStart
        if (newline - lineStart > this.#small) {
          this.#append(chunk.subarray(lineStart, newline))
          this.#finish()
          runStart = newline + 1
        }
      }
      lineStart = newline + 1
    }
    if (runStart < end) this.#run(chunk.subarray(runStart, end))
  }

  #each(bytes: Uint8Array, line: (line: Uint8Array) => void): void {
    let start = 0
    while (start < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, start)
      const end = newline < 0 ? bytes.length : newline
      line(bytes.subarray(start, end))
      start = end + 1
    }
  }

  /** One line as bytes. */
  #line(bytes: Uint8Array): void {
    if (bytes.length > LARGE) {
      this.#large(withoutMark(bytes))
      return
    }
    let text: string
    try {
      text = decodeUtf8(bytes)
    } catch {
      this.#noise('invalid-utf8', lenient(bytes), bytes.length, glimpse(bytes))
      return
    }
    this.#text(text)
  }

  #large(bytes: Uint8Array): void {
    if (!this.#isUtf8(bytes)) {
      this.#noise('invalid-utf8', lenient(bytes), bytes.length, glimpse(bytes))
      return
    }
    let message: JSONRPCMessage
    try {
      if (bytes[0] !== OPEN_BRACE) {
        this.#text(decodeUtf8(bytes))
        return
      }
      message = parseResponseLine(bytes, this.#limits)
    } catch (error) {
      this.#noise(kindOf(error), lenient(bytes), bytes.length, glimpse(bytes))
      return
    }
    this.#options.message(message)
  }

  /** One line as text, without its newline. */
  #text(line: string): void {
    let message: JSONRPCMessage | readonly JSONRPCMessage[]
    try {
      if (line.charCodeAt(0) === OPEN_BRACE) message = parseMessage(line, this.#limits)
      else {
        // Blanks, and a byte order mark, which counts as one.
        const trimmed = line.trim()
        if (trimmed === '') return
        const first = trimmed.charCodeAt(0)
        if (first !== OPEN_BRACE && first !== OPEN_BRACKET) {
          // A log line. Some servers write many, and a thrown error for each would cost forty times this.
          this.#noise('not-json', line, encodedLength(line), NOTHING)
          return
        }
        message = parseBody(trimmed, this.#limits)
      }
    } catch (error) {
      const bytes = encoder.encode(line)
      this.#noise(kindOf(error), line, bytes.length, glimpse(bytes))
      return
    }
    if (Array.isArray(message)) for (const member of message) this.#options.message(member)
    else this.#options.message(message as JSONRPCMessage)
  }

  #noise(kind: NoiseKind, text: string, byteLength: number, seen: Glimpse): void {
    this.#options.noise({ kind, text: printable(text), byteLength, ...(this.#ended ? NOTHING : seen) })
  }
}

/** Both ends of a line whose middle is thrown away. */
class SkippedLine {
  byteLength = 0
  readonly #head = new Uint8Array(EDGE)
  /** Twice the edge, so that making room is rare even where bytes come one at a time. */
  readonly #tail = new Uint8Array(2 * EDGE)
  #tailLength = 0

  get head(): Uint8Array {
    return this.#head.subarray(0, Math.min(EDGE, this.byteLength))
  }

  get tail(): Uint8Array {
    return this.#tail.subarray(Math.max(0, this.#tailLength - EDGE), this.#tailLength)
  }

  append(bytes: Uint8Array): void {
    if (this.byteLength < EDGE) this.#head.set(bytes.subarray(0, EDGE - this.byteLength), this.byteLength)
    this.byteLength += bytes.length
    const last = bytes.length > EDGE ? bytes.subarray(bytes.length - EDGE) : bytes
    if (this.#tailLength + last.length > this.#tail.length) {
      this.#tail.copyWithin(0, this.#tailLength - EDGE, this.#tailLength)
      this.#tailLength = EDGE
    }
    this.#tail.set(last, this.#tailLength)
    this.#tailLength += last.length
  }
}

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes)
    return true
  } catch {
    return false
  }
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes
}

function kindOf(error: unknown): NoiseKind {
  if (!(error instanceof RpcError)) throw error
  if (error.code === TOO_LARGE) return 'too-deep'
  return error.code === INVALID_REQUEST ? 'not-a-message' : 'not-json'
}

function lenient(bytes: Uint8Array): string {
  return lenientDecoder.decode(bytes.subarray(0, 4 * NOISE_TEXT))
}

const ESCAPES = new RegExp(
  [
    String.raw`\u001b\[[0-?]*[ -/]*[@-~]`,
    String.raw`\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)?`,
    String.raw`\u001b[ -/]*[0-~]?`,
    String.raw`[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]`,
  ].join('|'),
  'g',
)

function printable(text: string): string {
  return text
    .slice(0, 4 * NOISE_TEXT)
    .replace(ESCAPES, '')
    .trim()
    .slice(0, NOISE_TEXT)
}
