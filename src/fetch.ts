/** anyport where there is no Node: a handler as `(Request) => Promise<Response>`. */

export type { Caller, CancelReason, ContextKey } from './exchange/context.js'
export { Context, contextKey } from './exchange/context.js'
export type { TransportErrorCode, TransportFacts } from './exchange/errors.js'
export { TransportError } from './exchange/errors.js'
export type { Exchange, Handler, Middleware } from './exchange/exchange.js'
export { compose, finish } from './exchange/exchange.js'
export { RpcError } from './protocol/errors.js'
export type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from './protocol/message.js'
export type { FetchHandlerOptions } from './serverless/fetch-handler.js'
export { fetchHandler } from './serverless/fetch-handler.js'
