/**
 * Tool arguments mirrored into headers: `x-mcp-header` in a tool's input schema.
 * Specification: 2026-07-28 basic/transports/streamable-http, "Custom Headers from Tool Parameters".
 */

import { HEADER_MISMATCH, RpcError } from './errors.js'
import { checkEncoded, decodeHeaderValue, encodeHeaderValue, mismatch, PARAM_PREFIX } from './headers.js'
import { isObject } from './meta.js'

export interface ParamHeader {
  /** The part after `Mcp-Param-`, as the schema spells it. */
  readonly name: string
  /** The property names that lead to the value in the call's arguments. */
  readonly path: readonly string[]
  readonly type: 'string' | 'integer' | 'boolean'
}

export type ParamHeaders =
  | { readonly ok: true; readonly headers: readonly ParamHeader[] }
  /** The tool must be left out of `tools/list`, and somebody told why. */
  | { readonly ok: false; readonly reason: string }

const ANNOTATION = 'x-mcp-header'
/** RFC 9110, section 5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const NONE: ParamHeaders = { ok: true, headers: [] }

/** Keywords whose value maps names to schemas, lists schemas, or is one (JSON Schema 2020-12 and draft 7). */
const SCHEMA_MAPS = ['patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies']
const SCHEMA_LISTS = ['allOf', 'anyOf', 'oneOf', 'prefixItems']
const SCHEMAS = [
  'items',
  'additionalItems',
  'unevaluatedItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'propertyNames',
  'not',
  'if',
  'then',
  'else',
  'contentSchema',
]

/** Far above any real schema; they end the walk over one that was made to be endless. */
const MAX_DEPTH = 128
const MAX_SCHEMAS = 100_000

/**
 * Finds the annotated parameters of an input schema and checks every constraint of "Schema Extension". `$ref` is
 * never followed: an annotation behind one is not reachable by `properties` alone, hence invalid.
 */
export function paramHeaders(inputSchema: unknown): ParamHeaders {
  const search: Search = { headers: [], names: new Set(), schemas: 0 }
  const reason = visit(search, inputSchema, [], true, 0)
  if (reason !== undefined) return { ok: false, reason }
  return search.headers.length === 0 ? NONE : { ok: true, headers: search.headers }
}

/**
 * Checks a call's arguments against its headers ("Server Behavior for Custom Headers"). Throws `RpcError`
 * HEADER_MISMATCH.
 *
 * @param header A header's value by its lower-case name.
 */
export function checkParamHeaders(
  headers: readonly ParamHeader[],
  args: unknown,
  header: (name: string) => string | undefined,
): void {
  for (const declared of headers) {
    const name = `Mcp-Param-${declared.name}`
    const value = header(PARAM_PREFIX + declared.name.toLowerCase())
    const body = valueAt(args, declared.path)
    if (declared.type === 'integer' && typeof body === 'number') checkInteger(name, value, body)
    else checkEncoded(name, value, textOf(body))
  }
}

/** The headers that a call's arguments need, by their lower-case names. */
export function paramHeaderValues(headers: readonly ParamHeader[], args: unknown): Record<string, string> {
  const values: Record<string, string> = {}
  for (const { name, path } of headers) {
    const text = textOf(valueAt(args, path))
    if (text !== undefined) values[PARAM_PREFIX + name.toLowerCase()] = encodeHeaderValue(text)
  }
  return values
}

interface Search {
  readonly headers: ParamHeader[]
  /** In lower case. */
  readonly names: Set<string>
  schemas: number
}

/** Returns the first violation. `reachable`: by `properties` alone. */
function visit(
  search: Search,
  schema: unknown,
  path: readonly string[],
  reachable: boolean,
  depth: number,
): string | undefined {
  if (!isObject(schema)) return undefined
  if (depth > MAX_DEPTH || ++search.schemas > MAX_SCHEMAS) return 'the input schema is too large'
  if (Object.hasOwn(schema, ANNOTATION)) {
    const reason = annotate(search, schema, path, reachable)
    if (reason !== undefined) return reason
  }
  const child = (value: unknown, step: readonly string[], chained: boolean) =>
    visit(search, value, step, reachable && chained, depth + 1)

  for (const [key, value] of entriesOf(schema, 'properties')) {
    const reason = child(value, [...path, key], true)
    if (reason !== undefined) return reason
  }
  for (const keyword of SCHEMA_MAPS)
    for (const [key, value] of entriesOf(schema, keyword)) {
      const reason = child(value, [...path, keyword, key], false)
      if (reason !== undefined) return reason
    }
  for (const keyword of SCHEMA_LISTS)
    for (const value of listOf(schema, keyword)) {
      const reason = child(value, [...path, keyword], false)
      if (reason !== undefined) return reason
    }
  for (const keyword of SCHEMAS) {
    // Before 2020-12, `items` may be a list.
    for (const value of [schema[keyword], ...listOf(schema, keyword)]) {
      const reason = child(value, [...path, keyword], false)
      if (reason !== undefined) return reason
    }
  }
  return undefined
}

function annotate(
  search: Search,
  schema: Readonly<Record<string, unknown>>,
  path: readonly string[],
  reachable: boolean,
): string | undefined {
  const name = schema[ANNOTATION]
  const type = schema.type
  const place = path.length === 0 ? 'the schema itself' : JSON.stringify(path.join('.'))
  if (!reachable || path.length === 0)
    return `${ANNOTATION} at ${place} is not on a property that "properties" alone lead to`
  if (typeof name !== 'string' || !TOKEN.test(name))
    return `${ANNOTATION} at ${place} is no header name: ${JSON.stringify(name)}`
  if (type !== 'string' && type !== 'integer' && type !== 'boolean')
    return `${ANNOTATION} at ${place} needs the type string, integer or boolean, not ${JSON.stringify(type)}`
  if (search.names.has(name.toLowerCase()))
    return `${ANNOTATION} at ${place} repeats the name ${JSON.stringify(name)}`
  search.names.add(name.toLowerCase())
  search.headers.push({ name, path, type })
  return undefined
}

function entriesOf(
  schema: Readonly<Record<string, unknown>>,
  keyword: string,
): readonly (readonly [string, unknown])[] {
  const value = schema[keyword]
  return isObject(value) ? Object.entries(value) : []
}

function listOf(schema: Readonly<Record<string, unknown>>, keyword: string): readonly unknown[] {
  const value = schema[keyword]
  return Array.isArray(value) ? value : []
}

function valueAt(args: unknown, path: readonly string[]): unknown {
  let value = args
  for (const key of path) {
    if (!isObject(value) || !Object.hasOwn(value, key)) return undefined
    value = value[key]
  }
  return value
}

/** The text of a primitive; undefined for null, nothing, and what no header can carry (the server judges that). */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'boolean' || typeof value === 'number' ? String(value) : undefined
}

/** Numerically: "servers SHOULD compare the header value and the body value numerically". */
function checkInteger(name: string, value: string | undefined, body: number): void {
  if (value === undefined) throw mismatch(name, undefined, String(body))
  if (!Number.isSafeInteger(body))
    throw new RpcError(HEADER_MISMATCH, `Header mismatch: ${name} body value ${body} is no safe integer`)
  const decoded = decodeHeaderValue(value)
  if (decoded === undefined || !/^-?\d+(?:\.0+)?$/.test(decoded) || Number(decoded) !== body)
    throw mismatch(name, decoded ?? value, String(body))
}
