import type { Observer } from '../middleware/exchange/observer.js'
import { encodeEvent } from '../protocol/event-stream.js'

/** Milliseconds between two looks for messages, and between two pictures of the whole. */
const LOOK = 250
const STATUS_EVERY = 1_000
/** Messages of one look; those before them are counted. */
const MAX_MESSAGES = 200
/** What a viewer who comes gets of those before. */
const FIRST_MESSAGES = 100

export interface Viewed {
  readonly observer: Observer
  /** JSON. */
  readonly status: () => string
  /** Milliseconds after which the stream ends, so that whoever looks is asked again who that is. */
  readonly lifetime: number
}

/**
 * What one viewer is told, as an event stream: `status` when it has changed, once a second at most, and `messages`. It keeps nothing for a
 * viewer who is slow: messages are read from where they are kept for all, and those that are gone by then are counted.
 */
export class ViewerStream implements AsyncIterable<string> {
  readonly #viewed: Viewed
  readonly #onEnd: () => void
  #ended = false
  #wake: (() => void) | undefined

  constructor(viewed: Viewed, onEnd: () => void) {
    this.#viewed = viewed
    this.#onEnd = onEnd
  }

  /** Ends it, with what it has said so far. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#wake?.()
    this.#onEnd()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    const { observer, status, lifetime } = this.#viewed
    const ends = performance.now() + lifetime
    let after = Math.max(0, observer.last - FIRST_MESSAGES)
    let shown = ''
    let nextStatus = 0
    try {
      while (!this.#ended && performance.now() < ends) {
        if (performance.now() >= nextStatus) {
          nextStatus = performance.now() + STATUS_EVERY
          const current = status()
          if (current !== shown) yield event('status', current)
          shown = current
        }
        if (observer.last > after) {
          const { messages, missed, last } = observer.messages(after, MAX_MESSAGES)
          after = last
          yield event('messages', JSON.stringify({ messages, missed }))
        }
        await this.#pause()
      }
    } finally {
      this.end()
    }
  }

  #pause(): Promise<void> {
    if (this.#ended) return Promise.resolve()
    return new Promise(resolve => {
      const timer = setTimeout(() => this.#wake?.(), LOOK)
      this.#wake = () => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve()
      }
    })
  }
}

function event(name: string, data: string): string {
  return encodeEvent(data, { event: name }) as string
}
