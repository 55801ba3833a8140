/** Reads and edits TOML. */

import { type AST, ParseError, parseTOML } from 'toml-eslint-parser'
import {
  lineBreakOf,
  lineStartOf,
  nextLineOf,
  type PlainObject,
  type PlainValue,
  type ServersPlace,
  type SourceEntry,
  type SourceNode,
  type Syntax,
  SyntaxProblem,
  splitMark,
} from './source.js'

export const tomlSyntax: Syntax = {
  parse: text => readTree(parse(splitMark(text)[1])),
  set(text, place, name, value) {
    const [mark, body] = splitMark(text)
    return mark + set(body, place, name, value)
  },
  append() {
    throw new SyntaxProblem(0, 'inputs are not declared in TOML')
  },
  remove(text, place, name) {
    const [mark, body] = splitMark(text)
    return mark + remove(body, [...place.path, name])
  },
}

function parse(text: string): AST.TOMLProgram {
  try {
    return parseTOML(text, { tomlVersion: '1.0' })
  } catch (error) {
    if (!(error instanceof ParseError)) throw error
    const message = error.message.charAt(0).toLowerCase() + error.message.slice(1)
    throw new SyntaxProblem(Math.min(error.index, text.length), message)
  }
}

interface Table {
  readonly kind: 'map'
  readonly start: number
  readonly end: number
  readonly entries: Map<string, SourceEntry>
}

/** Tables are written in pieces all over the file: the tree puts them together. */
function readTree(program: AST.TOMLProgram): SourceNode {
  const [top] = program.body
  const root = table(0, program.range[1])
  for (const node of top.body) {
    if (node.type === 'TOMLKeyValue') addValue(root, node)
    else {
      const inner = descend(root, node)
      for (const pair of node.body) addValue(inner, pair)
    }
  }
  return root
}

function descend(root: Table, node: AST.TOMLTable): Table {
  let current = root
  const keys = node.key.keys
  keys.forEach((key, index) => {
    const name = textOf(key)
    const entry = current.entries.get(name)
    const last = index === keys.length - 1
    if (last && node.kind === 'array') {
      const inner = table(node.range[0], node.range[1])
      const before = entry?.node.kind === 'list' ? entry.node.items : []
      current.entries.set(name, {
        keyStart: entry?.keyStart ?? key.range[0],
        node: { kind: 'list', start: node.range[0], end: node.range[1], items: [...before, inner] },
      })
      current = inner
      return
    }
    current = childOf(current, name, key.range[0], node.range)
  })
  return current
}

function addValue(into: Table, pair: AST.TOMLKeyValue): void {
  const keys = pair.key.keys
  let current = into
  for (const key of keys.slice(0, -1)) current = childOf(current, textOf(key), key.range[0], pair.range)
  const last = keys.at(-1) as (typeof keys)[number]
  current.entries.set(textOf(last), { keyStart: last.range[0], node: readValue(pair.value) })
}

/** The table of that name, made where there is none; of an array of tables the last one. */
function childOf(of: Table, name: string, keyStart: number, range: AST.Range): Table {
  const node = of.entries.get(name)?.node
  if (node?.kind === 'map') return node as Table
  if (node?.kind === 'list') return node.items.at(-1) as Table
  const made = table(range[0], range[1])
  of.entries.set(name, { keyStart, node: made })
  return made
}

function readValue(node: AST.TOMLContentNode): SourceNode {
  const [start, end] = node.range
  if (node.type === 'TOMLArray') return { kind: 'list', start, end, items: node.elements.map(readValue) }
  if (node.type === 'TOMLInlineTable') {
    const inner = table(start, end)
    for (const pair of node.body) addValue(inner, pair)
    return inner
  }
  const value = node.value instanceof Date ? node.value.toISOString() : node.value
  return { kind: 'scalar', start, end, value }
}

function table(start: number, end: number): Table {
  return { kind: 'map', start, end, entries: new Map() }
}

