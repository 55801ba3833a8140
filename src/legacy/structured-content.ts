/**
 * Structured content is any JSON value in the modern era and an object in the legacy one (SEP-2106). Where a
 * schema does not describe an object, both it and what it describes are wrapped as `{ result: ... }`.
 */

import type { JSONObject, Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { type RawJson, resultKey, withResultKey } from '../protocol/raw-json.js'

export function needsWrapping(outputSchema: unknown): outputSchema is JSONObject {
  return isObject(outputSchema) && outputSchema.type !== 'object'
}

/** The schema of the wrapping object; undefined where the schema cannot be moved and must be dropped. */
export function wrapOutputSchema(schema: JSONObject): JSONObject | undefined {
  const text = JSON.stringify(schema)
  // References to a dynamic root mean another root once the schema is moved.
  if (text.includes('"$recursiveRef"') || text.includes('"$dynamicRef"')) return undefined
  const { $schema, ...moved } = schema
  const wrapped = {
    type: 'object',
    properties: { result: moveReferences(moved) },
    required: ['result'],
  }
  return $schema === undefined ? wrapped : { $schema, ...wrapped }
}

/** Wraps what needs it, and adds the text that a client without structured content reads. */
export function wrapStructuredContent(result: Result | RawJson, always: boolean): Result | RawJson {
  const value = resultKey(result, 'structuredContent')
  if (value === undefined || (!always && isObject(value))) return result
  const wrapped = withResultKey(result, 'structuredContent', { result: value })
  const content = resultKey(result, 'content')
  if (Array.isArray(content) && content.length > 0) return wrapped
  return withResultKey(wrapped, 'content', [{ type: 'text', text: JSON.stringify(value) }])
}

/** `#/...` points from the root, which has moved to `#/properties/result`. */
function moveReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(moveReferences)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key === '$ref' && typeof member === 'string' && (member === '#' || member.startsWith('#/'))) {
        return [key, `#/properties/result${member.slice(1)}`]
      }
      return [key, moveReferences(member)]
    }),
  )
}
