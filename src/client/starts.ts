import { TransportError } from '../exchange/errors.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { clientCapabilitiesOf, clientInfoOf } from '../protocol/meta.js'
import type { Era } from '../protocol/versions.js'
import type { Calls } from '../transport/channel/calls.js'
import type { Channel } from '../transport/channel/channel.js'
import { Backoff } from './backoff.js'
import type { Capacity } from './capacity.js'
import type { StopReason, UpstreamEvent } from './events.js'
import { type Opened, type OpenOptions, openServer, type Target } from './open.js'

export interface StartsOptions {
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
  readonly #target: Target
  readonly #options: StartsOptions
  readonly #backoffs = new Map<string, Backoff>()
  /** Channels whose handshake is not over, so that closing does not wait for a server that never answers. */
  readonly #handshaking = new Set<Channel>()
  /** Those that we close: their end is no failure. */
  readonly #stopped = new WeakSet<Calls>()
  /** End the waits for another attempt. */
  readonly #waits = new Set<() => void>()
  readonly #opening = new Set<Promise<unknown>>()
  #healthy = false
  #closed = false

  constructor(target: Target, options: StartsOptions) {
    this.#target = target
    this.#options = options
  }

  /** The last attempt succeeded, and nothing has ended by itself since. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** Waits out what is left of a backoff, unless too much has gone wrong; then starts the server. */
  open(key: string, era: Era | undefined, request: JSONRPCRequest): Promise<Opened> {
    const opening = this.#open(key, era, request).finally(() => this.#opening.delete(opening))
    this.#opening.add(opening)
    return opening
  }

  async #open(key: string, era: Era | undefined, request: JSONRPCRequest): Promise<Opened> {
    await this.#turn(key)
    if (this.#closed) throw this.draining()
    const { capacity, onEvent } = this.#options
    if (capacity?.take() === false) {
      throw new TransportError('ERR_BUSY', `${this.#target.name} is busy: ${capacity.limit} servers run`, {
        hop: this.#target.name,
        knob: '--max-children',
        retryable: true,
      })
    }
    const started = performance.now()
    onEvent({ type: 'starting' })
    try {
      const opened = await this.#handshake(era, request)
      const now = performance.now()
      onEvent({ type: 'ready', era: opened.era, milliseconds: now - started })
      this.#healthy = true
      this.#backoffs.get(key)?.ready(now)
      this.#watch(key, opened.calls, now)
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
  stopping(calls: Calls, reason: StopReason): void {
    if (calls.closed || this.#stopped.has(calls)) return
    this.#stopped.add(calls)
    this.#options.onEvent({ type: 'stopped', reason })
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const end of this.#waits) end()
    await Promise.all([...this.#handshaking].map(channel => channel.close()))
    await Promise.allSettled(this.#opening)
  }

  draining(): TransportError {
    return new TransportError('ERR_DRAINING', `${this.#target.name} is shutting down`, {
      hop: this.#target.name,
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

  async #handshake(era: Era | undefined, request: JSONRPCRequest): Promise<Opened> {
    const channels: Channel[] = []
    const target: Target = {
      name: this.#target.name,
      open: async () => {
        const channel = await this.#target.open()
        channels.push(channel)
        this.#handshaking.add(channel)
        if (this.#closed) void channel.close()
        return channel
      },
    }
    const { open } = this.#options
    try {
      const opened = await openServer(
        target,
        era,
        {
          capabilities: clientCapabilitiesOf(request),
          clientInfo: clientInfoOf(request) ?? open.clientInfo,
          onLoss: open.onLoss,
        },
        open,
      )
      if (this.#closed) {
        void opened.calls.channel.close()
        throw this.draining()
      }
      return opened
    } finally {
      for (const channel of channels) this.#handshaking.delete(channel)
    }
  }

  #watch(key: string, calls: Calls, since: number): void {
    calls.onClosed = error => {
      this.#options.capacity?.release()
      if (this.#closed || this.#stopped.has(calls)) return
      this.#healthy = false
      const why =
        error ??
        new TransportError('ERR_CLOSED', `${this.#target.name} closed the connection`, {
          hop: this.#target.name,
        })
      this.#failed(key, why, since)
      this.#options.onEvent({ type: 'exited', error: why, milliseconds: performance.now() - since })
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
