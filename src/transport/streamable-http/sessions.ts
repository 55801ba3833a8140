/** The sessions of legacy clients. Specification: 2025-11-25 basic/transports, "Session Management". */

import { Context } from '../../exchange/context.js'
import type { Drainable, InFlight } from '../../exchange/in-flight.js'
import { Roster } from '../../exchange/roster.js'
import type { ServedSession } from '../../legacy/to-session.js'
import type { ReplayLimits } from './kept-events.js'
import { type Resumed, type SessionStream, SessionStreams } from './session-streams.js'
import type { StreamConnection } from './stream-connection.js'

export interface SessionLimits {
  /** Milliseconds without a request or an open stream after which a session ends. */
  readonly ttl: number
  readonly maxSessions: number
  readonly onEnd: (session: string) => void
  readonly replay: ReplayLimits
}

export class Sessions {
  readonly #limits: SessionLimits
  readonly #inFlight: InFlight
  readonly #sessions = new Map<string, HttpSession>()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(limits: SessionLimits, inFlight: InFlight) {
    this.#limits = limits
    this.#inFlight = inFlight
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Undefined where there are too many. */
  create(served: (id: string) => ServedSession, principal: string | undefined): HttpSession | undefined {
    if (this.#sessions.size >= this.#limits.maxSessions) return undefined
    // 122 random bits: the id is a secret of its client (security best practices, "Session Hijacking").
    const id = crypto.randomUUID()
    const session = new HttpSession(id, served(id), principal, this.#limits.replay, this.#inFlight)
    this.#sessions.set(id, session)
    this.#timer ??= setTimeout(this.#sweep, this.#sweepInterval())
    return session
  }

  /** A session that belongs to somebody else is as unknown as one that never was. */
  find(id: string, principal: string | undefined): HttpSession | undefined {
    const session = this.#sessions.get(id)
    return session !== undefined && session.principal === principal ? session : undefined
  }

  end(session: HttpSession): void {
    this.#sessions.delete(session.id)
    session.close()
    this.#limits.onEnd(session.id)
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    for (const session of [...this.#sessions.values()]) this.end(session)
  }

  readonly #sweep = (): void => {
    const oldest = performance.now() - this.#limits.ttl
    for (const session of [...this.#sessions.values()]) {
      if (!session.busy && session.lastUsed <= oldest) this.end(session)
    }
    this.#timer = this.#sessions.size > 0 ? setTimeout(this.#sweep, this.#sweepInterval()) : undefined
  }

  #sweepInterval(): number {
    return Math.min(60_000, Math.max(10, this.#limits.ttl / 4))
  }
}

/** One legacy client's conversation over HTTP. */
export class HttpSession implements Drainable {
  readonly id: string
  readonly served: ServedSession
  readonly principal: string | undefined
  lastUsed = performance.now()
  /** Requests whose replies are being made. */
  requests = 0
  readonly #inFlight: InFlight
  readonly #limits: ReplayLimits
  readonly #calls = new Roster<Context>()
  #streams: SessionStreams | undefined
  #standalone: SessionStream | undefined
  #events: Context | undefined

  constructor(
    id: string,
    served: ServedSession,
    principal: string | undefined,
    limits: ReplayLimits,
    inFlight: InFlight,
  ) {
    this.id = id
    this.served = served
    this.principal = principal
    this.#limits = limits
    this.#inFlight = inFlight
  }

  /** A client is there. */
  get busy(): boolean {
    return this.requests > 0 || (this.#streams?.connections ?? 0) > 0
  }

  /** How many calls run, attended or not. */
  get calls(): number {
    return this.#calls.size
  }

  get streams(): SessionStreams {
    this.#streams ??= new SessionStreams(this.#limits, () => this.touch())
    return this.#streams
  }

  touch(): void {
    this.lastUsed = performance.now()
  }

  begin(call: Context): void {
    this.#calls.add(call)
    this.#inFlight.begin(call)
  }

  finished(call: Context): void {
    this.#calls.delete(call)
    this.#inFlight.end(call)
  }

  /** The stream of what belongs to no call. It starts with the first connection, and goes on between them. */
  listen(retryMs: number | undefined): StreamConnection {
    if (this.#standalone === undefined || this.#standalone.ended) {
      this.#events = new Context({ binding: 'streamable-http', session: this.id })
      const source = this.served.events(this.#events)
      this.#standalone = this.streams.open(source, { onEnd: () => this.#inFlight.closed(this) })
      this.#inFlight.open(this)
    }
    return this.#standalone.attach(undefined, retryMs)
  }

  resume(eventId: string): Resumed {
    // Without a stream there is no event that the client could have seen.
    return this.#streams === undefined ? 'unknown' : this.#streams.resume(eventId)
  }

  /** Shutting down: the standalone stream ends, calls run to their end. */
  drain(): void {
    this.#events?.cancel('shutdown')
    this.#standalone?.close()
  }

  close(): void {
    this.drain()
    for (const call of this.#calls.all()) {
      call.cancel('abandoned')
      this.finished(call)
    }
    this.#streams?.close()
    // Disposal waits for the far side; nobody here has to.
    this.served[Symbol.asyncDispose]().then(undefined, () => {})
  }
}
