import { decodeUtf8, JsonScanner, type Member } from './json-scan.js'

interface PlainObject {
  readonly [key: string]: unknown
}

/** Edits: the encoded value that replaces or joins a key's, or undefined where the key is cut. */
type Edits = ReadonlyMap<string, Uint8Array | undefined>

const NO_EDITS: Edits = new Map()
const COMMA = new Uint8Array([0x2c])
const OPEN_BRACE = new Uint8Array([0x7b])
const CLOSE_BRACE = new Uint8Array([0x7d])
/** Scans of bytes whose depth was checked when they arrived. */
const ANY_DEPTH = 100_000

const encoder = new TextEncoder()

/**
 * A JSON object kept as the UTF-8 bytes it arrived as, because parsing and re-encoding 8 MiB costs ten times
 * more than splicing a key. Immutable: edits make a new one that shares the bytes.
 */
export class RawJson {
  readonly #bytes: Uint8Array
  readonly #edits: Edits
  #members: readonly Member[] | undefined
  #segments: readonly Uint8Array[] | undefined
  #parsed: Record<string, unknown> | undefined

  private constructor(bytes: Uint8Array, members: readonly Member[] | undefined, edits: Edits) {
    this.#bytes = bytes
    this.#members = members
    this.#edits = edits
  }

  /** `bytes` hold exactly one JSON object, in valid UTF-8; they are kept, not copied. */
  static fromBytes(bytes: Uint8Array): RawJson {
    return new RawJson(bytes, undefined, NO_EDITS)
  }

  /** The same where the members are known already; their offsets count from the start of `bytes`. */
  static fromMembers(bytes: Uint8Array, members: readonly Member[]): RawJson {
    return new RawJson(bytes, members, NO_EDITS)
  }

  /** Bytes that {@link segments} add up to. */
  get byteLength(): number {
    let total = 0
    for (const segment of this.segments()) total += segment.byteLength
    return total
  }

  /** A top-level key's value, parsed; undefined if absent. Of duplicate keys the last counts, as in `JSON.parse`. */
  get(key: string): unknown {
    if (this.#edits.has(key)) {
      const edit = this.#edits.get(key)
      return edit === undefined ? undefined : JSON.parse(decodeUtf8(edit))
    }
    const member = this.#scan().findLast(candidate => candidate.key === key)
    return member === undefined
      ? undefined
      : JSON.parse(decodeUtf8(this.#bytes.subarray(member.value, member.end)))
  }

  has(key: string): boolean {
    if (this.#edits.has(key)) return this.#edits.get(key) !== undefined
    return this.#scan().some(member => member.key === key)
  }

  /** Sets a top-level key: in its place if it is there, else at the end. `undefined` cuts it. */
  with(key: string, value: unknown): RawJson {
    const text = JSON.stringify(value) as string | undefined
    const edits = new Map(this.#edits)
    edits.set(key, text === undefined ? undefined : encoder.encode(text))
    return new RawJson(this.#bytes, this.#scan(), edits)
  }

  /** Cuts top-level keys. Returns this very object where none of them is present. */
  without(...keys: readonly string[]): RawJson {
    const present = keys.filter(key => this.has(key))
    if (present.length === 0) return this
    const edits = new Map(this.#edits)
    for (const key of present) edits.set(key, undefined)
    return new RawJson(this.#bytes, this.#scan(), edits)
  }

  /** The bytes to write, in order; what was not edited is not copied. */
  segments(): readonly Uint8Array[] {
    this.#segments ??= this.#edits.size === 0 ? [this.#bytes] : this.#splice()
    return this.#segments
  }

  /** The whole object, parsed once and remembered: do not change it. */
  parse(): Record<string, unknown> {
    this.#parsed ??= JSON.parse(this.segments().map(decodeUtf8).join('')) as Record<string, unknown>
    return this.#parsed
  }

  /** Correct, though slow, wherever a message is stringified as a whole. */
  toJSON(): Record<string, unknown> {
    return this.parse()
  }

  #scan(): readonly Member[] {
    if (this.#members === undefined) {
      const members: Member[] = []
      const scanner = new JsonScanner(this.#bytes, ANY_DEPTH)
      scanner.members(scanner.space(0), 1, members)
      this.#members = members
    }
    return this.#members
  }

  #splice(): Uint8Array[] {
    const bytes = this.#bytes
    const output: Uint8Array[] = [OPEN_BRACE]
    const written = new Set<string>()
    // Neighbours that stay are written as one run, with the commas that are between them.
    let runStart = -1
    let runEnd = -1
    const flush = () => {
      if (runStart < 0) return
      if (output.length > 1) output.push(COMMA)
      output.push(bytes.subarray(runStart, runEnd))
      runStart = -1
    }
    const write = (key: string, value: Uint8Array) => {
      written.add(key)
      if (output.length > 1) output.push(COMMA)
      output.push(encoder.encode(`${JSON.stringify(key)}:`), value)
    }
    for (const member of this.#scan()) {
      if (!this.#edits.has(member.key)) {
        if (runStart < 0) runStart = member.start
        runEnd = member.end
        continue
      }
      flush()
      const edit = this.#edits.get(member.key)
      if (edit !== undefined && !written.has(member.key)) write(member.key, edit)
    }
    flush()
    for (const [key, edit] of this.#edits) if (edit !== undefined && !written.has(key)) write(key, edit)
    output.push(CLOSE_BRACE)
    return output
  }
}

/** A result's fields as a plain object. */
export function readResult<R extends PlainObject>(result: R | RawJson): R {
  return result instanceof RawJson ? (result.parse() as unknown as R) : result
}

/** One field of a result. */
export function resultKey(result: PlainObject | RawJson, key: string): unknown {
  if (result instanceof RawJson) return result.get(key)
  return Object.hasOwn(result, key) ? result[key] : undefined
}

/** The result with a field set; the given one stays as it is. `undefined` cuts the field. */
export function withResultKey<R extends PlainObject>(
  result: R | RawJson,
  key: string,
  value: unknown,
): R | RawJson {
  if (result instanceof RawJson) return result.with(key, value)
  return value === undefined ? withoutResultKeys(result, key) : { ...result, [key]: value }
}

/** The result without some fields: the same object where it has none of them. */
export function withoutResultKeys<R extends PlainObject>(
  result: R | RawJson,
  ...keys: readonly string[]
): R | RawJson {
  if (result instanceof RawJson) return result.without(...keys)
  if (!keys.some(key => Object.hasOwn(result, key))) return result
  const copy: Record<string, unknown> = { ...result }
  for (const key of keys) delete copy[key]
  return copy as R
}
