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
import { type EventRun, KeptEvents, type ReplayLimits } from './kept-events.js'
import { eventOf } from './reply.js'
import { BURST, StreamConnection } from './stream-connection.js'

/** Where a stream's messages come from: an exchange, or what is like one. */
export interface StreamSource {
  next(): Promise<IteratorResult<JSONRPCMessage, JSONRPCResponse | undefined>>
  /** A message that is there already, without the promise. */
  ready?(): JSONRPCMessage | undefined
  /** Releases it where it is not run to its end. */
  return(value: never): Promise<unknown>
}

/** `ended`: known, but nothing will follow any more. `unknown`: not an event of this session. */
export type Resumed = StreamConnection | 'ended' | 'unknown'

export class SessionStreams {
  readonly #onIdle: () => void
  readonly #streams = new Map<number, SessionStream>()
  readonly kept: KeptEvents<SessionStream>
  #opened = 0
  #tag: string | undefined

  /** `onIdle` is called whenever a connection of this session ended. */
  constructor(limits: ReplayLimits, onIdle: () => void) {
    this.kept = new KeptEvents(limits, stream => this.forget(stream))
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
    this.kept.clear()
  }

  /** What the ids of a stream's events begin with. */
  eventPrefix(stream: number): string {
    this.#tag ??= crypto.randomUUID().slice(0, 13)
    return `${this.#tag}.${stream}.`
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

export class SessionStream {
  readonly number: number
  readonly #streams: SessionStreams
  readonly #source: StreamSource
  readonly #requestId: RequestId | undefined
  readonly #onEnd: (() => void) | undefined
  readonly eventPrefix: string
  #first: ReturnType<StreamSource['next']> | undefined
  /** The last one gets the messages: each message goes to one connection only. */
  readonly #connections: StreamConnection[] = []
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
    this.eventPrefix = streams.eventPrefix(number)
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
  attach(after: number = this.#delivered, retryMs?: number): StreamConnection {
    const connection = new StreamConnection(this, this.#streams.kept.after(this, after))
    if (retryMs !== undefined) {
      connection.prime(encodeEvent('', { id: this.eventPrefix + after, retry: retryMs }) as string)
    }
    this.#streams.connections++
    this.#connections.at(-1)?.pause()
    this.#connections.push(connection)
    if (this.ended) this.#release(connection)
    else if (this.#connections.length > MAX_CONNECTIONS) this.#connections[0]?.end()
    return connection
  }

  /** A connection wants its next event. */
  want(connection: StreamConnection): void {
    if (this.#connections.at(-1) === connection) this.#pull()
  }

  delivered(sequence: number): void {
    if (sequence > this.#delivered) this.#delivered = sequence
  }

  /** A connection is gone; the one before it takes over, and without any the source runs on by itself. */
  detach(connection: StreamConnection): void {
    const index = this.#connections.indexOf(connection)
    if (index < 0) return
    const wasActive = index === this.#connections.length - 1
    this.#connections.splice(index, 1)
    this.#streams.disconnected()
    if (this.ended) return
    const active = this.#connections.at(-1)
    if (active === undefined) this.#pull()
    else if (wasActive) active.resume(this.#streams.kept.after(this, this.#delivered))
  }

  /** Ends the stream for its connections, after what they have waiting, and lets go of its source. */
  close(): void {
    if (this.ended) return
    this.#source.return(undefined as never).catch(() => {})
    this.ended = true
    for (const connection of [...this.#connections]) this.#release(connection)
    this.#streams.forget(this)
    this.#onEnd?.()
  }

  #release(connection: StreamConnection): void {
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

  readonly #onStep = (step: Awaited<ReturnType<StreamSource['next']>>): void => {
    this.#pulling = false
    if (this.ended) return
    if (step.done) {
      if (step.value !== undefined) this.#append(eventOf(step.value, this.#nextId()), 1)
      this.close()
      return
    }
    this.#appendBurst(step.value)
    if (this.#connections.length === 0) this.#pull()
  }

  /** Appends a message with what is at hand already, up to what makes a good write. */
  #appendBurst(first: JSONRPCMessage): void {
    let event = eventOf(first, this.#nextId())
    let events = 1
    // Only responses have parts that are bytes, and those come one at a time.
    while (typeof event === 'string' && event.length < BURST) {
      const message = this.#source.ready?.()
      if (message === undefined) break
      event += eventOf(message, this.#nextId()) as string
      events++
    }
    this.#append(event, events)
  }

  readonly #onError = (error: unknown): void => {
    this.#pulling = false
    if (this.ended) return
    // The client cancelled: it wants no answer any more (2025-11-25 basic/utilities/cancellation).
    const cancelled = error instanceof TransportError && error.code === 'ERR_CANCELLED'
    if (!cancelled && this.#requestId !== undefined) {
      this.#append(eventOf(errorResponse(this.#requestId, toErrorObject(error)), this.#nextId()), 1)
    }
    this.close()
  }

  #nextId(): string {
    return this.eventPrefix + ++this.#sequence
  }

  /** The text of the newest events, as many as that. */
  #append(event: Encoded, events: number): void {
    const last = this.#sequence
    const start = last - events + 1
    const run: EventRun<SessionStream> = {
      stream: this,
      start,
      first: start,
      last,
      event,
      size: sizeOf(event),
    }
    this.#streams.kept.keep(run)
    this.#connections.at(-1)?.give(run)
  }
}

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
