/** Reads and edits YAML. */

import {
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseDocument,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml'
import {
  lineBreakOf,
  lineStartOf,
  nextLineOf,
  type PlainObject,
  type ServersPlace,
  type SourceEntry,
  type SourceNode,
  type Syntax,
  SyntaxProblem,
  splitMark,
} from './source.js'

export const yamlSyntax: Syntax = {
  parse(text) {
    const document = parse(splitMark(text)[1])
    return document.contents === null
      ? undefined
      : readNode(document.contents as Node, { document, values: 0 }, 0)
  },
  set(text, place, name, value) {
    const [mark, body] = splitMark(text)
    return mark + set(body, place, name, value)
  },
  append(text, path, item) {
    const [mark, body] = splitMark(text)
    return mark + put(body, path, [item], (holder, pair) => setItem(body, holder, item, undefined, pair))
  },
  remove(text, place, name) {
    const [mark, body] = splitMark(text)
    return mark + remove(body, place, name)
  },
}

type Document = ReturnType<typeof parseDocument>

/** Aliases stand for what they name; more nesting than this is a trap, and so are more values. */
const MAX_DEPTH = 100
const MAX_VALUES = 100_000

function parse(text: string): Document {
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: false })
  const [error] = document.errors
  if (error !== undefined) {
    throw new SyntaxProblem(error.pos[0], error.message.charAt(0).toLowerCase() + error.message.slice(1))
  }
  return document
}

interface Walk {
  readonly document: Document
  /** Those read so far. */
  values: number
}

function readNode(node: Node | null, walk: Walk, depth: number): SourceNode {
  const [start, end] = rangeOf(node)
  if (depth > MAX_DEPTH) throw new SyntaxProblem(start, `values nest deeper than ${MAX_DEPTH}`)
  // Ten aliases in each of ten lists are ten thousand million values.
  if (++walk.values > MAX_VALUES) throw new SyntaxProblem(start, `there are more than ${MAX_VALUES} values`)
  if (isAlias(node)) {
    // Each is looked for in the whole document.
    walk.values += 100
    const target = node.resolve(walk.document)
    if (target === undefined) throw new SyntaxProblem(start, `nothing is named &${node.source}`)
    return readNode(target, walk, depth + 10)
  }
  if (isMap(node)) {
    const entries = new Map<string, SourceEntry>()
    for (const { key, value } of node.items) {
      // As a text, a key that is a map with such keys has the length of two to the power of their number.
      if (!isScalar(key)) throw new SyntaxProblem(rangeOf(key as Node)[0], 'a key must be a plain text')
      const name = String(key.value)
      entries.set(name, {
        keyStart: rangeOf(key as Node)[0],
        node: readNode(value as Node | null, walk, depth + 1),
      })
    }
    return { kind: 'map', start, end, entries }
  }
  if (isSeq(node)) {
    return {
      kind: 'list',
      start,
      end,
      items: node.items.map(item => readNode(item as Node, walk, depth + 1)),
    }
  }
  const value = isScalar(node) ? node.value : null
  const plain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return { kind: 'scalar', start, end, value: plain ? value : value === null ? null : String(value) }
}

function rangeOf(node: Node | null | undefined): readonly [start: number, valueEnd: number, end: number] {
  return node?.range ?? [0, 0, 0]
}

/** Puts into what stands at a path: whole where there is nothing yet, else as `add` does it. */
function put(
  text: string,
  path: readonly string[],
  whole: unknown,
  add: (holder: Node, pair: Pair | undefined) => string,
): string {
  const document = parse(text)
  if (document.contents === null) {
    const lineBreak = lineBreakOf(text)
    const written = block(nested(path, whole), '', lineBreak)
    return `${text === '' || text.endsWith('\n') ? text : text + lineBreak}${written}`
  }
  let holder = document.contents as Node
  const way = [...path]
  let pair: Pair | undefined
  while (way.length > 0) {
    if (!isMap(holder)) throw new SyntaxProblem(rangeOf(holder)[0], `expected a map with the key ${way[0]}`)
    const next = pairOf(holder, way[0] as string)
    if (next === undefined) return insertPair(text, holder, way[0] as string, nested(way.slice(1), whole))
    pair = next
    way.shift()
    if (isEmpty(next.value as Node | null)) return fillPair(text, next, nested(way, whole))
    holder = next.value as Node
  }
  return add(holder, pair)
}

