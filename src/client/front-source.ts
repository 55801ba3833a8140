import type { Context } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import type { JSONRPCRequest } from '../protocol/message.js'

/** The server behind the front. */
export interface FrontSource {
  /** The server itself. */
  readonly direct: Handler
  /** A connection that would serve the request stands. */
  connected(request: JSONRPCRequest, context: Context): boolean
  /** Opens a connection that would serve the request, where there is none. */
  reach(request: JSONRPCRequest, context: Context): Promise<void>
  /** Those who share what is remembered of the server: it may offer others something else. */
  memoryKey(request: JSONRPCRequest, context: Context): readonly [principal: string, capabilities: string]
}
