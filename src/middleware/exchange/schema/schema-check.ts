/**
 * Values against schemas (JSON Schema 2020-12 and draft-07), within a bounded time whatever the schema and the value are. What it says
 * names places and what was expected there, all of it from the schema: never a value.
 */

import { canonicalJson } from '../../../protocol/canonical-json.js'
import { isObject } from '../../../protocol/meta.js'
import { Fuel, OutOfFuel } from './fuel.js'
import { linearPattern, type PatternTest } from './linear-pattern.js'
import { own, type Schema, SchemaIndex, type SchemaObject, UnusableSchema } from './schema-index.js'

export interface Mismatch {
  /** A JSON pointer (RFC 6901); empty for the whole. */
  readonly path: string
  readonly expected: string
}

export interface CompiledSchema {
  /** Patterns that are not checked, because a text could keep us busy with them, or they are none. */
  readonly unchecked: readonly string[]
  /** What does not fit, ten at most; undefined where finding out would take too long. */
  check(value: unknown): readonly Mismatch[] | undefined
}

/** Throws {@link UnusableSchema} for a schema that is broken, too large or too deep, or refers to what is elsewhere. */
export function compileSchema(schema: unknown): CompiledSchema {
  if (schema === true) return { unchecked: [], check: () => [] }
  if (!isObject(schema)) throw new UnusableSchema('it is no object')
  const index = new SchemaIndex(schema)
  const patterns = new Map<string, PatternTest | undefined>()
  for (const inner of index.schemas()) {
    checkKeywords(inner)
    const pattern = own(inner, 'pattern')
    const keys = own(inner, 'patternProperties')
    const found = [
      ...(typeof pattern === 'string' ? [pattern] : []),
      ...(isObject(keys) ? Object.keys(keys) : []),
    ]
    for (const source of found) if (!patterns.has(source)) patterns.set(source, linearPattern(source))
  }
  const marks = index.uses('unevaluatedProperties') || index.uses('unevaluatedItems')
  return {
    unchecked: [...patterns].flatMap(([source, test]) => (test === undefined ? [source] : [])),
    check(value) {
      const run = new Run(index, patterns, marks, new Fuel(stepsFor(value)))
      try {
        run.evaluate(schema, value, '', 0, undefined)
      } catch (error) {
        if (error instanceof OutOfFuel) return undefined
        throw error
      }
      return run.mismatches
    },
  }
}

/** Steps that any value has, steps for each part of it, and steps that none may go beyond: half a second at worst. */
const STEPS = { least: 200_000, part: 10, most: 2_000_000 }
const MAX_NESTING = 400
const MAX_MISMATCHES = 10

/** What of an object or list has been looked at by some schema, for `unevaluatedProperties` and `unevaluatedItems`. */
class Marks {
  readonly seen = new Set<string | number>()

  take(other: Marks): void {
    for (const key of other.seen) this.seen.add(key)
  }
}

class Run {
  readonly mismatches: Mismatch[] = []
  readonly #index: SchemaIndex
  readonly #patterns: ReadonlyMap<string, PatternTest | undefined>
  readonly #marking: boolean
  readonly #fuel: Fuel
  /** Within alternatives: what does not fit there is not told. */
  #quiet = 0

  constructor(
    index: SchemaIndex,
    patterns: ReadonlyMap<string, PatternTest | undefined>,
    marking: boolean,
    fuel: Fuel,
  ) {
    this.#fuel = fuel
    this.#index = index
    this.#patterns = patterns
    this.#marking = marking
  }

  evaluate(schema: Schema, value: unknown, path: string, depth: number, outer: Marks | undefined): boolean {
    this.#fuel.burn()
    if (depth > MAX_NESTING) throw new OutOfFuel()
    if (schema === true) return true
    if (schema === false) return this.#fail(path, 'nothing is allowed here')
    // What others beside it have looked at is not its own.
    const marks = this.#marking ? new Marks() : undefined
    const fits = this.#fits(schema, value, path, depth, marks)
    if (fits && marks !== undefined) outer?.take(marks)
    return fits
  }

  #fits(
    schema: SchemaObject,
    value: unknown,
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    const target = this.#index.targetOf(schema)
    let fits = target === undefined || this.evaluate(target, value, path, depth + 1, marks)
    if (target !== undefined && this.#index.dialect === 'draft-07') return fits
    fits = this.#plain(schema, value, path) && fits
    if (typeof value === 'number') fits = this.#number(schema, value, path) && fits
    else if (typeof value === 'string') fits = this.#text(schema, value, path) && fits
    else if (Array.isArray(value)) fits = this.#list(schema, value, path, depth, marks) && fits
    else if (isObject(value)) fits = this.#object(schema, value, path, depth, marks) && fits
    fits = this.#combined(schema, value, path, depth, marks) && fits
    if (marks === undefined) return fits
    if (Array.isArray(value)) return this.#unevaluatedItems(schema, value, path, depth, marks) && fits
    return isObject(value) ? this.#unevaluatedProperties(schema, value, path, depth, marks) && fits : fits
  }

