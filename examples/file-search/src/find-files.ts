/** Finds files by name: ripgrep walks, with all its ignore files, and names are compared here. */

import { isUtf8 } from 'node:buffer'
import fuzzysort from 'fuzzysort'
import { counted } from './counted.js'
import { readCursor, writeCursor } from './cursor.js'
import type { Folders } from './folders.js'
import { globTest } from './globs.js'
import { find } from './open-inside.js'
import { Refusal } from './refusal.js'
import { ripgrep } from './ripgrep.js'
import { eachPlace, type Limits, placeArgument, placesOf, type Scope, scopeArguments } from './scope.js'

export interface FileQuestion extends Scope {
  /** Part of a name or path, of which letters in between may be missing; the best come first. */
  readonly name?: string | undefined
  /** Or globs; by path. With both, both hold. */
  readonly globs: readonly string[]
}

export interface FileSearchOptions {
  readonly folders: Folders
  readonly limits: Limits
  readonly maxResults: number
  readonly cursor?: string | undefined
  readonly signal: AbortSignal
  /** Called now and then, with how many files were seen and found. */
  readonly onSeen?: (seen: number, found: number) => void
}

export interface FoundFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  readonly modified: Date
}

export interface FilePage {
  readonly found: readonly FoundFile[]
  /** How many files fit, on all pages. */
  readonly matches: number
  /** How many there are, ignored ones aside. */
  readonly filesSeen: number
  readonly complete: boolean
  readonly nextCursor?: string
  readonly problems: readonly string[]
}

/** From 0 to 1; what is worse is hardly what somebody meant. */
const MIN_SCORE = 0.2

/** Rejects with `Refusal` for what cannot be searched, and with the signal's reason. */
export async function findFiles(question: FileQuestion, options: FileSearchOptions): Promise<FilePage> {
  const { folders, maxResults, onSeen } = options
  const after = options.cursor === undefined ? undefined : candidateIn(readCursor(question, options.cursor))
  const places = await placesOf(folders, question.path)
  const fits = globTest(question.globs)
  const { name } = question
  if (name !== undefined && name.length > MAX_NAME)
    throw new Refusal(`A name has at most ${MAX_NAME} characters.`)
  const best = new Best(maxResults + 1, after)
  let seen = 0
  let unreadable = 0
  const { complete, problems } = await eachPlace(places, options, (place, signal) => {
    const prefix = place.folder.endsWith('/') ? place.folder : `${place.folder}/`
    return ripgrep({
      folder: place.folder,
      arguments: ['--files', '--null', ...scopeArguments(question), '--', placeArgument(place)],
      separator: 0,
      onPart: bytes => {
        const path = slashed(bytes.toString())
        if (!isUtf8(bytes)) unreadable++
        else if (fits(path)) best.add(scored(name, path, prefix))
        if (++seen % SEEN_AT_ONCE === 0) onSeen?.(seen, best.count)
      },
      signal,
    })
  })
  const sorted = best.sorted()
  const page = sorted.slice(0, maxResults)
  const found = await stillFiles(folders, page)
  if (found.length < page.length)
    problems.push(`Left out, since they are gone: ${counted(page.length - found.length, 'file')}`)
  if (unreadable > 0) problems.push(`Names that are not UTF-8: ${counted(unreadable, 'file')}`)
  const last = page.at(-1)
  const more = complete && last !== undefined && sorted.length > maxResults
  const next = more ? { nextCursor: writeCursor(question, [last.score, last.path]) } : {}
  return { found, matches: best.count, filesSeen: seen, complete, problems, ...next }
}

const MAX_NAME = 200
const SEEN_AT_ONCE = 1000

interface Candidate {
  readonly path: string
  /** 0 where only globs were asked for. */
  readonly score: number
}

function scored(name: string | undefined, path: string, prefix: string): Candidate | undefined {
  if (name === undefined || name === '') return { path: prefix + path, score: 0 }
  // Prepared, since what is not is kept by fuzzysort for the next time.
  const score = fuzzysort.single(name, fuzzysort.prepare(path))?.score ?? 0
  return score < MIN_SCORE ? undefined : { path: prefix + path, score: Math.round(score * 1e6) / 1e6 }
}

/** Keeps the first ones by score and path, in little room. */
class Best {
  count = 0
  readonly #limit: number
  readonly #after: Candidate | undefined
  #kept: Candidate[] = []

  constructor(limit: number, after: Candidate | undefined) {
    this.#limit = limit
    this.#after = after
  }

  add(candidate: Candidate | undefined): void {
    if (candidate === undefined) return
    this.count++
    if (this.#after !== undefined && compare(candidate, this.#after) <= 0) return
    this.#kept.push(candidate)
    if (this.#kept.length >= 4 * this.#limit + 100) this.#kept = this.sorted()
  }

  sorted(): Candidate[] {
    return this.#kept.sort(compare).slice(0, this.#limit)
  }
}

function compare(one: Candidate, other: Candidate): number {
  if (one.score !== other.score) return other.score - one.score
  return one.path < other.path ? -1 : one.path > other.path ? 1 : 0
}

/** A walk by names may have been led elsewhere: only what is proven to be inside is told. */
async function stillFiles(folders: Folders, candidates: readonly Candidate[]): Promise<readonly FoundFile[]> {
  const found = await Promise.all(
    candidates.map(async ({ path }) => {
      try {
        const { stats } = await find(folders, path)
        return stats.isFile() ? { path, size: stats.size, modified: stats.mtime } : undefined
      } catch (error) {
        if (error instanceof Refusal) return undefined
        throw error
      }
    }),
  )
  return found.filter(file => file !== undefined)
}

function candidateIn(parts: readonly (string | number)[]): Candidate {
  const [score, path] = parts
  if (typeof path !== 'string' || typeof score !== 'number')
    throw new Refusal('That is no cursor of this server.')
  return { path, score }
}

function slashed(path: string): string {
  const plain = process.platform === 'win32' ? path.replaceAll('\\', '/') : path
  return plain.startsWith('./') ? plain.slice(2) : plain
}
