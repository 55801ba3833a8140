/**
 * Event streams (SSE), both ways. Specification: WHATWG HTML, "Server-sent events"; 2026-07-28
 * basic/transports/streamable-http, "Receiving Messages".
 */

import { Blocks } from './blocks.js'
import { type Encoded, withoutNewlines } from './encode.js'
import { decodeUtf8 } from './json-scan.js'

/** A comment: keeps the connection alive and means nothing. */
export const KEEP_ALIVE_COMMENT = ':\n\n'

export interface EventFields {
  /** Must not contain line breaks or NUL: `TypeError`. */
  readonly id?: string
  /** Must not contain line breaks: `TypeError`. Default: none is written, which means `message`. */
  readonly event?: string
  /** Milliseconds that the client should wait before it reconnects. */
  readonly retry?: number
}

export interface ServerSentEvent {
  /** Where this very event has one; the stream's last is {@link EventStreamDecoder.lastEventId}. */
  readonly id?: string
  /** `message` where the stream does not say. */
  readonly event: string
  readonly data: string
  /** The data as it came, where that was one large line: valid UTF-8, for `parseResponseLine`. */
  readonly bytes?: Uint8Array
  /** Milliseconds. */
  readonly retry?: number
}

export interface EventStreamOptions {
  /** Bytes that an event may have; a longer one is skipped in constant memory. */
  readonly maxEvent: number
  event(event: ServerSentEvent): void
  /** The server's wish, in milliseconds. */
  retry?(ms: number): void
  /** An event was skipped, which had so many bytes. */
  tooLarge(byteLength: number): void
  /** Checks large data that is kept as bytes; `isUtf8` of `node:buffer` is the fast one. Default: TextDecoder. */
  readonly isUtf8?: (bytes: Uint8Array) => boolean
}

const LF = 0x0a
const CR = 0x0d
/** Bytes from which a line of data is kept as bytes. */
const LARGE = 65_536
const DATA = [0x64, 0x61, 0x74, 0x61, 0x3a]

const encoder = new TextEncoder()
const lenient = new TextDecoder('utf-8', { ignoreBOM: true })

/** One event as text to be sent. Line breaks in `data` are written as the format wants them. */
export function encodeEvent(data: Encoded, fields?: EventFields): Encoded {
  const head = fields === undefined ? '' : encodeFields(fields)
  if (typeof data === 'string')
    return `${head}data: ${oneLine(data) ? data : data.replace(BREAK, '\ndata: ')}\n\n`
  // Pieces are JSON, in which a raw line break is but whitespace.
  const pieces = data.map(piece =>
    typeof piece === 'string' ? piece.replace(BREAK, ' ') : withoutNewlines(piece),
  )
  return [`${head}data: `, ...pieces, '\n\n']
}

/** Decodes a stream of events from chunks that may be cut anywhere. */
export class EventStreamDecoder {
  readonly #options: EventStreamOptions
  /** The beginning of a line whose end has not come yet. */
  readonly #pending: Blocks
  /** The last byte was a carriage return, so that a line feed belongs to it. */
  #afterReturn = false
  #first = true
  /** Set while an event over the limit is skipped: its bytes so far. */
  #skipped: number | undefined
  /** Bytes of the line that is being skipped. */
  #skippedLine = 0

