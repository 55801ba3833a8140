import type { JSONRPCNotification, JSONRPCResponse } from '../protocol/message.js'
import type { Exchange } from './exchange.js'
import { type ReadyExchange, Relay } from './relay.js'

type Step = IteratorResult<JSONRPCNotification, JSONRPCResponse>

/** Hears of one exchange. A class of its own per guard, so that watching a call costs one object. */
export abstract class Watched extends Relay<JSONRPCNotification> {
  #exchange: (Exchange & ReadyExchange<JSONRPCNotification>) | undefined
  #begun = false
  #over = false

  /** Begins what is watched, when it is first pulled; may throw. */
  protected abstract begin(): Exchange
  /** It has ended; called once, and not for what never began. Undefined: it was given up. */
  protected abstract ended(outcome: JSONRPCResponse | undefined, error: unknown): Promise<void> | undefined
  protected notified(): void {}

  next(): Promise<Step> {
    if (!this.#begun) {
      this.#begun = true
      try {
        this.#exchange = this.begin()
      } catch (error) {
        return this.#onError(error)
      }
    }
    const exchange = this.#exchange
    if (exchange === undefined) return Promise.reject(new Error('The call is over'))
    return exchange.next().then(this.#onStep, this.#onError)
  }

  override ready(): JSONRPCNotification | undefined {
    const notification = this.#exchange?.ready?.()
    if (notification !== undefined) this.notified()
    return notification
  }

  protected release(): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.return(undefined as never).catch(() => {})
    void this.#end(undefined, undefined)?.catch(() => {})
  }

  readonly #onStep = (step: Step): Step | Promise<Step> => {
    if (!step.done) {
      this.notified()
      return step
    }
    this.#exchange = undefined
    const wait = this.#end(step.value, undefined)
    return wait === undefined ? step : wait.then(() => step)
  }

  readonly #onError = (error: unknown): Promise<never> => {
    this.#exchange = undefined
    const wait = this.#end(undefined, error)
    if (wait === undefined) return Promise.reject(error)
    return wait.then(() => Promise.reject(error))
  }

  #end(outcome: JSONRPCResponse | undefined, error: unknown): Promise<void> | undefined {
    if (this.#over || !this.#begun) return undefined
    this.#over = true
    return this.ended(outcome, error)
  }
}
