/** A word of the command line, or what somebody typed, as the value that a schema wants. */

import { nearest } from '../config/nearest.js'
import { compileSchema } from '../middleware/exchange/schema/schema-check.js'
import { alternativesOf, type SchemaObject, typesOf, type ValueType, valuesOf } from './schema-shape.js'

/**
 * Where text is allowed, a word is text; else it is read as what fits. `lenient` never fails: what cannot be read is text. Throws
 * `TypeError` that says what is expected.
 */
export function typedValue(text: string, schema: unknown, root: SchemaObject, lenient = false): unknown {
  const alternatives = alternativesOf(schema, root)
  const readings = alternatives.flatMap(each => readingsOf(text, each))
  // Text first: it is what was written.
  const inOrder = [...readings].sort((one, other) => Number(isText(other)) - Number(isText(one)))
  const fitting = inOrder.find(value => fits(value, schema, root))
  if (fitting !== undefined) return fitting
  if (lenient) return inOrder[0] === undefined ? text : inOrder[0]
  const choices = alternatives.flatMap(each => valuesOf(each) ?? [])
  if (choices.length > 0) throw new TypeError(noneOf(text, choices))
  if (inOrder.length > 0) return inOrder[0]
  const types = [...new Set(alternatives.flatMap(typesOf))].filter(type => type !== 'null')
  throw new TypeError(`${quoted(text)} is not ${types.map(type => NAMES[type] ?? type).join(' or ')}`)
}

const NAMES: Readonly<Record<ValueType, string>> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  null: 'null',
  array: 'a list',
  object: 'an object',
}

/** Whether a value is one that the schema allows, as far as that can be told. */
export function fits(value: unknown, schema: unknown, root: SchemaObject): boolean {
  if (typeof schema === 'boolean') return schema
  const { $defs, definitions, $schema } = root
  const context = Object.entries({ $schema, $defs, definitions }).filter(([, part]) => part !== undefined)
  try {
    const whole = schema === root ? root : { ...Object.fromEntries(context), ...(schema as SchemaObject) }
    return (compileSchema(whole).check(value)?.length ?? 0) === 0
  } catch {
    return true
  }
}

/** As JSON, so that it can be told where a word begins and ends. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)
}

function readingsOf(text: string, schema: SchemaObject): readonly unknown[] {
  const types = typesOf(schema)
  if (types.length === 0) return [text]
  return types.flatMap(type => {
    const value = READ[type]?.(text)
    return value === undefined ? [] : [value]
  })
}

const READ: Readonly<Record<ValueType, (text: string) => unknown>> = {
  string: text => text,
  number: readNumber,
  integer: text => {
    const number = readNumber(text)
    return Number.isInteger(number) ? number : undefined
  },
  boolean: text => (text === 'true' ? true : text === 'false' ? false : undefined),
  null: text => (text === 'null' ? null : undefined),
  array: text => {
    const value = readJson(text)
    return Array.isArray(value) ? value : undefined
  },
  object: text => {
    const value = readJson(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
  },
}

/** Undefined for what is no number, and for a whole one that would become another. */
function readNumber(text: string): number | undefined {
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text)) return undefined
  const number = Number(text)
  if (!Number.isFinite(number)) return undefined
  return /^[+-]?\d+$/.test(text) && !Number.isSafeInteger(number) ? undefined : number
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isText(value: unknown): boolean {
  return typeof value === 'string'
}

function noneOf(text: string, choices: readonly unknown[]): string {
  const words = choices.map(choice => (typeof choice === 'string' ? choice : JSON.stringify(choice)))
  const near = nearest(text, words)
  const shown = words.slice(0, 20).join(', ') + (words.length > 20 ? ', …' : '')
  return `${quoted(text)} is none of ${shown}${near === undefined ? '' : `; did you mean ${near}?`}`
}
