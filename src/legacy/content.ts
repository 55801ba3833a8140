/**
 * Content blocks for clients of older revisions, which reject the types they do not know. Unknown *keys* are
 * harmless to them and stay. ERAS row 39.
 */

import type { Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { type RawJson, resultKey, withResultKey } from '../protocol/raw-json.js'
import { atLeast, type LegacyVersion } from '../protocol/versions.js'

/** The first revision that knows each content type; types not listed are known to all. */
const SINCE: Readonly<Record<string, LegacyVersion>> = {
  audio: '2025-03-26',
  resource_link: '2025-06-18',
}

export function toLegacyContents(result: Result | RawJson, version: LegacyVersion): Result | RawJson {
  if (atLeast(version, '2025-06-18')) return result
  const content = resultKey(result, 'content')
  if (!Array.isArray(content)) return result
  return withResultKey(
    result,
    'content',
    content.map(block => toLegacyContent(block, version)),
  )
}

export function toLegacyContent(block: unknown, version: LegacyVersion): unknown {
  if (!isObject(block) || typeof block.type !== 'string') return block
  const since = SINCE[block.type]
  if (since === undefined || atLeast(version, since)) return block
  if (block.type === 'resource_link') {
    const name = typeof block.name === 'string' ? `${block.name}: ` : ''
    return { type: 'text', text: `${name}${String(block.uri)}` }
  }
  return { type: 'text', text: `[${block.type} content, ${String(block.mimeType ?? 'of unknown type')}]` }
}
