/** Reads a range of lines of a file of any size, in the memory that the range needs. */

import { chunks, headOf } from './byte-source.js'
import { decoded, type Encoding, wholeCharacter } from './encodings.js'
import type { OpenFile } from './open-inside.js'
import { Refusal } from './refusal.js'

export interface LinesPage {
  /** Without line ends; longer ones than MAX_LINE end in an ellipsis. */
  readonly lines: readonly string[]
  readonly encoding: Encoding
  /** Whether the file goes on behind them. */
  readonly more: boolean
  /** Known where the file was read to its end. */
  readonly totalLines?: number
}

/** Bytes of a line that are shown. */
const MAX_LINE = 4000
/** Bytes of a page. */
const MAX_PAGE = 256 * 1024

/** Lines count from 1. Rejects with `Refusal` for a file that is not text, and with the signal's reason. */
export async function readLines(
  file: OpenFile,
  from: number,
  count: number,
  signal: AbortSignal,
): Promise<LinesPage> {
  const { mark, binary } = await headOf(file.handle)
  if (binary) throw new Refusal(`${JSON.stringify(file.path)} is a binary file of ${file.stats.size} bytes.`)
  const range = new Range(from, count)
  for await (const chunk of chunks(file.handle, mark, signal)) if (!range.feed(chunk)) break
  const { lines, more, total } = range.end()
  const cut = lines.map(line =>
    line.length > MAX_LINE ? line.subarray(0, wholeCharacter(line, MAX_LINE)) : line,
  )
  const encoding = mark?.encoding ?? decoded(Buffer.concat(cut)).encoding
  const text = new TextDecoder(encoding === 'windows-1252' ? encoding : 'utf-8')
  return {
    lines: cut.map((line, index) =>
      line.length < (lines[index]?.length ?? 0) ? `${text.decode(line)}…` : text.decode(line),
    ),
    encoding,
    more,
    ...(total === undefined ? {} : { totalLines: total }),
  }
}

const LINE_FEED = 10

class Range {
  readonly #from: number
  readonly #to: number
  readonly #lines: Buffer[] = []
  /** The number of the line that the next byte belongs to. */
  #line = 1
  /** What is there of a wanted line, as far as it is shown. */
  #part: Buffer[] = []
  #partSize = 0
  #size = 0
  /** Whether the last byte ended a line, so that no further one has begun. */
  #fresh = true
  #more = false

  constructor(from: number, count: number) {
    this.#from = from
    this.#to = from + count - 1
  }

  /** Whether more is wanted. */
  feed(chunk: Buffer): boolean {
    let at = 0
    while (at < chunk.length) {
      if (this.#line > this.#to || this.#size > MAX_PAGE) {
        this.#more = true
        return false
      }
      const found = chunk.indexOf(LINE_FEED, at)
      const end = found < 0 ? chunk.length : found
      if (this.#line >= this.#from) this.#add(chunk.subarray(at, end))
      this.#fresh = found >= 0
      at = end + 1
      if (found >= 0) this.#finish()
    }
    return true
  }

  end() {
    const total = this.#more ? undefined : this.#fresh ? this.#line - 1 : this.#line
    if (!this.#fresh) this.#finish()
    return { lines: this.#lines, more: this.#more, total }
  }

  #add(bytes: Buffer): void {
    if (this.#partSize > MAX_LINE) return
    // A copy: the chunk is used again.
    const kept = Buffer.from(bytes.subarray(0, MAX_LINE + 1 - this.#partSize))
    this.#part.push(kept)
    this.#partSize += kept.length
  }

  #finish(): void {
    if (this.#line >= this.#from && this.#line <= this.#to) {
      const line = Buffer.concat(this.#part)
      this.#lines.push(line.at(-1) === 13 ? line.subarray(0, -1) : line)
      this.#size += line.length
    }
    this.#part = []
    this.#partSize = 0
    this.#line++
  }
}
