/** `key=value` words as the arguments that a schema describes. */

import { nearest } from '../config/nearest.js'
import { isObject } from '../protocol/meta.js'
import { alternativesOf, itemOf, membersOf, type SchemaObject, typesOf } from './schema-shape.js'
import { quoted, typedValue } from './typed-value.js'

export interface TypedArgumentsOptions {
  /** What the words add to, or replace parts of. It is not changed. */
  readonly base?: SchemaObject
  /** Names that the schema does not have, and values that it does not allow, are taken as text. Default false. */
  readonly lenient?: boolean
}

/**
 * `key=text` is read as what the schema says of `key`; `key:=JSON` is that value; `a.b=1` is `b` within `a`, and `a.0.b=1` within the
 * first item of a list; a list is made by repetition, an item each. A backslash before `.`, `=`, `:` or `\` makes it part of a name.
 * Throws `TypeError` that names the parameter.
 */
export function typedArguments(
  words: readonly string[],
  schema: unknown,
  { base = {}, lenient = false }: TypedArgumentsOptions = {},
): Record<string, unknown> {
  const root = isObject(schema) ? schema : {}
  const whole = structuredClone(base) as Record<string, unknown>
  const assigning = new Assigning(root, lenient)
  for (const word of words) assigning.assign(whole, word)
  return whole
}

/** Whether a word is of the form that {@link typedArguments} reads. */
export function isAssignment(word: string): boolean {
  return parsed(word) !== undefined
}

interface Assignment {
  readonly path: readonly string[]
  readonly text: string
  readonly isJson: boolean
}

type Container = Record<string, unknown> | unknown[]

class Assigning {
  readonly #root: SchemaObject
  readonly #lenient: boolean
  /** Values that words have set, by their path: what `base` has is replaced. */
  readonly #given = new Set<string>()
  readonly #lists = new Set<unknown>()

  constructor(root: SchemaObject, lenient: boolean) {
    this.#root = root
    this.#lenient = lenient
  }

  assign(whole: Record<string, unknown>, word: string): void {
    const assignment = parsed(word)
    if (assignment === undefined)
      throw new TypeError(`${quoted(word)} is no argument: write KEY=VALUE, or KEY:=JSON`)
    const { path } = assignment
    let container: Container = whole
    let schema: unknown = this.#root
    for (let at = 0; ; ) {
      const { key, length, inner } = this.#member(container, schema, path, at)
      at += length
      if (at === path.length) {
        this.#set(container, key, inner, assignment)
        return
      }
      schema = inner
      container = this.#within(container, key, inner, path.slice(0, at), path[at] as string)
    }
  }