  #lastEventId: string | undefined
  // The event that is being read.
  #size = 0
  #data: string | undefined
  #bytes: Uint8Array | undefined
  #event = ''
  #id: string | undefined
  #retry: number | undefined

  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#pending = new Blocks(options.maxEvent)
  }

  /** What a reconnect would send as `Last-Event-ID`. */
  get lastEventId(): string | undefined {
    return this.#lastEventId
  }

  /** Delivers the events that `chunk` completes. Bytes may be kept: do not reuse them. */
  push(chunk: Uint8Array | string): void {
    let rest = typeof chunk === 'string' ? encoder.encode(chunk) : chunk
    while (rest.length > 0) {
      if (this.#afterReturn) {
        this.#afterReturn = false
        if (rest[0] === LF) {
          rest = rest.subarray(1)
          continue
        }
      }
      if (this.#skipped !== undefined) rest = this.#skip(rest)
      else if (this.#pending.length > 0) rest = this.#continue(rest)
      else rest = this.#run(rest)
    }
  }

  /** The stream has ended. An event without its blank line is dropped, as the format demands. */
  end(): void {
    if (this.#skipped !== undefined) this.#options.tooLarge(this.#skipped)
    this.#skipped = undefined
    this.#pending.take()
    this.#reset()
  }

  /** Completes the pending line, if the bytes do. Returns what is left of them. */
  #continue(bytes: Uint8Array): Uint8Array {
    const end = firstBreak(bytes)
    if (end < 0) return this.#keep(bytes)
    this.#afterReturn = bytes[end] === CR
    const rest = bytes.subarray(end + 1)
    if (this.#overflows(end)) return bytes
    this.#pending.append(bytes.subarray(0, end))
    const line = this.#pending.take()
    if (line.length > LARGE) this.#largeLine(line)
    else this.#line(this.#unmarked(lenient.decode(line)), line.length)
    return rest
  }

  /** Complete lines, decoded at once. Returns what is left. */
  #run(bytes: Uint8Array): Uint8Array {
    const window = bytes.length > LARGE ? bytes.subarray(0, LARGE) : bytes
    const last = Math.max(window.lastIndexOf(LF), window.lastIndexOf(CR))
    // The limit is for one event. Where several small ones exceed it together, each line is looked at on its own.
    if (last < 0 || this.#size + last > this.#options.maxEvent)
      return firstBreak(bytes) < 0 ? this.#keep(bytes) : this.#one(bytes)
    this.#afterReturn = bytes[last] === CR
    const end = bytes[last] === LF && bytes[last - 1] === CR ? last - 1 : last
    const decoded = lenient.decode(bytes.subarray(0, end))
    // Else each character is one byte. It is bytes that count, so that the limit is the same however the stream is cut.
    let counted = decoded.length === end ? -1 : 0
    let text = this.#unmarked(decoded)
    if (text.includes('\r')) text = text.replace(BREAK, '\n')
    for (let start = 0; start <= text.length; ) {
      const newline = text.indexOf('\n', start)
      const lineEnd = newline < 0 ? text.length : newline
      let size = lineEnd - start
      if (counted >= 0) {
        const begin = counted
        while (counted < end && bytes[counted] !== LF && bytes[counted] !== CR) counted++
        size = counted - begin
        counted += bytes[counted] === CR && bytes[counted + 1] === LF ? 2 : 1
      }
      this.#line(text.slice(start, lineEnd), size)
      start = lineEnd + 1
    }
    return bytes.subarray(last + 1)
  }

  /** The first line only. */
  #one(bytes: Uint8Array): Uint8Array {
    const end = firstBreak(bytes)
    if (this.#overflows(end)) return bytes
    this.#afterReturn = bytes[end] === CR
    if (end > LARGE) this.#largeLine(bytes.subarray(0, end))
    else this.#line(this.#unmarked(lenient.decode(bytes.subarray(0, end))), end)
    return bytes.subarray(end + 1)
  }

  #keep(bytes: Uint8Array): Uint8Array {
    if (this.#overflows(bytes.length)) return bytes
    this.#pending.append(bytes)
    return bytes.subarray(bytes.length)
  }

  /** Turns to skipping where `more` bytes would exceed the limit. */
  #overflows(more: number): boolean {
    const size = this.#size + this.#pending.length + more
    if (size <= this.#options.maxEvent) return false
    this.#afterReturn = false
    this.#skipped = this.#size + this.#pending.length
    this.#skippedLine = this.#pending.length
    this.#pending.take()
    this.#data = undefined
    this.#bytes = undefined
    return true
  }

  /** Looks for the blank line that ends the event. Returns what comes after it. */
  #skip(bytes: Uint8Array): Uint8Array {
    const end = firstBreak(bytes)
    const length = end < 0 ? bytes.length : end
    this.#skipped = (this.#skipped ?? 0) + length
    this.#skippedLine += length
    if (end < 0) return bytes.subarray(bytes.length)
    this.#afterReturn = bytes[end] === CR
    if (this.#skippedLine === 0) {
      const skipped = this.#skipped
      this.#skipped = undefined
      if (this.#id !== undefined) this.#lastEventId = this.#id
      this.#reset()
      this.#options.tooLarge(skipped)
    }
    this.#skippedLine = 0
    return bytes.subarray(end + 1)
  }

  /** A line too long to be decoded before somebody wants it. */
  #largeLine(line: Uint8Array): void {
    const isData = DATA.every((byte, index) => line[index] === byte)
    const value = line.subarray(line[DATA.length] === 0x20 ? DATA.length + 1 : DATA.length)
    if (
      !isData ||
      this.#data !== undefined ||
      this.#bytes !== undefined ||
      !(this.#options.isUtf8 ?? decodes)(value)
    ) {
      this.#line(this.#unmarked(lenient.decode(line)), line.length)
      return
    }
    this.#first = false
    this.#size += line.length
    this.#bytes = value
  }

  #line(line: string, size: number): void {
    if (line === '') {
      this.#dispatch()
      return
    }
    const colon = line.indexOf(':')
    if (colon === 0) return
    this.#size += size
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1)
    if (field === 'data') this.#appendData(value)
    else if (field === 'event') this.#event = value
    else if (field === 'id') {
      if (!value.includes('\0')) this.#id = value
    } else if (field === 'retry' && /^\d+$/.test(value)) {
      this.#retry = Number(value)
      this.#options.retry?.(this.#retry)
    }
  }

  #appendData(value: string): void {
    if (this.#bytes !== undefined) {
      this.#data = decodeUtf8(this.#bytes)
      this.#bytes = undefined
    }
    this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`
  }

  #dispatch(): void {
    const id = this.#id
    const data = this.#data
    const bytes = this.#bytes
    const retry = this.#retry
    const event = this.#event === '' ? 'message' : this.#event
    this.#reset()
    if (id !== undefined) this.#lastEventId = id
    if (bytes !== undefined) this.#options.event(new LargeEvent(event, bytes, id, retry))
    else if (data !== undefined) {
      const small: { id?: string; event: string; data: string; retry?: number } = { event, data }
      if (id !== undefined) small.id = id
      if (retry !== undefined) small.retry = retry
      this.#options.event(small)
    }
  }

  #reset(): void {
    this.#size = 0
    this.#data = undefined
    this.#bytes = undefined
    this.#event = ''
    this.#id = undefined
    this.#retry = undefined
  }

  /** One byte order mark may begin the stream. */
  #unmarked(text: string): string {
    if (!this.#first) return text
    this.#first = false
    return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  }
}

/** Its data is decoded only where somebody reads it. */
class LargeEvent implements ServerSentEvent {
  readonly id?: string
  readonly retry?: number

  constructor(
    readonly event: string,
    readonly bytes: Uint8Array,
    id: string | undefined,
    retry: number | undefined,
  ) {
    if (id !== undefined) this.id = id
    if (retry !== undefined) this.retry = retry
  }

  get data(): string {
    return decodeUtf8(this.bytes)
  }
}

const BREAK = /\r\n|\r|\n/g

function oneLine(text: string): boolean {
  return !text.includes('\n') && !text.includes('\r')
}

function encodeFields({ id, event, retry }: EventFields): string {
  let head = ''
  if (id !== undefined) {
    if (!oneLine(id) || id.includes('\0')) throw new TypeError(`Invalid event id: ${JSON.stringify(id)}`)
    head = `id: ${id}\n`
  }
  if (event !== undefined) {
    if (!oneLine(event)) throw new TypeError(`Invalid event name: ${JSON.stringify(event)}`)
    head += `event: ${event}\n`
  }
  return retry === undefined ? head : `${head}retry: ${retry}\n`
}

function firstBreak(bytes: Uint8Array): number {
  const feed = bytes.indexOf(LF)
  const carriage = (feed < 0 ? bytes : bytes.subarray(0, feed)).indexOf(CR)
  return carriage < 0 ? feed : carriage
}

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes)
    return true
  } catch {
    return false
  }
}
