/** Reads and edits JSON with comments; an edit is a few characters put in or taken out. */

import { parseJsonc, skipBlanks } from './jsonc.js'
import {
  entryOf,
  indentUnitOf,
  lineBreakOf,
  lineStartOf,
  nextLineOf,
  nodeAt,
  type PlainObject,
  type PlainValue,
  type ServersPlace,
  type SourceList,
  type SourceMap,
  type Syntax,
  SyntaxProblem,
  splitMark,
} from './source.js'

export const jsoncSyntax: Syntax = {
  parse: text => parseJsonc(splitMark(text)[1]),
  set: (text, place, name, value) => edited(text, body => set(body, place, name, value)),
  append: (text, path, item) => edited(text, body => append(body, path, item)),
  remove: (text, place, name) => edited(text, body => remove(body, place, name)),
}

function edited(text: string, edit: (body: string) => string): string {
  const [mark, body] = splitMark(text)
  return mark + edit(body)
}

function set(text: string, { path, list }: ServersPlace, name: string, value: PlainObject): string {
  if (list) throw new SyntaxProblem(0, 'lists of servers are not edited in JSON')
  return setAt(text, [...path, name], value)
}

function append(text: string, path: readonly string[], item: PlainObject): string {
  const list = nodeAt(parseJsonc(text), path)
  if (list === undefined) return setAt(text, path, [item])
  if (list.kind !== 'list')
    throw new SyntaxProblem(list.start, `expected ${JSON.stringify(path.join('.'))} to be a list in [ ]`)
  return insert(text, list, undefined, item)
}

function setAt(text: string, path: readonly string[], value: PlainValue): string {
  const root = parseJsonc(text)
  if (root === undefined) {
    const blank = text.trim() === ''
    const whole = nested(path, value)
    const written = JSON.stringify(whole, undefined, indentUnitOf(text)).replaceAll('\n', lineBreakOf(text))
    return `${blank ? '' : text.replace(/\s*$/, lineBreakOf(text))}${written}${lineBreakOf(text)}`
  }
  if (root.kind !== 'map') throw new SyntaxProblem(root.start, 'expected an object in { }')
  // The deepest object on the way that exists already.
  let map: SourceMap = root
  const way = [...path]
  while (way.length > 1) {
    const next = entryOf(map, way[0] as string)?.node
    if (next === undefined) break
    if (next.kind !== 'map')
      throw new SyntaxProblem(next.start, `expected ${JSON.stringify(way[0])} to be an object in { }`)
    map = next
    way.shift()
  }
  const key = way[0] as string
  const inserted = nested(way.slice(1), value)
  const existing = map.entries.get(key)?.node
  if (existing === undefined) return insert(text, map, key, inserted)
  const indent = indentAt(text, existing.start)
  return splice(text, existing.start, existing.end, write(text, inserted, indent))
}

function remove(text: string, { path, list }: ServersPlace, name: string): string {
  if (list) throw new SyntaxProblem(0, 'lists of servers are not edited in JSON')
  const map = nodeAt(parseJsonc(text), path)
  if (map?.kind !== 'map') return text
  const entry = map.entries.get(name)
  if (entry === undefined) return text
  const ends = [...map.entries.values()].map(({ node }) => node.end)
  const before = ends.filter(end => end < entry.keyStart).at(-1)
  const isLast = ends.at(-1) === entry.node.end
  let end = entry.node.end
  const comma = skipBlanks(text, end)
  const hasComma = text[comma] === ','
  if (hasComma) end = comma + 1
  const removed = withoutBlankLines(text, entry.keyStart, end)
  // Without a comma of its own it was the last one, and strict readers take none before the closing bracket.
  if (!isLast || hasComma || before === undefined) return removed
  const commaBefore = skipBlanks(text, before)
  return splice(removed, commaBefore, commaBefore + 1, '')
}

