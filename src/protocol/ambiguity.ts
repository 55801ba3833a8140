/**
 * What `JSON.parse` reads although others read it otherwise: keys that are there twice (RFC 8259, section 4), and numbers that
 * would leave as other ones (section 6). Whoever checked the text before us may have seen something else in it.
 */

/** Says what is ambiguous in a text of which `value` was parsed; undefined where nothing is. */
export function ambiguityOf(text: string, value: unknown): string | undefined {
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
  return members === countMembers(value)
    ? undefined
    : `the key ${shortened(repeatedKey(text))} is there twice`
}

const COLON = 0x3a
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

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) for (const item of value) count += countMembers(item)
  else {
    for (const key of Object.keys(value)) count += 1 + countMembers((value as Record<string, unknown>)[key])
  }
  return count
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
