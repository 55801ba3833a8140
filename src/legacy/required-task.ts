/**
 * A legacy tool that insists on being called as a task (2025-11-25 basic/utilities/tasks, "Tool-Level
 * Negotiation"). The modern era has no such tasks, so anyport makes the task and waits for its result.
 */

import { Context } from '../exchange/context.js'
import { METHOD_NOT_FOUND } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, JSONRPCResponse } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { METHOD_TASK_RESULT } from '../protocol/methods.js'
import { RawJson, readResult } from '../protocol/raw-json.js'
import type { Session, SessionExchange } from './session.js'

/** True where the server's tools may insist on tasks. */
export function offersToolTasks(capabilities: JSONObject): boolean {
  const { tasks } = capabilities
  const requests = isObject(tasks) ? tasks.requests : undefined
  const tools = isObject(requests) ? requests.tools : undefined
  return isObject(tools) && tools.call !== undefined
}

/** Which tools of one server insist on tasks, as its list of tools says. Asked for when a plain call fails. */
export class InsistingTools {
  readonly #list: (params: JSONObject) => Promise<JSONRPCResponse>
  #names: Promise<ReadonlySet<string>> | undefined
  #known: ReadonlySet<string> = NONE

  constructor(list: (params: JSONObject) => Promise<JSONRPCResponse>) {
    this.#list = list
  }

  /** Whether the tool was found to insist before. */
  knows(name: unknown): boolean {
    return this.#known.has(name as string)
  }

  async has(name: unknown): Promise<boolean> {
    this.#names ??= this.#read()
    const reading = this.#names
    try {
      const names = await reading
      if (reading === this.#names) this.#known = names
      return names.has(name as string)
    } catch {
      // The plain call's own error says more than why the list could not be read.
      if (reading === this.#names) this.#names = undefined
      return false
    }
  }

  /** The list has changed. */
  forget(): void {
    this.#names = undefined
    this.#known = NONE
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

const NONE: ReadonlySet<string> = new Set()
const MAX_PAGES = 100

/**
 * Calls the tool plainly; where the server refuses that because the tool insists on a task, calls it as one and
 * returns the task's result.
 */
export async function* callPerhapsAsTask(
  session: Session,
  request: JSONRPCRequest,
  context: Context,
  insisting: InsistingTools,
): SessionExchange {
  const name = request.params?.name
  if (!insisting.knows(name)) {
    const plain = yield* session.request(request, context)
    if (!(await isRefusal(plain, name, insisting))) return plain
  }
  const asTask = { ...request, params: { ...request.params, task: {} } }
  const created = yield* session.request(asTask, context)
  if ('error' in created) return created
  const { task } = readResult(created.result)
  const taskId = isObject(task) ? task.taskId : undefined
  if (typeof taskId !== 'string') return created
  let finished = false
  try {
    const result: JSONRPCRequest = { ...request, method: METHOD_TASK_RESULT, params: { taskId } }
    const response = yield* session.request(result, context)
    finished = true
    return response
  } finally {
    // Cancelling the wait does not end the task.
    if (!finished) cancelTask(session, request, taskId, new Context(context.caller))
  }
}

/**
 * Servers must refuse with "method not found". Those built on the official SDKs make a tool error of every failure, this
 * one included; from a tool that insists, an error of a plain call is that refusal. Either way nothing ran.
 */
function isRefusal(
  response: JSONRPCResponse,
  name: unknown,
  insisting: InsistingTools,
): boolean | Promise<boolean> {
  if ('error' in response) return response.error.code === METHOD_NOT_FOUND
  // A result that stays bytes is larger than any refusal.
  const { result } = response
  return !(result instanceof RawJson) && result.isError === true && insisting.has(name)
}

function cancelTask(session: Session, request: JSONRPCRequest, taskId: string, context: Context): void {
  const exchange = session.request({ ...request, method: 'tasks/cancel', params: { taskId } }, context)
  exchange.next().catch(() => {})
}
