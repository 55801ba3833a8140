/** The calls that a face has open, so that shutting down can wait for them, and end what would never end. */

import { SHUTTING_DOWN } from '../protocol/errors.js'
import type { RequestId } from '../protocol/message.js'
import type { Context } from './context.js'
import type { HttpReply } from './http.js'
import { errorReply } from './http-reply.js'
import { Roster } from './roster.js'

/** Something that stays open until one side ends it: a listen, a standalone stream. */
export interface Drainable {
  /** Ends in the graceful way of its protocol. Never throws. */
  drain(): void
}

export class InFlight {
  readonly #calls = new Roster<Context>()
  readonly #streams = new Set<Drainable>()
  #draining = false
  #idle: (() => void) | undefined

  /** New work is refused. */
  get draining(): boolean {
    return this.#draining
  }

  /** How many calls are open. */
  get size(): number {
    return this.#calls.size
  }

  begin(call: Context): void {
    this.#calls.add(call)
  }

  end(call: Context): void {
    this.#calls.delete(call)
    if (this.#draining) this.#settle()
  }

  open(stream: Drainable): void {
    this.#streams.add(stream)
    if (this.#draining) stream.drain()
  }

  closed(stream: Drainable): void {
    this.#streams.delete(stream)
    if (this.#draining) this.#settle()
  }

  /** Ends the streams, then waits for the calls, at most `timeoutMs`. */
  async drain(timeoutMs: number): Promise<void> {
    this.#draining = true
    for (const stream of [...this.#streams]) stream.drain()
    if (this.#calls.size === 0 && this.#streams.size === 0) return
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, timeoutMs)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#idle = undefined
  }

  /** Ends everything now. */
  close(): void {
    this.#draining = true
    for (const stream of [...this.#streams]) stream.drain()
    for (const call of this.#calls.all()) call.cancel('shutdown')
  }

  #settle(): void {
    if (this.#calls.size === 0 && this.#streams.size === 0) this.#idle?.()
  }
}

/** What new work gets while we drain. */
export function drainingReply(id?: RequestId): HttpReply {
  return errorReply(
    503,
    { code: SHUTTING_DOWN, message: 'The server is shutting down. Try again in a moment' },
    id,
    { 'retry-after': '1' },
  )
}
