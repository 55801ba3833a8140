/** What both searches have in common: where they look, what they leave out, and how long they take. */

import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Folders } from './folders.js'
import { find } from './open-inside.js'
import { Refusal } from './refusal.js'

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

export function scopeArguments(scope: Scope, limits: Limits): readonly string[] {
  const exclude = scope.hidden ? [...scope.exclude, '.git'] : scope.exclude
  for (const glob of scope.exclude) {
    if (glob.startsWith('!') || glob.includes('\0')) throw new Refusal(`Not a glob: ${glob}`)
  }
  return [
    // What a .gitignore says holds outside of repositories as well.
    '--no-require-git',
    '--no-follow',
    `--max-filesize=${limits.maxFileSize}`,
    ...(scope.hidden ? ['--hidden'] : []),
    ...(scope.ignored ? ['--no-ignore'] : []),
    ...exclude.map(glob => `--glob=!${glob}`),
  ]
}

export function placeArgument({ only }: Place): string {
  return only === undefined ? './' : `./${only}`
}

/** What ripgrep complained about, in at most ten lines. Throws `Refusal` where it did not search at all. */
export function problemsIn(stderr: string, searched: boolean): readonly string[] {
  const lines = stderr.split('\n').filter(line => line !== '')
  if (!searched && lines.length > 0) throw new Refusal(stderr.trim().replace(/^rg: /, ''))
  const said = lines.map(line => line.replace(/^rg: (\.[/\\])?/, ''))
  return said.length > MAX_PROBLEMS
    ? [...said.slice(0, MAX_PROBLEMS), `and ${said.length - MAX_PROBLEMS} more`]
    : said
}

const MAX_PROBLEMS = 10

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
export async function stillThere({ folder }: Place): Promise<void> {
  const there = await stat(folder).catch(() => undefined)
  if (there === undefined) throw new Refusal('The folder is not there any more.')
}
