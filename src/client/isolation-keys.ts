import type { Context } from '../exchange/context.js'
import { canBeAsked, fingerprint } from '../legacy/capabilities.js'
import type { JSONRPCRequest } from '../protocol/message.js'
import { clientCapabilitiesOf } from '../protocol/meta.js'
import type { CallerCredentials } from './caller-credentials.js'

/** Who shares a connection: callers of one principal, each legacy session for itself, or everybody. */
export type Isolation = 'principal' | 'session' | 'shared'

/** The keys of connections: callers with different ones never share any. */
export class IsolationKeys {
  readonly #isolation: Isolation
  /** Of a server that is not called with the same for all. */
  readonly #credentials: CallerCredentials | undefined

  constructor(isolation: Isolation, credentials: CallerCredentials | undefined) {
    this.#isolation = isolation
    this.#credentials = credentials
  }

  /** Whether there is a key for the caller: one who lacks what the server's credentials are made of has none. */
  has({ caller }: Context): boolean {
    if (this.#credentials === undefined) return true
    try {
      this.#credentials.of(caller)
      return true
    } catch {
      // Told as the failure of the call.
      return false
    }
  }

  /** Throws `TransportError` where the caller's credentials cannot be made. */
  of(context: Context): string {
    const owner = this.#ownerOf(context)
    return this.#credentials === undefined ? owner : `${owner}|${this.#credentials.of(context.caller).key}`
  }

  /**
   * A legacy server learns a client's capabilities once, and offers by them, so callers share a connection only
   * with their like: those who can be asked, and by what; and the mute ones.
   */
  ofLegacy(request: JSONRPCRequest, context: Context): string {
    const capabilities = clientCapabilitiesOf(request)
    return `${this.of(context)}|${canBeAsked(capabilities) ? '?' : ''}${fingerprint(capabilities)}`
  }

  #ownerOf({ caller }: Context): string {
    switch (this.#isolation) {
      case 'shared':
        return ''
      case 'session':
        if (caller.session !== undefined) return `session:${caller.session}`
        return `principal:${caller.principal ?? ''}`
      case 'principal':
        return `principal:${caller.principal ?? ''}`
    }
  }
}
