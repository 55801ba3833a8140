import { type Caller, Context } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import { finish, type Handler } from '../exchange/exchange.js'
import { METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, Result } from '../protocol/message.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { entriesOf } from './catalog.js'
import type { ListKind } from './events.js'
import type { SliceValue } from './slice.js'

/** What is asked of each server. */
export type SliceKind = ListKind | 'discover'

/** On whose behalf: what servers show may differ by caller and capabilities. */
export interface Asker {
  readonly caller: Caller
  /** The reserved `_meta` keys that describe the client. */
  readonly meta: JSONObject
}

interface ListMethod {
  readonly method: string
  /** The field of the result that holds the list. */
  readonly key: string
}

export const LIST_METHODS: Readonly<Record<ListKind, ListMethod>> = {
  tools: { method: 'tools/list', key: 'tools' },
  prompts: { method: 'prompts/list', key: 'prompts' },
  resources: { method: 'resources/list', key: 'resources' },
  templates: { method: 'resources/templates/list', key: 'resourceTemplates' },
}

/**
 * Asks a server for all pages of a list, or for its description, within so many milliseconds. Rejects with `RpcError` for what it
 * answers, with `TransportError` for what happens on the way. A server without such lists has an empty one.
 */
export async function fetchSlice(
  handler: Handler,
  kind: SliceKind,
  asker: Asker,
  limit: number,
): Promise<SliceValue> {
  const context = new Context(asker.caller)
  const timer = setTimeout(() => context.cancel('timeout'), limit)
  try {
    if (kind === 'discover') {
      const result = await ask(handler, context, METHOD_DISCOVER, { _meta: asker.meta })
      return { entries: [result], ...freshness(result), at: performance.now() }
    }
    return await fetchList(handler, LIST_METHODS[kind], context, asker.meta)
  } catch (error) {
    if (error instanceof RpcError && error.code === METHOD_NOT_FOUND)
      return { entries: [], ttlMs: NO_LIST_TTL, scope: 'public', at: performance.now() }
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function fetchList(
  handler: Handler,
  { method, key }: ListMethod,
  context: Context,
  meta: JSONObject,
): Promise<SliceValue> {
  const entries: JSONObject[] = []
  const seen = new Set<unknown>()
  let ttlMs = Number.POSITIVE_INFINITY
  let scope: SliceValue['scope'] = 'public'
  let cursor: unknown
  do {
    const params = cursor === undefined ? { _meta: meta } : { _meta: meta, cursor }
    const result = await ask(handler, context, method, params)
    entries.push(...entriesOf(result[key]))
    const page = freshness(result)
    ttlMs = Math.min(ttlMs, page.ttlMs)
    if (page.scope === 'private') scope = 'private'
    cursor = result.nextCursor
    if (seen.size === seen.add(cursor).size)
      throw new TransportError('ERR_PROTOCOL', `${method}: the server gives the same cursor again`)
    if (entries.length > MAX_ENTRIES || seen.size > MAX_PAGES)
      throw new TransportError(
        'ERR_TOO_LARGE',
        `${method}: more than ${MAX_ENTRIES} entries or ${MAX_PAGES} pages`,
      )
  } while (cursor !== undefined && cursor !== null)
  return { entries, ttlMs, scope, at: performance.now() }
}

async function ask(
  handler: Handler,
  context: Context,
  method: string,
  params: JSONRPCRequest['params'] & object,
): Promise<Result> {
  const request: JSONRPCRequest = { jsonrpc: '2.0', id: `gateway ${method}`, method, params }
  const response = await finish(handler(request, context))
  if ('error' in response)
    throw new RpcError(response.error.code, response.error.message, response.error.data)
  return readResult(response.result)
}

/** What the result says, or the defaults of server/utilities/caching. */
function freshness({ ttlMs, cacheScope }: Result): Pick<SliceValue, 'ttlMs' | 'scope'> {
  return {
    ttlMs: typeof ttlMs === 'number' && ttlMs > 0 ? ttlMs : 0,
    scope: cacheScope === 'public' ? 'public' : 'private',
  }
}

/** A method that a server does not have it will hardly get while it runs. */
const NO_LIST_TTL = 60_000
const MAX_ENTRIES = 10_000
const MAX_PAGES = 100
