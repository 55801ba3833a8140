import type { Context } from '../exchange/context.js'
import { orCancelled } from '../exchange/deadline.js'
import { wasNeverSent } from '../exchange/errors.js'
import { type ReadyExchange, Relay } from '../exchange/relay.js'
import { whileWaiting } from '../exchange/while-waiting.js'
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { logLevelOf } from '../protocol/meta.js'
import type { LegacyConnection } from './connection.js'
import type { Lease } from './connection-source.js'
import { toLegacyRequest } from './requests.js'
import type { SessionExchange } from './session.js'

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>
type SessionStep = IteratorResult<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse>

export interface PlainCallOptions {
  readonly request: JSONRPCRequest
  readonly context: Context
  readonly acquire: () => Lease | Promise<Lease>
  readonly respond: (
    response: JSONRPCResponse,
    connection: LegacyConnection,
  ) => JSONRPCResponse | Promise<JSONRPCResponse>
  /** Answers a question that cannot be passed on; throws where it fails the call. */
  readonly refuse: (question: JSONRPCRequest, connection: LegacyConnection) => void
  readonly wanted: (notification: JSONRPCNotification, level: string | undefined) => boolean
}

/** A call that nobody will be asked about: the hot path to legacy servers. */
export class PlainCall extends Relay<JSONRPCNotification> {
  readonly #options: PlainCallOptions
  readonly #level: string | undefined
  #lease: Lease | undefined
  #exchange: SessionExchange | undefined
  /** Set while no connection has been found yet. */
  #acquiring: Promise<Lease> | undefined
  #waiting: AsyncGenerator<JSONRPCNotification, Lease, void> | undefined
  #over = false
  #retried = false
  #failure: { readonly error: unknown } | undefined

  constructor(options: PlainCallOptions) {
    super()
    this.#options = options
    this.#level = logLevelOf(options.request)
  }

  next(): Promise<Step> {
    if (this.#exchange !== undefined)
      return this.#exchange.next().then(
        step => this.#onStep(step),
        error => this.#onError(error),
      )
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error)
    if (this.#waiting !== undefined) return this.#wait(this.#waiting)
    if (this.#over) return Promise.reject(new Error('The call is over'))
    try {
      const lease = this.#options.acquire()
      if (lease instanceof Promise) {
        this.#acquiring = lease
        this.#waiting = whileWaiting(lease, this.#options.request)
        return this.#wait(this.#waiting)
      }
      const ready = this.#begin(lease)
      return ready === undefined
        ? this.next()
        : ready.then(
            () => this.next(),
            error => this.#onError(error),
          )
    } catch (error) {
      return this.#onError(error)
    }
  }

  override ready(): JSONRPCNotification | undefined {
    const exchange = this.#exchange as ReadyExchange<JSONRPCNotification | JSONRPCRequest> | undefined
    for (;;) {
      const message = exchange?.ready?.()
      if (message === undefined) return undefined
      if ('id' in message) this.#refused(message)
      else if (this.#options.wanted(message, this.#level)) return message
    }
  }

  protected release(): void {
    this.#over = true
    // An unfinished call is cancelled at its server.
    this.#exchange?.return(undefined as never).catch(() => {})
    this.#exchange = undefined
    this.#lease?.release()
    this.#lease = undefined
    // Found too late: somebody else may have it.
    this.#acquiring?.then(
      lease => lease.release(),
      () => {},
    )
    this.#acquiring = undefined
  }

  #wait(waiting: AsyncGenerator<JSONRPCNotification, Lease, void>): Promise<Step> {
    return waiting.next().then(
      step => {
        if (!step.done) return step
        this.#waiting = undefined
        this.#acquiring = undefined
        return this.#onLease(step.value).catch(error => this.#onError(error))
      },
      error => {
        this.#waiting = undefined
        this.#acquiring = undefined
        return this.#onError(error)
      },
    )
  }

  /** A promise only where the server must be told the log level first. */
  #begin(lease: Lease): Promise<void> | undefined {
    if (this.#over) {
      lease.release()
      throw new Error('The call is over')
    }
    this.#lease = lease
    const { request, context } = this.#options
    const level = this.#level === undefined ? undefined : lease.connection.ensureLevel(this.#level)
    const exchange = lease.connection.call(toLegacyRequest(request), context)
    if (level === undefined) {
      this.#exchange = exchange
      return undefined
    }
    return orCancelled(level, context).then(() => {
      if (this.#over) throw new Error('The call is over')
      this.#exchange = exchange
    })
  }

  #onLease(lease: Lease): Promise<Step> {
    const ready = this.#begin(lease)
    return ready === undefined ? this.next() : ready.then(() => this.next())
  }

  #onStep(step: SessionStep): Step | Promise<Step> {
    const connection = this.#lease?.connection
    if (connection === undefined) throw new Error('The call is over')
    if (step.done) {
      const response = this.#options.respond(step.value, connection)
      this.#exchange = undefined
      this.release()
      if (response instanceof Promise) return response.then(value => ({ done: true, value }))
      return response === step.value ? step : { done: true, value: response }
    }
    const message = step.value
    if (!('id' in message)) return this.#options.wanted(message, this.#level) ? (step as Step) : this.next()
    try {
      this.#options.refuse(message, connection)
    } catch (error) {
      return this.#onError(error)
    }
    return this.next()
  }

  /** A question met while a burst was drained; where it fails the call, the next step says so. */
  #refused(question: JSONRPCRequest): void {
    const connection = this.#lease?.connection
    if (connection === undefined) return
    try {
      this.#options.refuse(question, connection)
    } catch (error) {
      this.release()
      this.#failure = { error }
    }
  }

  #onError(error: unknown): Promise<Step> {
    const again = !this.#over && !this.#retried && wasNeverSent(error)
    this.release()
    if (!again) return Promise.reject(error)
    this.#over = false
    this.#retried = true
    return this.next()
  }
}
