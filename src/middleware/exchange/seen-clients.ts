import type { Caller, Context } from '../../exchange/context.js'
import type { JSONRPCRequest } from '../../protocol/message.js'
import { clientInfoOf } from '../../protocol/meta.js'
import { shortened } from './shortened.js'

/** Clients that say the same of themselves, come in the same way, from the same address, as the same principal. */
export interface ClientReport {
  readonly binding: Caller['binding']
  /** `modern`, or the legacy revision. */
  readonly era: string
  /** Name and version that the client gives itself. */
  readonly client?: string | undefined
  readonly principal?: string | undefined
  readonly address?: string | undefined
  /** Sessions and pipes that are open and have called; modern clients on HTTP have none. */
  readonly sessions: number
  readonly calls: number
  readonly errors: number
  /** ISO 8601. */
  readonly lastCall: string
}

export interface SeenClient {
  readonly binding: Caller['binding']
  readonly era: string
  readonly client: string | undefined
  readonly principal: string | undefined
  readonly address: string | undefined
  sessions: number
  calls: number
  errors: number
  /** Milliseconds since 1970. */
  lastCall: number
}

/** Those that are kept apart, and sessions of them that are counted; the oldest are forgotten first. */
const MAX_CLIENTS = 500
const MAX_SESSIONS = 10_000

/** Who calls. */
export class SeenClients {
  readonly #clients = new Map<string, SeenClient>()
  readonly #sessions = new Map<string, SeenClient>()
  /** Of the call before: who calls is mostly who called then. */
  #last: SeenClient | undefined
  #lastName: unknown
  #lastVersion: unknown

  of(request: JSONRPCRequest, { caller, revision }: Context): SeenClient {
    const { session, binding, principal, address } = caller
    if (session !== undefined) {
      const known = this.#sessions.get(session)
      if (known !== undefined) return known
    }
    const info = clientInfoOf(request)
    const era = revision ?? 'modern'
    const last = this.#last
    const same =
      last !== undefined &&
      this.#lastName === info?.name &&
      this.#lastVersion === info?.version &&
      last.principal === principal &&
      last.address === address &&
      last.binding === binding &&
      last.era === era
    const seen = same
      ? last
      : this.#find({ binding, era, client: nameOf(info?.name, info?.version), principal, address })
    this.#last = seen
    this.#lastName = info?.name
    this.#lastVersion = info?.version
    if (session !== undefined) this.#join(session, seen)
    return seen
  }

  left(session: string): void {
    const seen = this.#sessions.get(session)
    if (seen === undefined) return
    this.#sessions.delete(session)
    seen.sessions--
  }

  /** The last that called first. */
  report(limit: number): readonly ClientReport[] {
    return [...this.#clients.values()]
      .sort((a, b) => b.lastCall - a.lastCall)
      .slice(0, limit)
      .map(seen => ({ ...seen, lastCall: new Date(seen.lastCall).toISOString() }))
  }

  #find(who: Pick<SeenClient, 'binding' | 'era' | 'client' | 'principal' | 'address'>): SeenClient {
    const key = JSON.stringify([who.binding, who.era, who.client, who.principal, who.address])
    const known = this.#clients.get(key)
    if (known !== undefined) return known
    if (this.#clients.size >= MAX_CLIENTS) this.#forgetOne()
    const seen: SeenClient = { ...who, sessions: 0, calls: 0, errors: 0, lastCall: 0 }
    this.#clients.set(key, seen)
    return seen
  }

  #forgetOne(): void {
    let oldest: string | undefined
    let since = Number.POSITIVE_INFINITY
    for (const [key, { sessions, lastCall }] of this.#clients) {
      const weight = sessions > 0 ? lastCall + 1e13 : lastCall
      if (weight >= since) continue
      oldest = key
      since = weight
    }
    if (oldest !== undefined) this.#clients.delete(oldest)
  }

  #join(session: string, seen: SeenClient): void {
    if (this.#sessions.size >= MAX_SESSIONS) {
      for (const oldest of this.#sessions.keys()) {
        this.left(oldest)
        break
      }
    }
    this.#sessions.set(session, seen)
    seen.sessions++
  }
}

function nameOf(name: unknown, version: unknown): string | undefined {
  if (typeof name !== 'string') return undefined
  return shortened(typeof version === 'string' ? `${name} ${version}` : name, 80)
}