  #fail(path: string, expected: string): false {
    if (this.#quiet === 0 && this.mismatches.length < MAX_MISMATCHES) this.mismatches.push({ path, expected })
    return false
  }

  /** Whether it fits, and nothing said about why not. */
  #tries(schema: Schema, value: unknown, path: string, depth: number, marks: Marks | undefined): boolean {
    this.#quiet++
    const fits = this.evaluate(schema, value, path, depth, marks)
    this.#quiet--
    return fits
  }

  #plain(schema: SchemaObject, value: unknown, path: string): boolean {
    const type = own(schema, 'type')
    if (type !== undefined) {
      const types = Array.isArray(type) ? type : [type]
      if (!types.some(name => isOfType(name, value)))
        return this.#fail(path, `expected ${types.join(' or ')}`)
    }
    const choices = own(schema, 'enum')
    if (Array.isArray(choices) && !choices.some(choice => this.#same(choice, value)))
      return this.#fail(path, `expected one of ${shortened(choices)}`)
    if (Object.hasOwn(schema, 'const') && !this.#same(schema.const, value))
      return this.#fail(path, `expected ${shortened(schema.const)}`)
    return true
  }

  #same(one: unknown, other: unknown): boolean {
    this.#fuel.burn()
    if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null)
      return one === other
    return this.#spelling(one) === this.#spelling(other)
  }

  /** Takes as long as it is. */
  #spelling(value: unknown): string {
    const text = canonicalJson(value)
    this.#fuel.burn(text.length >> 2)
    return text
  }

  #number(schema: SchemaObject, value: number, path: string): boolean {
    const limit = (key: string) => {
      const bound = own(schema, key)
      return typeof bound === 'number' ? bound : undefined
    }
    const [minimum, maximum] = [limit('minimum'), limit('maximum')]
    const [above, below] = [limit('exclusiveMinimum'), limit('exclusiveMaximum')]
    let fits = true
    if (minimum !== undefined && value < minimum) fits = this.#fail(path, `expected at least ${minimum}`)
    if (maximum !== undefined && value > maximum) fits = this.#fail(path, `expected at most ${maximum}`)
    if (above !== undefined && value <= above) fits = this.#fail(path, `expected more than ${above}`)
    if (below !== undefined && value >= below) fits = this.#fail(path, `expected less than ${below}`)
    const factor = limit('multipleOf')
    if (factor !== undefined && factor > 0 && !isMultiple(value, factor))
      fits = this.#fail(path, `expected a multiple of ${factor}`)
    return fits
  }

  #text(schema: SchemaObject, value: string, path: string): boolean {
    const [least, most] = [count(schema, 'minLength'), count(schema, 'maxLength')]
    let fits = true
    if (least !== undefined || most !== undefined) {
      const length = this.#lengthOf(value)
      if (least !== undefined && length < least)
        fits = this.#fail(path, `expected at least ${least} characters`)
      if (most !== undefined && length > most) fits = this.#fail(path, `expected at most ${most} characters`)
    }
    const pattern = own(schema, 'pattern')
    if (typeof pattern !== 'string') return fits
    const test = this.#patterns.get(pattern)
    if (test !== undefined && !test(value, this.#fuel))
      return this.#fail(path, `expected text that matches ${shortened(pattern)}`)
    return fits
  }

  /** Characters rather than code units (2020-12 validation, 6.3.1). */
  #lengthOf(text: string): number {
    this.#fuel.burn(text.length >> 4)
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

  #list(
    schema: SchemaObject,
    value: readonly unknown[],
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    const [least, most] = [count(schema, 'minItems'), count(schema, 'maxItems')]
    let fits = true
    if (least !== undefined && value.length < least)
      fits = this.#fail(path, `expected at least ${least} items`)
    if (most !== undefined && value.length > most) return this.#fail(path, `expected at most ${most} items`)
    if (own(schema, 'uniqueItems') === true && !this.#areUnique(value))
      fits = this.#fail(path, 'expected items of which no two are the same')
    const items = own(schema, 'items')
    const tuple = Array.isArray(items) ? items : own(schema, 'prefixItems')
    const places = Array.isArray(tuple) ? (tuple as readonly Schema[]) : []
    const rest = (Array.isArray(items) ? own(schema, 'additionalItems') : items) as Schema | undefined
    for (const [index, item] of value.entries()) {
      const inner = index < places.length ? places[index] : rest
      if (inner === undefined) continue
      marks?.seen.add(index)
      fits = this.#inner(inner, item, `${path}/${index}`, depth) && fits
      if (!fits && this.#isSettled()) return false
    }
    return this.#contains(schema, value, path, depth, marks) && fits
  }

  #areUnique(value: readonly unknown[]): boolean {
    const seen = new Set<string>()
    return value.every(item => seen.size < seen.add(this.#spelling(item)).size)
  }

  #contains(
    schema: SchemaObject,
    value: readonly unknown[],
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    const contained = own(schema, 'contains') as Schema | undefined
    if (contained === undefined) return true
    const least = count(schema, 'minContains') ?? 1
    const most = count(schema, 'maxContains') ?? Number.POSITIVE_INFINITY
    let found = 0
    for (const [index, item] of value.entries()) {
      if (!this.#tries(contained, item, `${path}/${index}`, depth + 1, undefined)) continue
      found++
      marks?.seen.add(index)
    }
    if (found < least) return this.#fail(path, `expected at least ${least} items of a kind`)
    return found > most ? this.#fail(path, `expected at most ${most} items of a kind`) : true
  }

  #object(
    schema: SchemaObject,
    value: Readonly<Record<string, unknown>>,
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    let fits = this.#members(schema, value, path, depth, marks)
    const properties = mapOf(schema, 'properties')
    const byPattern = Object.entries(mapOf(schema, 'patternProperties'))
    const additional = own(schema, 'additionalProperties') as Schema | undefined
    for (const key of Object.keys(value)) {
      this.#fuel.burn()
      const at = `${path}/${pointer(key)}`
      const named = own(properties, key) as Schema | undefined
      let known = named !== undefined
      if (named !== undefined) fits = this.#inner(named, value[key], at, depth) && fits
      for (const [pattern, inner] of byPattern) {
        const test = this.#patterns.get(pattern)
        // What may be meant by a pattern that is not checked is not additional, either.
        if (test === undefined) known = true
        else if (test(key, this.#fuel)) {
          known = true
          fits = this.#inner(inner as Schema, value[key], at, depth) && fits
        }
      }
      if (!known && additional !== undefined) {
        known = true
        fits =
          (additional === false
            ? this.#fail(at, 'there is no such member')
            : this.#inner(additional, value[key], at, depth)) && fits
      }
      if (known) marks?.seen.add(key)
      if (!fits && this.#isSettled()) return false
    }
    return fits
  }

  /** How many members there are, which there have to be, and what they are called. */
  #members(
    schema: SchemaObject,
    value: Readonly<Record<string, unknown>>,
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    const keys = Object.keys(value)
    const [least, most] = [count(schema, 'minProperties'), count(schema, 'maxProperties')]
    let fits = true
    if (least !== undefined && keys.length < least)
      fits = this.#fail(path, `expected at least ${least} members`)
    if (most !== undefined && keys.length > most) fits = this.#fail(path, `expected at most ${most} members`)
    const needs = (names: unknown) => {
      if (!Array.isArray(names)) return
      for (const name of names) {
        this.#fuel.burn()
        if (typeof name === 'string' && !Object.hasOwn(value, name))
          fits = this.#fail(path, `the member ${shortened(name)} is missing`)
      }
    }
    needs(own(schema, 'required'))
    for (const keyword of ['dependentRequired', 'dependentSchemas', 'dependencies'])
      for (const [key, then] of Object.entries(mapOf(schema, keyword))) {
        if (!Object.hasOwn(value, key)) continue
        if (Array.isArray(then)) needs(then)
        else fits = this.evaluate(then as Schema, value, path, depth + 1, marks) && fits
      }
    const names = own(schema, 'propertyNames') as Schema | undefined
    if (names !== undefined)
      for (const key of keys)
        if (!this.#tries(names, key, path, depth + 1, undefined))
          fits = this.#fail(`${path}/${pointer(key)}`, 'no member may have such a name')
    return fits
  }

  #combined(
    schema: SchemaObject,
    value: unknown,
    path: string,
    depth: number,
    marks: Marks | undefined,
  ): boolean {
    let fits = true
    for (const inner of listOf(schema, 'allOf'))
      fits = this.evaluate(inner, value, path, depth + 1, marks) && fits
    const any = own(schema, 'anyOf')
    if (Array.isArray(any)) {
      // Where marks are kept, each one that fits has its own.
      const fitting = this.#marking
        ? any.filter(inner => this.#tries(inner, value, path, depth + 1, marks)).length
        : Number(any.some(inner => this.#tries(inner, value, path, depth + 1, marks)))
      if (fitting === 0) fits = this.#failAlternatives(any, value, path, depth)
    }
    const one = own(schema, 'oneOf')
    if (Array.isArray(one)) {
      const fitting = one.filter(inner => this.#tries(inner, value, path, depth + 1, marks)).length
      if (fitting === 0) fits = this.#failAlternatives(one, value, path, depth)
      else if (fitting > 1) fits = this.#fail(path, 'expected what fits one alternative only')
    }
    const not = own(schema, 'not') as Schema | undefined
    if (not !== undefined && this.#tries(not, value, path, depth + 1, undefined))
      fits = this.#fail(path, 'expected something else')
    const condition = own(schema, 'if') as Schema | undefined
    if (condition === undefined) return fits
    const branch = this.#tries(condition, value, path, depth + 1, marks) ? 'then' : 'else'
    const then = own(schema, branch) as Schema | undefined
    return (then === undefined || this.evaluate(then, value, path, depth + 1, marks)) && fits
  }

  /** Says of which alternative it may be one, where only one of them is for values of this type. */
  #failAlternatives(alternatives: readonly unknown[], value: unknown, path: string, depth: number): false {
    const types = alternatives.flatMap(inner => (isObject(inner) ? [own(inner, 'type')] : [undefined]))
    if (types.every(type => typeof type === 'string' && !isOfType(type, value)))
      return this.#fail(path, `expected ${[...new Set(types)].join(' or ')}`)
    const near = alternatives.filter(
      (inner): inner is SchemaObject => isObject(inner) && isOfType(own(inner, 'type'), value),
    )
    const told = this.mismatches.length
    if (near.length === 1 && this.#quiet === 0)
      this.evaluate(near[0] as SchemaObject, value, path, depth + 1, undefined)
    return this.mismatches.length > told
      ? false
      : this.#fail(path, 'expected what fits one of the alternatives')
  }

  #unevaluatedItems(
    schema: SchemaObject,
    value: readonly unknown[],
    path: string,
    depth: number,
    marks: Marks,
  ): boolean {
    const rest = own(schema, 'unevaluatedItems') as Schema | undefined
    if (rest === undefined) return true
    let fits = true
    for (const [index, item] of value.entries()) {
      if (marks.seen.has(index)) continue
      marks.seen.add(index)
      fits = this.#inner(rest, item, `${path}/${index}`, depth) && fits
    }
    return fits
  }

  #unevaluatedProperties(
    schema: SchemaObject,
    value: Readonly<Record<string, unknown>>,
    path: string,
    depth: number,
    marks: Marks,
  ): boolean {
    const rest = own(schema, 'unevaluatedProperties') as Schema | undefined
    if (rest === undefined) return true
    let fits = true
    for (const key of Object.keys(value)) {
      if (marks.seen.has(key)) continue
      marks.seen.add(key)
      fits = this.#inner(rest, value[key], `${path}/${pointer(key)}`, depth) && fits
    }
    return fits
  }

  /** Something within: it has marks of its own. */
  #inner(schema: Schema, value: unknown, path: string, depth: number): boolean {
    return this.evaluate(schema, value, path, depth + 1, undefined)
  }

  /** It is known that it does not fit, and nothing more will be told. */
  #isSettled(): boolean {
    return this.#quiet > 0 || this.mismatches.length >= MAX_MISMATCHES
  }
}

function stepsFor(value: unknown): number {
  const most = (STEPS.most - STEPS.least) / STEPS.part
  let parts = 0
  const pending = [value]
  while (pending.length > 0 && parts < most) {
    parts++
    const part = pending.pop()
    if (typeof part === 'object' && part !== null)
      for (const inner of Object.values(part)) pending.push(inner)
  }
  return STEPS.least + parts * STEPS.part
}

/** Keywords of which a wrong value would make a check throw, or mean nothing. */
function checkKeywords(schema: SchemaObject): void {
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

function isOfType(type: unknown, value: unknown): boolean {
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

/** As near as binary fractions allow: 0.3 is a multiple of 0.1. */
function isMultiple(value: number, factor: number): boolean {
  const quotient = value / factor
  if (!Number.isFinite(quotient)) return false
  return Math.abs(quotient - Math.round(quotient)) <= Math.max(1, Math.abs(quotient)) * 4 * Number.EPSILON
}

function count(schema: SchemaObject, key: string): number | undefined {
  const value = own(schema, key)
  return typeof value === 'number' ? value : undefined
}

function mapOf(schema: SchemaObject, key: string): SchemaObject {
  const value = own(schema, key)
  return isObject(value) ? value : {}
}

function listOf(schema: SchemaObject, key: string): readonly Schema[] {
  const value = own(schema, key)
  return Array.isArray(value) ? value : []
}

/** RFC 6901; a name is the caller's, so that it may be long. */
function pointer(key: string): string {
  const short = key.length > 100 ? `${key.slice(0, 100)}…` : key
  return short.replaceAll('~', '~0').replaceAll('/', '~1')
}

/** Of the schema. */
function shortened(value: unknown): string {
  const text = Array.isArray(value)
    ? value.map(item => JSON.stringify(item)).join(', ')
    : String(JSON.stringify(value))
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
