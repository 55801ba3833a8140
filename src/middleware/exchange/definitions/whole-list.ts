import { Context } from '../../../exchange/context.js'
import type { Handler } from '../../../exchange/exchange.js'
import { type Asker, listPages } from '../../../exchange/list-pages.js'
import { METHOD_NOT_FOUND, RpcError } from '../../../protocol/errors.js'
import type { JSONObject } from '../../../protocol/message.js'
import { LISTS, type ListedKind } from './kinds.js'

/**
 * All pages of a list, within so many milliseconds. Rejects with `RpcError` for what the server answers, with `TransportError` for
 * what happens on the way. A server without such lists has an empty one.
 */
export async function wholeList(
  handler: Handler,
  kind: ListedKind,
  { caller, meta }: Asker,
  limit: number,
): Promise<readonly JSONObject[]> {
  const context = new Context(caller)
  const timer = setTimeout(() => context.cancel('timeout'), limit)
  const all: JSONObject[] = []
  try {
    for await (const { entries } of listPages(handler, LISTS[kind], meta, context)) all.push(...entries)
    return all
  } catch (error) {
    if (error instanceof RpcError && error.code === METHOD_NOT_FOUND) return []
    throw error
  } finally {
    clearTimeout(timer)
  }
}
