/** Results across the eras. ERAS rows 10, 14, 15, 36, 37, 40, 60. */

import type { JSONObject, Result } from '../protocol/message.js'
import { type Implementation, isObject, META_SERVER_INFO } from '../protocol/meta.js'
import { isList, METHOD_CALL_TOOL, METHOD_DISCOVER, METHOD_LIST_TOOLS } from '../protocol/methods.js'
import { RawJson, readResult, resultKey, withResultKey } from '../protocol/raw-json.js'
import type { LegacyVersion } from '../protocol/versions.js'
import { toLegacyContent, toLegacyContents } from './content.js'
import { needsWrapping, wrapOutputSchema, wrapStructuredContent } from './structured-content.js'

/** A legacy server's result, as the modern era wants it: named complete, with its server and cache hints. */
export function toModernResult(
  method: string,
  result: Result | RawJson,
  serverInfo: Implementation | undefined,
): Result | RawJson {
  if (result instanceof RawJson) {
    let raw = withResultKey(result, 'resultType', 'complete')
    if (isCacheable(method)) {
      if (!result.has('ttlMs')) raw = withResultKey(raw, 'ttlMs', 0)
      if (!result.has('cacheScope')) raw = withResultKey(raw, 'cacheScope', 'private')
    }
    if (method === METHOD_LIST_TOOLS)
      raw = withResultKey(raw, 'tools', withoutExecution(readResult(result).tools))
    if (serverInfo === undefined) return raw
    const meta = resultKey(result, '_meta')
    return withResultKey(raw, '_meta', { ...(isObject(meta) ? meta : {}), [META_SERVER_INFO]: serverInfo })
  }
  // The object came off the wire for this call alone: completing it in place spares a copy per response.
  const complete = result as Record<string, unknown>
  complete.resultType = 'complete'
  if (isCacheable(method)) {
    complete.ttlMs ??= 0
    complete.cacheScope ??= 'private'
  }
  if (method === METHOD_LIST_TOOLS) complete.tools = withoutExecution(complete.tools)
  if (serverInfo !== undefined) {
    complete._meta =
      result._meta === undefined
        ? { [META_SERVER_INFO]: serverInfo }
        : { ...result._meta, [META_SERVER_INFO]: serverInfo }
  }
  return complete as Result
}

/** What a legacy client's session remembers of the tools it was shown, so that results fit their schemas. */
export interface ShownTools {
  /** Names of tools whose output schema was wrapped; undefined while there is none. */
  wrapped: Set<string> | undefined
}

/** A modern server's result, as a legacy client of the given revision knows it. */
export function toLegacyResult(
  method: string,
  params: JSONObject | undefined,
  result: Result | RawJson,
  version: LegacyVersion,
  shown: ShownTools,
): Result | RawJson {
  const legacy = result instanceof RawJson ? strippedRaw(result) : stripped(result)
  switch (method) {
    case METHOD_LIST_TOOLS:
      return withResultKey(legacy, 'tools', legacyTools(resultKey(legacy, 'tools'), shown))
    case METHOD_CALL_TOOL: {
      const content = toLegacyContents(legacy, version)
      const name = typeof params?.name === 'string' ? params.name : ''
      return wrapStructuredContent(content, shown.wrapped?.has(name) === true)
    }
    case 'prompts/get':
      return version === '2025-11-25' || version === '2025-06-18' ? legacy : legacyMessages(legacy, version)
    default:
      return legacy
  }
}

/** Copied key by key: deleting from a copy would leave it slow to write. */
function stripped(result: Result): Result {
  const legacy: Record<string, unknown> = {}
  for (const key of Object.keys(result)) {
    if (key === 'resultType' || key === 'ttlMs' || key === 'cacheScope') continue
    const value = key === '_meta' ? strippedMeta(result._meta) : result[key]
    if (value === undefined) continue
    if (key === '__proto__') Object.defineProperty(legacy, key, { value, enumerable: true })
    else legacy[key] = value
  }
  return legacy
}

function strippedRaw(result: RawJson): RawJson {
  const legacy = result.without('resultType', 'ttlMs', 'cacheScope')
  const meta = legacy.get('_meta')
  return isObject(meta) ? legacy.with('_meta', strippedMeta(meta)) : legacy
}

function strippedMeta(meta: JSONObject | undefined): JSONObject | undefined {
  if (!isObject(meta) || !(META_SERVER_INFO in meta)) return meta
  const { [META_SERVER_INFO]: _info, ...rest } = meta
  return isEmpty(rest) ? undefined : rest
}

function isCacheable(method: string): boolean {
  return isList(method) || method === 'resources/read' || method === METHOD_DISCOVER
}

/** `execution` speaks of core tasks, which the modern era does not know (SEP-2663). */
function withoutExecution(tools: unknown): unknown {
  if (!Array.isArray(tools)) return tools
  return tools.map(tool => {
    if (!isObject(tool) || tool.execution === undefined) return tool
    const { execution: _execution, ...rest } = tool
    return rest
  })
}

function legacyTools(tools: unknown, shown: ShownTools): unknown {
  if (!Array.isArray(tools)) return tools
  return tools.map(tool => {
    if (!isObject(tool) || !needsWrapping(tool.outputSchema)) return tool
    if (typeof tool.name === 'string') {
      shown.wrapped ??= new Set()
      shown.wrapped.add(tool.name)
    }
    const schema = wrapOutputSchema(tool.outputSchema)
    if (schema !== undefined) return { ...tool, outputSchema: schema }
    const { outputSchema: _schema, ...rest } = tool
    return rest
  })
}

function legacyMessages(result: Result | RawJson, version: LegacyVersion): Result | RawJson {
  const messages = resultKey(result, 'messages')
  if (!Array.isArray(messages)) return result
  return withResultKey(
    result,
    'messages',
    messages.map(message =>
      isObject(message) ? { ...message, content: toLegacyContent(message.content, version) } : message,
    ),
  )
}

function isEmpty(object: JSONObject): boolean {
  for (const _key in object) return false
  return true
}
