/** What a server offers its clients: how it is asked for, what stands in for it, and what differs between two offers. */

import type { Context } from '../exchange/context.js'
import { finish, type Handler } from '../exchange/exchange.js'
import { canonicalJson } from '../legacy/capabilities.js'
import { RpcError } from '../protocol/errors.js'
import type { JSONObject, JSONRPCRequest, Result } from '../protocol/message.js'
import { type Implementation, isObject, META_LOG_LEVEL, META_SERVER_INFO } from '../protocol/meta.js'
import {
  METHOD_DISCOVER,
  METHOD_LIST_TOOLS,
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'
import { readResult } from '../protocol/raw-json.js'
import { MODERN_VERSIONS } from '../protocol/versions.js'
import type { Remembered } from './server-memory.js'

export type Kind = 'tools' | 'prompts' | 'resources'

export const KINDS = ['tools', 'prompts', 'resources'] as const

/** The lists: whose they are, and where their items are. */
const LISTS: Readonly<Record<string, { readonly kind: Kind; readonly items: string }>> = {
  [METHOD_LIST_TOOLS]: { kind: 'tools', items: 'tools' },
  'prompts/list': { kind: 'prompts', items: 'prompts' },
  'resources/list': { kind: 'resources', items: 'resources' },
  'resources/templates/list': { kind: 'resources', items: 'resourceTemplates' },
}

export const CHANGES: Readonly<Record<Kind, { readonly filter: string; readonly method: string }>> = {
  tools: { filter: 'toolsListChanged', method: METHOD_TOOLS_CHANGED },
  prompts: { filter: 'promptsListChanged', method: METHOD_PROMPTS_CHANGED },
  resources: { filter: 'resourcesListChanged', method: METHOD_RESOURCES_CHANGED },
}

/** Pages of a list that are read. */
const MAX_PAGES = 100
/** Nobody may keep what was said in the place of another. */
const STANDING_IN = { resultType: 'complete', ttlMs: 0, cacheScope: 'private' }

export function kindOf(list: string): Kind {
  return LISTS[list]?.kind ?? 'resources'
}

/** What clients hear of a server that nothing is remembered of: it may have any list, and each may change. */
export function minimalDiscovery(serverInfo: Implementation): Result {
  return {
    ...STANDING_IN,
    supportedVersions: MODERN_VERSIONS,
    capabilities: {
      tools: { listChanged: true },
      prompts: { listChanged: true },
      resources: { listChanged: true },
      // Levels are kept for the server; one without logs just sends none.
      logging: {},
    },
    _meta: { [META_SERVER_INFO]: serverInfo },
  }
}

export function emptyList(method: string): Result {
  return { ...STANDING_IN, [LISTS[method]?.items ?? 'items']: [] }
}

export function standingIn(remembered: Result): Result {
  return { ...remembered, ...STANDING_IN }
}

/** Looks at everything a server offers whoever sent the request. */
export async function lookAt(
  handler: Handler,
  request: JSONRPCRequest,
  context: Context,
): Promise<Remembered> {
  const { progressToken: _token, [META_LOG_LEVEL]: _level, ..._meta } = request.params?._meta ?? {}
  const ask = async (method: string, params: JSONObject = {}): Promise<Result> => {
    const id = `look-${method}`
    const response = await finish(
      handler({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }, context),
    )
    if ('error' in response) throw new RpcError(response.error.code, response.error.message)
    return readResult(response.result)
  }
  const discovered = await ask(METHOD_DISCOVER)
  const lists: Record<string, Result> = {}
  for (const [method, { kind, items }] of Object.entries(LISTS)) {
    if (!isObject(discovered.capabilities) || discovered.capabilities[kind] === undefined) continue
    const list = await wholeList(method, items, ask).catch(() => undefined)
    if (list !== undefined) lists[method] = list
  }
  return { discovered, lists }
}

/** All pages as one; undefined where there is no end to them. */
async function wholeList(
  method: string,
  items: string,
  ask: (method: string, params: JSONObject) => Promise<Result>,
): Promise<Result | undefined> {
  const { nextCursor, ...first } = await ask(method, {})
  const all: unknown[] = Array.isArray(first[items]) ? [...first[items]] : []
  let cursor = nextCursor
  for (let page = 1; cursor !== undefined; page++) {
    if (page === MAX_PAGES) return undefined
    const next = await ask(method, { cursor })
    if (Array.isArray(next[items])) all.push(...next[items])
    if (next.nextCursor === cursor) return undefined
    cursor = next.nextCursor
  }
  return { ...first, [items]: all }
}

/** What a client was told before the server could be asked. */
export interface Promised {
  /** What it may believe of the server; undefined where it only asked for lists. */
  capabilities: JSONObject | undefined
  /** That was no more than a guess. */
  guessed: boolean
  /** The lists it got. */
  readonly lists: Map<string, Result>
}

/** The kinds of lists that a client has to look at again, now that it is known what the server offers. */
export function differences({ capabilities, guessed, lists }: Promised, truth: Remembered): Set<Kind> {
  const kinds = new Set<Kind>()
  const offered = capabilitiesOf(truth)
  for (const kind of KINDS) {
    if (capabilities === undefined) break
    const has = offered[kind] !== undefined
    if (guessed ? has : has !== (capabilities[kind] !== undefined)) kinds.add(kind)
  }
  for (const [method, list] of lists) {
    if (itemsOf(method, list) !== itemsOf(method, truth.lists[method])) kinds.add(kindOf(method))
  }
  return kinds
}

export function capabilitiesOf({ discovered }: Remembered): JSONObject {
  return isObject(discovered.capabilities) ? discovered.capabilities : {}
}

export function announcesChanges(capabilities: JSONObject | undefined, kind: Kind): boolean {
  const capability = capabilities?.[kind]
  return isObject(capability) && capability.listChanged === true
}

function itemsOf(method: string, list: Result | undefined): string {
  return canonicalJson(list?.[LISTS[method]?.items ?? ''] ?? [])
}
