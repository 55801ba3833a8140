/** anyport: serve any MCP server on any transport, to any MCP client, of any protocol era. */

export { Capacity } from './client/capacity.js'
export type { StopReason, UpstreamEvent } from './client/events.js'
export type { OAuthAuthorizer } from './client/oauth/authorizer.js'
export type { SignInEvent } from './client/oauth/sign-in-events.js'
export type { TokenExchangeOptions } from './client/oauth/token-exchange-options.js'
export type { Target } from './client/open.js'
export type { RemoteTarget, RemoteTransport } from './client/remote.js'
export type {
  ClientOptions,
  Questions,
  RequestOptions,
  ServerClient,
  ServerDescription,
} from './client/server-client.js'
export { client } from './client/server-client.js'
export type { Dashboard, DashboardSource, ServedServer, ServingStatus } from './client/serving-status.js'
export type { EraMemory } from './client/upstream-options.js'
export type { UpstreamFailure, UpstreamState, UpstreamStatus } from './client/upstream-status.js'
export type { ConfigInput } from './config/inputs.js'
export type { Problem } from './config/problem.js'
export { ConfigError } from './config/problem.js'
export type {
  GatewaySettings,
  RemoteServer,
  ServerEntry,
  ServerSettings,
  StdioServer,
} from './config/server-entry.js'
export type { DashboardOptions } from './dashboard/dashboard.js'
export { dashboard } from './dashboard/dashboard.js'
export type { DashboardStatus, ObservedServer } from './dashboard/status.js'
export type { Caller, CancelReason, ContextKey } from './exchange/context.js'
export { Context, contextKey } from './exchange/context.js'
export type { TransportErrorCode, TransportFacts } from './exchange/errors.js'
export { TransportError } from './exchange/errors.js'
export type { Exchange, Handler, Middleware } from './exchange/exchange.js'
export { compose, finish } from './exchange/exchange.js'
export type { HttpHandler, HttpIdentity, HttpMiddleware, HttpReply, HttpRequest } from './exchange/http.js'
export type { Authorizer, HttpClient } from './exchange/http-client.js'
export { keepSubjectToken } from './exchange/subject-token.js'
export type { GatewayEvent, ListKind } from './gateway/events.js'
export type { NameStyle } from './gateway/exposed-names.js'
export type { Offer } from './gateway/member.js'
export type { ServerStatus } from './gateway/server-states.js'
export type { LossKind } from './legacy/losses.js'
export type { AccessMatch, AccessRule, AccessRules } from './middleware/exchange/access-rules.js'
export { accessRules } from './middleware/exchange/access-rules.js'
export type {
  AuditOptions,
  AuditOutcome,
  AuditRecord,
  AuditSink,
  RefusalSummary,
} from './middleware/exchange/audit.js'
export { audit, namedServer } from './middleware/exchange/audit.js'
export type { AuthorizationOptions } from './middleware/exchange/authorization.js'
export { authorization } from './middleware/exchange/authorization.js'
export type { BoundedRefusals, RefusalBounds } from './middleware/exchange/bounded-refusals.js'
export { boundedRefusals } from './middleware/exchange/bounded-refusals.js'
export type { Flag, FlagReason } from './middleware/exchange/definitions/flags.js'
export { flagsOf } from './middleware/exchange/definitions/flags.js'
export type { DefinitionKind, ListedKind } from './middleware/exchange/definitions/kinds.js'
export type { ServerPins } from './middleware/exchange/definitions/pins.js'
export type { LimitOptions } from './middleware/exchange/limits.js'
export { limits } from './middleware/exchange/limits.js'
export type { HttpRefusals, Observer, ObserverOptions, OpenCall } from './middleware/exchange/observer.js'
export { observer } from './middleware/exchange/observer.js'
export type { DefinitionEvent, PinMode, PinnedOptions, PinSource } from './middleware/exchange/pinned.js'
export { pinned } from './middleware/exchange/pinned.js'
export type { LimitedBy, RateLimit } from './middleware/exchange/rate-limit.js'
export { parseRateLimit } from './middleware/exchange/rate-limit.js'
export type { ObservedMessage, RecentMessages } from './middleware/exchange/recent-messages.js'
export { connectionRecord, refusalRecord } from './middleware/exchange/refusal-record.js'
export type { ClientReport } from './middleware/exchange/seen-clients.js'
export type { LastError, Latency, TrafficReport } from './middleware/exchange/traffic.js'
export type { SchemaEvent, ValidateArgumentsOptions } from './middleware/exchange/validate-arguments.js'
export { validateArguments } from './middleware/exchange/validate-arguments.js'
export type { AddressGuardOptions } from './middleware/http/address-guard.js'
export { addressGuard } from './middleware/http/address-guard.js'
export type { ApiKeyRecord, ApiKeysOptions, NewApiKey } from './middleware/http/api-keys.js'
export { apiKeys, newApiKey } from './middleware/http/api-keys.js'
export { asMiddleware } from './middleware/http/as-middleware.js'
export type {
  AuthenticationMethod,
  AuthenticationOptions,
  Credential,
  Verdict,
} from './middleware/http/authentication.js'
export { authentication, CredentialRefusal, scopesOf } from './middleware/http/authentication.js'
export { certificates } from './middleware/http/certificates.js'
export type { CorsOptions } from './middleware/http/cors.js'
export { cors } from './middleware/http/cors.js'
export type { HostGuardOptions, HttpGuard } from './middleware/http/host-guard.js'
export { hostGuard } from './middleware/http/host-guard.js'
export type { IntrospectionOptions } from './middleware/http/introspection.js'
export { introspection } from './middleware/http/introspection.js'
export type { JwtOptions } from './middleware/http/jwt.js'
export { jwt } from './middleware/http/jwt.js'
export type { OriginGuardOptions } from './middleware/http/origin-guard.js'
export { originGuard } from './middleware/http/origin-guard.js'
export type { TrustedProxyOptions } from './middleware/http/trusted-proxy.js'
export { trustedProxy } from './middleware/http/trusted-proxy.js'
export type { AuditEvent, AuditLog, AuditLogOptions } from './node/audit/audit-log.js'
export { auditLog } from './node/audit/audit-log.js'
export type { AuditVerdict } from './node/audit/verify-audit.js'
export { verifyAudit } from './node/audit/verify-audit.js'
export type { GuardSettings } from './node/config/guard-settings.js'
export type { LoadConfigOptions, LoadedConfig } from './node/config/load-config.js'
export { loadConfig } from './node/config/load-config.js'
export type { CommandTarget, ConnectOptions, SocketTarget } from './node/connect.js'
export { connectAny as connect } from './node/connect-any.js'
export type { UrlTarget } from './node/connect-url.js'
export type { FollowedPins, FollowedPinsOptions } from './node/follow-pins.js'
export { followPins } from './node/follow-pins.js'
export type {
  GatewaySource,
  GatewayTarget,
  ServerGateway,
  ServerGatewayOptions,
  ServersUpdate,
} from './node/gateway.js'
export { gateway } from './node/gateway.js'
export type { Governing, GovernOptions } from './node/govern.js'
export { govern } from './node/govern.js'
export type { Mounted, MountOptions } from './node/http/mount.js'
export { mount } from './node/http/mount.js'
export type { SignInOptions } from './node/oauth/authorizer-for.js'
export { oauth } from './node/oauth/authorizer-for.js'
export type { LaunchPlan } from './node/process/launch-plan.js'
export { serve } from './node/serve.js'
export type { ServeEvent, ServeOptions, Server, TlsFiles, TlsSelfSigned } from './node/serve-options.js'
export type { ApiKeyFile, ApiKeyFileOptions } from './node/storage/api-key-file.js'
export { apiKeyFile } from './node/storage/api-key-file.js'
export { eraCache } from './node/storage/era-cache.js'
export { RpcError } from './protocol/errors.js'
export type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from './protocol/message.js'
export type { GuardedCaller, GuardFetchOptions } from './serverless/guard-fetch.js'
export { guardFetch } from './serverless/guard-fetch.js'
