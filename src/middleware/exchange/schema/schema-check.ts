/**
 * Values against schemas (JSON Schema 2020-12 and draft-07), within a bounded time whatever the schema and the value are. What it says
 * names places and what was expected there, all of it from the schema: never a value.
 */

import { isObject } from '../../../protocol/meta.js'
import { Fuel, OutOfFuel } from './fuel.js'
import { linearPattern, type PatternTest } from './linear-pattern.js'
import { own, type Schema, SchemaIndex, type SchemaObject, UnusableSchema } from './schema-index.js'
import { checkKeywords, count, isOfType, mismatchesAlone, shortened, spelling } from './value-alone.js'

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
    fits = this.#alone(schema, value, path) && fits
    if (Array.isArray(value)) fits = this.#list(schema, value, path, depth, marks) && fits
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

  #alone(schema: SchemaObject, value: unknown, path: string): boolean {
    let fits = true
    for (const expected of mismatchesAlone(schema, value, this.#patterns, this.#fuel))
      fits = this.#fail(path, expected)
    return fits
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
    return value.every(item => seen.size < seen.add(spelling(item, this.#fuel)).size)
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
