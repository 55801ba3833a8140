import type { Context } from '../exchange/context.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import type { LegacyConnection } from './connection.js'

/** A connection for the time of one call. */
export interface Lease {
  readonly connection: LegacyConnection
  release(): void
  /**
   * The call waits for its caller from now on, until `release` or `resumed`. Where others need the connection for too long,
   * `reclaim` ends the call.
   */
  suspended?(reclaim: () => void): void
  resumed?(): void
  /**
   * `listener` is called at once where the connection is lost. A call that another request began may have no other way to tell
   * the one that waits for it: there are platforms on which promises end with the request that made them.
   */
  lost?(listener: (error: Error) => void): void
}

/**
 * Where connections come from. One is opened with exactly the capabilities that the request declares, and is
 * given to one call at a time where `exclusive`: only so is it certain who is asked.
 */
export interface ConnectionSource {
  acquire(request: JSONRPCRequest, context: Context, exclusive: boolean): Lease | Promise<Lease>
}
