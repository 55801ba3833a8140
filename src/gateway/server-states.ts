import { TransportError } from '../exchange/errors.js'
import type { GatewayEvent } from './events.js'
import type { SliceKind } from './fetch-slice.js'
import type { Member } from './member.js'

/** How a server does, as the last questions to it showed. */
export interface ServerStatus {
  readonly name: string
  /** `unknown`: nothing was asked yet. */
  readonly state: 'unknown' | 'available' | 'unavailable'
  /** Why it is unavailable. */
  readonly error?: Error
}

export class ServerStates {
  readonly #onEvent: (event: GatewayEvent) => void
  /** What went wrong last, by what was asked. A server that is not in it was asked nothing. */
  readonly #errors = new WeakMap<Member, Map<SliceKind, Error>>()

  constructor(onEvent: (event: GatewayEvent) => void) {
    this.#onEvent = onEvent
  }

  of(member: Member): ServerStatus {
    const { name } = member
    const errors = this.#errors.get(member)
    if (errors === undefined) return { name, state: 'unknown' }
    const [error] = errors.values()
    return error === undefined ? { name, state: 'available' } : { name, state: 'unavailable', error }
  }

  /** A server was asked for something: what came of it. */
  report(member: Member, kind: SliceKind, error: Error | undefined): void {
    // Nobody who lacks a claim may have a server called unavailable for everybody.
    if (error instanceof TransportError && error.facts.ofCaller) return
    const errors = this.#errors.get(member) ?? new Map<SliceKind, Error>()
    const before = errors.size
    this.#errors.set(member, errors)
    if (error === undefined) errors.delete(kind)
    else errors.set(kind, error)
    const { name: server } = member
    if (before > 0 && errors.size === 0) this.#onEvent({ type: 'available', server })
    if (before === 0 && error !== undefined) this.#onEvent({ type: 'unavailable', server, error })
  }
}
