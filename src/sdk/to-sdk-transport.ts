/** anyport as a transport for the clients of the SDKs. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import { type Upstream, upstream } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import type { Caller } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import { serveChannel } from '../transport/channel/serve.js'
import { SdkChannel } from './sdk-channel.js'
import type { SdkTransport } from './sdk-transport.js'

export interface ToSdkTransportOptions extends UpstreamOptions {
  /** Who calls, for handlers that want to know. Default: the local user. */
  readonly principal?: string | undefined
}

/**
 * What `client.connect` of SDK v1 or v2 takes: a handler, or a target (a program, a socket, an address) with all that anyport
 * does for it: both eras, restarts, fallback between transports, calls sent again where that is safe. Serves one client;
 * its close ends what was started.
 */
export function toSdkTransport(
  what: Handler | Target | RemoteTarget,
  options: ToSdkTransportOptions = {},
): SdkTransport {
  const { principal, ...rest } = options
  const up: Upstream | undefined = typeof what === 'function' ? undefined : upstream(what, rest)
  const handler = typeof what === 'function' ? what : (up as Upstream).handler
  const caller: Caller = { binding: 'internal', ...(principal === undefined ? {} : { principal }) }
  const channel = new SdkChannel('the SDK client')
  const served = serveChannel(channel, handler, caller)
  const { transport } = channel
  const leave = transport.close
  transport.close = async () => {
    await leave()
    await served.closed
    await up?.close()
  }
  return transport
}
