/** The methods and what is known of each. Specification: 2026-07-28 schema; 2025-11-25 schema. */

export const METHOD_DISCOVER = 'server/discover'
export const METHOD_INITIALIZE = 'initialize'
export const METHOD_INITIALIZED = 'notifications/initialized'
export const METHOD_LISTEN = 'subscriptions/listen'
export const METHOD_ACKNOWLEDGED = 'notifications/subscriptions/acknowledged'
export const METHOD_CANCELLED = 'notifications/cancelled'
export const METHOD_PROGRESS = 'notifications/progress'
export const METHOD_MESSAGE = 'notifications/message'
export const METHOD_RESOURCE_UPDATED = 'notifications/resources/updated'
export const METHOD_TOOLS_CHANGED = 'notifications/tools/list_changed'
export const METHOD_PROMPTS_CHANGED = 'notifications/prompts/list_changed'
export const METHOD_RESOURCES_CHANGED = 'notifications/resources/list_changed'
export const METHOD_CALL_TOOL = 'tools/call'
export const METHOD_LIST_TOOLS = 'tools/list'
export const METHOD_ELICIT = 'elicitation/create'
export const METHOD_SAMPLE = 'sampling/createMessage'
export const METHOD_LIST_ROOTS = 'roots/list'
export const METHOD_PING = 'ping'
export const METHOD_TASK_RESULT = 'tasks/result'

/** Requests whose answer may be a question (2026-07-28 basic/patterns/mrtr, "Supported Requests"). */
export function mayAsk(method: string): boolean {
  return method === METHOD_CALL_TOOL || method === 'prompts/get' || method === 'resources/read'
}

/** Requests whose target is mirrored into `Mcp-Name` (streamable-http, "Standard Request Headers"). */
export function nameParameter(method: string): 'name' | 'uri' | undefined {
  if (method === METHOD_CALL_TOOL || method === 'prompts/get') return 'name'
  if (method === 'resources/read') return 'uri'
  return undefined
}

/** Lists, which page with a cursor and may be cached. */
export function isList(method: string): boolean {
  return (
    method === METHOD_LIST_TOOLS ||
    method === 'prompts/list' ||
    method === 'resources/list' ||
    method === 'resources/templates/list'
  )
}

const REMOVED_IN_MODERN = new Set([
  METHOD_INITIALIZE,
  METHOD_PING,
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/get',
  'tasks/list',
  'tasks/result',
  'tasks/cancel',
])

/** Legacy methods that the modern era removed: a modern request for one is unknown, -32601. */
export function isRemovedInModern(method: string): boolean {
  return REMOVED_IN_MODERN.has(method)
}
