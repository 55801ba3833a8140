/** What a schema says about the form of a value: enough to read words as values, and to write it on one line. */

import { isObject } from '../protocol/meta.js'

export type SchemaObject = Readonly<Record<string, unknown>>

/** Steps from one reference to the next, and alternatives within alternatives. */
const MAX_DEPTH = 16
const MAX_ALTERNATIVES = 64

/** What is behind the references of a schema; an empty schema for what leads nowhere, or in a circle. */
function resolved(schema: unknown, root: SchemaObject): SchemaObject {
  let current = schema
  for (let step = 0; step < MAX_DEPTH; step++) {
    if (!isObject(current)) return {}
    const reference = current.$ref
    if (typeof reference !== 'string') return current
    const { $ref: _reference, ...beside } = current
    const target = pointedAt(reference, root)
    current = isObject(target) ? { ...target, ...beside } : beside
  }
  return {}
}

/** The schemas of which one has to fit, without references; the parts of `allOf` are put together. */
export function alternativesOf(schema: unknown, root: SchemaObject): readonly SchemaObject[] {
  const found: SchemaObject[] = []
  collect(schema, root, 0, found)
  return found
}

/** The members that a schema knows, and what it says of others. */
export interface Members {
  readonly known: ReadonlyMap<string, unknown>
  readonly required: ReadonlySet<string>
  /** The schema of any other, `undefined` where nothing is said, `false` where there must be none. */
  readonly others: unknown
}

/** Of all alternatives together. */
export function membersOf(schema: unknown, root: SchemaObject): Members {
  const known = new Map<string, unknown>()
  const alternatives = alternativesOf(schema, root)
  const required = new Set<string>()
  let others: unknown
  for (const each of alternatives) {
    if (isObject(each.properties))
      for (const [name, inner] of Object.entries(each.properties))
        if (!known.has(name)) known.set(name, inner)
    if (alternatives.length === 1 && Array.isArray(each.required))
      for (const name of each.required) required.add(String(name))
    if (isObject(each.patternProperties)) others ??= {}
    if (each.additionalProperties !== undefined && others === undefined) others = each.additionalProperties
  }
  return { known, required, others }
}

export type ValueType = 'string' | 'number' | 'integer' | 'boolean' | 'null' | 'array' | 'object'

/** Empty where it may be anything. */
export function typesOf(schema: SchemaObject): readonly ValueType[] {
  const { type } = schema
  if (typeof type === 'string') return [type as ValueType]
  if (Array.isArray(type)) return type as readonly ValueType[]
  const values = valuesOf(schema)
  if (values !== undefined) return [...new Set(values.map(typeOfValue))]
  if (isObject(schema.properties)) return ['object']
  return schema.items === undefined && schema.prefixItems === undefined ? [] : ['array']
}

/** The only values that are allowed; undefined where there are others. */
export function valuesOf(schema: SchemaObject): readonly unknown[] | undefined {
  if (Object.hasOwn(schema, 'const')) return [schema.const]
  return Array.isArray(schema.enum) ? schema.enum : undefined
}

/** The schema of an item of a list. */
export function itemOf(schema: unknown, index: number, root: SchemaObject): unknown {
  for (const each of alternativesOf(schema, root)) {
    const places = Array.isArray(each.items) ? each.items : each.prefixItems
    if (Array.isArray(places) && index < places.length) return places[index]
    const rest = Array.isArray(each.items) ? each.additionalItems : each.items
    if (rest !== undefined) return rest
  }
  return {}
}

function collect(schema: unknown, root: SchemaObject, depth: number, found: SchemaObject[]): void {
  if (depth > MAX_DEPTH || found.length >= MAX_ALTERNATIVES) return
  const whole = together(resolved(schema, root), root, depth)
  const choices = [whole.anyOf, whole.oneOf].find(each => Array.isArray(each) && each.length > 0)
  if (!Array.isArray(choices)) {
    found.push(whole)
    return
  }
  const { anyOf: _any, oneOf: _one, ...common } = whole
  for (const choice of choices) {
    const own = resolved(choice, root)
    // What stands beside the alternatives holds for each.
    collect(joined(common, own), root, depth + 1, found)
  }
}

function together(schema: SchemaObject, root: SchemaObject, depth: number): SchemaObject {
  const { allOf, ...own } = schema
  if (!Array.isArray(allOf) || depth > MAX_DEPTH) return schema
  return allOf
    .slice(0, MAX_ALTERNATIVES)
    .map(part => together(resolved(part, root), root, depth + 1))
    .reduce(joined, own)
}

function joined(one: SchemaObject, other: SchemaObject): SchemaObject {
  const properties =
    isObject(one.properties) && isObject(other.properties)
      ? { properties: { ...one.properties, ...other.properties } }
      : {}
  const required =
    Array.isArray(one.required) && Array.isArray(other.required)
      ? { required: [...one.required, ...other.required] }
      : {}
  return { ...one, ...other, ...properties, ...required }
}

/** RFC 6901, within the document. */
function pointedAt(reference: string, root: SchemaObject): unknown {
  if (reference === '#') return root
  if (!reference.startsWith('#/')) return undefined
  let value: unknown = root
  for (const part of reference.slice(2).split('/')) {
    const key = unescaped(part)
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as SchemaObject)[key]
  }
  return value
}

function unescaped(part: string): string {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return part
  }
}

function typeOfValue(value: unknown): ValueType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value as ValueType
}
