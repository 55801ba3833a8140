import { Context } from '../exchange/context.js'
import type { Handler } from '../exchange/exchange.js'
import { type Asker, askOnce, listPages } from '../exchange/list-pages.js'
import { METHOD_NOT_FOUND, RpcError } from '../protocol/errors.js'
import type { JSONObject, Result } from '../protocol/message.js'
import { METHOD_DISCOVER } from '../protocol/methods.js'
import type { ListKind } from './events.js'
import type { SliceValue } from './slice.js'

/** What is asked of each server. */
export type SliceKind = ListKind | 'discover'

interface ListMethod {
  readonly method: string
  /** The field of the result that holds the list. */
  readonly field: string
}

export const LIST_METHODS: Readonly<Record<ListKind, ListMethod>> = {
  tools: { method: 'tools/list', field: 'tools' },
  prompts: { method: 'prompts/list', field: 'prompts' },
  resources: { method: 'resources/list', field: 'resources' },
  templates: { method: 'resources/templates/list', field: 'resourceTemplates' },
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
      const result = await askOnce(handler, METHOD_DISCOVER, { _meta: asker.meta }, context)
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
  list: ListMethod,
  context: Context,
  meta: JSONObject,
): Promise<SliceValue> {
  const all: JSONObject[] = []
  let ttlMs = Number.POSITIVE_INFINITY
  let scope: SliceValue['scope'] = 'public'
  for await (const { result, entries } of listPages(handler, list, meta, context)) {
    all.push(...entries)
    const page = freshness(result)
    ttlMs = Math.min(ttlMs, page.ttlMs)
    if (page.scope === 'private') scope = 'private'
  }
  return { entries: all, ttlMs, scope, at: performance.now() }
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
