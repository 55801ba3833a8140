import type { HttpEndpoint } from '../exchange/http-endpoint.js'
import type { CallerCredentials } from './caller-credentials.js'
import type { Target } from './open.js'

/** A server at an HTTP address. */
export interface RemoteTarget {
  /** As a person names it: the address, without secrets. */
  readonly name: string
  /** See {@link Target.identity}. */
  readonly identity?: string
  readonly remote: Remote
}

export interface Remote extends Omit<HttpEndpoint, 'name'> {
  /** Default `auto`: found out. */
  readonly transport?: RemoteTransport | undefined
  /**
   * What differs from caller to caller. Each then has connections and sessions of his own, and the server is asked for nothing before the first
   * caller comes. Default: all carry the same.
   */
  readonly credentials?: CallerCredentials | undefined
}

/**
 * `modern` is Streamable HTTP of 2026-07-28, `streamable-http` the same or that of the earlier revisions, with their sessions;
 * `sse` is HTTP+SSE of 2024-11-05.
 */
export type RemoteTransport = 'auto' | 'modern' | 'streamable-http' | 'sse'

export function isRemote(target: Target | RemoteTarget): target is RemoteTarget {
  return 'remote' in target
}