function textOf(key: AST.TOMLBare | AST.TOMLQuoted): string {
  return key.type === 'TOMLBare' ? key.name : key.value
}

function set(text: string, { path }: ServersPlace, name: string, value: PlainObject): string {
  const lineBreak = lineBreakOf(text)
  const [top] = parse(text).body
  const full = [...path, name]
  const pieces = piecesOf(top, full)
  const [leading, ...others] = pieces
  if (leading !== undefined && leading.kind !== 'table') {
    // Written as a value, or key by key: it becomes a value in the place of the first, so that it stays where its table ends.
    let edited = text
    for (const piece of others.reverse()) edited = cut(edited, piece)
    const written =
      leading.kind === 'value'
        ? formatTable(value)
        : `${leading.relative.map(formatKey).join('.')} = ${formatTable(value)}`
    return splice(edited, leading.start, leading.end, written)
  }
  const block = formatBlock(full, value).join(lineBreak)
  const first = pieces.find(piece => piece.kind === 'table')
  if (first !== undefined) {
    let edited = text
    for (const piece of pieces.filter(piece => piece !== first).reverse()) edited = cut(edited, piece)
    return splice(edited, first.start, first.end, block)
  }
  const holder = inlineHolder(top, path)
  if (holder !== undefined) {
    const entry = `${formatKey(name)} = ${formatTable(value)}`
    const last = holder.body.at(-1)
    return last === undefined
      ? splice(text, holder.range[0], holder.range[1], `{ ${entry} }`)
      : splice(text, last.range[1], last.range[1], `, ${entry}`)
  }
  // Behind the last server, or at the end of the file.
  const sibling = top.body.filter(node => node.type === 'TOMLTable' && startsWith(keysOf(node), path)).at(-1)
  const at = sibling === undefined ? text.length : nextLineOf(text, sibling.range[1])
  const before = text.slice(0, at)
  const gap = before.trim() === '' ? '' : before.endsWith('\n') ? lineBreak : lineBreak + lineBreak
  return splice(text, at, at, `${gap}${block}${lineBreak}`)
}

function remove(text: string, full: readonly string[]): string {
  const [top] = parse(text).body
  let edited = text
  for (const piece of piecesOf(top, full).reverse()) edited = cut(edited, piece)
  return edited
}

interface Piece {
  readonly kind: 'table' | 'value' | 'dotted'
  /** In an inline table, where commas part what is in it. */
  readonly inline?: boolean
  /** The keys that lead to it from the table around it. */
  readonly relative: readonly string[]
  readonly start: number
  readonly end: number
  /** What goes with it where it is taken out. */
  readonly cutStart: number
  readonly cutEnd: number
}

/** All places that a table is written in, in the order of the file. */
function piecesOf(top: AST.TOMLTopLevelTable, full: readonly string[]): Piece[] {
  const pieces: Piece[] = []
  const addPairs = (pairs: readonly AST.TOMLKeyValue[], prefix: readonly string[], inline: boolean) => {
    pairs.forEach((pair, index) => {
      const keys = [...prefix, ...pair.key.keys.map(textOf)]
      if (startsWith(keys, full)) {
        const whole = keys.length === full.length
        const [start, end] = whole ? pair.value.range : pair.range
        const next = pairs[index + 1]
        const previous = pairs[index - 1]
        const [cutStart, cutEnd] = !inline
          ? pair.range
          : next !== undefined
            ? [pair.range[0], next.range[0]]
            : previous !== undefined
              ? [previous.range[1], pair.range[1]]
              : pair.range
        pieces.push({
          kind: whole ? 'value' : 'dotted',
          inline,
          relative: full.slice(prefix.length),
          start,
          end,
          cutStart,
          cutEnd,
        })
      } else if (startsWith(full, keys) && pair.value.type === 'TOMLInlineTable') {
        addPairs(pair.value.body, keys, true)
      }
    })
  }
  for (const node of top.body) {
    if (node.type === 'TOMLKeyValue') addPairs([node], [], false)
    else if (startsWith(keysOf(node), full)) {
      const [start, end] = node.range
      pieces.push({ kind: 'table', relative: full, start, end, cutStart: start, cutEnd: end })
    } else if (startsWith(full, keysOf(node))) addPairs(node.body, keysOf(node), false)
  }
  return pieces
}

