/**
 * A legacy tool that insists on being called as a task (2025-11-25 basic/utilities/tasks, "Tool-Level
 * Negotiation"). The modern era has no such tasks, so anyport makes the task and waits for its result.
 */

import { Context } from '../exchange/context.js'
import { METHOD_NOT_FOUND } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { METHOD_CALL_TOOL, METHOD_TASK_RESULT } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import type { Session, SessionExchange } from './session.js'

/** True where the server's tools may insist on tasks. */
export function offersToolTasks(capabilities: JSONObject): boolean {
  const { tasks } = capabilities
  const requests = isObject(tasks) ? tasks.requests : undefined
  const tools = isObject(requests) ? requests.tools : undefined
  return isObject(tools) && tools.call !== undefined
}

/**
 * Calls the tool plainly; where the server refuses that with "method not found", which it must for a tool that
 * insists and which proves that nothing ran, calls it as a task and returns the task's result.
 */
export async function* callPerhapsAsTask(
  session: Session,
  request: JSONRPCRequest,
  context: Context,
): SessionExchange {
  const plain = yield* session.request(request, context)
  const insists =
    'error' in plain && plain.error.code === METHOD_NOT_FOUND && request.method === METHOD_CALL_TOOL
  if (!insists) return plain
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

function cancelTask(session: Session, request: JSONRPCRequest, taskId: string, context: Context): void {
  const exchange = session.request({ ...request, method: 'tasks/cancel', params: { taskId } }, context)
  exchange.next().catch(() => {})
}
