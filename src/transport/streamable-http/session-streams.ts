/**
 * The event streams of one legacy session, and what is kept of them for clients that come back.
 * Specification: 2025-11-25 basic/transports, "Multiple Connections" and "Resumability and Redelivery".
 *
 * A stream is the server's messages for one call (or for none: the standalone stream), in order. Connections come
 * and go. While one is attached the source is pulled only as fast as that connection is read, so that a slow reader
 * slows the server down instead of filling memory. While none is attached the source runs on, because
 * disconnecting is not cancelling; what it says is kept within the session's limits, oldest dropped first.
 */

import { TransportError, toErrorObject } from '../../exchange/errors.js'
import type { Encoded } from '../../protocol/encode.js'
import { encodeEvent } from '../../protocol/event-stream.js'
import {
  errorResponse,
  type JSONRPCMessage,
  type JSONRPCResponse,
  type RequestId,
} from '../../protocol/message.js'
import { eventOf } from './reply.js'

export interface ReplayLimits {
  /** Events kept per session. */
  readonly events: number
  /** Characters of event text (bytes of raw results) kept per session. The newest event is always kept. */
  readonly bytes: number
}

/** Where a stream's messages come from: yields messages, and may end with a response. */
export interface StreamSource {
  next(): Promise<IteratorResult<JSONRPCMessage, JSONRPCResponse | undefined>>
  /** A message that is there already, without the promise. */
  ready?(): JSONRPCMessage | undefined
  /** Releases it where it is not run to its end. */
  release?(): void
}

/** `ended`: known, but nothing will follow any more. `unknown`: not an event of this session. */
export type Resumed = Connection | 'ended' | 'unknown'

export class SessionStreams {
  readonly limits: ReplayLimits
  readonly #onIdle: () => void
  readonly #streams = new Map<number, SessionStream>()
  #kept: KeptEvent[] = []
  #head = 0
  #size = 0
  #opened = 0
  #tag: string | undefined

  /** `onIdle` is called whenever a connection of this session ended. */
  constructor(limits: ReplayLimits, onIdle: () => void) {
    this.limits = limits
    this.#onIdle = onIdle
  }

  /** How many connections are attached, over all streams. */
  connections = 0

