import type { EventRun } from './kept-events.js'

/** What a connection needs of the stream that it carries. */
export interface CarriedStream {
  /** A connection wants its next event. */
  want(connection: StreamConnection): void
  /** The events up to this sequence number were handed to a connection. */
  delivered(sequence: number): void
  /** A connection is gone. */
  detach(connection: StreamConnection): void
}

type Step = IteratorResult<string | Uint8Array, undefined>

/** One HTTP response that carries a stream, or a part of it. */
export class StreamConnection implements AsyncIterableIterator<string | Uint8Array> {
  readonly #stream: CarriedStream
  #backlog: readonly EventRun[]
  /** Written before the backlog: the beginning of the stream, or the rest of an event in pieces. */
  #pieces: readonly (string | Uint8Array)[] = NONE
  #waiting: ((step: Step) => void) | undefined
  #ended = false

  constructor(stream: CarriedStream, backlog: readonly EventRun[]) {
    this.#stream = stream
    this.#backlog = backlog
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Step> {
    const piece = this.#takePiece() ?? this.#takeMany()
    if (piece !== undefined) return Promise.resolve({ done: false, value: piece })
    if (this.#ended) return Promise.resolve(DONE)
    return new Promise(resolve => {
      this.#waiting = resolve
      this.#stream.want(this)
    })
  }

  /** The client is gone. */
  return(): Promise<Step> {
    this.end()
    return Promise.resolve(DONE)
  }

  /** Ends this connection and leaves the stream as it is. */
  end(): void {
    if (this.#ended) return
    this.#backlog = NONE
    this.#pieces = NONE
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
    this.#pieces = [text]
  }

  give(run: EventRun): void {
    const resolve = this.#waiting
    if (resolve === undefined) {
      this.#backlog = this.#backlog.length === 0 ? [run] : [...this.#backlog, run]
      return
    }
    this.#waiting = undefined
    resolve({ done: false, value: this.#take(run) })
  }

  /** Another connection took over: it has what waits here. */
  pause(): void {
    this.#backlog = NONE
  }

  /** The other connection is gone. */
  resume(backlog: readonly EventRun[]): void {
    this.#backlog = backlog
    if (this.#waiting === undefined) return
    const [first, ...rest] = backlog
    this.#backlog = rest
    if (first === undefined) this.#stream.want(this)
    else this.give(first)
  }

  /** As many of the events that wait as make a good write. */
  #takeMany(): string | Uint8Array | undefined {
    const backlog = this.#backlog
    const [first] = backlog
    if (first === undefined) return undefined
    let text = ''
    let taken = 0
    for (; taken < backlog.length && text.length < BURST; taken++) {
      const { event, last } = backlog[taken] as EventRun
      if (typeof event !== 'string') break
      text += event
      this.#stream.delivered(last)
    }
    this.#backlog = taken === backlog.length ? NONE : backlog.slice(Math.max(1, taken))
    return taken === 0 ? this.#take(first) : text
  }

  #take(run: EventRun): string | Uint8Array {
    this.#stream.delivered(run.last)
    if (typeof run.event === 'string') return run.event
    this.#pieces = run.event.slice(1)
    return run.event[0] as string | Uint8Array
  }

  #takePiece(): string | Uint8Array | undefined {
    const pieces = this.#pieces
    if (pieces.length > 0) this.#pieces = pieces.length === 1 ? NONE : pieces.slice(1)
    return pieces[0]
  }
}

/** Characters of events that are put together as one chunk. */
export const BURST = 32 * 1024

const NONE: readonly never[] = []
const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }
