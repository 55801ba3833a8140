/** What both searches have in common: where they look, what they leave out, and how long they take. */

import { stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { Folders } from './folders.js'
import { find } from './open-inside.js'
import { nameOf } from './paths.js'
import { Refusal } from './refusal.js'
import type { Ended } from './ripgrep.js'

export interface Scope {
  /** A folder or file to search, instead of all allowed folders. */
  readonly path?: string | undefined
  /** Globs of what is left out. */
  readonly exclude: readonly string[]
  /** Also files and folders whose names begin with a dot. */
  readonly hidden: boolean
  /** Also what ignore files leave out. */
  readonly ignored: boolean
}

export interface Limits {
  /** Milliseconds for one search. */
  readonly timeout: number
  /** Larger files are not searched; in bytes. */
  readonly maxFileSize: number
}

/** A folder that ripgrep runs in, and what of it is searched. */
export interface Place {
  readonly folder: string
  readonly only?: string | undefined
}

export async function placesOf(folders: Folders, path: string | undefined): Promise<readonly Place[]> {
  if (path === undefined) return folders.map(folder => ({ folder }))
  const found = await find(folders, path)
  if (found.stats.isDirectory()) return [{ folder: found.path }]
  // ripgrep would wait for a pipe to be written to.
  if (!found.stats.isFile())
    throw new Refusal(`${JSON.stringify(path)} is neither a folder nor a regular file.`)
  return [{ folder: dirname(found.path), only: basename(found.path) }]
}

export function scopeArguments(scope: Scope): readonly string[] {
  const exclude = scope.hidden ? [...scope.exclude, '.git'] : scope.exclude
  for (const glob of scope.exclude) {
    if (glob.startsWith('!') || glob.includes('\0')) throw new Refusal(`Not a glob: ${glob}`)
  }
  return [
    // What a .gitignore says holds outside of repositories as well.
    '--no-require-git',
    '--no-follow',
    ...(scope.hidden ? ['--hidden'] : []),
    ...(scope.ignored ? ['--no-ignore'] : []),
    ...exclude.map(glob => `--glob=!${glob}`),
  ]
}

export function placeArgument({ only }: Place): string {
  return only === undefined ? './' : `./${only}`
}

/**
 * What ripgrep complained about, in a few lines: of what is not proven to be inside no name is told. Throws `Refusal` where it did not
 * search at all, since it could not read a pattern or a glob.
 */
async function problemsIn(folders: Folders, { folder }: Place, ended: Ended): Promise<readonly string[]> {
  const lines = ended.stderr.split('\n').filter(line => line !== '')
  const about = lines.map(line => /^rg: (.*): (.*) \(os error \d+\)$/.exec(line))
  if (ended.code === 2 && lines.length > 0 && about.every(match => match === null))
    throw new Refusal(ended.stderr.trim().replace(/^rg: /, ''))
  const told = await Promise.all(
    about.slice(0, MAX_PROBLEMS).map(async match => {
      const [, path = '', reason = ''] = match ?? []
      const found = await find(folders, resolve(folder, path)).catch(() => undefined)
      return found === undefined ? undefined : `${nameOf(folders, found.path)}: ${reason}`
    }),
  )
  const problems = told.filter(problem => problem !== undefined)
  const others = lines.length - problems.length
  return others > 0 ? [...problems, `and ${others} more`] : problems
}

const MAX_PROBLEMS = 10

/** Searches one place after the other, as long as there is time. `complete`: it was enough for all. */
export async function eachPlace(
  places: readonly Place[],
  {
    folders,
    limits,
    signal,
  }: { readonly folders: Folders; readonly limits: Limits; readonly signal: AbortSignal },
  search: (place: Place, signal: AbortSignal) => Promise<Ended>,
): Promise<{ readonly complete: boolean; readonly problems: string[] }> {
  const problems: string[] = []
  using limit = timeLimit(signal, limits.timeout)
  for (const place of places) {
    try {
      await stillThere(place)
      problems.push(...(await problemsIn(folders, place, await search(place, limit.signal))))
    } catch (error) {
      if (limit.ranOut()) break
      throw error
    }
  }
  return { complete: !limit.ranOut(), problems }
}

/** A signal that is aborted with the caller's, or when the time is up. */
export function timeLimit(caller: AbortSignal, milliseconds: number) {
  const controller = new AbortController()
  const leave = () => controller.abort(caller.reason)
  if (caller.aborted) leave()
  caller.addEventListener('abort', leave, { once: true })
  const timer = setTimeout(() => controller.abort(new Error('The time is up')), milliseconds)
  return {
    signal: controller.signal,
    /** Whether time ran out, and the caller is still there. */
    ranOut: () => controller.signal.aborted && !caller.aborted,
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      caller.removeEventListener('abort', leave)
    },
  }
}

/** When the folder itself is gone, ripgrep could not even start. */
async function stillThere({ folder }: Place): Promise<void> {
  const there = await stat(folder).catch(() => undefined)
  if (there === undefined) throw new Refusal('The folder is not there any more.')
}
