import type { Context } from '../exchange/context.js'
import type { Exchange, Handler } from '../exchange/exchange.js'
import { type JSONObject, type JSONRPCRequest, notification, resultResponse } from '../protocol/message.js'
import { isObject, META_SUBSCRIPTION_ID } from '../protocol/meta.js'
import {
  METHOD_ACKNOWLEDGED,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'

const LIST_CHANGES = [
  ['toolsListChanged', METHOD_TOOLS_CHANGED],
  ['promptsListChanged', METHOD_PROMPTS_CHANGED],
  ['resourcesListChanged', METHOD_RESOURCES_CHANGED],
] as const

/**
 * Subscriptions whose server was stopped because nobody used it. They stay open, and listen again as soon as a call starts the
 * server: to wake it only so that it can say that nothing changed would keep it from ever resting.
 */
export class Rests {
  readonly #states = new Map<string, State>()
  #closed = false

  /** A server that somebody listened to is stopped. */
  fellAsleep(key: string): void {
    const state = this.#state(key)
    state.rests += 1
    state.asleep = true
  }

  /** A connection for those who share the key is open. */
  awake(key: string): void {
    const state = this.#states.get(key)
    if (state === undefined) return
    state.asleep = false
    const wakes = [...state.sleepers]
    state.sleepers.clear()
    for (const wake of wakes) wake()
  }

  /** Nobody will come back to the keys that begin so. */
  forget(prefix: string): void {
    for (const key of [...this.#states.keys()]) {
      if (!key.startsWith(prefix)) continue
      this.awake(key)
      this.#states.delete(key)
    }
  }

  close(): void {
    this.#closed = true
    this.forget('')
  }

  /** `subscriptions/listen` over the rests of its server. What may have changed meanwhile is announced. */
  async *listen(key: string, handler: Handler, request: JSONRPCRequest, context: Context): Exchange {
    for (let first = true; ; first = false) {
      const state = this.#state(key)
      const before = state.rests
      const exchange = handler(request, context)
      let over = false
      try {
        for (;;) {
          const step = await exchange.next()
          if (step.done) {
            over = true
            if (state.rests === before || context.cancelled !== undefined) return step.value
            break
          }
          if (step.value.method !== METHOD_ACKNOWLEDGED || first) yield step.value
          else yield* changes(request, step.value.params?.notifications)
        }
      } catch (error) {
        over = true
        if (state.rests === before || context.cancelled !== undefined) throw error
      } finally {
        if (!over) exchange.return(undefined as never).catch(() => {})
      }
      if (state.asleep) await awakening(state, context)
      if (this.#closed || context.cancelled !== undefined) {
        const _meta = { [META_SUBSCRIPTION_ID]: request.id }
        return resultResponse(request.id, { resultType: 'complete', _meta })
      }
    }
  }

  #state(key: string): State {
    let state = this.#states.get(key)
    if (state === undefined) {
      state = { rests: 0, asleep: false, sleepers: new Set() }
      this.#states.set(key, state)
    }
    return state
  }
}

interface State {
  /** How often the server was stopped under a listener. */
  rests: number
  asleep: boolean
  readonly sleepers: Set<() => void>
}

function awakening({ sleepers }: State, context: Context): Promise<void> {
  return new Promise(resolve => {
    const wake = () => {
      off()
      resolve()
    }
    sleepers.add(wake)
    const off = context.onCancel(() => {
      sleepers.delete(wake)
      resolve()
    })
  })
}

/** Nobody heard of changes while the server rested: whoever listens to a list looks at it again. */
export function* changes(request: JSONRPCRequest, honoured: unknown) {
  if (!isObject(honoured)) return
  const _meta: JSONObject = { [META_SUBSCRIPTION_ID]: request.id }
  for (const [name, method] of LIST_CHANGES)
    if (honoured[name] === true) yield notification(method, { _meta })
}