/** Whole lines where nothing else stands on them. */
function withoutBlankLines(text: string, start: number, end: number): string {
  const lineStart = lineStartOf(text, start)
  const nextLine = nextLineOf(text, end)
  const aloneBefore = text.slice(lineStart, start).trim() === ''
  const aloneAfter = text.slice(end, nextLine).trim() === ''
  if (aloneBefore && aloneAfter && nextLine > end) return splice(text, lineStart, nextLine, '')
  // One side's blanks go with it, so that those between its neighbours stay as wide as they were.
  const before = /[ \t]*$/.exec(text.slice(0, start))?.[0].length ?? 0
  return splice(text, aloneBefore ? start : start - before, end, '')
}

/** Behind what a map or, without a key, a list has already. */
function insert(
  text: string,
  holder: SourceMap | SourceList,
  key: string | undefined,
  value: PlainValue,
): string {
  const lineBreak = lineBreakOf(text)
  const close = holder.end - 1
  const label = key === undefined ? '' : `${JSON.stringify(key)}: `
  const inside =
    holder.kind === 'list'
      ? holder.items.map(node => ({ keyStart: node.start, node }))
      : [...holder.entries.values()]
  const last = inside.at(-1)
  const first = inside[0]
  if (last === undefined || first === undefined) {
    const outer = indentAt(text, holder.start)
    const inner = outer + indentUnitOf(text)
    const entry = label + write(text, value, inner)
    const blank = text.slice(holder.start + 1, close)
    // Comments stay where they are.
    const kept = blank.trim() === '' ? '' : blank.replace(/\s+$/, '')
    return splice(text, holder.start + 1, close, `${kept}${lineBreak}${inner}${entry}${lineBreak}${outer}`)
  }
  const comma = skipBlanks(text, last.node.end)
  const trailing = text[comma] === ','
  if (!text.slice(holder.start, close).includes('\n')) {
    const entry = label + JSON.stringify(value)
    const end = trailing ? comma + 1 : last.node.end
    return splice(text, end, end, trailing ? ` ${entry},` : `, ${entry}`)
  }
  const own = text.slice(lineStartOf(text, first.keyStart), first.keyStart)
  const indent = own.trim() === '' ? own : indentAt(text, holder.start) + indentUnitOf(text)
  const entry = label + write(text, value, indent)
  // Behind comments that follow the last entry: they belong to it.
  const end = endOfContent(text, trailing ? comma + 1 : last.node.end, close)
  const closesOnOwnLine = text.slice(lineStartOf(text, close), close).trim() === ''
  const tail = closesOnOwnLine ? '' : lineBreak + indentAt(text, holder.start)
  const withEntry = splice(text, end, end, `${lineBreak}${indent}${entry}${trailing ? ',' : ''}${tail}`)
  return trailing ? withEntry : splice(withEntry, last.node.end, last.node.end, ',')
}

/** Where the last comment between two offsets ends. */
function endOfContent(text: string, from: number, to: number): number {
  let end = from
  while (end < to) {
    const rest = text.slice(end, to)
    const comment = /^\s*(?:\/\/[^\r\n]*|\/\*[\s\S]*?\*\/)/.exec(rest)?.[0]
    if (comment === undefined) break
    end += comment.length
  }
  return end
}

function write(text: string, value: PlainValue, indent: string): string {
  return JSON.stringify(value, undefined, indentUnitOf(text)).replaceAll('\n', lineBreakOf(text) + indent)
}

/** The blanks at the beginning of the line. */
function indentAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStartOf(text, offset), offset))?.[0] ?? ''
}

function nested(path: readonly string[], value: PlainValue): PlainValue {
  // `fromEntries` defines, where an assignment would take some names for something else.
  return path.reduceRight<PlainValue>((inner, key) => Object.fromEntries([[key, inner]]), value)
}

function splice(text: string, start: number, end: number, replacement: string): string {
  return text.slice(0, start) + replacement + text.slice(end)
}
