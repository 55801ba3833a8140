import type { Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { nameParameter } from '../protocol/methods.js'
import { type CallState, digestOf, type Sealer } from './request-state.js'
import type { SuspendedCall } from './suspended-call.js'

export interface SuspendedCallsOptions {
  readonly sealer: Sealer
  /** How long a suspended call waits for its retry, in milliseconds. */
  readonly parkTimeout: number
  /** How many calls may be suspended at once: in all, and for one principal. */
  readonly maxParked: number
  readonly maxParkedPerPrincipal: number
}

interface Parked {
  readonly call: SuspendedCall
  readonly principal: string
  readonly expires: number
}

/** The calls that wait for answers, by the handle that is sealed into their `requestState`. */
export class SuspendedCalls {
  #options: SuspendedCallsOptions
  #parked = new Map<string, Parked>()
  #sweep: ReturnType<typeof setInterval> | undefined

  constructor(options: SuspendedCallsOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#parked.size
  }

  /** Keeps the call and returns the sealed state that its retry must bring. */
  async park(call: SuspendedCall, request: JSONRPCRequest, context: Context): Promise<string> {
    const principal = principalOf(context)
    this.#checkRoom(principal)
    const id = crypto.randomUUID()
    const expires = Date.now() + this.#options.parkTimeout
    call.round += 1
    this.#parked.set(id, { call, principal, expires })
    this.#startSweep()
    call.suspend(() => this.abandon(call))
    return this.#options.sealer.seal({
      ...(await this.#binding(request, principal)),
      call: id,
      round: call.round,
      expires,
    })
  }

  /** A state that resumes nothing: its retry is the call anew (an error told the client to do so). */
  async reissue(request: JSONRPCRequest, context: Context): Promise<string> {
    const expires = Date.now() + this.#options.parkTimeout
    return this.#options.sealer.seal({
      ...(await this.#binding(request, principalOf(context))),
      round: 0,
      expires,
    })
  }

  /**
   * The call that a retry belongs to, no longer parked; undefined where the call is to be made anew. Throws
   * INVALID_PARAMS for a state that is forged, expired, used, or another's, and for answers that cannot be: after those the state
   * is as good as before, so that the client can mend them.
   */
  async claim(
    sealed: string,
    request: JSONRPCRequest,
    context: Context,
    answers: ReadonlyMap<string, JSONObject>,
  ): Promise<SuspendedCall | undefined> {
    const state = await this.#options.sealer.open(sealed)
    const expected = await this.#binding(request, principalOf(context))
    if (state.expires < Date.now()) throw refused('has expired')
    if (state.principal !== expected.principal) throw refused('belongs to another caller')
    if (state.method !== expected.method || state.target !== expected.target)
      throw refused('belongs to another request')
    if (state.digest !== expected.digest) throw refused('belongs to a call with other arguments')
    if (state.call === undefined) return undefined
    const parked = this.#parked.get(state.call)
    if (parked === undefined) throw refused('was used already, or its call is gone')
    parked.call.check(answers)
    this.#parked.delete(state.call)
    return parked.call
  }

  /** Ends a call that its asker gave up. */
  abandon(call: SuspendedCall): void {
    for (const [id, parked] of this.#parked) {
      if (parked.call !== call) continue
      this.#parked.delete(id)
      call.end()
    }
  }

  close(): void {
    clearInterval(this.#sweep)
    for (const { call } of this.#parked.values()) call.end()
    this.#parked.clear()
  }

  #checkRoom(principal: string): void {
    const { maxParked, maxParkedPerPrincipal } = this.#options
    let own = 0
    for (const parked of this.#parked.values()) if (parked.principal === principal) own += 1
    if (this.#parked.size < maxParked && own < maxParkedPerPrincipal) return
    throw new TransportError('ERR_BUSY', `${this.#parked.size} calls wait for answers already`, {
      knob: '--max-parked',
    })
  }

  #startSweep(): void {
    if (this.#sweep !== undefined) return
    const period = Math.max(10, Math.min(1000, this.#options.parkTimeout / 10))
    this.#sweep = setInterval(() => this.#expire(), period)
    ;(this.#sweep as { unref?: () => void }).unref?.()
  }

  #expire(): void {
    const time = Date.now()
    for (const [id, parked] of this.#parked) {
      if (parked.expires > time) continue
      this.#parked.delete(id)
      parked.call.end()
    }
    if (this.#parked.size > 0) return
    clearInterval(this.#sweep)
    this.#sweep = undefined
  }

  async #binding(
    request: JSONRPCRequest,
    principal: string,
  ): Promise<Pick<CallState, 'method' | 'target' | 'digest' | 'principal'>> {
    const name = nameParameter(request.method)
    const target = name === undefined ? '' : String(request.params?.[name])
    return {
      method: request.method,
      target,
      digest: await digestOf(request.params?.arguments ?? {}),
      principal,
    }
  }
}

/** The answers that a retry brings, by key. Throws INVALID_PARAMS where they are no map of objects. */
export function inputResponsesOf(request: JSONRPCRequest): Map<string, JSONObject> {
  const responses = request.params?.inputResponses
  if (responses === undefined) return new Map()
  if (!isObject(responses)) throw new RpcError(INVALID_PARAMS, 'inputResponses must be an object')
  const answers = new Map<string, JSONObject>()
  for (const [key, answer] of Object.entries(responses)) {
    if (!isObject(answer)) throw new RpcError(INVALID_PARAMS, `inputResponses.${key} must be an object`)
    answers.set(key, answer)
  }
  return answers
}

function principalOf(context: Context): string {
  return context.caller.principal ?? ''
}

function refused(why: string): RpcError {
  return new RpcError(INVALID_PARAMS, `requestState ${why}: start the call anew`)
}
