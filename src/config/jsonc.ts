/** JSON as people write it: with comments, trailing commas and a byte order mark, each value with its place. */

import { type SourceEntry, type SourceNode, SyntaxProblem } from './source.js'

/** Nothing that a person writes nests deeper, and no text can exhaust the stack. */
const MAX_DEPTH = 200

/** `text` has no byte order mark. Throws `SyntaxProblem`. Undefined for a text of blanks and comments. */
export function parseJsonc(text: string): SourceNode | undefined {
  const start = skipBlanks(text, 0)
  if (start === text.length) return undefined
  const reader = new Reader(text)
  const root = reader.value(start, 0)
  const rest = skipBlanks(text, root.end)
  if (rest < text.length) throw unexpected(text, rest, 'the end of the file')
  return root
}

/** The offset of the first character from `offset` on that is neither blank nor part of a comment. Throws `SyntaxProblem`. */
export function skipBlanks(text: string, offset: number): number {
  let index = offset
  for (;;) {
    const character = text[index]
    if (character === ' ' || character === '\n' || character === '\r' || character === '\t') index++
    else if (character === '/' && text[index + 1] === '/') {
      const end = text.indexOf('\n', index)
      index = end < 0 ? text.length : end
    } else if (character === '/' && text[index + 1] === '*') {
      const end = text.indexOf('*/', index + 2)
      if (end < 0) throw new SyntaxProblem(index, 'this comment has no end')
      index = end + 2
    } else return index
  }
}

const LITERALS = [
  ['true', true],
  ['false', false],
  ['null', null],
] as const

class Reader {
  constructor(private readonly text: string) {}

  value(start: number, depth: number): SourceNode {
    if (depth > MAX_DEPTH) throw new SyntaxProblem(start, `values nest deeper than ${MAX_DEPTH}`)
    const character = this.text[start]
    if (character === '{') return this.#map(start, depth)
    if (character === '[') return this.#list(start, depth)
    if (character === '"') return this.#string(start)
    const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
    number.lastIndex = start
    const [digits] = number.exec(this.text) ?? []
    if (digits !== undefined && !/[\w.]/.test(this.text[start + digits.length] ?? '')) {
      return { kind: 'scalar', start, end: start + digits.length, value: Number(digits) }
    }
    for (const [word, value] of LITERALS) {
      if (!this.text.startsWith(word, start) || /\w/.test(this.text[start + word.length] ?? '')) continue
      return { kind: 'scalar', start, end: start + word.length, value }
    }
    throw unexpected(this.text, start, 'a value')
  }

  #map(start: number, depth: number): SourceNode {
    const entries = new Map<string, SourceEntry>()
    let offset = skipBlanks(this.text, start + 1)
    while (this.text[offset] !== '}') {
      if (this.text[offset] !== '"') throw unexpected(this.text, offset, 'a key in double quotes or }')
      const keyStart = offset
      const key = this.#string(offset)
      const name = key.value as string
      if (entries.has(name))
        throw new SyntaxProblem(keyStart, `the key ${JSON.stringify(name)} is there twice`)
      offset = skipBlanks(this.text, key.end)
      if (this.text[offset] !== ':') throw unexpected(this.text, offset, 'a colon')
      const node = this.value(skipBlanks(this.text, offset + 1), depth + 1)
      entries.set(name, { keyStart, node })
      offset = this.#afterItem(node.end, '}')
    }
    return { kind: 'map', start, end: offset + 1, entries }
  }

  #list(start: number, depth: number): SourceNode {
    const items: SourceNode[] = []
    let offset = skipBlanks(this.text, start + 1)
    while (this.text[offset] !== ']') {
      const node = this.value(offset, depth + 1)
      items.push(node)
      offset = this.#afterItem(node.end, ']')
    }
    return { kind: 'list', start, end: offset + 1, items }
  }

  /** At the next item or at the closing bracket. */
  #afterItem(end: number, close: string): number {
    const offset = skipBlanks(this.text, end)
    if (this.text[offset] === ',') return skipBlanks(this.text, offset + 1)
    if (this.text[offset] !== close) throw unexpected(this.text, offset, `a comma or ${close}`)
    return offset
  }

  #string(start: number): SourceNode & { readonly kind: 'scalar' } {
    let end = start
    do {
      end = this.text.indexOf('"', end + 1)
    } while (end >= 0 && this.#isEscaped(end))
    try {
      if (end >= 0)
        return { kind: 'scalar', start, end: end + 1, value: JSON.parse(this.text.slice(start, end + 1)) }
    } catch {
      // A line break within, or an escape that there is not.
    }
    throw new SyntaxProblem(start, 'this text has no closing quote, or an escape that JSON does not know')
  }

  #isEscaped(quote: number): boolean {
    let backslashes = 0
    while (this.text[quote - 1 - backslashes] === '\\') backslashes++
    return backslashes % 2 === 1
  }
}

function unexpected(text: string, offset: number, expected: string): SyntaxProblem {
  const found = text[offset]
  const word = found === undefined ? undefined : /^(?:\w+|.)/su.exec(text.slice(offset, offset + 40))?.[0]
  return new SyntaxProblem(
    offset,
    `expected ${expected}, found ${word === undefined ? 'the end of the file' : JSON.stringify(word)}`,
  )
}
