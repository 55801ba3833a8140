/**
 * A server in this process, kept by as little as can be: connections cost next to nothing and never die, so each call has one
 * to itself, and nothing is shared between requests, which some platforms keep apart.
 */

import { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { TransportError } from '../exchange/errors.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { fingerprint } from '../legacy/capabilities.js'
import type { ConnectionSource, Lease } from '../legacy/connection-source.js'
import { type FromSessionOptions, fromSession } from '../legacy/from-session.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { clientCapabilitiesOf, clientInfoOf } from '../protocol/meta.js'
import { channelOpener, type Target } from './open.js'
import { type Dialect, INTERNAL, type Opened } from './opened.js'

export interface InstancesOptions extends FromSessionOptions {
  /** Connections at once, those of calls that wait for answers included. Default 1,000. */
  readonly maxInstances?: number | undefined
  /** How long a call may stay silent, in milliseconds. Default 10 minutes. */
  readonly timeout?: number | undefined
}

/** Idle connections that are kept for those who come next. */
const MAX_IDLE = 16

/** Calls a target's servers, one connection per call at a time; idle ones are used again. */
export function instances(target: Target, options: InstancesOptions = {}): Handler {
  const pool = new Instances(target, options)
  const legacy = fromSession(pool, options)
  return (request, context) =>
    pool.era === 'legacy' ? legacy.handler(request, context) : pool.call(request, context, legacy.handler)
}

class Instances implements ConnectionSource {
  readonly #target: Target
  readonly #options: InstancesOptions
  readonly #opener: ReturnType<typeof channelOpener>
  readonly #idle: { readonly key: string; readonly opened: Opened }[] = []
  #size = 0
  era: Dialect | undefined

  constructor(target: Target, options: InstancesOptions) {
    this.#target = target
    this.#options = options
    this.#opener = channelOpener(target)
  }

  /** A call before the era is known, or to a modern server. */
  async *call(request: JSONRPCRequest, context: Context, legacy: Handler): Exchange {
    const key = `modern|${context.caller.principal ?? ''}`
    const opened = await this.#taken(key, request, context)
    if (opened.dialect !== 'modern') {
      this.#give(keyOf(request, context), opened)
      return yield* legacy(request, context)
    }
    try {
      return yield* opened.handler(request, context)
    } finally {
      this.#give(key, opened)
    }
  }

  async acquire(request: JSONRPCRequest, context: Context): Promise<Lease> {
    const key = keyOf(request, context)
    const opened = await this.#taken(key, request, context)
    if (opened.dialect === 'modern') throw new TypeError('The server changed its era')
    let released = false
    const release = () => {
      if (released) return
      released = true
      // Who was cancelled may run on, and what it asks then must not reach the next call.
      if (context.cancelled === undefined) this.#give(key, opened)
      else this.#close(opened)
    }
    const { link } = opened
    const lost = (listener: (error: Error) => void) => {
      link.onClosed = error =>
        listener(error ?? new TransportError('ERR_CLOSED', `${this.#target.name} has closed`))
    }
    return { connection: opened.connection, release, lost }
  }

  async #taken(key: string, request: JSONRPCRequest, context: Context): Promise<Opened> {
    const taking = this.#take(request, key)
    try {
      return await orCancelled(taking, context)
    } catch (error) {
      taking.then(
        opened => this.#close(opened),
        () => {},
      )
      throw error
    }
  }

  async #take(request: JSONRPCRequest, key: string): Promise<Opened> {
    for (;;) {
      const index = this.#idle.findLastIndex(idle => idle.key === key)
      const [found] = index < 0 ? [] : this.#idle.splice(index, 1)
      if (found === undefined) break
      if (!found.opened.link.closed) return found.opened
      this.#size -= 1
    }
    const { maxInstances = 1_000, timeout, onLoss } = this.#options
    if (this.#size >= maxInstances) {
      throw new TransportError('ERR_BUSY', `${maxInstances} calls run on ${this.#target.name} already`, {
        hop: this.#target.name,
        knob: 'maxInstances',
        retryable: true,
      })
    }
    this.#size += 1
    try {
      const handshake = () => ({
        capabilities: clientCapabilitiesOf(request),
        clientInfo: clientInfoOf(request),
        onLoss,
      })
      const limits = {
        clientInfo: CLIENT,
        probeTimeout: 3_000,
        startTimeout: 60_000,
        onLoss,
        ...(timeout === undefined ? {} : { timeout }),
      }
      const opened = await this.#opener(this.era, handshake, limits, new Context(INTERNAL))
      this.era = opened.dialect
      return opened
    } catch (error) {
      this.#size -= 1
      throw error
    }
  }

  #give(key: string, opened: Opened): void {
    if (opened.link.closed) {
      this.#size -= 1
      return
    }
    this.#idle.push({ key, opened })
    const oldest = this.#idle.length > MAX_IDLE ? this.#idle.shift() : undefined
    if (oldest !== undefined) this.#close(oldest.opened)
  }

  #close({ link }: Opened): void {
    this.#size -= 1
    link.close().catch(() => {})
  }
}

const CLIENT = { name: 'anyport', version: '0' }

/** A legacy server learns what a client can do once, when it is connected; and no two principals share a connection. */
function keyOf(request: JSONRPCRequest, { caller }: Context): string {
  return `${caller.principal ?? ''}|${fingerprint(clientCapabilitiesOf(request))}`
}
