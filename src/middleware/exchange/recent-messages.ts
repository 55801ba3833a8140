import type { Caller } from '../../exchange/context.js'
import type { CallOutcome } from './call-outcome.js'

/** One call that ended, or request that was refused before there was a call. No arguments, unless asked for, and no results. */
export interface ObservedMessage {
  /** Grows by one with each. */
  readonly sequence: number
  /** When it ended, in milliseconds since 1970. */
  readonly time: number
  /** Where it went, behind a gateway. */
  readonly server?: string | undefined
  readonly method?: string | undefined
  /** The tool, prompt or resource, as its caller calls it. */
  readonly target?: string | undefined
  readonly binding: Caller['binding'] | 'http'
  /** `modern`, or the legacy revision of the caller. */
  readonly era?: string | undefined
  /** Name and version that the client gives itself. */
  readonly client?: string | undefined
  readonly principal?: string | undefined
  readonly outcome: CallOutcome
  /** The guard that refused it, and why in one word. */
  readonly refusedBy?: string | undefined
  readonly reason?: string | undefined
  readonly code?: number | undefined
  /** What the error says, without what it repeats of arguments and credentials. */
  readonly error?: string | undefined
  /** The HTTP status, where it was refused before there was a call. */
  readonly status?: number | undefined
  /** Milliseconds. */
  readonly duration: number
  /** Notifications on its way, such as progress. */
  readonly notifications?: number | undefined
  /** Bytes of the result, where it is large. */
  readonly size?: number | undefined
  /** Only where they are asked for; what is named like a secret is replaced. */
  readonly arguments?: unknown
}

export interface RecentMessages {
  /** The oldest first. */
  readonly messages: readonly ObservedMessage[]
  /** Those between that are forgotten already. */
  readonly missed: number
  /** What to ask after next. */
  readonly last: number
}

/** The last messages, as many as there is room for. */
export class MessageRing {
  readonly #messages: (ObservedMessage | undefined)[]
  #last = 0

  constructor(room: number) {
    this.#messages = new Array<ObservedMessage | undefined>(room).fill(undefined)
  }

  /** The number of the last one; 0 where there was none. */
  get last(): number {
    return this.#last
  }

  add(message: Omit<ObservedMessage, 'sequence'>): void {
    const numbered = message as { -readonly [K in keyof ObservedMessage]: ObservedMessage[K] }
    numbered.sequence = ++this.#last
    this.#messages[this.#last % this.#messages.length] = numbered
  }

  /** Those after this number, the newest `limit` of them. */
  since(sequence: number, limit: number): RecentMessages {
    const last = this.#last
    const after = Math.min(Math.max(sequence, 0), last)
    const kept = Math.min(last - after, this.#messages.length, limit)
    const messages: ObservedMessage[] = []
    for (let number = last - kept + 1; number <= last; number++)
      messages.push(this.#messages[number % this.#messages.length] as ObservedMessage)
    return { messages, missed: last - after - kept, last }
  }
}
