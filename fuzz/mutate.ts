/** Changes texts, bytes and JSON as people, programs and attackers get them wrong. */

import type { Random } from './random.js'

const MAX_LENGTH = 32_768
/** Some inputs repeat something very often: that is what finds time that grows with the square of a length. */
const MAX_REPEATED = 24_000

const CHARACTERS = [
  '\0',
  '\u0001',
  '\t',
  '\n',
  '\r',
  '\r\n',
  '\u001b',
  ' ',
  '"',
  '\\',
  "'",
  '`',
  ',',
  ';',
  ':',
  '=',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '<',
  '>',
  '/',
  '?',
  '#',
  '%',
  '&',
  '@',
  '$',
  '*',
  '+',
  '-',
  '.',
  '_',
  '~',
  '|',
  '^',
  '0',
  '9',
  'a',
  'Z',
  '\u007f',
  '\u0080',
  '\u0085',
  '\u00a0',
  'é',
  '\u00ff',
  '\u2028',
  '\u2029',
  '\u202e',
  '\u200b',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\ud800',
  '\udc00',
  '\ud83d\ude00',
  '世',
]
const NUMBERS = [
  '0',
  '-0',
  '1',
  '-1',
  '1.0',
  '1.5',
  '01',
  '1e400',
  '-1e400',
  '1e-400',
  '1E5',
  '127',
  '128',
  '255',
  '256',
  '65535',
  '65536',
  '2147483647',
  '2147483648',
  '4294967296',
  '9007199254740991',
  '9007199254740992',
  '9007199254740993',
  '1152921504606846977',
  '12345678901234567890',
  '0.99999999999999999999',
  '4503599627370497.5',
  '1e21',
  '1e308',
  '999999999999999999999999999999',
  'NaN',
  'Infinity',
  '0x10',
]
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'length',
  'then',
  'toJSON',
  '',
]

/** A text of the corpus with some changes; rarely none. */
export function mutateText(random: Random, seeds: readonly string[], tokens: readonly string[] = []): string {
  let text = random.pick(seeds)
  for (let left = random.size(9); left > 0; left--) text = change(random, text, seeds, tokens)
  return text.slice(0, MAX_LENGTH)
}

/** The bytes of a text, some of them changed. */
export function mutateBytes(random: Random, text: string): Uint8Array {
  let bytes: Uint8Array = new TextEncoder().encode(text)
  if (random.chance(0.6) || bytes.length === 0) return bytes
  for (let left = random.size(5); left > 0 && bytes.length > 0; left--) {
    const at = random.below(bytes.length)
    const what = random.below(4)
    if (what === 0) {
      bytes = bytes.slice()
      bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
    } else if (what === 1) {
      bytes = bytes.slice()
      bytes[at] = random.pick([
        0, 0x0a, 0x0d, 0x22, 0x5c, 0x7b, 0x7d, 0x80, 0xbf, 0xc0, 0xc3, 0xed, 0xef, 0xf4, 0xff,
      ])
    } else if (what === 2) {
      const rest = new Uint8Array(bytes.length - 1)
      rest.set(bytes.subarray(0, at))
      rest.set(bytes.subarray(at + 1), at)
      bytes = rest
    } else bytes = bytes.slice(0, at)
  }
  return bytes
}

/** JSON of the corpus with changes to its values, keys and spelling, and to its text. */
export function mutateJson(random: Random, seeds: readonly string[], tokens: readonly string[] = []): string {
  const text = random.pick(seeds)
  if (random.chance(0.3)) return mutateText(random, seeds, tokens)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return mutateText(random, seeds, tokens)
  }
  for (let left = random.size(5); left > 0; left--) value = changeValue(random, value, seeds, 0)
  const written = writeJson(random, value, random.pick([0, 0, 0.02, 0.2]))
  return random.chance(0.15) ? change(random, written, seeds, tokens) : written
}

/** Cuts at random places; often at many, sometimes at none. */
export function chunksOf(random: Random, bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  // One byte at a time is slow, and not for what is long.
  const longest = random.pick(
    bytes.length > 8_192 ? [200, 2_000, bytes.length] : [1, 2, 3, 7, 64, 1_024, bytes.length],
  )
  for (let start = 0; start < bytes.length; ) {
    const end = Math.min(bytes.length, start + 1 + random.below(longest + 1))
    // A copy, so that what is kept of it cannot be found in its neighbours.
    chunks.push(bytes.slice(start, end))
    start = end
  }
  return chunks
}

