/**
 * What `JSON.parse` reads although others read it otherwise: keys that are there twice (RFC 8259, section 4), and numbers that
 * would leave as other ones (section 6). Whoever checked the text before us may have seen something else in it.
 */

/** Says what is ambiguous in a text of which `value` was parsed; undefined where nothing is. */
export function ambiguityOf(text: string, value: unknown): string | undefined {
  // Each request comes here, and nearly all leave again after this line: counting takes a third of looking.
  return isPlainly(text, value) ? undefined : ambiguityIn(text, value)
}

/** As many colons as members: none is in a text, and no key was there before. No number but an id that stands there as it is. */
function isPlainly(text: string, value: unknown): boolean {
  const counts = { members: 0, numbers: 0 }
  count(value, counts)
  let { members } = counts
  for (let at = text.indexOf(':'); at >= 0; at = text.indexOf(':', at + 1)) members--
  return members === 0 && counts.numbers <= (hasPlainId(text, value) ? 1 : 0)
}

/** A text that says this where it is no member is not JSON: there, its quotes have backslashes. */
function hasPlainId(text: string, value: unknown): boolean {
  const id = (value as { readonly id?: unknown } | null)?.id
  if (typeof id !== 'number') return false
  const member = `"id":${id}`
  const at = text.indexOf(member)
  const after = text.charCodeAt(at + member.length)
  return at >= 0 && (after === COMMA || after === CLOSING_BRACE)
}

function count(value: unknown, counts: { members: number; numbers: number }): void {
  if (typeof value === 'number') counts.numbers++
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) for (const item of value) count(item, counts)
  else {
    // What `JSON.parse` makes inherits nothing enumerable.
    for (const key in value) {
      counts.members++
      count((value as Record<string, unknown>)[key], counts)
    }
  }
}

function ambiguityIn(text: string, value: unknown): string | undefined {
  let members = 0
  for (let position = 0; position < text.length; ) {
    const quote = text.indexOf('"', position)
    const end = quote < 0 ? text.length : quote
    let digits = 0
    for (; position < end; position++) {
      const code = text.charCodeAt(position)
      if (code === COLON) members++
      if (code >= 0x30 && code <= 0x39) {
        if (++digits < LONG) continue
      } else if ((code | 0x20) !== 0x65 || digits === 0) {
        digits = 0
        continue
      }
      // Long, or with an exponent: rare, and worth a closer look.
      const start = numberStart(text, position)
      NUMBER.lastIndex = start
      const number = (NUMBER.exec(text) as RegExpExecArray)[0]
      if (!isCarried(number))
        return `the number ${shortened(number)} would not arrive as it is: send it as a text`
      position = start + number.length - 1
      digits = 0
    }
    if (quote < 0) break
    position = endOfText(text, quote)
  }
  // One comparison of counts, so that a text without such keys costs no set for each object.
  const counts = { members: 0, numbers: 0 }
  count(value, counts)
  return members === counts.members ? undefined : `the key ${shortened(repeatedKey(text))} is there twice`
}

const COLON = 0x3a
const COMMA = 0x2c
const CLOSING_BRACE = 0x7d
/** Digits below which every integer is exact. */
const LONG = 16
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/** Nothing but digits, a point and a sign can stand before its exponent, or before its last digit. */
function numberStart(text: string, within: number): number {
  let start = within
  for (; start > 0; start--) {
    const code = text.charCodeAt(start - 1)
    if ((code < 0x30 || code > 0x39) && code !== 0x2e && code !== 0x2d) break
  }
  return start
}

/** Integers exactly, all others as the nearest that there is, which is what is meant by them; but not one kind as the other. */
function isCarried(number: string): boolean {
  const value = Number(number)
  if (!Number.isFinite(value)) return false
  if (/^-?\d+$/.test(number)) return Number.isSafeInteger(value) || String(value) === number
  if (value === 0) return /^-?0(?:\.0+)?(?:[eE]|$)/.test(number)
  return !Number.isInteger(value) || !/\.\d*[1-9]\d*$/.test(number)
}

/** Behind the closing quote: the text is JSON, so that there is one. */
function endOfText(text: string, opening: number): number {
  for (let quote = text.indexOf('"', opening + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (text.charCodeAt(before) === 0x5c) before--
    if (((quote - before) & 1) === 1) return quote + 1
  }
  return text.length
}

/** As JSON. */
function repeatedKey(text: string): string {
  const seen: Set<string>[] = []
  for (let position = 0; position < text.length; position++) {
    const character = text[position]
    if (character === '{' || character === '[') seen.push(new Set())
    else if (character === '}' || character === ']') seen.pop()
    else if (character === '"') {
      const end = endOfText(text, position)
      const after = /[^\s]/.exec(text.slice(end, end + 1_000))?.[0]
      const keys = seen.at(-1)
      if (after === ':' && keys !== undefined) {
        const key = JSON.stringify(JSON.parse(text.slice(position, end)))
        if (keys.has(key)) return key
        keys.add(key)
      }
      position = end - 1
    }
  }
  return '""'
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}...` : text
}
