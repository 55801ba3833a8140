import type { Caller, Context } from '../exchange/context.js'
import type { JSONObject, JSONRPCRequest } from '../protocol/message.js'
import { META_CLIENT_CAPABILITIES, META_CLIENT_INFO, META_PROTOCOL_VERSION } from '../protocol/meta.js'
import { Audience, type AudienceHost } from './audience.js'

export interface AudiencesOptions {
  /** Sessions of one principal see what each of them has for itself. */
  readonly perSession: boolean
  /** What else tells callers apart. */
  readonly audienceOf?: ((caller: Caller) => string) | undefined
  /** Audiences that are remembered; those who were silent longest, and listen to nothing, are forgotten first. */
  readonly maxAudiences: number
  /** Milliseconds without a request after which an audience that listens to nothing is forgotten. */
  readonly idleTimeout: number
}

/** Who asks, found again by what servers may tell apart: principal and capabilities. */
export class Audiences {
  readonly #host: AudienceHost
  readonly #options: AudiencesOptions
  readonly #audiences = new Map<string, { readonly audience: Audience; used: number }>()
  #sweeper: ReturnType<typeof setTimeout> | undefined
  #closed = false

  constructor(host: AudienceHost, options: AudiencesOptions) {
    this.#host = host
    this.#options = options
  }

  of(request: JSONRPCRequest, { caller }: Context): Audience {
    const meta = request.params?._meta
    const capabilities = JSON.stringify(meta?.[META_CLIENT_CAPABILITIES] ?? {})
    const session = this.#options.perSession ? caller.session : undefined
    const key = JSON.stringify([caller.principal, session, capabilities, this.#options.audienceOf?.(caller)])
    let entry = this.#audiences.get(key)
    if (entry === undefined) {
      const asker = { caller: withoutHeaders(caller), meta: identityOf(meta) }
      entry = { audience: new Audience(asker, capabilities, this.#host), used: 0 }
      this.#audiences.set(key, entry)
      if (this.#audiences.size > this.#options.maxAudiences) this.#forgetOldest()
      this.#sweepLater()
    }
    entry.used = performance.now()
    return entry.audience
  }

  all(): readonly Audience[] {
    return [...this.#audiences.values()].map(({ audience }) => audience)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#sweeper)
    for (const { audience } of this.#audiences.values()) audience.close()
    this.#audiences.clear()
  }

  /** Rather than an order that every request would change. */
  #forgetOldest(): void {
    let oldest: string | undefined
    let since = Number.POSITIVE_INFINITY
    for (const [key, { audience, used }] of this.#audiences) {
      if (audience.hasListeners || used === 0 || used >= since) continue
      oldest = key
      since = used
    }
    if (oldest !== undefined) this.#forget(oldest)
  }

  #forget(key: string): void {
    this.#audiences.get(key)?.audience.close()
    this.#audiences.delete(key)
  }

  #sweepLater(): void {
    if (this.#sweeper !== undefined || this.#closed) return
    this.#sweeper = setTimeout(() => {
      this.#sweeper = undefined
      const silentSince = performance.now() - this.#options.idleTimeout
      for (const [key, { audience, used }] of this.#audiences) {
        if (used <= silentSince && !audience.hasListeners) this.#forget(key)
      }
      if (this.#audiences.size > 0) this.#sweepLater()
    }, this.#options.idleTimeout)
    ;(this.#sweeper as { unref?: () => void }).unref?.()
  }
}

/** What of `_meta` describes the client; the rest belongs to one request. */
function identityOf(meta: JSONObject | undefined): JSONObject {
  const identity: Record<string, unknown> = {}
  for (const key of [META_PROTOCOL_VERSION, META_CLIENT_INFO, META_CLIENT_CAPABILITIES])
    if (meta?.[key] !== undefined) identity[key] = meta[key]
  return identity
}

/** An audience outlives the requests by which it was met. */
function withoutHeaders(caller: Caller): Caller {
  const { header: _header, ...rest } = caller
  return rest
}
