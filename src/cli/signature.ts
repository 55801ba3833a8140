/** What something takes, on one line: `search(query: string, limit?: integer = 10)`. */

import { printable } from '../exchange/printable.js'
import { isObject } from '../protocol/meta.js'
import { alternativesOf, membersOf, type SchemaObject, typesOf, valuesOf } from './schema-shape.js'

/** How deep objects are written out. */
const MAX_DEPTH = 2
const MAX_CHOICES = 8
const MAX_DEFAULT = 40

export function toolSignature(name: string, inputSchema: unknown): string {
  const root = isObject(inputSchema) ? inputSchema : {}
  return `${printable(name)}(${parametersOf(root).join(', ')})`
}

/** One for each parameter: `limit?: integer = 10`. */
export function parametersOf(root: SchemaObject, schema: unknown = root, depth = 0): readonly string[] {
  const { known, required, others } = membersOf(schema, root)
  const written = [...known].map(([name, inner]) => {
    const standard = isObject(inner) && inner.default !== undefined ? defaultOf(inner.default) : ''
    const mark = required.has(name) ? '' : '?'
    return `${printable(name)}${mark}: ${typeText(inner, root, depth)}${standard}`
  })
  const rest = others !== undefined && others !== false ? ['...'] : []
  return [...written, ...rest]
}

export function promptSignature(name: string, args: unknown): string {
  const given = Array.isArray(args) ? args.filter(isObject) : []
  const words = given.map(
    ({ name: own, required }) => `${printable(String(own))}${required === true ? '' : '?'}`,
  )
  return `${printable(name)}(${words.join(', ')})`
}

/** The type as people write types. */
export function typeText(schema: unknown, root: SchemaObject, depth = 0): string {
  if (schema === false) return 'never'
  const words = alternativesOf(schema, root).flatMap(each => wordsOf(each, root, depth))
  return [...new Set(words)].join(' | ') || 'any'
}

function wordsOf(schema: SchemaObject, root: SchemaObject, depth: number): readonly string[] {
  const values = valuesOf(schema)
  if (values !== undefined) {
    const words = values.slice(0, MAX_CHOICES).map(value => printable(JSON.stringify(value) ?? 'null'))
    return values.length > MAX_CHOICES ? [...words, '…'] : words
  }
  const types = typesOf(schema)
  if (types.length === 0) return ['any']
  return types.map(type => {
    if (type === 'array') return listText(schema, root, depth)
    if (type !== 'object') return printable(type)
    const { known } = membersOf(schema, root)
    if (known.size === 0 || depth >= MAX_DEPTH) return 'object'
    return `{ ${parametersOf(root, schema, depth + 1).join(', ')} }`
  })
}

function listText({ items, prefixItems }: SchemaObject, root: SchemaObject, depth: number): string {
  if (Array.isArray(prefixItems))
    return `[${prefixItems.map(item => typeText(item, root, depth + 1)).join(', ')}]`
  if (items === undefined || Array.isArray(items) || depth > MAX_DEPTH) return 'array'
  const item = typeText(items, root, depth + 1)
  return item.includes(' ') && !item.startsWith('{') ? `(${item})[]` : `${item}[]`
}

function defaultOf(value: unknown): string {
  const text = printable(JSON.stringify(value) ?? '')
  return ` = ${text.length > MAX_DEFAULT ? `${text.slice(0, MAX_DEFAULT)}…` : text}`
}
