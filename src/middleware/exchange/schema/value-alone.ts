/** What a schema says of a value without looking into it: types, choices, numbers and texts. */

import { canonicalJson } from '../../../protocol/canonical-json.js'
import { isObject } from '../../../protocol/meta.js'
import type { Fuel } from './fuel.js'
import type { PatternTest } from './linear-pattern.js'
import { own, type SchemaObject, UnusableSchema } from './schema-index.js'

/** What was expected instead, from the schema; nothing where the value fits. */
export function mismatchesAlone(
  schema: SchemaObject,
  value: unknown,
  patterns: ReadonlyMap<string, PatternTest | undefined>,
  fuel: Fuel,
): readonly string[] {
  const kind = kindMismatch(schema, value, fuel)
  const inner =
    typeof value === 'number'
      ? numberMismatches(schema, value)
      : typeof value === 'string'
        ? textMismatches(schema, value, patterns, fuel)
        : NONE
  return kind === undefined ? inner : [kind, ...inner]
}

const NONE: readonly string[] = []

function kindMismatch(schema: SchemaObject, value: unknown, fuel: Fuel): string | undefined {
  const type = own(schema, 'type')
  if (type !== undefined) {
    const types = Array.isArray(type) ? type : [type]
    if (!types.some(name => isOfType(name, value))) return `expected ${types.join(' or ')}`
  }
  const choices = own(schema, 'enum')
  if (Array.isArray(choices) && !choices.some(choice => isSame(choice, value, fuel)))
    return `expected one of ${shortened(choices)}`
  if (Object.hasOwn(schema, 'const') && !isSame(schema.const, value, fuel))
    return `expected ${shortened(schema.const)}`
  return undefined
}

function isSame(one: unknown, other: unknown, fuel: Fuel): boolean {
  fuel.burn()
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null)
    return one === other
  return spelling(one, fuel) === spelling(other, fuel)
}

/** The same for values that are the same. Takes as long as it is. */
export function spelling(value: unknown, fuel: Fuel): string {
  const text = canonicalJson(value)
  fuel.burn(text.length >> 2)
  return text
}

function numberMismatches(schema: SchemaObject, value: number): readonly string[] {
  const [minimum, maximum] = [count(schema, 'minimum'), count(schema, 'maximum')]
  const [above, below] = [count(schema, 'exclusiveMinimum'), count(schema, 'exclusiveMaximum')]
  const factor = count(schema, 'multipleOf')
  const found: string[] = []
  if (minimum !== undefined && value < minimum) found.push(`expected at least ${minimum}`)
  if (maximum !== undefined && value > maximum) found.push(`expected at most ${maximum}`)
  if (above !== undefined && value <= above) found.push(`expected more than ${above}`)
  if (below !== undefined && value >= below) found.push(`expected less than ${below}`)
  if (factor !== undefined && factor > 0 && !isMultiple(value, factor))
    found.push(`expected a multiple of ${factor}`)
  return found
}

/** As near as binary fractions allow: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor
  if (!Number.isFinite(quotient)) return false
  return Math.abs(quotient - Math.round(quotient)) <= Math.max(1, Math.abs(quotient)) * 4 * Number.EPSILON
}

function textMismatches(
  schema: SchemaObject,
  value: string,
  patterns: ReadonlyMap<string, PatternTest | undefined>,
  fuel: Fuel,
): readonly string[] {
  const found: string[] = []
  const [least, most] = [count(schema, 'minLength'), count(schema, 'maxLength')]
  if (least !== undefined || most !== undefined) {
    const length = lengthOf(value, fuel)
    if (least !== undefined && length < least) found.push(`expected at least ${least} characters`)
    if (most !== undefined && length > most) found.push(`expected at most ${most} characters`)
  }
  const pattern = own(schema, 'pattern')
  const test = typeof pattern === 'string' ? patterns.get(pattern) : undefined
  if (test !== undefined && !test(value, fuel)) found.push(`expected text that matches ${shortened(pattern)}`)
  return found
}

/** Characters rather than code units (2020-12 validation, 6.3.1). */
function lengthOf(text: string, fuel: Fuel): number {
  fuel.burn(text.length >> 4)
  let length = text.length
  for (let at = 0; at + 1 < text.length; at++) {
    const pair = (text.codePointAt(at) ?? 0) > 0xffff
    if (pair) {
      length--
      at++
    }
  }
  return length
}

/** Throws {@link UnusableSchema} for keywords of which a wrong value would make a check throw, or mean nothing. */
export function checkKeywords(schema: SchemaObject): void {
  const type = own(schema, 'type')
  const types = type === undefined ? [] : Array.isArray(type) ? type : [type]
  if (types.some(name => !TYPES.has(name))) throw new UnusableSchema('it has a type that there is not')
  const required = own(schema, 'required')
  if (required !== undefined && !Array.isArray(required)) throw new UnusableSchema('required is no list')
  const choices = own(schema, 'enum')
  if (choices !== undefined && !Array.isArray(choices)) throw new UnusableSchema('enum is no list')
  const pattern = own(schema, 'pattern')
  if (pattern !== undefined && typeof pattern !== 'string') throw new UnusableSchema('a pattern is no text')
  const dependent = own(schema, 'dependentRequired')
  if (dependent !== undefined && !isObject(dependent))
    throw new UnusableSchema('dependentRequired is no object')
}

const TYPES: ReadonlySet<unknown> = new Set([
  'array',
  'boolean',
  'integer',
  'null',
  'number',
  'object',
  'string',
])

export function isOfType(type: unknown, value: unknown): boolean {
  switch (type) {
    case 'array':
      return Array.isArray(value)
    case 'null':
      return value === null
    case 'object':
      return isObject(value)
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value)
    default:
      return typeof value === type
  }
}

/** The number that a keyword has, if it is one. */
export function count(schema: SchemaObject, key: string): number | undefined {
  const value = own(schema, key)
  return typeof value === 'number' ? value : undefined
}

/** Text of the schema, for a message. */
export function shortened(value: unknown): string {
  const text = Array.isArray(value)
    ? value.map(item => JSON.stringify(item)).join(', ')
    : String(JSON.stringify(value))
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