  /** The member that a path names next: several of its parts where a name has dots in it. */
  #member(
    container: Container,
    schema: unknown,
    path: readonly string[],
    at: number,
  ): { readonly key: string; readonly length: number; readonly inner: unknown } {
    const next = path[at] as string
    if (Array.isArray(container)) {
      const index = Number(next)
      if (!/^\d+$/.test(next) || index > container.length)
        throw new TypeError(
          `${shown(path.slice(0, at))} is a list: its next item is ${shown([...path.slice(0, at), String(container.length)])}`,
        )
      return { key: next, length: 1, inner: itemOf(schema, index, this.#root) }
    }
    const { known, others } = membersOf(schema, this.#root)
    if (!known.has(next))
      for (let length = path.length - at; length > 1; length--) {
        const key = path.slice(at, at + length).join('.')
        if (known.has(key)) return { key, length, inner: known.get(key) }
      }
    if (known.has(next)) return { key: next, length: 1, inner: known.get(next) }
    // Whoever says nothing of other members means none, though the specification of schemas lets all pass.
    const isOpen = others === undefined ? known.size === 0 : others !== false
    if (!isOpen && !this.#lenient) throw unknownName(path.slice(0, at), next, [...known.keys()])
    return { key: next, length: 1, inner: others === true || others === undefined ? {} : others }
  }

  #within(
    container: Container,
    key: string,
    schema: unknown,
    path: readonly string[],
    next: string,
  ): Container {
    const held = own(container, key)
    if (held !== undefined) {
      if (typeof held === 'object' && held !== null && !this.#given.has(nameOf(path)))
        return held as Container
      throw new TypeError(`${shown(path)} is given as a whole and in parts`)
    }
    const types = alternativesOf(schema, this.#root).flatMap(typesOf)
    const isList = types.includes('array') && (!types.includes('object') || /^\d+$/.test(next))
    if (types.length > 0 && !isList && !types.includes('object') && !this.#lenient)
      throw new TypeError(`${shown(path)} is no object, so that it has no ${quoted(next)}`)
    const made: Container = isList ? [] : {}
    put(container, key, made)
    return made
  }

  #set(container: Container, key: string, schema: unknown, assignment: Assignment): void {
    const name = nameOf(assignment.path)
    const value = this.#read(schema, assignment)
    const held = own(container, key)
    const wasGiven = this.#given.has(name)
    this.#given.add(name)
    const isItem = this.#isItem(schema, value, assignment)
    if (!wasGiven && isItem) {
      const list = [value]
      this.#lists.add(list)
      put(container, key, list)
    } else if (!wasGiven) put(container, key, value)
    else if (isItem && this.#lists.has(held)) (held as unknown[]).push(value)
    else if (this.#mayBeList(schema) && !Array.isArray(held)) {
      const list = [held, value]
      this.#lists.add(list)
      put(container, key, list)
    } else throw new TypeError(`${shown(assignment.path)} is given twice`)
  }

  #read(schema: unknown, { path, text, isJson }: Assignment): unknown {
    if (isJson)
      try {
        return JSON.parse(text)
      } catch {
        throw new TypeError(`${shown(path)}: ${quoted(text)} is no JSON`)
      }
    try {
      if (!this.#isList(schema)) return typedValue(text, schema, this.#root, this.#lenient)
      const item = itemOf(schema, 0, this.#root)
      try {
        return typedValue(text, item, this.#root)
      } catch (error) {
        // A whole list in JSON, where that cannot be one of its items.
        const list = listOf(text)
        if (list !== undefined) return list
        if (this.#lenient) return text
        throw error
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      throw new TypeError(`${shown(path)}: ${error.message}`)
    }
  }

  /** One of a list, rather than the list. */
  #isItem(schema: unknown, value: unknown, { isJson, text }: Assignment): boolean {
    if (!this.#isList(schema)) return false
    if (!Array.isArray(value)) return value !== null || !this.#mayBeNull(schema)
    return !isJson && !text.trimStart().startsWith('[')
  }

  #isList(schema: unknown): boolean {
    const types = this.#typesOf(schema)
    return types.includes('array') && types.every(type => type === 'array' || type === 'null')
  }

  #mayBeList(schema: unknown): boolean {
    return this.#typesOf(schema).includes('array')
  }

  #mayBeNull(schema: unknown): boolean {
    return this.#typesOf(schema).includes('null')
  }

  #typesOf(schema: unknown) {
    return alternativesOf(schema, this.#root).flatMap(typesOf)
  }
}

/** Undefined for a word without `=`, or without a name before it. */
function parsed(word: string): Assignment | undefined {
  const path: string[] = []
  let part = ''
  for (let at = 0; at < word.length; at++) {
    const character = word[at] as string
    if (character === '\\' && at + 1 < word.length) part += word[++at]
    else if (character === '.') {
      path.push(part)
      part = ''
    } else if (character === '=' || (character === ':' && word[at + 1] === '=')) {
      if (at === 0) return undefined
      const isJson = character === ':'
      return { path: [...path, part], text: word.slice(at + (isJson ? 2 : 1)), isJson }
    } else part += character
  }
  return undefined
}

function listOf(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value : undefined
  } catch {
    return undefined
  }
}

function unknownName(path: readonly string[], name: string, names: readonly string[]): TypeError {
  const near = nearest(name, names)
  const hint =
    near !== undefined
      ? `; did you mean ${shown([...path, near])}?`
      : names.length === 0
        ? ''
        : `; there are ${names.slice(0, 30).join(', ')}`
  return new TypeError(`There is no parameter ${shown([...path, name])}${hint}`)
}

/** As it is written on the command line. */
function shown(path: readonly string[]): string {
  return path.map(part => part.replace(/[\\.=:]/g, '\\$&')).join('.')
}

function nameOf(path: readonly string[]): string {
  return JSON.stringify(path)
}

function own(container: Container, key: string): unknown {
  return Object.hasOwn(container, key) ? (container as Record<string, unknown>)[key] : undefined
}

/** As a member of its own, whatever it is called. */
function put(container: Container, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true })
}
