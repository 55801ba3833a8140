/**
 * A legacy tool that insists on being called as a task (2025-11-25 basic/utilities/tasks, "Tool-Level
 * Negotiation"). The modern era has no such tasks, so anyport makes the task and waits for its result.
 */

import { Context } from '../exchange/context.js'
import { asSent } from '../exchange/errors.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { isObject, progressTokenOf } from '../protocol/meta.js'
import { METHOD_TASK_RESULT } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import type { Session, SessionExchange } from './session.js'

/** True where the server's tools may insist on tasks. */
export function offersToolTasks(capabilities: JSONObject): boolean {
  const { tasks } = capabilities
  const requests = isObject(tasks) ? tasks.requests : undefined
  const tools = isObject(requests) ? requests.tools : undefined
  return isObject(tools) && tools.call !== undefined
}

/** Which tools of one server insist on tasks, as its list of tools says: read once, before the first call. */
export class InsistingTools {
  readonly #list: (params: JSONObject) => Promise<JSONRPCResponse>
  #names: Promise<ReadonlySet<string>> | undefined

  constructor(list: (params: JSONObject) => Promise<JSONRPCResponse>) {
    this.#list = list
  }

  async has(name: unknown): Promise<boolean> {
    this.#names ??= this.#read()
    const reading = this.#names
    try {
      return (await reading).has(name as string)
    } catch {
      // The plain call's own error says more than why the list could not be read.
      if (reading === this.#names) this.#names = undefined
      return false
    }
  }

  /** The list has changed. */
  forget(): void {
    this.#names = undefined
  }

  async #read(): Promise<ReadonlySet<string>> {
    const names = new Set<string>()
    let cursor: unknown
    for (let page = 0; page < MAX_PAGES; page++) {
      const response = await this.#list(cursor === undefined ? {} : { cursor })
      if ('error' in response) throw new Error(response.error.message)
      const { tools, nextCursor } = readResult(response.result)
      for (const tool of Array.isArray(tools) ? tools : []) {
        if (isObject(tool) && isObject(tool.execution) && tool.execution.taskSupport === 'required')
          names.add(String(tool.name))
      }
      if (nextCursor === undefined) break
      cursor = nextCursor
    }
    return names
  }
}

const MAX_PAGES = 100

/**
 * Calls the tool, as a task where it insists on one, and returns the task's result. It is never tried plainly first:
 * SDKs answer that with an error result, which does not prove that nothing ran.
 */
export async function* callPerhapsAsTask(
  session: Session,
  request: JSONRPCRequest,
  context: Context,
  insisting: InsistingTools,
): SessionExchange {
  if (!(await insisting.has(request.params?.name))) return yield* session.request(request, context)
  const asTask = { ...request, params: { ...request.params, task: {} } }
  const created = yield* session.request(asTask, context)
  if ('error' in created) return created
  const { task } = readResult(created.result)
  const taskId = isObject(task) ? task.taskId : undefined
  if (typeof taskId !== 'string') return created
  let finished = false
  try {
    const progressToken = progressTokenOf(request)
    const _meta = progressToken === undefined ? {} : { _meta: { progressToken } }
    const result: JSONRPCRequest = { ...request, method: METHOD_TASK_RESULT, params: { taskId, ..._meta } }
    const response = yield* session.request(result, context)
    finished = true
    return response
  } catch (error) {
    // The task was made: calling again would make another.
    throw asSent(error)
  } finally {
    // Cancelling the wait does not end the task.
    if (!finished) cancelTask(session, request, taskId, new Context(context.caller))
  }
}

function cancelTask(session: Session, request: JSONRPCRequest, taskId: string, context: Context): void {
  const exchange = session.request({ ...request, method: 'tasks/cancel', params: { taskId } }, context)
  exchange.next().catch(() => {})
}
