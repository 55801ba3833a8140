/**
 * Lines as they are shown. ripgrep walks by names, and somebody may swap a folder for a link while it walks; so what it found is only
 * where to look: each line is read again from a file that is proven to be inside, and has to be the same.
 */

import { headOf, pieces } from './byte-source.js'
import { decoded, type Encoding } from './encodings.js'
import type { Folders } from './folders.js'
import { openFile } from './open-inside.js'
import { Refusal } from './refusal.js'
import type { FileMatches, Line } from './text-events.js'

export interface ShownLine {
  readonly number: number
  readonly text: string
  /** Of the first match, counted in characters from 1; not in lines around matches. */
  readonly column?: number
}

export interface ShownFile {
  readonly path: string
  readonly encoding: Encoding
  readonly lines: readonly ShownLine[]
  /** Matches that are not there any more, or never were in the allowed folders. */
  readonly gone: number
}

/** Undefined where the file is not to be had any more. */
export async function shownFile(
  folders: Folders,
  file: FileMatches,
  signal: AbortSignal,
): Promise<ShownFile | undefined> {
  try {
    await using opened = await openFile(folders, file.path)
    const { mark } = await headOf(opened.handle)
    const wanted = file.lines.map(({ offset, bytes }) => ({ offset, length: bytes.length }))
    const found = await pieces(opened.handle, mark, wanted, signal)
    const same = file.lines.filter((line, index) => found[index]?.equals(line.bytes))
    const texts = same.map(line => decoded(line.bytes))
    const latin = texts.some(({ encoding }) => encoding === 'windows-1252')
    return {
      path: file.path,
      encoding: mark?.encoding ?? (latin ? 'windows-1252' : 'utf-8'),
      lines: same.map((line, index) => shownLine(line, texts[index]?.text ?? '')),
      gone: file.matches - same.filter(({ column }) => column !== undefined).length,
    }
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

function shownLine(line: Line, text: string): ShownLine {
  const whole = `${line.cutBefore ? '…' : ''}${text}${line.cutAfter ? '…' : ''}`
  return { number: line.number, text: whole, ...(line.column === undefined ? {} : { column: line.column }) }
}
