import type { JSONRPCNotification } from '../protocol/message.js'
import type { Exchange } from './exchange.js'
import { Relay } from './relay.js'

/** An exchange that fails with this when it is pulled: what a guard returns instead of asking further. */
export function refusing(error: unknown): Exchange {
  return new Refusal(error)
}

class Refusal extends Relay<JSONRPCNotification> {
  readonly #error: unknown

  constructor(error: unknown) {
    super()
    this.#error = error
  }

  next(): Promise<never> {
    return Promise.reject(this.#error)
  }

  protected release(): void {}
}
