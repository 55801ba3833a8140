/** anyport where there is no Node: a handler as `(Request) => Promise<Response>`. */

export type { Target } from './client/open.js'
export type { Caller, CancelReason, ContextKey } from './exchange/context.js'
export { Context, contextKey } from './exchange/context.js'
export type { TransportErrorCode, TransportFacts } from './exchange/errors.js'
export { TransportError } from './exchange/errors.js'
export type { Exchange, Handler, Middleware } from './exchange/exchange.js'
export { compose, finish } from './exchange/exchange.js'
export type { HttpHandler, HttpIdentity, HttpMiddleware, HttpReply, HttpRequest } from './exchange/http.js'
export type { ApiKeyRecord, ApiKeysOptions, NewApiKey } from './middleware/http/api-keys.js'
export { apiKeys, newApiKey } from './middleware/http/api-keys.js'
export type {
  AuthenticationMethod,
  AuthenticationOptions,
  Credential,
  Verdict,
} from './middleware/http/authentication.js'
export { authentication, CredentialRefusal, scopesOf } from './middleware/http/authentication.js'
export type { CorsOptions } from './middleware/http/cors.js'
export type { IntrospectionOptions } from './middleware/http/introspection.js'
export { introspection } from './middleware/http/introspection.js'
export type { TrustedProxyOptions } from './middleware/http/trusted-proxy.js'
export { RpcError } from './protocol/errors.js'
export type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from './protocol/message.js'
export type { ConnectedSdkServer, FromSdkOptions, SdkServer, SdkServerFactory } from './sdk/from-sdk.js'
export { fromSdk } from './sdk/from-sdk.js'
export type { FetchHandlerOptions } from './serverless/fetch-handler.js'
export { fetchHandler } from './serverless/fetch-handler.js'
export type { FaceAuthentication, HttpAccessOptions } from './transport/http-access.js'
export { httpAccess } from './transport/http-access.js'
export type { HttpAccess } from './transport/open-access.js'
