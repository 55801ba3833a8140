/** What answers a POST or a GET: one JSON body or an event stream, message by message. */

import type { HttpAnswer, HttpBodyListener } from '../../exchange/http-client.js'
import { DEFAULT_MAX_MESSAGE, type HttpEndpoint } from '../../exchange/http-endpoint.js'
import { Blocks } from '../../protocol/blocks.js'
import { PARSE_ERROR, RpcError, TOO_LARGE } from '../../protocol/errors.js'
import { EventStreamDecoder, type ServerSentEvent } from '../../protocol/event-stream.js'
import { decodeUtf8 } from '../../protocol/json-scan.js'
import type { JSONRPCMessage } from '../../protocol/message.js'
import { DEFAULT_MAX_DEPTH, parseBody, parseResponseLine } from '../../protocol/parse.js'

export interface AnswerListener {
  message(message: JSONRPCMessage): void
  /** Something is no message, or exceeds a limit; what follows on a stream is read on. */
  broken(error: RpcError): void
  /** Called once, last, perhaps before {@link readAnswer} returns. An error says why where the answer is not complete. */
  ended(error: Error | undefined, reader: AnswerReader): void
}

export type AnswerKind = 'json' | 'events'

/** By the content type; undefined where it is neither. */
export function kindOf(answer: HttpAnswer): AnswerKind | undefined {
  const type = answer.header('content-type')
  if (type === undefined) return undefined
  if (/^\s*application\/json\s*(?:;|$)/i.test(type)) return 'json'
  return /^\s*text\/event-stream\s*(?:;|$)/i.test(type) ? 'events' : undefined
}

/** Starts to read. */
export function readAnswer(
  answer: HttpAnswer,
  kind: AnswerKind,
  limits: AnswerLimits,
  listener: AnswerListener,
): void {
  answer.listen(kind === 'json' ? new JsonReader(limits, listener) : new EventsReader(limits, listener))
}

export type AnswerLimits = Pick<HttpEndpoint, 'maxMessage' | 'maxDepth' | 'isUtf8'>

export interface AnswerReader extends HttpBodyListener {
  /** The last event that had an id, which a resumed stream goes on behind. */
  readonly lastEventId: string | undefined
  /** How long the server wants to be left alone before a stream is opened again, in milliseconds. */
  readonly retry: number | undefined
}

/** Bytes from which a body is scanned as bytes rather than decoded and parsed. */
const LARGE = 65_536

class JsonReader implements AnswerReader {
  readonly lastEventId = undefined
  readonly retry = undefined
  readonly #limits: AnswerLimits
  readonly #listener: AnswerListener
  /** Nearly every body is one chunk. */
  #only: Uint8Array | undefined
  #blocks: Blocks | undefined
  #size = 0

  constructor(limits: AnswerLimits, listener: AnswerListener) {
    this.#limits = limits
    this.#listener = listener
  }

  data(chunk: Uint8Array): void {
    const { maxMessage = DEFAULT_MAX_MESSAGE } = this.#limits
    this.#size += chunk.length
    if (this.#size > maxMessage) {
      this.#only = this.#blocks = undefined
    } else if (this.#blocks === undefined && this.#only === undefined) this.#only = chunk
    else {
      this.#blocks ??= new Blocks(maxMessage)
      if (this.#only !== undefined) this.#blocks.append(this.#only)
      this.#only = undefined
      this.#blocks.append(chunk)
    }
  }

  closed(error?: Error): void {
    const { maxMessage = DEFAULT_MAX_MESSAGE } = this.#limits
    if (this.#size > maxMessage) this.#listener.broken(tooLarge(this.#size))
    else if (error === undefined) this.#parse(this.#only ?? this.#blocks?.take() ?? NOTHING)
    this.#listener.ended(error, this)
  }

  #parse(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    deliver(() => parseBytes(bytes, this.#limits), this.#listener)
  }
}

const NOTHING = new Uint8Array(0)

class EventsReader implements AnswerReader {
  retry: number | undefined
  readonly #limits: AnswerLimits
  readonly #listener: AnswerListener
  readonly #decoder: EventStreamDecoder

  constructor(limits: AnswerLimits, listener: AnswerListener) {
    this.#limits = limits
    this.#listener = listener
    this.#decoder = new EventStreamDecoder({
      maxEvent: limits.maxMessage ?? DEFAULT_MAX_MESSAGE,
      event: event => this.#event(event),
      retry: milliseconds => {
        this.retry = milliseconds
      },
      tooLarge: byteLength => listener.broken(tooLarge(byteLength)),
      ...(limits.isUtf8 === undefined ? {} : { isUtf8: limits.isUtf8 }),
    })
  }

  get lastEventId(): string | undefined {
    return this.#decoder.lastEventId
  }

  data(chunk: Uint8Array): void {
    this.#decoder.push(chunk)
  }

  closed(error?: Error): void {
    this.#decoder.end()
    this.#listener.ended(error, this)
  }

  #event(event: ServerSentEvent): void {
    // Others are not of the protocol. One without data only carries an id to resume from.
    if (event.event !== 'message') return
    const { bytes } = event
    // A large array is a batch, which is parsed whole.
    if (bytes !== undefined && bytes[0] !== OPEN_BRACKET)
      deliver(() => parseResponseLine(bytes, { maxDepth: maxDepth(this.#limits) }), this.#listener)
    else if (event.data !== '')
      deliver(() => parseBody(event.data, { maxDepth: maxDepth(this.#limits) }), this.#listener)
  }
}

function parseBytes(bytes: Uint8Array, limits: AnswerLimits): JSONRPCMessage | readonly JSONRPCMessage[] {
  const depth = { maxDepth: maxDepth(limits) }
  // A large array is a batch, which is parsed whole.
  if (bytes.length > LARGE && bytes[0] !== OPEN_BRACKET && (limits.isUtf8 ?? decodes)(bytes))
    return parseResponseLine(bytes, depth)
  let text: string
  try {
    text = decodeUtf8(bytes)
  } catch {
    throw new RpcError(PARSE_ERROR, 'Parse error: invalid UTF-8')
  }
  return parseBody(text, depth)
}

const OPEN_BRACKET = 0x5b

function deliver(parse: () => JSONRPCMessage | readonly JSONRPCMessage[], listener: AnswerListener): void {
  let parsed: JSONRPCMessage | readonly JSONRPCMessage[]
  try {
    parsed = parse()
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    listener.broken(error)
    return
  }
  if (Array.isArray(parsed)) for (const message of parsed) listener.message(message)
  else listener.message(parsed as JSONRPCMessage)
}

function maxDepth(limits: AnswerLimits): number {
  return limits.maxDepth ?? DEFAULT_MAX_DEPTH
}

function tooLarge(byteLength: number): RpcError {
  return new RpcError(TOO_LARGE, 'A message has more bytes than --max-message allows', {
    byteLength,
    option: '--max-message',
  })
}

function decodes(bytes: Uint8Array): boolean {
  try {
    decodeUtf8(bytes)
    return true
  } catch {
    return false
  }
}
