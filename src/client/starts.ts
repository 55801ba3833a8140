import { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { clientCapabilitiesOf, clientInfoOf } from '../protocol/meta.js'
import type { Era, LegacyVersion } from '../protocol/versions.js'
import { Backoff } from './backoff.js'
import type { CallerSignature } from './caller-credentials.js'
import { Capacity } from './capacity.js'
import type { StopReason, UpstreamEvent } from './events.js'
import type { Link } from './link.js'
import {
  type Dialect,
  eraOf,
  INTERNAL,
  type Opened,
  type Opener,
  type OpenOptions,
  type Spare,
  type SpareOpener,
} from './opened.js'
import { Spares } from './spares.js'

export interface StartsOptions {
  readonly name: string
  readonly opener: Opener
  /** Absent where nothing can be opened before it is needed. */
  readonly spareOpener: SpareOpener | undefined
  readonly open: OpenOptions
  /** Failures in a row that callers wait out. */
  readonly maxRestarts: number
  readonly maxConnections: number
  /** The limit over several servers. */
  readonly capacity: Capacity | undefined
  /** Milliseconds that somebody waits for a place under the limits. */
  readonly queueTimeout: number
  /** How many are kept ready for those who come. */
  readonly spares: number
  /** Closes a connection that nobody uses; false where all are in use. */
  readonly closeOne: () => boolean
  readonly onEvent: (event: UpstreamEvent) => void
}

/** Whom a connection is opened for. Until the server has been told, somebody else can take the place. */
export interface StartedFor {
  /** Of those who share the connection, and its failures. */
  key: string
  request: JSONRPCRequest
  /** What the connection carries, where that differs from caller to caller. */
  signature?: CallerSignature | undefined
  /** The server was told of the client. */
  known?: boolean
}

/** How often in a row, and the milliseconds until the next attempt. */
interface Failed {
  readonly failures: number
  readonly retryIn: number
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
  /** End the waits for another attempt, or a place. */
  readonly #waits = new Set<() => void>()
  readonly #opening = new Set<Promise<unknown>>()
  readonly #capacities: readonly Capacity[]
  readonly #leave: readonly (() => void)[]
  /** Absent where there are never any. */
  readonly #spares: Spares | undefined
  #healthy = false
  #closed = false

  constructor(options: StartsOptions) {
    this.#options = options
    const { capacity, closeOne, spareOpener, open, onEvent } = options
    this.#capacities = [new Capacity(options.maxConnections), ...(capacity === undefined ? [] : [capacity])]
    if (spareOpener !== undefined) {
      this.#spares = new Spares({
        count: options.spares,
        take: () => this.#take(),
        release: () => this.#release(),
        prepare: (era, context, opened) => spareOpener(era, open, context, opened),
        onEvent,
      })
    }
    this.#leave = this.#capacities.map(each =>
      each.addHolder(() => this.#spares?.closeOne() === true || closeOne()),
    )
  }

  /** The last attempt succeeded, and nothing has ended by itself since. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Waits out what is left of a backoff, unless too much has gone wrong; then starts the server. */
  open(client: StartedFor, known: Dialect | undefined): Promise<Opened> {
    const opening = this.#open(client, known).finally(() => this.#opening.delete(opening))
    this.#opening.add(opening)
    return opening
  }

  async #open(client: StartedFor, known: Dialect | undefined): Promise<Opened> {
    await this.#turn(client.key)
    if (this.#closed) throw this.draining()
    const spare = known === undefined ? undefined : this.#spares?.take()
    if (spare === undefined) await this.#place()
    const { onEvent } = this.#options
    const started = performance.now()
    onEvent({ type: spare === undefined ? 'starting' : 'taken' })
    try {
      const opened = await this.#handshake(known, client, spare)
      const now = performance.now()
      const era = eraOf(opened.dialect)
      onEvent({ type: 'ready', era, milliseconds: now - started, ...spokenBy(opened) })
      this.#healthy = true
      this.#backoffs.get(client.key)?.ready(now)
      this.#watch(client.key, opened.link, now)
      this.#spares?.keep(era)
      return opened
    } catch (error) {
      this.#release()
      if (this.#closed) throw this.draining()
      this.#healthy = false
      const failed = this.#failed(client.key, error)
      onEvent({ type: 'failed', error: error as Error, ...failed })
      this.#tellGivenUp(failed, error)
      throw error
    }
  }

  /** Starts the spare ones before anybody comes, at least one for the first who does. False where there are none. */
  prepare(era: Era): boolean {
    this.#spares?.prepare(era)
    return this.#spares !== undefined
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
    for (const end of [...this.#waits]) end()
    for (const leave of this.#leave) leave()
    for (const context of this.#handshaking) context.cancel('shutdown')
    await Promise.allSettled([...this.#opening, this.#spares?.close()])
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
    this.#options.onEvent({ type: 'waiting', for: 'backoff', milliseconds: wait })
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

  /** Waits for a place under each limit, where there is none. */
  async #place(): Promise<void> {
    if (this.#take()) return
    const { queueTimeout, onEvent } = this.#options
    onEvent({ type: 'waiting', for: 'place', milliseconds: queueTimeout })
    for (const [index, capacity] of this.#capacities.entries()) {
      if (!this.#closed && (await capacity.wait(queueTimeout, this.#waits))) continue
      for (const taken of this.#capacities.slice(0, index)) taken.release()
      throw this.#closed ? this.draining() : busy(this.#options.name, capacity)
    }
  }

  /** False where there is no place at this moment. */
  #take(): boolean {
    for (const [index, capacity] of this.#capacities.entries()) {
      if (capacity.take()) continue
      for (const taken of this.#capacities.slice(0, index)) taken.release()
      return false
    }
    return true
  }

  #release(): void {
    for (const capacity of this.#capacities) capacity.release()
    this.#spares?.fill()
  }

  async #handshake(
    known: Dialect | undefined,
    client: StartedFor,
    spare: Promise<Spare> | undefined,
  ): Promise<Opened> {
    const context = new Context(INTERNAL)
    const { open } = this.#options
    const handshake = () => {
      client.known = true
      return {
        capabilities: clientCapabilitiesOf(client.request),
        clientInfo: clientInfoOf(client.request) ?? open.clientInfo,
        onLoss: open.onLoss,
      }
    }
    this.#handshaking.add(context)
    try {
      const opener = (await spare)?.open ?? this.#options.opener
      const opened = await opener(known, handshake, open, context, client.signature)
      if (!this.#closed) return opened
      void opened.link.close()
      throw this.draining()
    } finally {
      this.#handshaking.delete(context)
    }
  }

  #watch(key: string, link: Link, since: number): void {
    link.onClosed = error => {
      this.#release()
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
      const failed = this.#failed(key, why, since)
      this.#options.onEvent({ type: 'exited', error: why, milliseconds })
      this.#tellGivenUp(failed, why)
    }
  }

  #tellGivenUp(failed: Failed, error: unknown): void {
    if (failed.failures !== this.#options.maxRestarts + 1) return
    this.#options.onEvent({ type: 'given-up', error: error as Error, ...failed })
  }

  #failed(key: string, error: unknown, readySince?: number): Failed {
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
    return { failures: backoff.failures, retryIn }
  }
}

function spokenBy(opened: Opened): { readonly dialect: Dialect; readonly revision?: LegacyVersion } {
  const { dialect } = opened
  return dialect === 'modern' ? { dialect } : { dialect, revision: opened.connection.server.protocolVersion }
}

function busy(name: string, { limit, knob }: Capacity): TransportError {
  return new TransportError('ERR_BUSY', `${name} is busy: there are ${limit} servers already, all in use`, {
    hop: name,
    knob,
    retryable: true,
  })
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
