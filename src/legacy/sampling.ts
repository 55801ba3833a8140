/**
 * Sampling for revisions before 2025-11-25, where a message has one content block rather than several, and 2024-11-05, which
 * knows no audio. ERAS row 32.
 */

import type { JSONObject } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { atLeast, type LegacyVersion } from '../protocol/versions.js'
import { toLegacyContent } from './content.js'

/** What a client of the given revision is asked: a message of several blocks becomes several messages. */
export function toLegacySampling(params: JSONObject, version: LegacyVersion): JSONObject {
  if (atLeast(version, '2025-11-25') || !Array.isArray(params.messages)) return params
  return { ...params, messages: params.messages.flatMap(message => toLegacyMessages(message, version)) }
}

/** What a server of the given revision is answered: several texts become one. */
export function toLegacySample(answer: JSONObject, version: LegacyVersion): JSONObject {
  const { content } = answer
  if (atLeast(version, '2025-11-25') || !Array.isArray(content) || content.length === 0) return answer
  const blocks = content.filter(isObject)
  if (blocks.length === 1) return { ...answer, content: blocks[0] }
  if (!blocks.every(block => block.type === 'text')) return answer
  return { ...answer, content: { ...blocks[0], text: blocks.map(block => block.text).join('\n') } }
}

function toLegacyMessages(message: unknown, version: LegacyVersion): unknown[] {
  if (!isObject(message)) return [message]
  const blocks: readonly unknown[] = Array.isArray(message.content) ? message.content : [message.content]
  return blocks.map(block => ({ ...message, content: toLegacyContent(block, version) }))
}
