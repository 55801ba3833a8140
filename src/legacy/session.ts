/**
 * A legacy conversation: both sides may ask. This is the only interface between the eras; see
 * `to-session.ts` (a legacy client served by a modern handler) and `from-session.ts` (the reverse).
 */

import type { Context } from '../exchange/context.js'
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'

export type SessionExchange = AsyncGenerator<JSONRPCNotification | JSONRPCRequest, JSONRPCResponse, void>

export interface Session extends AsyncDisposable {
  /** Yields this call's notifications AND the server's questions that belong to this call. */
  request(request: JSONRPCRequest, context: Context): SessionExchange
  /** The client's answers to questions, and its notifications. */
  deliver(message: JSONRPCResponse | JSONRPCNotification): void
  /** What belongs to no call: list changes, resource updates, logs outside a call. Ends when the context is cancelled. */
  events(context: Context): AsyncGenerator<JSONRPCNotification, void, void>
}
