/**
 * Elicitation forms for clients before 2025-11-25, which know choices only as `enum` with `enumNames` and no
 * multiple choice. ERAS row 27.
 */

import type { JSONObject } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'
import { atLeast, type LegacyVersion } from '../protocol/versions.js'

/** The parameters of a form as a client of the given revision knows it. */
export function toLegacyForm(params: JSONObject, version: LegacyVersion): JSONObject {
  if (atLeast(version, '2025-11-25')) return params
  const { mode: _mode, ...rest } = params
  const schema = params.requestedSchema
  if (!isObject(schema) || !isObject(schema.properties)) return rest
  const properties = Object.fromEntries(
    Object.entries(schema.properties).map(([name, property]) => [name, toLegacyProperty(property)]),
  )
  return { ...rest, requestedSchema: { ...schema, properties } }
}

function toLegacyProperty(property: unknown): unknown {
  if (!isObject(property)) return property
  if (Array.isArray(property.oneOf)) {
    const { oneOf, ...rest } = property
    return { ...rest, type: 'string', ...namedValues(oneOf as readonly unknown[]) }
  }
  if (property.type !== 'array' || !isObject(property.items)) return property
  // A list of choices becomes one line of text: the client cannot show a multiple choice.
  const { items, minItems: _min, maxItems: _max, default: value, ...rest } = property
  const choices = choicesOf(items)
  const hint = choices.length === 0 ? '' : ` (several of ${choices.join(', ')}, separated by commas)`
  const description = `${typeof rest.description === 'string' ? rest.description : ''}${hint}`.trim()
  return {
    ...rest,
    type: 'string',
    ...(description === '' ? {} : { description }),
    ...(Array.isArray(value) ? { default: value.join(', ') } : {}),
  }
}

/** An answer as the server expects it: lines of choices become lists again. */
export function fromLegacyForm(answer: JSONObject, params: unknown, version: LegacyVersion): JSONObject {
  if (atLeast(version, '2025-11-25') || !isObject(answer.content) || !isObject(params)) return answer
  const schema = params.requestedSchema
  const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {}
  const content: Record<string, unknown> = { ...answer.content }
  for (const [name, property] of Object.entries(properties)) {
    const value = content[name]
    if (!isObject(property) || property.type !== 'array' || typeof value !== 'string') continue
    content[name] = value
      .split(',')
      .map(choice => choice.trim())
      .filter(choice => choice !== '')
  }
  return { ...answer, content }
}

function namedValues(choices: readonly unknown[]): JSONObject {
  const known = choices.filter(isObject)
  return {
    enum: known.map(choice => choice.const),
    enumNames: known.map(choice => (typeof choice.title === 'string' ? choice.title : String(choice.const))),
  }
}

function choicesOf(items: JSONObject): readonly string[] {
  if (Array.isArray(items.enum)) return items.enum.map(String)
  if (Array.isArray(items.anyOf)) return items.anyOf.filter(isObject).map(choice => String(choice.const))
  return []
}