function set(text: string, place: ServersPlace, name: string, value: PlainObject): string {
  if (place.list) {
    const item = { name, ...value }
    return put(text, place.path, [item], (holder, pair) =>
      setItem(text, holder, item, isSeq(holder) ? itemOf(holder, name) : undefined, pair),
    )
  }
  return put(text, place.path, Object.fromEntries([[name, value]]), holder =>
    setPair(text, holder, name, value),
  )
}

function setPair(text: string, holder: Node, name: string, value: PlainObject): string {
  if (!isMap(holder)) throw new SyntaxProblem(rangeOf(holder)[0], 'expected a map of servers')
  const existing = pairOf(holder, name)
  if (existing === undefined) return insertPair(text, holder, name, value)
  const key = existing.key as Node
  if (holder.flow) {
    const [start, end] = rangeOf(existing.value as Node)
    return splice(text, start, end, JSON.stringify(value))
  }
  const [start, end] = linesOf(text, rangeOf(key)[0], existing.value as Node | null, key)
  return splice(
    text,
    start,
    end,
    block(Object.fromEntries([[name, value]]), columnOf(text, key), lineBreakOf(text)),
  )
}

/** Items of a list of servers know their names themselves. */
function setItem(
  text: string,
  holder: Node,
  item: PlainObject,
  existing: Node | undefined,
  pair: Pair | undefined,
): string {
  if (!isSeq(holder)) throw new SyntaxProblem(rangeOf(holder)[0], 'expected a list')
  const lineBreak = lineBreakOf(text)
  if (holder.flow) {
    const last = holder.items.at(-1) as Node | undefined
    if (existing !== undefined) {
      const [start, end] = rangeOf(existing)
      return splice(text, start, end, JSON.stringify(item))
    }
    if (last === undefined) return fillPair(text, pair as Pair, [item])
    return splice(text, rangeOf(last)[1], rangeOf(last)[1], `, ${JSON.stringify(item)}`)
  }
  const first = holder.items[0] as Node
  const indent = indentOf(text, first)
  const written = block([item], indent, lineBreak)
  if (existing === undefined) return insertLines(text, endOfLines(text, holder.items.at(-1) as Node), written)
  const start = lineStartOf(text, rangeOf(existing)[0])
  return splice(text, start, endOfLines(text, existing), written)
}

function remove(text: string, { path, list }: ServersPlace, name: string): string {
  const document = parse(text)
  let holder = document.contents as Node | null
  let pair: Pair | undefined
  for (const key of path) {
    pair = isMap(holder) ? pairOf(holder, key) : undefined
    holder = (pair?.value as Node | null | undefined) ?? null
  }
  const items: readonly unknown[] = isMap(holder) || isSeq(holder) ? holder.items : []
  const found =
    list && isSeq(holder) ? itemOf(holder, name) : isMap(holder) ? pairOf(holder, name) : undefined
  if (found === undefined || !(isMap(holder) || isSeq(holder)) || pair === undefined) return text
  const key = isPair(found) ? (found.key as Node) : found
  const value = isPair(found) ? ((found.value as Node | null) ?? key) : found
  if (items.length === 1) {
    // An empty block cannot be written; an empty map or list of one line can.
    if (holder.flow) return splice(text, rangeOf(holder)[0], rangeOf(holder)[1], list ? '[]' : '{}')
    const [start, end] = linesOf(text, rangeOf(key)[0], value, key)
    const emptied = splice(text, start, end, '')
    const at = colonAfter(text, pair)
    return splice(emptied, at, at, list ? ' []' : ' {}')
  }
  if (holder.flow) {
    const index = items.indexOf(found)
    return index === items.length - 1
      ? splice(text, endOfItem(items[index - 1]), endOfItem(found), '')
      : splice(text, startOfItem(found), startOfItem(items[index + 1]), '')
  }
  const [start, end] = linesOf(text, rangeOf(key)[0], value, key)
  return splice(text, start, end, '')
}

