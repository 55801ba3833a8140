/** anyport: serve any MCP server on any transport, to any MCP client, of any protocol era. */

export type { Target } from './client/open.js'
export type { Caller, CancelReason, ContextKey } from './exchange/context.js'
export { Context, contextKey } from './exchange/context.js'
export type { TransportErrorCode, TransportFacts } from './exchange/errors.js'
export { TransportError } from './exchange/errors.js'
export type { Exchange, Handler, Middleware } from './exchange/exchange.js'
export { compose, finish } from './exchange/exchange.js'
export type { CommandTarget, ConnectOptions, SocketTarget } from './node/connect.js'
export { connect } from './node/connect.js'
export type { ServeEvent, ServeOptions, Server } from './node/serve.js'
export { serve } from './node/serve.js'
export { RpcError } from './protocol/errors.js'