function change(random: Random, text: string, seeds: readonly string[], tokens: readonly string[]): string {
  const start = random.below(text.length + 1)
  const end = Math.min(text.length, start + random.size(24))
  const [before, piece, after] = [text.slice(0, start), text.slice(start, end), text.slice(end)]
  switch (random.below(14)) {
    case 0:
      return before + after
    case 1:
      return before + piece + piece + after
    case 2:
    case 3:
      return before + word(random, tokens) + piece + after
    case 4:
      return before + word(random, tokens) + after
    case 5:
      return before + random.pick(CHARACTERS) + after
    case 6: {
      const other = random.pick(seeds)
      return before + other.slice(random.below(other.length + 1))
    }
    case 7: {
      const other = random.pick(seeds)
      const from = random.below(other.length + 1)
      return before + other.slice(from, from + random.size(200)) + piece + after
    }
    case 8:
      return random.chance(0.5) ? before : piece + after
    case 9:
      return after + piece + before
    case 10:
      return text.replace(/-?\d+(?:\.\d+)?/, () => random.pick(NUMBERS))
    case 11:
      return before + (random.chance(0.5) ? piece.toUpperCase() : piece.toLowerCase()) + after
    case 12: {
      // Whole words rather than characters.
      const words = text.split(/(\s+|[,;:="'{}[\]()<>/\\]+)/)
      const at = random.below(words.length)
      if (random.chance(0.5)) words.splice(at, 1)
      else words.splice(at, 1, random.chance(0.5) ? word(random, tokens) : random.pick(words))
      return words.join('')
    }
    default: {
      const repeated = random.chance(0.5) ? piece || ' ' : word(random, tokens) || ' '
      const most = random.chance(0.03) ? MAX_REPEATED : 40
      return before + repeated.repeat(1 + random.below(Math.ceil(most / repeated.length))) + after
    }
  }
}

function word(random: Random, tokens: readonly string[]): string {
  if (tokens.length > 0 && random.chance(0.6)) return random.pick(tokens)
  return random.pick(random.pick([CHARACTERS, NUMBERS, NAMES]))
}

/** Numbers as they are written: what JavaScript cannot hold is spelt out. */
class Spelling {
  constructor(readonly text: string) {}
}

function changeValue(random: Random, value: unknown, seeds: readonly string[], depth: number): unknown {
  const inside = typeof value === 'object' && value !== null && !(value instanceof Spelling)
  if (!inside || random.chance(0.15)) return replacement(random, value, seeds)
  if (Array.isArray(value)) {
    if (value.length === 0) return [replacement(random, undefined, seeds)]
    const at = random.below(value.length)
    if (random.chance(0.2)) return value.toSpliced(at, 1)
    if (random.chance(0.2)) return value.toSpliced(at, 0, value[random.below(value.length)])
    return value.with(at, changeValue(random, value[at], seeds, depth + 1))
  }
  const entries = Object.entries(value)
  if (entries.length === 0 || random.chance(0.1))
    return record([...entries, [random.pick(NAMES), replacement(random, undefined, seeds)]])
  const at = random.below(entries.length)
  const [key, inner] = entries[at] as [string, unknown]
  if (random.chance(0.15)) return record(entries.toSpliced(at, 1))
  if (random.chance(0.1))
    return record(
      entries.with(at, [random.pick([...NAMES, key.toUpperCase(), `${key}\ud800`, ` ${key}`]), inner]),
    )
  return record(entries.with(at, [key, changeValue(random, inner, seeds, depth + 1)]))
}

function replacement(random: Random, value: unknown, seeds: readonly string[]): unknown {
  switch (random.below(9)) {
    case 0:
      return random.pick([null, true, false, [], {}, [[]], '', 0])
    case 1:
      return new Spelling(random.pick(NUMBERS.filter(number => /^-?(?:0|[1-9])[\d.eE+-]*$/.test(number))))
    case 2:
      return random.pick([...CHARACTERS, ...NAMES])
    case 3:
      return typeof value === 'string' ? value + random.pick(CHARACTERS) : [value]
    case 4: {
      let nested: unknown = value ?? 1
      for (let left = random.chance(0.1) ? 200 : random.below(8); left > 0; left--)
        nested = random.chance(0.5) ? [nested] : { a: nested }
      return nested
    }
    case 5:
      return { [random.pick(NAMES)]: value ?? 1 }
    case 6:
      return typeof value === 'number' ? String(value) : random.pick(NUMBERS)
    case 7:
      return 'x'.repeat(random.size(random.chance(0.02) ? 80_000 : 100))
    default:
      try {
        return JSON.parse(random.pick(seeds))
      } catch {
        return random.pick(seeds)
      }
  }
}

/** `fromEntries` defines, where an assignment to `__proto__` would do something else. */
function record(entries: readonly (readonly [string, unknown])[]): unknown {
  return Object.fromEntries(entries)
}

/** JSON in all the ways that it may be spelt; `oddity` is how likely each is. */
function writeJson(random: Random, value: unknown, oddity: number): string {
  const blank = () => (random.chance(oddity) ? random.pick([' ', '\t', '\r', '  ', '\n']) : '')
  const write = (inner: unknown): string => {
    if (inner instanceof Spelling) return inner.text
    if (typeof inner === 'string') return spell(inner)
    if (Array.isArray(inner))
      return `[${blank()}${inner.map(item => write(item) + blank()).join(`,${blank()}`)}]`
    if (typeof inner !== 'object' || inner === null) return JSON.stringify(inner) ?? 'null'
    const members = Object.entries(inner).flatMap(([key, item]) => {
      const member = `${spell(key)}${blank()}:${blank()}${write(item)}${blank()}`
      return random.chance(oddity / 4)
        ? [member, random.chance(0.5) ? member : `${spell(key)}:${random.pick(['1', 'null', '"x"'])}`]
        : [member]
    })
    return `{${blank()}${members.join(`,${blank()}`)}}`
  }
  const spell = (text: string): string => {
    const plain = JSON.stringify(text)
    if (!random.chance(oddity) || text === '') return plain
    const at = random.below(text.length)
    const escaped = `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`
    return (
      JSON.stringify(text.slice(0, at)).slice(0, -1) + escaped + JSON.stringify(text.slice(at + 1)).slice(1)
    )
  }
  return blank() + write(value) + blank()
}
