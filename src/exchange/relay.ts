import type { JSONRPCResponse } from '../protocol/message.js'

/** An exchange that may have more at hand than its next step. */
export interface ReadyExchange<T> {
  ready?(): T | undefined
}

/**
 * An exchange written by hand, for the hot path: an async generator around another one adds several promises and
 * a frame of its own to every step. Subclasses say what the next step is and how to let go.
 */
export abstract class Relay<T, R = JSONRPCResponse> implements AsyncGenerator<T, R, void> {
  abstract next(): Promise<IteratorResult<T, R>>

  /**
   * What `next` would yield at once, without the promise; undefined where there is nothing, or where only `next`
   * can tell. Who drains a burst so spares several promises per message.
   */
  ready(): T | undefined {
    return undefined
  }

  /** Lets go of what is behind; called at least once where the exchange is not run to its end. */
  protected abstract release(): void

  return(value: R | PromiseLike<R>): Promise<IteratorResult<T, R>> {
    this.release()
    return Promise.resolve(value).then(result => ({ done: true, value: result }))
  }

  throw(error: unknown): Promise<IteratorResult<T, R>> {
    this.release()
    return Promise.reject(error)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }
}
