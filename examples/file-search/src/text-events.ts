/** Reads what ripgrep says with `--json`, and keeps of it what the page can show: the first lines by path, whatever order they come in. */

import { wholeCharacter } from './encodings.js'
import type { PathTest } from './globs.js'

/** A line, or its part around the first match: where ripgrep found which bytes. Nothing of this is shown before the file itself has it. */
export interface Line {
  readonly number: number
  /** Of the bytes, in the file. */
  readonly offset: number
  readonly bytes: Buffer
  readonly cutBefore: boolean
  readonly cutAfter: boolean
  /** Of the first match, counted in characters from 1; undefined in lines around matches. */
  readonly column: number | undefined
}

export interface FileMatches {
  /** Absolute. */
  readonly path: string
  readonly lines: Line[]
  matches: number
}

export interface Counts {
  /** Lines with a match. */
  matches: number
  files: number
  filesSearched: number
  /** Whether there may be more matches than that: in files where ripgrep stopped counting. */
  atLeast: boolean
  /** Files with names that are not text, files with lines too long to be searched here, and files that were binary after all. */
  unreadable: number
}

export interface TextEventsOptions {
  readonly maxMatches: number
  /** Matches in one file, after which ripgrep goes to the next. */
  readonly maxPerFile: number
  /** Gets paths with slashes, from the folder that is searched. */
  readonly wanted: PathTest
  /** Shown before: paths up to this one, and in this one lines up to this. */
  readonly after: { readonly path: string; readonly line: number } | undefined
}

/** Longest part of a line that is shown, in bytes to either side of the match. */
const AROUND = 250

export class TextEvents {
  readonly counts: Counts = { matches: 0, files: 0, filesSearched: 0, atLeast: false, unreadable: 0 }
  readonly #options: TextEventsOptions
  /** By path. */
  readonly #kept: FileMatches[] = []
  #keptMatches = 0
  #current: FileMatches | undefined
  /** Whether matches were left out that belong to this page or to a later one. */
  #leftOut = false

  constructor(options: TextEventsOptions) {
    this.#options = options
  }

  #folder = ''

  /** What comes is about this folder, until the next one is entered. */
  enter(folder: string): void {
    this.#folder = folder.endsWith('/') ? folder : `${folder}/`
  }

  get files(): readonly FileMatches[] {
    return this.#kept
  }

  get leftOut(): boolean {
    return this.#leftOut
  }

  /** The last file that was read and kept: the newest news. */
  latest: FileMatches | undefined

  read(json: Buffer, cut: boolean): void {
    // The type comes first, so that lines of files that are not shown need not be parsed.
    const type = json[9]
    if (type === CHARACTER.m || type === CHARACTER.c) {
      if (this.#current === undefined) return
      if (cut) this.counts.unreadable++
      else this.#line(this.#current, JSON.parse(json.toString()))
    } else if (type === CHARACTER.b) {
      this.#begin(JSON.parse(json.toString()).data.path)
    } else if (type === CHARACTER.e) {
      this.#end(JSON.parse(json.toString()).data)
    } else if (json.length > 0) {
      const event = JSON.parse(json.toString())
      if (event.type === 'summary') this.counts.filesSearched += event.data.stats.searches
    }
  }

  #wanted = true

  #begin(path: Words): void {
    this.#current = undefined
    const name = path.text === undefined ? undefined : slashed(path.text)
    this.#wanted = name === undefined || this.#options.wanted(name)
    if (name === undefined) this.counts.unreadable++
    if (name === undefined || !this.#wanted) return
    const { after, maxMatches } = this.#options
    const full = this.#folder + name
    if (after !== undefined && full < after.path) return
    const last = this.#kept.at(-1)
    if (this.#keptMatches >= maxMatches && last !== undefined && full > last.path) {
      this.#leftOut = true
      return
    }
    this.#current = { path: full, lines: [], matches: 0 }
  }

  #line(file: FileMatches, event: LineEvent): void {
    const { after, maxMatches } = this.#options
    const { data } = event
    const isMatch = event.type === 'match'
    if (after !== undefined && file.path === after.path && data.line_number <= after.line) return
    const utf8 = data.lines.text !== undefined
    // Patterns for Latin-1 find bytes, which in a line of UTF-8 are parts of other characters.
    const first = isMatch ? data.submatches.find(({ match }) => !utf8 || match.text !== undefined) : undefined
    if (isMatch && first === undefined && data.submatches.length > 0) return
    if (isMatch && file.matches >= maxMatches) {
      this.#leftOut = true
      return
    }
    if (isMatch) file.matches++
    const bytes = withoutEnd(bytesOf(data.lines))
    const start = first?.start ?? 0
    const from = wholeCharacter(bytes, Math.max(0, start - AROUND))
    const to = wholeCharacter(bytes, Math.min(bytes.length, start + AROUND))
    file.lines.push({
      number: data.line_number,
      offset: data.absolute_offset + from,
      // A copy, so that the rest of the line can go.
      bytes: Buffer.from(bytes.subarray(from, to)),
      cutBefore: from > 0,
      cutAfter: to < bytes.length,
      column: isMatch ? columnOf(bytes, start, utf8) : undefined,
    })
  }

  #end({ binary_offset, stats }: EndData): void {
    const file = this.#current
    this.#current = undefined
    if (!this.#wanted) return
    if (binary_offset !== null) {
      this.counts.unreadable++
      return
    }
    this.counts.matches += stats.matched_lines
    this.counts.files++
    if (stats.matched_lines >= this.#options.maxPerFile) this.counts.atLeast = true
    if (file === undefined || file.matches === 0) return
    this.#keep(file)
    this.latest = file
  }

  #keep(file: FileMatches): void {
    let low = 0
    let high = this.#kept.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#kept[middle] as FileMatches).path < file.path) low = middle + 1
      else high = middle
    }
    this.#kept.splice(low, 0, file)
    this.#keptMatches += file.matches
    for (let last = this.#kept.at(-1); last !== undefined; last = this.#kept.at(-1)) {
      if (this.#keptMatches - last.matches < this.#options.maxMatches) break
      this.#kept.pop()
      this.#keptMatches -= last.matches
      this.#leftOut = true
    }
  }
}

const CHARACTER = { b: 98, c: 99, e: 101, m: 109 } as const

/** ripgrep gives what is no UTF-8 in base64. */
interface Words {
  readonly text?: string
  readonly bytes?: string
}
interface LineEvent {
  readonly type: 'match' | 'context'
  readonly data: {
    readonly lines: Words
    readonly line_number: number
    readonly absolute_offset: number
    readonly submatches: readonly { readonly match: Words; readonly start: number }[]
  }
}
interface EndData {
  readonly binary_offset: number | null
  readonly stats: { readonly matched_lines: number }
}

function bytesOf(words: Words): Buffer {
  return words.text === undefined ? Buffer.from(words.bytes ?? '', 'base64') : Buffer.from(words.text)
}

function withoutEnd(bytes: Buffer): Buffer {
  let end = bytes.length
  if (bytes[end - 1] === 10) end--
  if (bytes[end - 1] === 13) end--
  return bytes.subarray(0, end)
}

function columnOf(bytes: Buffer, start: number, utf8: boolean): number {
  if (!utf8) return start + 1
  let column = 1
  for (let at = 0; at < start; at++) if (((bytes[at] as number) & 0xc0) !== 0x80) column++
  return column
}

function slashed(path: string): string {
  const plain = process.platform === 'win32' ? path.replaceAll('\\', '/') : path
  return plain.startsWith('./') ? plain.slice(2) : plain
}
