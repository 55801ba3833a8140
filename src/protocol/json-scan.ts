/**
 * Walks JSON in UTF-8 bytes without building anything, to learn where the members of an object lie. It accepts
 * exactly what RFC 8259 does (given valid UTF-8), so that bytes which passed can be sent on or parsed later.
 */

export class JsonScanError extends Error {
  override readonly name = 'JsonScanError'

  constructor(
    readonly reason: 'malformed' | 'too-deep',
    /** Byte offset. */
    readonly position: number,
  ) {
    super(reason === 'malformed' ? `Malformed JSON at byte ${position}` : `JSON nested too deeply`)
  }
}

/** Where a member of an object lies: byte offsets of its key's quote, its value, and the end of its value. */
export interface Member {
  readonly key: string
  readonly start: number
  readonly value: number
  readonly end: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Decodes bytes that are valid UTF-8. Throws `TypeError` where they are not. A byte order mark is kept. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

const TRUE = [0x74, 0x72, 0x75, 0x65]
const FALSE = [0x66, 0x61, 0x6c, 0x73, 0x65]
const NULL = [0x6e, 0x75, 0x6c, 0x6c]

export class JsonScanner {
  readonly #bytes: Uint8Array
  /** The same memory four bytes at a time, which makes long strings three times as fast to check. */
  readonly #words: Int32Array
  /** What to add to a byte offset to get its distance from the first word. */
  readonly #shift: number
  readonly #wordsEnd: number
  readonly #maxDepth: number
  /** 1 where the container at that depth is an object. */
  readonly #objects: Uint8Array

