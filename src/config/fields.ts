/** Takes values out of an entry, one after the other; what is left is unknown. Each that cannot work is a problem with its place. */

import type { FieldPath } from './client.js'
import { toPath } from './client.js'
import type { Problem } from './problem.js'
import {
  entryOf,
  lineStartsOf,
  type PlainValue,
  type SourceEntry,
  type SourceMap,
  type SourceNode,
  toPlain,
} from './source.js'
import type { Place } from './template.js'

/** What only those know who use a value; each throws `TypeError` for one that cannot work. Default: it is taken. */
export interface ValueChecks {
  readonly rateLimit?: (value: unknown) => void
  readonly rules?: (value: unknown) => void
}

/** A file that is being read, and what was found wrong with it. */
export class Reading {
  readonly problems: Problem[] = []

  constructor(
    readonly file: string,
    /** Without a byte order mark. */
    readonly text: string,
    readonly checks: ValueChecks = {},
  ) {}

  #lines: readonly number[] | undefined

  place(offset: number): Place {
    // Every reference has a place, and files may have megabytes: lines are looked for once.
    this.#lines ??= lineStartsOf(this.text)
    let [line, end] = [0, this.#lines.length]
    while (line + 1 < end) {
      const middle = (line + end) >> 1
      if ((this.#lines[middle] as number) <= offset) line = middle
      else end = middle
    }
    return { file: this.file, line: line + 1, column: offset - (this.#lines[line] as number) + 1 }
  }

  /** Adds what a check finds wrong with a value. */
  check(kind: keyof ValueChecks, value: unknown, offset: number, owner: string): void {
    try {
      this.checks[kind]?.(value)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error
      this.error(offset, `${owner}: ${kind}: ${error.message}`)
    }
  }

  error(offset: number, message: string): void {
    this.problems.push({ severity: 'error', place: this.place(offset), message })
  }

  warn(offset: number, message: string): void {
    this.problems.push({ severity: 'warning', place: this.place(offset), message })
  }
}

export interface TextAt {
  readonly text: string
  readonly start: number
}

export class Fields {
  readonly #taken = new Set<string>()
  readonly #map: SourceMap & { readonly entries: Map<string, SourceEntry> }

  constructor(
    readonly reading: Reading,
    /** As it is named in messages: `server "github"`. */
    readonly owner: string,
    map: SourceMap,
  ) {
    this.#map = { ...map, entries: new Map(map.entries) }
  }

  /** Entries that stand elsewhere and count as if they stood here, unless one of that name does. */
  adopt(entries: ReadonlyMap<string, SourceEntry>): void {
    for (const [key, entry] of entries) if (!this.#map.entries.has(key)) this.#map.entries.set(key, entry)
  }

  replace(key: string, entry: SourceEntry): void {
    this.#map.entries.set(key, entry)
  }

  warnAt(offset: number, message: string): void {
    this.reading.warn(offset, `${this.owner}: ${message}`)
  }

  errorAt(offset: number, message: string): void {
    this.reading.error(offset, `${this.owner}: ${message}`)
  }

  has(field: FieldPath): boolean {
    return this.find(field) !== undefined
  }

  /** The value at a path, without taking it. */
  find(field: FieldPath): SourceEntry | undefined {
    let map: SourceNode = this.#map
    const path = toPath(field)
    for (const [index, key] of path.entries()) {
      const entry = entryOf(map, key)
      if (entry === undefined || index === path.length - 1) return entry
      map = entry.node
    }
    return undefined
  }

  /** The value, which then counts as known; `null` is as if it was not there. */
  take(field: FieldPath): SourceEntry | undefined {
    const entry = this.find(field)
    if (entry === undefined) return undefined
    this.#taken.add(JSON.stringify(toPath(field)))
    return entry.node.kind === 'scalar' && entry.node.value === null ? undefined : entry
  }

  error(entry: SourceEntry, field: FieldPath, expected: string): undefined {
    const found = describe(entry.node)
    this.reading.error(
      entry.node.start,
      `${this.owner}: ${nameOf(field)} must be ${expected}; found ${found}`,
    )
    return undefined
  }

  /** Numbers and booleans are taken as the text that they are written with; `secret` texts stay out of messages. */
  text(field: FieldPath): TextAt | undefined {
    const entry = this.take(field)
    return entry === undefined ? undefined : this.textOf(entry, field)
  }

  texts(field: FieldPath): readonly TextAt[] | undefined {
    const entry = this.take(field)
    if (entry === undefined) return undefined
    if (entry.node.kind !== 'list') return this.error(entry, field, 'a list of texts')
    return entry.node.items.flatMap((node, index) => {
      const text = this.textOf({ keyStart: node.start, node }, `${nameOf(field)}[${index}]`)
      return text === undefined ? [] : [text]
    })
  }

  textMap(field: FieldPath): ReadonlyMap<string, TextAt> | undefined {
    const entry = this.take(field)
    if (entry === undefined) return undefined
    if (entry.node.kind !== 'map') return this.error(entry, field, 'a map of texts')
    const values = new Map<string, TextAt>()
    for (const [key, inner] of entry.node.entries) {
      if (inner.node.kind === 'scalar' && inner.node.value === null) continue
      const text = this.textOf(inner, `${nameOf(field)}.${key}`)
      if (text !== undefined) values.set(key, text)
    }
    return values
  }

  flag(field: FieldPath): boolean | undefined {
    const entry = this.take(field)
    if (entry === undefined) return undefined
    if (entry.node.kind === 'scalar' && typeof entry.node.value === 'boolean') return entry.node.value
    return this.error(entry, field, 'true or false')
  }

  number(field: FieldPath, expected: string, isValid: (value: number) => boolean): number | undefined {
    const entry = this.take(field)
    if (entry === undefined) return undefined
    const value = entry.node.kind === 'scalar' ? entry.node.value : undefined
    if (typeof value === 'number' && Number.isFinite(value) && isValid(value)) return value
    return this.error(entry, field, expected)
  }

  oneOf<const T extends string>(field: FieldPath, choices: readonly T[]): T | undefined {
    const entry = this.take(field)
    if (entry === undefined) return undefined
    const value = entry.node.kind === 'scalar' ? entry.node.value : undefined
    const choice = choices.find(candidate => candidate === value)
    return choice ?? this.error(entry, field, choices.map(word => JSON.stringify(word)).join(' or '))
  }

  /** Keys that nobody asked for, with all that is left below those of which a part was taken. */
  rest(): ReadonlyMap<
    string,
    { readonly entry: SourceEntry; readonly value: PlainValue; readonly isPart: boolean }
  > {
    const rest = new Map<string, { entry: SourceEntry; value: PlainValue; isPart: boolean }>()
    for (const [key, entry] of this.#map.entries) {
      if (this.#taken.has(JSON.stringify([key]))) continue
      const inner = entry.node
      if (inner.kind === 'map') {
        const left = [...inner.entries].filter(([name]) => !this.#taken.has(JSON.stringify([key, name])))
        const isPart = left.length < inner.entries.size
        if (isPart && left.length === 0) continue
        const value = Object.fromEntries(left.map(([name, { node }]) => [name, toPlain(node)]))
        rest.set(key, { entry, value, isPart })
      } else rest.set(key, { entry, value: toPlain(inner), isPart: false })
    }
    return rest
  }

  textOf(entry: SourceEntry, field: FieldPath): TextAt | undefined {
    const { node } = entry
    const value = node.kind === 'scalar' ? node.value : undefined
    if (typeof value === 'string') return { text: value, start: node.start }
    if (typeof value !== 'number' && typeof value !== 'boolean') return this.error(entry, field, 'a text')
    this.reading.warn(
      node.start,
      `${this.owner}: ${nameOf(field)} is ${describe(node)}; most clients take texts only, in quotes`,
    )
    return { text: this.reading.text.slice(node.start, node.end), start: node.start }
  }
}

export function nameOf(field: FieldPath): string {
  return toPath(field).join('.')
}

/** What stands there, without telling a text that may be secret. */
export function describe(node: SourceNode): string {
  if (node.kind === 'map') return 'a map'
  if (node.kind === 'list') return 'a list'
  if (node.value === null) return 'null'
  if (typeof node.value === 'string') return 'a text'
  return `${typeof node.value === 'number' ? 'the number ' : ''}${node.value}`
}