/** Of a pair or of an item of a list. */
function startOfItem(item: unknown): number {
  return rangeOf(isPair(item) ? (item.key as Node) : (item as Node))[0]
}

function endOfItem(item: unknown): number {
  return rangeOf(isPair(item) ? ((item.value ?? item.key) as Node) : (item as Node))[1]
}

/** Puts a pair behind the last one of a map. */
function insertPair(text: string, map: YAMLMap, key: string, value: unknown): string {
  const last = map.items.at(-1)
  if (map.flow || last === undefined) {
    const entry = `${JSON.stringify(key)}: ${JSON.stringify(value)}`
    const lastNode = (last?.value ?? last?.key) as Node | undefined
    if (lastNode === undefined) return splice(text, rangeOf(map)[0], rangeOf(map)[1], `{ ${entry} }`)
    const at = rangeOf(lastNode)[1]
    return splice(text, at, at, `, ${entry}`)
  }
  const first = map.items[0]?.key as Node
  const indent = columnOf(text, first)
  const written = block(Object.fromEntries([[key, value]]), indent, lineBreakOf(text))
  return insertLines(text, endOfLines(text, (last.value ?? last.key) as Node), written)
}

/** Gives a key without a value, or with an empty one, its value. */
function fillPair(text: string, pair: Pair, value: unknown): string {
  const lineBreak = lineBreakOf(text)
  const key = pair.key as Node
  const node = pair.value as Node | null
  const at = colonAfter(text, pair)
  const indent = columnOf(text, key)
  const [start, end] = rangeOf(node)
  const emptied = node === null || end <= start ? text : splice(text, start, end, '')
  const line = nextLineOf(emptied, at)
  const tidy = /^[ \t]+(?=\r?\n|$)/.exec(emptied.slice(at))?.[0].length ?? 0
  const clean = splice(emptied, at, at + tidy, '')
  return insertLines(clean, Math.min(line - tidy, clean.length), block(value, `${indent}  `, lineBreak))
}

function insertLines(text: string, at: number, lines: string): string {
  const lineBreak = lineBreakOf(text)
  return at > 0 && text[at - 1] !== '\n'
    ? splice(text, at, at, lineBreak + lines)
    : splice(text, at, at, lines)
}

/** Behind the colon of a pair. */
function colonAfter(text: string, pair: Pair): number {
  return text.indexOf(':', rangeOf(pair.key as Node)[1]) + 1
}

/** The whole lines from a key to the end of its value. */
function linesOf(text: string, keyStart: number, value: Node | null, key: Node): readonly [number, number] {
  return [lineStartOf(text, keyStart), endOfLines(text, value ?? key)]
}

function endOfLines(text: string, node: Node): number {
  const [, valueEnd] = rangeOf(node)
  // A block ends behind its last line break already.
  return text[valueEnd - 1] === '\n' ? valueEnd : nextLineOf(text, valueEnd)
}

function pairOf(map: YAMLMap, key: string): Pair | undefined {
  return map.items.find(pair => isScalar(pair.key) && String(pair.key.value) === key)
}

function itemOf(list: YAMLSeq, name: string): Node | undefined {
  return list.items.find(item => isMap(item) && item.get('name') === name) as Node | undefined
}

function isEmpty(node: Node | null): boolean {
  if (node === null) return true
  if (isMap(node) || isSeq(node)) return node.items.length === 0
  return isScalar(node) && node.value === null
}

/** The blanks before a key. */
function columnOf(text: string, key: Node): string {
  const [start] = rangeOf(key)
  return ' '.repeat(start - lineStartOf(text, start))
}

/** The blanks before the dash of an item. */
function indentOf(text: string, item: Node): string {
  const [start] = rangeOf(item)
  return /^[ ]*/.exec(text.slice(lineStartOf(text, start), start))?.[0] ?? ''
}

function block(value: unknown, indent: string, lineBreak: string): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false, compat: 'yaml-1.1' })
    .replace(/\n$/, '')
    .split('\n')
    .map(line => (line === '' ? '' : indent + line) + lineBreak)
    .join('')
}

function nested(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, key) => Object.fromEntries([[key, inner]]), value)
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end)
}