  /** Starts a stream. `onEnd` is called once its source has ended. */
  open(source: StreamSource, options: StreamOptions = {}): SessionStream {
    const stream = new SessionStream(this, this.#opened++, source, options)
    this.#streams.set(stream.number, stream)
    return stream
  }

  /** Attaches a connection behind an event that the client has seen. */
  resume(eventId: string): Resumed {
    const [tag, stream, sequence, more] = eventId.split('.')
    const number = parseCounter(stream)
    const after = parseCounter(sequence)
    // The tag is random: the id of another session's event names nothing here.
    if (tag === undefined || tag !== this.#tag || number === undefined || after === undefined)
      return 'unknown'
    if (number >= this.#opened || more !== undefined) return 'unknown'
    const found = this.#streams.get(number)
    if (found === undefined || !found.hasMore(after)) return 'ended'
    return found.attach(after)
  }

  /** Ends all connections. The sources are for their owner to end. */
  close(): void {
    for (const stream of [...this.#streams.values()]) stream.close()
    this.#streams.clear()
    this.#kept = []
    this.#head = this.#size = 0
  }

  /** What the ids of a stream's events begin with. */
  eventPrefix(stream: number): string {
    this.#tag ??= crypto.randomUUID().slice(0, 13)
    return `${this.#tag}.${stream}.`
  }

  keep(event: KeptEvent): void {
    this.#kept.push(event)
    this.#size += event.size
    event.stream.kept++
    while (this.#kept.length - this.#head > 1) {
      if (this.#kept.length - this.#head <= this.limits.events && this.#size <= this.limits.bytes) break
      const oldest = this.#kept[this.#head] as KeptEvent
      this.#kept[this.#head++] = undefined as never
      this.#size -= oldest.size
      oldest.stream.kept--
      this.forget(oldest.stream)
    }
    if (this.#head > 512 && this.#head * 2 > this.#kept.length) {
      this.#kept = this.#kept.slice(this.#head)
      this.#head = 0
    }
  }

  /** The kept events of a stream behind a sequence number, in order. */
  keptAfter(stream: SessionStream, sequence: number): KeptEvent[] {
    const events: KeptEvent[] = []
    for (let index = this.#head; index < this.#kept.length; index++) {
      const event = this.#kept[index] as KeptEvent
      if (event.stream === stream && event.sequence > sequence) events.push(event)
    }
    return events
  }

  /** Drops a stream of which nothing is left. */
  forget(stream: SessionStream): void {
    if (stream.ended && stream.kept === 0) this.#streams.delete(stream.number)
  }

  disconnected(): void {
    this.connections--
    this.#onIdle()
  }
}

export interface StreamOptions {
  /** The call that the stream answers: gets the error where the source fails. */
  readonly requestId?: RequestId | undefined
  readonly onEnd?: (() => void) | undefined
  /** A step of the source that was asked for already. */
  readonly first?: ReturnType<StreamSource['next']> | undefined
}

interface KeptEvent {
  readonly stream: SessionStream
  readonly sequence: number
  readonly event: Encoded
  readonly size: number
}

export class SessionStream {
  readonly number: number
  readonly #streams: SessionStreams
  readonly #source: StreamSource
  readonly #requestId: RequestId | undefined
  readonly #onEnd: (() => void) | undefined
  readonly #eventPrefix: string
  #first: ReturnType<StreamSource['next']> | undefined
  /** The last one gets the messages: each message goes to one connection only. */
  readonly #connections: Connection[] = []
  #pulling = false
  #sequence = 0
  /** The newest event that was handed to a connection. */
  #delivered = 0
  ended = false
  /** How many of its events are kept. */
  kept = 0

  constructor(streams: SessionStreams, number: number, source: StreamSource, options: StreamOptions) {
    this.#streams = streams
    this.number = number
    this.#eventPrefix = streams.eventPrefix(number)
    this.#source = source
    this.#requestId = options.requestId
    this.#onEnd = options.onEnd
    this.#first = options.first
  }

  hasMore(after: number): boolean {
    return !this.ended || (after < this.#sequence && this.kept > 0)
  }

  /**
   * Attaches a connection, which takes over from an earlier one: a client that comes back cannot know whether we have
   * noticed that it was gone. Without `after` it goes on where the last connection stopped. `retryMs` primes
   * it: the client learns an event id at once, and how long to wait before it comes back.
   */
  attach(after: number = this.#delivered, retryMs?: number): Connection {
    const connection = new Connection(this, this.#streams.keptAfter(this, after))
    if (retryMs !== undefined) {
      connection.prime(encodeEvent('', { id: this.#eventPrefix + after, retry: retryMs }) as string)
    }
    this.#streams.connections++
    this.#connections.at(-1)?.pause()
    this.#connections.push(connection)
    if (this.ended) this.#release(connection)
    else if (this.#connections.length > MAX_CONNECTIONS) this.#connections[0]?.end()
    return connection
  }

  /** A connection wants its next event. */
  want(connection: Connection): void {
    if (this.#connections.at(-1) === connection) this.#pull()
  }

  delivered(sequence: number): void {
    if (sequence > this.#delivered) this.#delivered = sequence
  }

  /** A connection is gone; the one before it takes over, and without any the source runs on by itself. */
  detach(connection: Connection): void {
    const index = this.#connections.indexOf(connection)
    if (index < 0) return
    const wasActive = index === this.#connections.length - 1
    this.#connections.splice(index, 1)
    this.#streams.disconnected()
    if (this.ended) return
    const active = this.#connections.at(-1)
    if (active === undefined) this.#pull()
    else if (wasActive) active.resume(this.#streams.keptAfter(this, this.#delivered))
  }

  /** Ends the stream for its connections, after what they have waiting, and lets go of its source. */
  close(): void {
    if (this.ended) return
    this.#source.release?.()
    this.ended = true
    for (const connection of [...this.#connections]) this.#release(connection)
    this.#streams.forget(this)
    this.#onEnd?.()
  }

  #release(connection: Connection): void {
    const index = this.#connections.indexOf(connection)
    if (index >= 0) this.#connections.splice(index, 1)
    this.#streams.disconnected()
    connection.finish()
  }

  #pull(): void {
    if (this.#pulling || this.ended) return
    this.#pulling = true
    const step = this.#first ?? this.#source.next()
    this.#first = undefined
    step.then(this.#onStep, this.#onError)
  }

  readonly #onStep = (step: IteratorResult<JSONRPCMessage, JSONRPCResponse | undefined>): void => {
    this.#pulling = false
    if (this.ended) return
    if (step.value !== undefined) this.#append(step.value)
    if (step.done) this.close()
    else if (this.#source.ready !== undefined) this.#burst(this.#source.ready())
    if (step.done) return
    if (this.#connections.length === 0) this.#pull()
  }

  /** Takes what is at hand already, up to what makes a good write. */
  #burst(first: JSONRPCMessage | undefined): void {
    let message = first
    for (let size = 0; message !== undefined && size < BURST; message = this.#source.ready?.()) {
      size += this.#append(message)
    }
    if (message !== undefined) this.#append(message)
  }

  readonly #onError = (error: unknown): void => {
    this.#pulling = false
    if (this.ended) return
    // The client cancelled: it wants no answer any more (2025-11-25 basic/utilities/cancellation).
    const cancelled = error instanceof TransportError && error.code === 'ERR_CANCELLED'
    if (!cancelled && this.#requestId !== undefined) {
      this.#append(errorResponse(this.#requestId, toErrorObject(error)))
    }
    this.close()
  }

  /** Returns the size of the event. */
  #append(message: JSONRPCMessage): number {
    const sequence = ++this.#sequence
    const event = eventOf(message, this.#eventPrefix + sequence)
    const kept: KeptEvent = { stream: this, sequence, event, size: sizeOf(event) }
    this.#streams.keep(kept)
    this.#connections.at(-1)?.give(kept)
    return kept.size
  }
}

/** One HTTP response that carries a stream, or a part of it. */
export class Connection implements AsyncIterableIterator<string | Uint8Array> {
  readonly #stream: SessionStream
  #backlog: KeptEvent[]
  #pieces: (string | Uint8Array)[] = []
  #waiting: ((step: IteratorResult<string | Uint8Array, undefined>) => void) | undefined
  #ended = false

  constructor(stream: SessionStream, backlog: KeptEvent[]) {
    this.#stream = stream
    this.#backlog = backlog
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    const piece = this.#pieces.shift() ?? this.#takeMany()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise(resolve => {
      this.#waiting = resolve
      this.#stream.want(this)
    })
  }

  /** The client is gone. */
  return(): Promise<IteratorResult<string | Uint8Array, undefined>> {
    this.end()
    return Promise.resolve(DONE)
  }

  /** Ends this connection and leaves the stream as it is. */
  end(): void {
    if (this.#ended) return
    this.#backlog = []
    this.#pieces = []
    this.finish()
    this.#stream.detach(this)
  }

  /** Ends after what waits. */
  finish(): void {
    this.#ended = true
    const resolve = this.#waiting
    this.#waiting = undefined
    resolve?.(DONE)
  }

  prime(text: string): void {
    this.#pieces.push(text)
  }

  give(event: KeptEvent): void {
    const resolve = this.#waiting
    if (resolve === undefined) {
      this.#backlog.push(event)
      return
    }
    this.#waiting = undefined
    resolve({ done: false, value: this.#take(event) as string | Uint8Array })
  }

  /** Another connection took over: it has what waits here. */
  pause(): void {
    this.#backlog = []
  }

  /** The other connection is gone. */
  resume(backlog: KeptEvent[]): void {
    this.#backlog = backlog
    if (this.#waiting === undefined) return
    const event = this.#backlog.shift()
    if (event === undefined) this.#stream.want(this)
    else this.give(event)
  }

  /** As many of the events that wait as make a good write. */
  #takeMany(): string | Uint8Array | undefined {
    let text = ''
    let taken = 0
    for (; taken < this.#backlog.length && text.length < BURST; taken++) {
      const { event, sequence } = this.#backlog[taken] as KeptEvent
      if (typeof event !== 'string') break
      text += event
      this.#stream.delivered(sequence)
    }
    if (taken === 0) return this.#take(this.#backlog.shift())
    this.#backlog = taken === this.#backlog.length ? [] : this.#backlog.slice(taken)
    return text
  }

  #take(event: KeptEvent | undefined): string | Uint8Array | undefined {
    if (event === undefined) return undefined
    this.#stream.delivered(event.sequence)
    if (typeof event.event === 'string') return event.event
    this.#pieces = event.event.slice(1)
    return event.event[0]
  }
}

/** Characters of events that are taken at once, and put together as one chunk. */
const BURST = 32 * 1024

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
/** More connections to one stream than these can only be left-overs. */
const MAX_CONNECTIONS = 4

function parseCounter(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

function sizeOf(event: Encoded): number {
  if (typeof event === 'string') return event.length
  let size = 0
  for (const piece of event) size += piece.length
  return size
}
