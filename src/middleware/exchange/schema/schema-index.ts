/** A schema document, looked through once: what its references lead to, and whether it can be used at all. */

import { isObject } from '../../../protocol/meta.js'

export type SchemaObject = Readonly<Record<string, unknown>>
export type Schema = SchemaObject | boolean

/** `draft-07`: siblings of `$ref` do not count, and `items` may be a list (its successors call that `prefixItems`). */
export type Dialect = '2020-12' | 'draft-07'

/** Why a schema is not used. */
export class UnusableSchema extends Error {
  override readonly name = 'UnusableSchema'
}

const MAX_SCHEMAS = 10_000
const MAX_NESTING = 100
const ROOT = 'https://schema.invalid/'

const ONE = [
  'additionalItems',
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
]
const LIST = ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items']
const MAP = ['$defs', 'definitions', 'dependencies', 'dependentSchemas', 'patternProperties', 'properties']

export class SchemaIndex {
  readonly dialect: Dialect
  readonly #bases = new Map<SchemaObject, string>()
  readonly #documents = new Map<string, SchemaObject>()
  readonly #anchors = new Map<string, SchemaObject>()
  readonly #dynamic = new Set<string>()
  readonly #targets = new Map<SchemaObject, Schema>()

  /** Throws {@link UnusableSchema}. Nothing outside of the document is ever fetched. */
  constructor(readonly root: SchemaObject) {
    this.dialect = dialectOf(root)
    this.#documents.set(ROOT, root)
    this.#walk(root, ROOT, 0)
    // What references lead to may hold more of them.
    for (const [schema, base] of this.#bases) this.#resolve(schema, base)
  }

  /** Where the `$ref` or `$dynamicRef` of a schema leads; undefined where it has none. */
  targetOf(schema: SchemaObject): Schema | undefined {
    return this.#targets.get(schema)
  }

  /** Whether any schema has this keyword. */
  uses(keyword: string): boolean {
    for (const schema of this.#bases.keys()) if (Object.hasOwn(schema, keyword)) return true
    return false
  }

  /** Each schema of the document. */
  schemas(): Iterable<SchemaObject> {
    return this.#bases.keys()
  }

  #walk(schema: unknown, outer: string, depth: number): void {
    if (typeof schema === 'boolean') return
    if (!isObject(schema)) throw new UnusableSchema('a schema in it is neither an object nor true or false')
    if (this.#bases.has(schema)) return
    if (depth > MAX_NESTING) throw new UnusableSchema(`it is nested more than ${MAX_NESTING} levels deep`)
    if (this.#bases.size >= MAX_SCHEMAS)
      throw new UnusableSchema(`it has more than ${MAX_SCHEMAS} schemas in it`)
    const base = this.#place(schema, outer)
    this.#bases.set(schema, base)
    for (const key of ONE) {
      const inner = own(schema, key)
      if (inner !== undefined && !Array.isArray(inner)) this.#walk(inner, base, depth + 1)
    }
    for (const key of LIST) {
      const inner = own(schema, key)
      if (inner === undefined || (key === 'items' && !Array.isArray(inner))) continue
      if (!Array.isArray(inner)) throw new UnusableSchema(`${key} is no list`)
      for (const item of inner) this.#walk(item, base, depth + 1)
    }
    for (const key of MAP) {
      const inner = own(schema, key)
      if (inner === undefined) continue
      if (!isObject(inner)) throw new UnusableSchema(`${key} is no object`)
      // A dependency may also be a list of names.
      for (const item of Object.values(inner))
        if (!(key === 'dependencies' && Array.isArray(item))) this.#walk(item, base, depth + 1)
    }
  }

  /** Notes what it is called; tells what its references are relative to. */
  #place(schema: SchemaObject, outer: string): string {
    const id = own(schema, '$id')
    // Of draft-07 a `$ref` hides it.
    const hidden = this.dialect === 'draft-07' && own(schema, '$ref') !== undefined
    let base = outer
    if (typeof id === 'string' && !hidden) {
      const url = absolute(id, outer)
      const [document = url, fragment = ''] = url.split('#')
      if (fragment !== '') this.#anchors.set(`${outer.split('#')[0]}#${fragment}`, schema)
      else {
        base = document
        this.#documents.set(base, schema)
      }
    }
    for (const key of ['$anchor', '$dynamicAnchor']) {
      const name = own(schema, key)
      if (typeof name !== 'string') continue
      this.#anchors.set(`${base}#${name}`, schema)
      if (key === '$anchor') continue
      // With two of them, which one is meant depends on the way that led there.
      if (this.#dynamic.size === this.#dynamic.add(name).size)
        throw new UnusableSchema('it has several $dynamicAnchor of one name')
    }
    return base
  }

  #resolve(schema: SchemaObject, base: string): void {
    const reference = own(schema, '$ref') ?? own(schema, '$dynamicRef')
    if (reference === undefined) {
      if (own(schema, '$recursiveRef') !== undefined) this.#targets.set(schema, this.root)
      return
    }
    if (typeof reference !== 'string') throw new UnusableSchema('a $ref in it is no text')
    const url = absolute(reference, base)
    const [document = '', fragment = ''] = url.split('#')
    const target = this.#find(document, fragment)
    if (target === undefined)
      throw new UnusableSchema('a $ref leads out of it, or to nothing; nothing is fetched')
    this.#walk(target, document, 0)
    this.#targets.set(schema, target as Schema)
  }

  #find(document: string, fragment: string): unknown {
    const named = this.#anchors.get(`${document}#${fragment}`)
    if (named !== undefined) return named
    const root = this.#documents.get(document)
    if (root === undefined || fragment === '') return root
    if (!fragment.startsWith('/')) return undefined
    let value: unknown = root
    for (const part of fragment.slice(1).split('/')) {
      const key = unescaped(part)
      if (key === undefined || typeof value !== 'object' || value === null || !Object.hasOwn(value, key))
        return undefined
      value = (value as Readonly<Record<string, unknown>>)[key]
    }
    return value
  }
}

export function own(object: SchemaObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined
}

/** 2026-07-28 basic/index, "JSON Schema Usage": 2020-12 where nothing else is said. */
function dialectOf(root: SchemaObject): Dialect {
  const declared = own(root, '$schema')
  if (declared === undefined) return '2020-12'
  if (typeof declared === 'string') {
    if (/^https?:\/\/json-schema\.org\/draft\/20(?:19-09|20-12)\/schema#?$/.test(declared)) return '2020-12'
    if (/^https?:\/\/json-schema\.org\/(?:draft-0[67]\/)?schema#?$/.test(declared)) return 'draft-07'
  }
  throw new UnusableSchema('its dialect is neither 2020-12 nor draft-07')
}

function absolute(reference: string, base: string): string {
  try {
    return new URL(reference, base).href
  } catch {
    throw new UnusableSchema('a reference in it is no URI')
  }
}

/** RFC 6901, within the fragment of a URI. */
function unescaped(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
  } catch {
    return undefined
  }
}