  constructor(bytes: Uint8Array, maxDepth: number) {
    this.#bytes = bytes
    const first = (bytes.byteOffset + 3) & ~3
    this.#shift = bytes.byteOffset - first
    const count = Math.max(0, (bytes.byteLength + this.#shift) >> 2)
    this.#words = new Int32Array(bytes.buffer, count === 0 ? 0 : first, count)
    this.#wordsEnd = count * 4 - this.#shift
    this.#maxDepth = maxDepth
    this.#objects = new Uint8Array(maxDepth + 1)
  }

  /**
   * Walks the object at `at`. `visit` gets each member's key and offsets and returns where its value ends
   * (see {@link skip}), or -1 to give up. Returns the offset after the object, or -1.
   */
  object(at: number, visit: (key: string, start: number, value: number) => number): number {
    const bytes = this.#bytes
    if (bytes[at] !== OPEN_BRACE) throw new JsonScanError('malformed', at)
    let position = this.space(at + 1)
    if (bytes[position] === CLOSE_BRACE) return position + 1
    for (;;) {
      const start = position
      const value = this.#key(start)
      const end = visit(this.#keyText(start), start, value)
      if (end < 0) return -1
      position = this.space(end)
      if (bytes[position] === CLOSE_BRACE) return position + 1
      if (bytes[position] !== COMMA) throw new JsonScanError('malformed', position)
      position = this.space(position + 1)
    }
  }

  /** Lists the members of the object at `at`, whose values may nest `depth` levels less than the limit. */
  members(at: number, depth: number, into: Member[]): number {
    return this.object(at, (key, start, value) => {
      const end = this.skip(value, depth)
      into.push({ key, start, value, end })
      return end
    })
  }

  /** The offset after the value at `at`, which lies inside `outer` containers. */
  skip(at: number, outer: number): number {
    const bytes = this.#bytes
    const objects = this.#objects
    let depth = outer
    let position = at
    for (;;) {
      const byte = bytes[position]
      if (byte === QUOTE) position = this.#string(position)
      else if (byte === OPEN_BRACE) {
        if (++depth > this.#maxDepth) throw new JsonScanError('too-deep', position)
        objects[depth] = 1
        position = this.space(position + 1)
        if (bytes[position] !== CLOSE_BRACE) {
          position = this.#key(position)
          continue
        }
        position++
        depth--
      } else if (byte === OPEN_BRACKET) {
        if (++depth > this.#maxDepth) throw new JsonScanError('too-deep', position)
        objects[depth] = 0
        position = this.space(position + 1)
        if (bytes[position] !== CLOSE_BRACKET) continue
        position++
        depth--
      } else if (byte === 0x74) position = this.#literal(position, TRUE)
      else if (byte === 0x66) position = this.#literal(position, FALSE)
      else if (byte === 0x6e) position = this.#literal(position, NULL)
      else position = this.#number(position)

      for (;;) {
        if (depth === outer) return position
        position = this.space(position)
        const next = bytes[position]
        if (next === COMMA) {
          position = this.space(position + 1)
          if (objects[depth] === 1) position = this.#key(position)
          break
        }
        if (next !== (objects[depth] === 1 ? CLOSE_BRACE : CLOSE_BRACKET))
          throw new JsonScanError('malformed', position)
        depth--
        position++
      }
    }
  }

  /** The offset of the first byte at or after `at` that is no JSON whitespace. */
  space(at: number): number {
    const bytes = this.#bytes
    let position = at
    for (;;) {
      const byte = bytes[position]
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return position
      position++
    }
  }

  /** Skips a key and its colon. */
  #key(at: number): number {
    const bytes = this.#bytes
    if (bytes[at] !== QUOTE) throw new JsonScanError('malformed', at)
    const colon = this.space(this.#string(at))
    if (bytes[colon] !== COLON) throw new JsonScanError('malformed', colon)
    return this.space(colon + 1)
  }

  #keyText(at: number): string {
    return JSON.parse(decodeUtf8(this.#bytes.subarray(at, this.#string(at))))
  }

  #string(at: number): number {
    const bytes = this.#bytes
    const words = this.#words
    const length = bytes.length
    let position = at + 1
    while (position < length) {
      if (((position + this.#shift) & 3) === 0 && position < this.#wordsEnd) {
        // Four bytes at a time while none of them is a quote, a backslash or a control character.
        let word = (position + this.#shift) >> 2
        const end = words.length
        while (word < end) {
          const four = words[word] as number
          const quotes = four ^ 0x22222222
          const escapes = four ^ 0x5c5c5c5c
          const special =
            ((four - 0x20202020) & ~four) |
            ((quotes - 0x01010101) & ~quotes) |
            ((escapes - 0x01010101) & ~escapes)
          if ((special & 0x80808080) !== 0) break
          word++
        }
        position = word * 4 - this.#shift
        if (position >= length) break
      }
      const byte = bytes[position] as number
      if (byte === QUOTE) return position + 1
      if (byte === BACKSLASH) position = this.#escape(position)
      else if (byte < 0x20) throw new JsonScanError('malformed', position)
      else position++
    }
    throw new JsonScanError('malformed', length)
  }

  #escape(at: number): number {
    switch (this.#bytes[at + 1]) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return at + 2
      case 0x75:
        for (let position = at + 2; position < at + 6; position++)
          if (!isHex(this.#bytes[position])) throw new JsonScanError('malformed', position)
        return at + 6
      default:
        throw new JsonScanError('malformed', at + 1)
    }
  }

  #literal(at: number, word: readonly number[]): number {
    for (let index = 1; index < word.length; index++)
      if (this.#bytes[at + index] !== word[index]) throw new JsonScanError('malformed', at + index)
    return at + word.length
  }

  #number(at: number): number {
    const bytes = this.#bytes
    let position = bytes[at] === 0x2d ? at + 1 : at
    position = bytes[position] === 0x30 ? position + 1 : this.#digits(position)
    if (bytes[position] === 0x2e) position = this.#digits(position + 1)
    const exponent = bytes[position]
    if (exponent === 0x65 || exponent === 0x45) {
      const sign = bytes[position + 1]
      position = this.#digits(sign === 0x2b || sign === 0x2d ? position + 2 : position + 1)
    }
    return position
  }

  /** At least one. */
  #digits(at: number): number {
    const bytes = this.#bytes
    let position = at
    while (isDigit(bytes[position])) position++
    if (position === at) throw new JsonScanError('malformed', at)
    return position
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function isHex(byte: number | undefined): boolean {
  return isDigit(byte) || (byte !== undefined && (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66)
}
