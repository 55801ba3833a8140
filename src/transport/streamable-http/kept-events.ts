import type { Encoded } from '../../protocol/encode.js'

export interface ReplayLimits {
  /** Events kept per session. */
  readonly events: number
  /**
   * Characters of event text (bytes of raw results) kept per session. The newest event is always kept, with what was written
   * together with it.
   */
  readonly bytes: number
}

/** Whose events are kept. */
export interface EventSource {
  /** What the ids of its events begin with. */
  readonly eventPrefix: string
  /** How many of its events are kept. */
  kept: number
}

/** Events of one stream that follow each other, as they are written: one object however many, since most are never asked for again. */
export interface EventRun<S extends EventSource = EventSource> {
  readonly stream: S
  /** The sequence number of the first event in the text. */
  readonly start: number
  /** The first that counts as kept: those before it are over the limit. */
  first: number
  readonly last: number
  /** In pieces only where it is one event. */
  readonly event: Encoded
  readonly size: number
}

/** What one session keeps of its streams' events, oldest first. */
export class KeptEvents<S extends EventSource> {
  readonly #limits: ReplayLimits
  readonly #onForgotten: (stream: S) => void
  #runs: EventRun<S>[] = []
  #head = 0
  #events = 0
  #size = 0

  /** `onForgotten` is called with the stream whenever some of its events are dropped. */
  constructor(limits: ReplayLimits, onForgotten: (stream: S) => void) {
    this.#limits = limits
    this.#onForgotten = onForgotten
  }

  keep(run: EventRun<S>): void {
    const events = run.last - run.start + 1
    this.#runs.push(run)
    this.#events += events
    this.#size += run.size
    run.stream.kept += events
    this.#trim()
    if (this.#head > 512 && this.#head * 2 > this.#runs.length) {
      this.#runs = this.#runs.slice(this.#head)
      this.#head = 0
    }
  }

  /** The kept events of a stream behind a sequence number, in order. */
  after(stream: S, sequence: number): EventRun<S>[] {
    const found: EventRun<S>[] = []
    if (stream.kept === 0) return found
    for (let index = this.#head; index < this.#runs.length; index++) {
      const run = this.#runs[index] as EventRun<S>
      if (run.stream === stream && run.last > sequence)
        found.push(from(run, Math.max(run.first, sequence + 1)))
    }
    return found
  }

  clear(): void {
    this.#runs = []
    this.#head = this.#events = this.#size = 0
  }

  #trim(): void {
    const { events: maxEvents, bytes: maxBytes } = this.#limits
    const newest = this.#runs.length - 1
    while (this.#events > maxEvents || (this.#size > maxBytes && this.#head < newest)) {
      const oldest = this.#runs[this.#head] as EventRun<S>
      const surplus = this.#events - maxEvents
      const count = oldest.last - oldest.first + 1
      if (this.#head === newest || (surplus < count && this.#size <= maxBytes)) {
        this.#drop(oldest, surplus)
        return
      }
      this.#runs[this.#head++] = undefined as never
      this.#size -= oldest.size
      this.#drop(oldest, count)
    }
  }

  #drop(run: EventRun<S>, events: number): void {
    run.first += events
    this.#events -= events
    run.stream.kept -= events
    this.#onForgotten(run.stream)
  }
}

/** The run without the events before one of its own. */
function from<S extends EventSource>(run: EventRun<S>, sequence: number): EventRun<S> {
  if (sequence === run.start || typeof run.event !== 'string') return run
  // The text of an event is JSON in one line, so that nothing but an id follows an empty line.
  const cut = run.event.indexOf(`\n\nid: ${run.stream.eventPrefix}${sequence}\n`)
  const event = run.event.slice(cut + 2)
  return { stream: run.stream, start: sequence, first: sequence, last: run.last, event, size: event.length }
}
