import { type Caller, Context } from '../../../exchange/context.js'
import { TransportError } from '../../../exchange/errors.js'
import { finish, type Handler } from '../../../exchange/exchange.js'
import { METHOD_NOT_FOUND, RpcError } from '../../../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, Result } from '../../../protocol/message.js'
import { isObject } from '../../../protocol/meta.js'
import { readResult } from '../../../protocol/raw-json.js'
import { LISTS, type ListedKind } from './kinds.js'

/** On whose behalf a server is asked: what it shows may differ by caller and capabilities. */
export interface Asker {
  readonly caller: Caller
  /** The reserved `_meta` keys that describe the client. */
  readonly meta: JSONObject
}

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
  const { method, field } = LISTS[kind]
  const context = new Context(caller)
  const timer = setTimeout(() => context.cancel('timeout'), limit)
  const entries: JSONObject[] = []
  const seen = new Set<unknown>()
  try {
    for (let cursor: unknown; ; ) {
      const params = cursor === undefined ? { _meta: meta } : { _meta: meta, cursor }
      const result = await askOnce(handler, method, params, context)
      const page = result[field]
      if (Array.isArray(page)) for (const entry of page) if (isObject(entry)) entries.push(entry)
      cursor = result.nextCursor
      if (cursor === undefined || cursor === null) return entries
      if (seen.size === seen.add(cursor).size)
        throw new TransportError('ERR_PROTOCOL', `${method}: the server gives the same cursor again`)
      if (entries.length > MAX_ENTRIES || seen.size > MAX_PAGES)
        throw new TransportError(
          'ERR_TOO_LARGE',
          `${method}: more than ${MAX_ENTRIES} entries or ${MAX_PAGES} pages`,
        )
    }
  } catch (error) {
    if (error instanceof RpcError && error.code === METHOD_NOT_FOUND) return []
    throw error
  } finally {
    clearTimeout(timer)
  }
}

/** One request of ours. Rejects with `RpcError` for an answer that is an error. */
export async function askOnce(
  handler: Handler,
  method: string,
  params: JSONRPCRequest['params'] & object,
  context: Context,
): Promise<Result> {
  const request: JSONRPCRequest = { jsonrpc: '2.0', id: `definitions ${method}`, method, params }
  const response = await finish(handler(request, context))
  if ('error' in response)
    throw new RpcError(response.error.code, response.error.message, response.error.data)
  return readResult(response.result)
}

const MAX_ENTRIES = 10_000
const MAX_PAGES = 100
