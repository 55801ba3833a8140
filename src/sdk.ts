/** anyport for programs written with an SDK: their servers on every transport, their clients to every server. */

import type { Target } from './client/open.js'
import type { RemoteTarget } from './client/remote.js'
import { type ServeByEnvironmentOptions, serveByEnvironment } from './node/serve-by-environment.js'
import type { Server } from './node/serve-options.js'
import { fromSdk, isSdkServer, type SdkServer, type SdkServerFactory } from './sdk/from-sdk.js'

export type { Target } from './client/open.js'
export type { ServeByEnvironmentOptions } from './node/serve-by-environment.js'
export type { Server } from './node/serve-options.js'
export type { ConnectedSdkServer, FromSdkOptions, SdkServer, SdkServerFactory } from './sdk/from-sdk.js'
export { fromSdk } from './sdk/from-sdk.js'
export type { SdkTransport } from './sdk/sdk-transport.js'
export type { ToSdkTransportOptions } from './sdk/to-sdk-transport.js'
export { toSdkTransport } from './sdk/to-sdk-transport.js'

/**
 * Serves a function that makes a server of an SDK, or any target, on what the options ask for, or else the environment: TRANSPORT
 * (`stdio`, `http`, `sse`, a comma list), PORT and HOST. A server itself, which has one connection at a time, is served on stdio
 * only, where there is one client. Throws `TypeError` for values that cannot work.
 */
export async function serve(
  server: SdkServer | SdkServerFactory | Target | RemoteTarget,
  options: ServeByEnvironmentOptions = {},
): Promise<Server> {
  if (!isSdkServer(server)) return await serveByEnvironment(server, options)
  const target = fromSdk(server)
  if (typeof server === 'function') return await serveByEnvironment(target, options)
  const single = { ...options, maxConnections: 1, eager: false }
  return await serveByEnvironment(target, single, () => {
    throw new TypeError(
      'A single server has one connection at a time, and HTTP has many clients: give a function that makes one, serve(() => new McpServer(...))',
    )
  })
}
