/** What a gateway says of itself: what its servers say, together. Specification: 2026-07-28 server/discover. */

import type { JSONObject } from '../protocol/message.js'
import { type Implementation, isObject, META_SERVER_INFO } from '../protocol/meta.js'
import { MODERN_VERSIONS } from '../protocol/versions.js'

export interface Description {
  readonly server: string
  /** Undefined where the server does not answer. */
  readonly discovered: JSONObject | undefined
}

export interface MergeDescriptionOptions {
  readonly serverInfo: Implementation
  /** Text for the model before what the servers say. */
  readonly instructions?: string | undefined
  /** Extensions whose requests name no server, so that they cannot be sent to one of several. */
  readonly unroutable: readonly string[]
}

/** The result of `server/discover`. */
export function mergeDescriptions(
  descriptions: readonly Description[],
  { serverInfo, instructions, unroutable }: MergeDescriptionOptions,
): JSONObject {
  const answered = descriptions.filter(({ discovered }) => discovered !== undefined)
  // A legacy client asks once, and never for what it was not told of then. What a silent server will have, nobody knows.
  const capabilities = unionOf([
    ...answered.map(({ discovered }) => discovered?.capabilities),
    ...(answered.length < descriptions.length || answered.length === 0 ? [ALL_LISTS] : []),
  ])
  for (const list of ['tools', 'prompts', 'resources']) {
    // Servers come and go, so that every list can change.
    const capability = capabilities[list]
    if (isObject(capability)) capabilities[list] = { ...capability, listChanged: true }
  }
  if (descriptions.length > 1 && isObject(capabilities.extensions)) {
    const kept = Object.entries(capabilities.extensions).filter(([name]) => !unroutable.includes(name))
    if (kept.length > 0) capabilities.extensions = Object.fromEntries(kept)
    else delete capabilities.extensions
  }
  const words = [
    ...(instructions === undefined ? [] : [instructions]),
    ...answered.flatMap(({ server, discovered }) => {
      const text = discovered?.instructions
      if (typeof text !== 'string' || text === '') return []
      return [descriptions.length === 1 ? text : `# ${server}\n\n${text}`]
    }),
  ]
  return {
    resultType: 'complete',
    supportedVersions: [...MODERN_VERSIONS],
    capabilities,
    ...(words.length > 0 ? { instructions: words.join('\n\n') } : {}),
    _meta: { [META_SERVER_INFO]: serverInfo },
    ttlMs: 0,
    cacheScope: 'private',
  }
}

const ALL_LISTS: JSONObject = { tools: {}, prompts: {}, resources: {} }

/** Objects merged into each other, as deep as they go; of other values the first counts, but true before false. */
function unionOf(values: readonly unknown[]): Record<string, unknown> {
  const union: Record<string, unknown> = {}
  for (const value of values) {
    if (!isObject(value)) continue
    for (const [key, own] of Object.entries(value)) {
      const before = Object.hasOwn(union, key) ? union[key] : undefined
      const merged = isObject(before) && isObject(own) ? unionOf([before, own]) : before === true ? true : own
      const next = before === undefined || isObject(before) || own === true ? merged : before
      Object.defineProperty(union, key, { value: next, writable: true, enumerable: true, configurable: true })
    }
  }
  return union
}
