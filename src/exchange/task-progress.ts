import type { JSONObject, JSONRPCResponse } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { METHOD_CALL_TOOL } from '../protocol/methods.js'
import { RawJson } from '../protocol/raw-json.js'
import type { Call } from './call.js'

/** Tasks made and not waited for yet; later ones go without progress. */
const MAX_TASKS = 1_000

/**
 * The progress of a task comes under the token of the call that made it, which has ended by then, and belongs to the
 * call that waits for its result (2025-11-25 basic/utilities/tasks, "Progress").
 */
export class TaskProgress {
  readonly #tokens = new Map<string, number>()
  readonly #waiters = new Map<number, Call>()

  /** A call has been answered: perhaps with a task. */
  responded(call: Call, response: JSONRPCResponse): void {
    if (call.method !== METHOD_CALL_TOOL || !('result' in response)) return
    const { result } = response
    if (result instanceof RawJson || result.task === undefined || !isObject(result.task)) return
    const { taskId } = result.task
    if (typeof taskId === 'string' && this.#tokens.size < MAX_TASKS) this.#tokens.set(taskId, call.upstreamId)
  }

  wait(call: Call, params: JSONObject | undefined): void {
    const taskId = params?.taskId as string
    const token = this.#tokens.get(taskId)
    if (token === undefined) return
    this.#tokens.delete(taskId)
    this.#waiters.set(token, call)
  }

  waiterOf(token: number): Call | undefined {
    return this.#waiters.size === 0 ? undefined : this.#waiters.get(token)
  }

  ended(call: Call): void {
    for (const [token, waiter] of this.#waiters) if (waiter === call) this.#waiters.delete(token)
  }
}
