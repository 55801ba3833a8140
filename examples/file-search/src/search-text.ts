/** Searches in files: ripgrep finds, this process reads what is shown. */

import { counted } from './counted.js'
import { readCursor, writeCursor } from './cursor.js'
import type { Folders } from './folders.js'
import { globTest, nameGlobs } from './globs.js'
import { Refusal } from './refusal.js'
import { type Ended, ripgrep } from './ripgrep.js'
import {
  eachPlace,
  type Limits,
  type Place,
  placeArgument,
  placesOf,
  type Scope,
  scopeArguments,
} from './scope.js'
import { type ShownFile, shownFile } from './shown-lines.js'
import { type Counts, type FileMatches, TextEvents } from './text-events.js'

export interface TextQuestion extends Scope {
  readonly pattern: string
  readonly regex: boolean
  /** `smart` is sensitive where the pattern has a capital letter. */
  readonly case: 'smart' | 'sensitive' | 'insensitive'
  readonly word: boolean
  /** Lines around each match. */
  readonly context: number
  /** Globs of the files that are searched; none are all files. */
  readonly include: readonly string[]
}

export interface TextSearchOptions {
  readonly folders: Folders
  readonly limits: Limits
  readonly maxResults: number
  readonly cursor?: string | undefined
  readonly signal: AbortSignal
  /** Called as files with matches come, with the last of them. */
  readonly onFound?: (counts: Counts, latest: FileMatches) => void
}

export interface TextPage extends Counts {
  readonly found: readonly ShownFile[]
  /** Whether all files were searched before the time was up. */
  readonly complete: boolean
  /** Where there is more. */
  readonly nextCursor?: string
  readonly problems: readonly string[]
}

/** Rejects with `Refusal` for what cannot be searched, and with the signal's reason. */
export async function searchText(question: TextQuestion, options: TextSearchOptions): Promise<TextPage> {
  const { folders, limits, maxResults } = options
  const after = options.cursor === undefined ? undefined : placeIn(readCursor(question, options.cursor))
  const places = await placesOf(folders, question.path)
  const maxPerFile = Math.max(MIN_PER_FILE, maxResults + 1) + (after?.line ?? 0)
  const wanted = globTest(question.include)
  const events = new TextEvents({ maxMatches: maxResults, maxPerFile, wanted, after })
  const args = textArguments(question, limits, maxPerFile)
  const { complete, problems } = await eachPlace(places, options, (place, signal) =>
    searchPlace(place, args, events, signal, options.onFound),
  )
  const page = await shownPage(events, question.context, options)
  if (page.gone > 0)
    problems.push(
      `Left out, since their files changed during the search: ${counted(page.gone, 'match', 'matches')}`,
    )
  if (events.counts.unreadable > 0)
    problems.push(`Could not be read as text: ${counted(events.counts.unreadable, 'file')}`)
  const more = page.more || (complete && events.leftOut)
  return {
    ...events.counts,
    found: page.found,
    complete,
    problems,
    ...(more && complete && page.last !== undefined
      ? { nextCursor: writeCursor(question, [page.last.path, page.last.line]) }
      : {}),
  }
}

/** A file with more matches is counted as having at least these. */
const MIN_PER_FILE = 1000
/** Of one page, in characters. */
const MAX_TEXT = 256 * 1024

function searchPlace(
  place: Place,
  args: readonly string[],
  events: TextEvents,
  signal: AbortSignal,
  onFound: TextSearchOptions['onFound'],
): Promise<Ended> {
  events.enter(place.folder)
  let told = events.latest
  return ripgrep({
    folder: place.folder,
    arguments: [...args, '--', placeArgument(place)],
    separator: LINE_FEED,
    onPart: (line, cut) => {
      events.read(line, cut)
      if (events.latest === told || events.latest === undefined) return
      told = events.latest
      onFound?.(events.counts, told)
    },
    signal,
  })
}

const LINE_FEED = 10

