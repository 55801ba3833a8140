/** The text of a configuration as a tree that knows where each value stands, whatever its syntax. */

import type { Place } from './template.js'

export type SourceNode = SourceMap | SourceList | SourceScalar

export interface SourceMap {
  readonly kind: 'map'
  readonly start: number
  readonly end: number
  readonly entries: ReadonlyMap<string, SourceEntry>
}

export interface SourceEntry {
  readonly keyStart: number
  readonly node: SourceNode
}

export interface SourceList {
  readonly kind: 'list'
  readonly start: number
  readonly end: number
  readonly items: readonly SourceNode[]
}

export interface SourceScalar {
  readonly kind: 'scalar'
  readonly start: number
  readonly end: number
  readonly value: string | number | boolean | null
}

export type PlainValue =
  | string
  | number
  | boolean
  | null
  | readonly PlainValue[]
  | { readonly [key: string]: PlainValue }
export type PlainObject = { readonly [key: string]: PlainValue }

/** Where the servers of a file are: the way to them from the root, and whether they are a list of `{ name, ... }`. */
export interface ServersPlace {
  readonly path: readonly string[]
  readonly list?: boolean
}

/** What a kind of text can do. Offsets count from the first character behind a byte order mark. */
export interface Syntax {
  /** Throws `SyntaxProblem`. Undefined for a text that holds nothing. */
  parse(text: string): SourceNode | undefined
  /** The text with the server of that name set; all around it stays as it is. */
  set(text: string, place: ServersPlace, name: string, value: PlainObject): string
  /** The text with one more item at the end of a list, which may be missing; all around it stays as it is. */
  append(text: string, path: readonly string[], item: PlainObject): string
  /** The text without that server; the same text where there is none. */
  remove(text: string, place: ServersPlace, name: string): string
}

/** A text that cannot be read at all. */
export class SyntaxProblem extends Error {
  override readonly name = 'SyntaxProblem'

  constructor(
    readonly offset: number,
    message: string,
  ) {
    super(message)
  }
}

const BYTE_ORDER_MARK = '\uFEFF'

/** The text without the byte order mark that some editors put before it, and that mark. */
export function splitMark(text: string): readonly [mark: string, rest: string] {
  return text.startsWith(BYTE_ORDER_MARK) ? [BYTE_ORDER_MARK, text.slice(1)] : ['', text]
}

export function placeOf(file: string, text: string, offset: number): Place {
  let line = 1
  let lineStart = 0
  for (let index = text.indexOf('\n'); index >= 0 && index < offset; index = text.indexOf('\n', index + 1)) {
    line++
    lineStart = index + 1
  }
  return { file, line, column: offset - lineStart + 1 }
}

/** The offsets at which lines begin. */
export function lineStartsOf(text: string): readonly number[] {
  const starts = [0]
  for (let index = text.indexOf('\n'); index >= 0; index = text.indexOf('\n', index + 1))
    starts.push(index + 1)
  return starts
}

export function entryOf(node: SourceNode | undefined, key: string): SourceEntry | undefined {
  return node?.kind === 'map' ? node.entries.get(key) : undefined
}

export function nodeAt(root: SourceNode | undefined, path: readonly string[]): SourceNode | undefined {
  let node = root
  for (const key of path) node = entryOf(node, key)?.node
  return node
}

/** As `JSON.parse` would give it; maps have no prototype, so that no key means anything. */
export function toPlain(node: SourceNode): PlainValue {
  if (node.kind === 'scalar') return node.value
  if (node.kind === 'list') return node.items.map(toPlain)
  const plain: Record<string, PlainValue> = Object.create(null)
  for (const [key, { node: value }] of node.entries) plain[key] = toPlain(value)
  return plain
}

/** The line break that the text uses. */
export function lineBreakOf(text: string): string {
  const index = text.indexOf('\n')
  return index > 0 && text[index - 1] === '\r' ? '\r\n' : '\n'
}

/** What one level is indented by. */
export function indentUnitOf(text: string): string {
  const unit = /^(\t+| {1,8})(?=[^\s])/m.exec(text)?.[1]
  return unit === undefined ? '  ' : unit.startsWith('\t') ? '\t' : unit
}

export function lineStartOf(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1
}

/** The offset behind the line break of the line that holds `offset`. */
export function nextLineOf(text: string, offset: number): number {
  const index = text.indexOf('\n', offset)
  return index < 0 ? text.length : index + 1
}
