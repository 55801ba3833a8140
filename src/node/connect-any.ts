/** The door of the library to servers of every kind. The command opens only what it needs of it. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import { type CommandTarget, type ConnectOptions, connect, type SocketTarget } from './connect.js'
import { connectUrl, type UrlTarget } from './connect-url.js'

/** A server as what `serve` takes. Nothing is started or called before somebody needs it. Throws `TypeError` for what cannot work. */
export function connectAny(target: CommandTarget | SocketTarget, options?: ConnectOptions): Target
export function connectAny(target: UrlTarget, options?: ConnectOptions): RemoteTarget
export function connectAny(
  target: CommandTarget | SocketTarget | UrlTarget,
  options?: ConnectOptions,
): Target | RemoteTarget {
  return 'url' in target ? connectUrl(target, options) : connect(target, options)
}