function textArguments(question: TextQuestion, limits: Limits, maxPerFile: number): readonly string[] {
  const { pattern, regex, include, context, word } = question
  if (pattern === '' || /[\0\n]/.test(pattern)) throw new Refusal('A pattern is one line, and not empty.')
  const names = nameGlobs(include)
  const insensitive =
    question.case === 'insensitive' || (question.case === 'smart' && pattern === pattern.toLowerCase())
  const latin = !regex && /[\u0080-\u00ff]/.test(pattern)
  return [
    '--json',
    '--crlf',
    `--max-count=${maxPerFile}`,
    `--context=${context}`,
    `--max-filesize=${limits.maxFileSize}`,
    ...scopeArguments(question),
    // Unlike --glob, a type does not bring back what ignore files leave out.
    ...(names ?? []).map(name => `--type-add=wanted:${name}`),
    ...(names === undefined ? [] : ['--type=wanted']),
    ...(word ? ['--word-regexp'] : []),
    // With a regular expression ripgrep knows what of it is a letter.
    regex && question.case === 'smart' ? '--smart-case' : insensitive ? '--ignore-case' : '--case-sensitive',
    ...(regex || latin ? [] : ['--fixed-strings']),
    `--regexp=${latin ? alsoLatin1(pattern, insensitive) : pattern}`,
  ]
}

/** The same words as UTF-8 and as Latin-1 bytes. */
function alsoLatin1(pattern: string, insensitive: boolean): string {
  return [...pattern]
    .map(character => {
      if (!/[\u0080-\u00ff]/.test(character)) return character.replace(/[\\^$.*+?()[\]{}|#&~-]/g, '\\$&')
      const forms = insensitive ? [character, character.toLowerCase(), character.toUpperCase()] : [character]
      const bytes = new Set(
        forms.map(form => form.codePointAt(0) ?? 0).filter(code => code >= 0x80 && code <= 0xff),
      )
      return `(?:${character}|${[...bytes].map(code => `(?-u:\\x${code.toString(16)})`).join('|')})`
    })
    .join('')
}

/** The first matches that are still there, with the lines around them. */
async function shownPage(
  events: TextEvents,
  context: number,
  { folders, maxResults, signal }: TextSearchOptions,
) {
  const parts: FileMatches[] = []
  let room = maxResults
  let text = MAX_TEXT
  let more = false
  for (const file of events.files) {
    const part = room > 0 && text > 0 ? firstMatches(file, room, text, context) : undefined
    more = part === undefined || part.matches < file.matches
    if (part !== undefined) parts.push(part)
    if (more) break
    room -= part?.matches ?? 0
    text -= part?.lines.reduce((sum, line) => sum + line.bytes.length + LINE_COST, 0) ?? 0
  }
  const found: ShownFile[] = []
  let gone = 0
  for (let first = 0; first < parts.length; first += AT_ONCE) {
    const some = parts.slice(first, first + AT_ONCE)
    const shown = await Promise.all(some.map(part => shownFile(folders, part, signal)))
    for (const [index, file] of shown.entries()) {
      gone += file === undefined ? (some[index]?.matches ?? 0) : file.gone
      if (file?.lines.some(({ column }) => column !== undefined)) found.push(file)
    }
  }
  const last = parts.at(-1)
  const line = last?.lines.findLast(({ column }) => column !== undefined)?.number ?? 0
  return { found, gone, more, last: last === undefined ? undefined : { path: last.path, line } }
}

/** Files that are open for one page. */
const AT_ONCE = 16
const LINE_COST = 40

function firstMatches(file: FileMatches, room: number, text: number, context: number): FileMatches {
  let matches = 0
  let left = text
  let end = 0
  for (const line of file.lines) {
    left -= line.bytes.length + LINE_COST
    if (line.column === undefined) continue
    if (matches > 0 && (matches === room || left < 0)) break
    matches++
    end = line.number
  }
  const lines = file.lines.filter(
    ({ number, column }) => number <= end || (number <= end + context && column === undefined),
  )
  return { path: file.path, lines, matches }
}

function placeIn(parts: readonly (string | number)[]): { readonly path: string; readonly line: number } {
  const [path, line] = parts
  if (typeof path !== 'string' || typeof line !== 'number')
    throw new Refusal('That is no cursor of this server.')
  return { path, line }
}
