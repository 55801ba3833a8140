/** What we ask servers for ourselves: a list, page by page, or one thing. */

import { RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { readResult } from '../protocol/raw-json.js'
import type { Caller, Context } from './context.js'
import { TransportError } from './errors.js'
import { finish, type Handler } from './exchange.js'

/** On whose behalf a server is asked: what it shows may differ by caller and capabilities. */
export interface Asker {
  readonly caller: Caller
  /** The reserved `_meta` keys that describe the client. */
  readonly meta: JSONObject
}

export interface ListPage {
  readonly result: Result
  readonly entries: readonly JSONObject[]
}

/** Of one list. */
const MAX_ENTRIES = 10_000
const MAX_PAGES = 100

/**
 * The pages of a list; `field` is that of their results which holds the entries. Throws `RpcError` for what the server answers,
 * `TransportError` for what happens on the way, and for a list that goes on for too long.
 */
export async function* listPages(
  handler: Handler,
  { method, field }: { readonly method: string; readonly field: string },
  meta: JSONObject,
  context: Context,
): AsyncGenerator<ListPage, void, void> {
  const seen = new Set<unknown>()
  let count = 0
  for (let cursor: unknown; ; ) {
    const params = cursor === undefined ? { _meta: meta } : { _meta: meta, cursor }
    const result = await askOnce(handler, method, params, context)
    const list = result[field]
    const entries = Array.isArray(list) ? list.filter(isObject) : []
    count += entries.length
    cursor = result.nextCursor
    if (seen.size === seen.add(cursor).size)
      throw new TransportError('ERR_PROTOCOL', `${method}: the server gives the same cursor again`)
    if (count > MAX_ENTRIES || seen.size > MAX_PAGES) {
      const message = `${method}: more than ${MAX_ENTRIES} entries or ${MAX_PAGES} pages`
      throw new TransportError('ERR_TOO_LARGE', message)
    }
    yield { result, entries }
    if (cursor === undefined || cursor === null) return
  }
}

/** One request of ours. Rejects with `RpcError` for an answer that is an error. */
export async function askOnce(
  handler: Handler,
  method: string,
  params: JSONRPCRequest['params'] & object,
  context: Context,
): Promise<Result> {
  const request: JSONRPCRequest = { jsonrpc: '2.0', id: `own ${method}`, method, params }
  const response = await finish(handler(request, context))
  if ('error' in response)
    throw new RpcError(response.error.code, response.error.message, response.error.data)
  return readResult(response.result)
}
