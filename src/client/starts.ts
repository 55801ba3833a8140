import { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { clientCapabilitiesOf, clientInfoOf } from '../protocol/meta.js'
import { Backoff } from './backoff.js'
import type { Capacity } from './capacity.js'
import type { StopReason, UpstreamEvent } from './events.js'
import type { Link } from './link.js'
import { type Dialect, eraOf, INTERNAL, type Opened, type Opener, type OpenOptions } from './opened.js'

export interface StartsOptions {
  readonly name: string
  readonly opener: Opener
  readonly open: OpenOptions
  /** Failures in a row that callers wait out. */
  readonly maxRestarts: number
  readonly capacity: Capacity | undefined
  readonly onEvent: (event: UpstreamEvent) => void
}

/** Keys whose failures are remembered; the oldest are forgotten first. */
const MAX_KEYS = 1_000

/**
 * Starts one server, again and again if need be. Failures count by the key of those who share a connection, so that one
 * session whose server dies keeps no other waiting.
 */
export class Starts {
  readonly #options: StartsOptions
  readonly #backoffs = new Map<string, Backoff>()
  /** Handshakes that are not over, so that closing does not wait for a server that never answers. */
  readonly #handshaking = new Set<Context>()
  /** Those that we close: their end is no failure. */
  readonly #stopped = new WeakSet<Link>()
  /** End the waits for another attempt. */
  readonly #waits = new Set<() => void>()
  readonly #opening = new Set<Promise<unknown>>()
  #healthy = false
  #closed = false

  constructor(options: StartsOptions) {
    this.#options = options
  }

  /** The last attempt succeeded, and nothing has ended by itself since. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Waits out what is left of a backoff, unless too much has gone wrong; then starts the server. */
  open(key: string, known: Dialect | undefined, request: JSONRPCRequest): Promise<Opened> {
    const opening = this.#open(key, known, request).finally(() => this.#opening.delete(opening))
    this.#opening.add(opening)
    return opening
  }

  async #open(key: string, known: Dialect | undefined, request: JSONRPCRequest): Promise<Opened> {
    await this.#turn(key)
    if (this.#closed) throw this.draining()
    const { capacity, onEvent } = this.#options
    if (capacity?.take() === false) {
      throw new TransportError('ERR_BUSY', `${this.#options.name} is busy: ${capacity.limit} servers run`, {
        hop: this.#options.name,
        knob: '--max-children',
        retryable: true,
      })
    }
    const started = performance.now()
    onEvent({ type: 'starting' })
    try {
      const opened = await this.#handshake(known, request)
      const now = performance.now()
      onEvent({ type: 'ready', era: eraOf(opened.dialect), milliseconds: now - started })
      this.#healthy = true
      this.#backoffs.get(key)?.ready(now)
      this.#watch(key, opened.link, now)
      return opened
    } catch (error) {
      capacity?.release()
      if (this.#closed) throw this.draining()
      this.#healthy = false
      const [failures, retryIn] = this.#failed(key, error)
      onEvent({ type: 'failed', error: error as Error, failures, retryIn })
      throw error
    }
  }

  /** What was learned of failures does not hold for another way of starting it. */
  forgive(key: string): void {
    this.#backoffs.delete(key)
  }

  /** To be called before a connection is closed. */
  stopping(link: Link, reason: StopReason): void {
    if (link.closed || this.#stopped.has(link)) return
    this.#stopped.add(link)
    this.#options.onEvent({ type: 'stopped', reason })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const end of this.#waits) end()
    for (const context of this.#handshaking) context.cancel('shutdown')
    await Promise.allSettled(this.#opening)
  }

  draining(): TransportError {
    return new TransportError('ERR_DRAINING', `${this.#options.name} is shutting down`, {
      hop: this.#options.name,
    })
  }

  async #turn(key: string): Promise<void> {
    const backoff = this.#backoffs.get(key)
    const wait = backoff?.remaining(performance.now()) ?? 0
    if (backoff === undefined || wait === 0 || this.#closed) return
    const { error } = backoff
    // A command that is not there will not be there in a second.
    if (error instanceof TransportError && error.code === 'ERR_SPAWN') throw error
    if (backoff.exhausted) throw givenUp(error, backoff.failures, wait)
    await new Promise<void>(resolve => {
      const end = () => {
        clearTimeout(timer)
        this.#waits.delete(end)
        resolve()
      }
      const timer = setTimeout(end, wait)
      this.#waits.add(end)
    })
  }

  async #handshake(known: Dialect | undefined, request: JSONRPCRequest): Promise<Opened> {
    const context = new Context(INTERNAL)
    const { opener, open } = this.#options
    const handshake = {
      capabilities: clientCapabilitiesOf(request),
      clientInfo: clientInfoOf(request) ?? open.clientInfo,
      onLoss: open.onLoss,
    }
    this.#handshaking.add(context)
    try {
      const opened = await opener(known, handshake, open, context)
      if (!this.#closed) return opened
      void opened.link.close()
      throw this.draining()
    } finally {
      this.#handshaking.delete(context)
    }
  }

  #watch(key: string, link: Link, since: number): void {
    link.onClosed = error => {
      this.#options.capacity?.release()
      if (this.#closed || this.#stopped.has(link)) return
      const why =
        error ??
        new TransportError('ERR_CLOSED', `${this.#options.name} closed the connection`, {
          hop: this.#options.name,
        })
      const milliseconds = performance.now() - since
      // A session that served is begun again at once, however short servers keep them.
      if (link.worked === true) {
        this.#options.onEvent({ type: 'session-lost', error: why, milliseconds })
        return
      }
      this.#healthy = false
      this.#failed(key, why, since)
      this.#options.onEvent({ type: 'exited', error: why, milliseconds })
    }
  }

  #failed(key: string, error: unknown, readySince?: number): readonly [failures: number, retryIn: number] {
    let backoff = this.#backoffs.get(key)
    if (backoff === undefined) {
      backoff = new Backoff({ budget: this.#options.maxRestarts })
      if (this.#backoffs.size >= MAX_KEYS) {
        for (const oldest of this.#backoffs.keys()) {
          this.#backoffs.delete(oldest)
          break
        }
      }
      this.#backoffs.set(key, backoff)
    }
    if (readySince !== undefined) backoff.ready(readySince)
    const retryIn = backoff.failed(error, performance.now())
    return [backoff.failures, retryIn]
  }
}

function givenUp(error: unknown, failures: number, wait: number): unknown {
  if (!(error instanceof TransportError)) return error
  const seconds = Math.max(1, Math.round(wait / 1000))
  return new TransportError(
    error.code,
    `${error.message} (${failures} times in a row; the next attempt is in ${seconds} s)`,
    { ...error.facts, knob: '--max-restarts' },
  )
}