/** Takes out a piece: whole lines where nothing else is on them, and one of two empty lines that then meet. */
function cut(text: string, piece: Piece): string {
  const { kind, inline, cutStart, cutEnd } = piece
  if (inline || (kind !== 'table' && !isWholeLine(text, piece))) return splice(text, cutStart, cutEnd, '')
  const start = lineStartOf(text, cutStart)
  let end = nextLineOf(text, cutEnd)
  const before = text.slice(0, start)
  const gapBefore = before === '' || /\n\r?\n$/.test(before) || before.trim() === ''
  const blank = /^[ \t]*\r?\n/.exec(text.slice(end))?.[0]
  if (gapBefore && blank !== undefined) end += blank.length
  else if (end === text.length && /\n\r?\n$/.test(before)) {
    return text.slice(0, start).replace(/\r?\n$/, '')
  }
  return splice(text, start, end, '')
}

function isWholeLine(text: string, { cutStart, cutEnd }: Piece): boolean {
  const after = text.slice(cutEnd, nextLineOf(text, cutEnd)).trim()
  return (
    text.slice(lineStartOf(text, cutStart), cutStart).trim() === '' && (after === '' || after.startsWith('#'))
  )
}

/** The inline table at `path`: no header can add to it. */
function inlineHolder(top: AST.TOMLTopLevelTable, path: readonly string[]): AST.TOMLInlineTable | undefined {
  const find = (
    pairs: readonly AST.TOMLKeyValue[],
    prefix: readonly string[],
  ): AST.TOMLInlineTable | undefined => {
    for (const pair of pairs) {
      const keys = [...prefix, ...pair.key.keys.map(textOf)]
      if (!startsWith(path, keys) || pair.value.type !== 'TOMLInlineTable') continue
      return keys.length === path.length ? pair.value : find(pair.value.body, keys)
    }
    return undefined
  }
  for (const node of top.body) {
    const found =
      node.type === 'TOMLKeyValue'
        ? find([node], [])
        : startsWith(path, keysOf(node))
          ? find(node.body, keysOf(node))
          : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function keysOf(node: AST.TOMLTable): string[] {
  return node.key.keys.map(textOf)
}

function startsWith(keys: readonly string[], prefix: readonly string[]): boolean {
  return keys.length >= prefix.length && prefix.every((key, index) => keys[index] === key)
}

function formatBlock(full: readonly string[], value: PlainObject): string[] {
  return [
    `[${full.map(formatKey).join('.')}]`,
    ...Object.entries(value).map(([key, item]) => `${formatKey(key)} = ${formatValue(item)}`),
  ]
}

function formatTable(value: PlainObject): string {
  const pairs = Object.entries(value).map(([key, item]) => `${formatKey(key)} = ${formatValue(item)}`)
  return pairs.length === 0 ? '{}' : `{ ${pairs.join(', ')} }`
}

function formatKey(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : formatText(key)
}

function formatValue(value: PlainValue): string {
  if (typeof value === 'string') return formatText(value)
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  if (value === null) throw new TypeError('TOML has no null')
  if (Array.isArray(value)) return `[${value.map(formatValue).join(', ')}]`
  return formatTable(value as PlainObject)
}

/** A basic string. JSON's escapes are TOML's, but for the delete character, which TOML wants escaped. */
function formatText(text: string): string {
  return JSON.stringify(text).replaceAll('\u007F', '\\u007F')
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end)
}
