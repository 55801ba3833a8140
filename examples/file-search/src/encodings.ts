/** What the bytes of a file mean: a byte order mark says so; otherwise it is UTF-8 where it can be, and Latin-1 (as browsers have it) where it cannot. */

export type Encoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252'

export interface Mark {
  readonly encoding: Encoding
  /** Bytes of the mark. */
  readonly length: number
}

export function markOf(head: Buffer): Mark | undefined {
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return { encoding: 'utf-8', length: 3 }
  if (head[0] === 0xff && head[1] === 0xfe) return { encoding: 'utf-16le', length: 2 }
  if (head[0] === 0xfe && head[1] === 0xff) return { encoding: 'utf-16be', length: 2 }
  return undefined
}

export interface Text {
  readonly text: string
  readonly encoding: Encoding
}

/** Bytes without a mark: of a line, or of some lines. */
export function decoded(bytes: Buffer): Text {
  try {
    return { text: UTF_8.decode(bytes), encoding: 'utf-8' }
  } catch {
    return { text: LATIN_1.decode(bytes), encoding: 'windows-1252' }
  }
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const LATIN_1 = new TextDecoder('windows-1252')

/** Whether these are the bytes of something else than text: text has no NUL, but in UTF-16, which has a mark. */
export function isBinary(head: Buffer): boolean {
  const mark = markOf(head)
  return (mark === undefined || mark.encoding === 'utf-8') && head.includes(0)
}

/** The nearest beginning of a character of UTF-8 before this place; at most three bytes off, so that in other bytes it does no harm. */
export function wholeCharacter(bytes: Buffer, at: number): number {
  let place = at
  while (place > at - 3 && place > 0 && ((bytes[place] ?? 0) & 0xc0) === 0x80) place--
  return place
}
