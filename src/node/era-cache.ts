/** The eras of servers, remembered on disk, so that a server that ignores the question costs its probe timeout once a week. */

import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import type { EraMemory } from '../client/upstream.js'
import { isObject } from '../protocol/meta.js'

/** How long a verdict holds, in milliseconds. Servers are upgraded, and gain the modern era. */
const LIFETIME = 7 * 24 * 3_600_000
/** Beyond this many the oldest are forgotten. */
const MAX_ENTRIES = 1_000

type Verdicts = Map<string, number>

/**
 * Remembers in `file`, by default `anyport/eras.json` in the user's cache folder. The file holds no command line, only its
 * hash. A file that is missing, broken or cannot be written is no error: then the server is asked again.
 */
export function eraCache(file = standardFile()): EraMemory {
  if (file === undefined) return { get: () => undefined, set: () => {} }
  return {
    get: server => (isFresh(read(file).get(keyOf(server))) ? 'legacy' : undefined),
    set(server, era) {
      const key = keyOf(server)
      // Read anew: another process may have written meanwhile.
      const verdicts = read(file)
      // A modern server answers at once, so that only the others are worth remembering. A verdict ages from when it was found.
      if (era === 'legacy' ? isFresh(verdicts.get(key)) : !verdicts.delete(key)) return
      if (era === 'legacy') verdicts.set(key, Date.now())
      write(file, verdicts)
    },
  }
}

function keyOf(server: string): string {
  return createHash('sha256').update(server).digest('base64url')
}

function isFresh(found: number | undefined): boolean {
  if (found === undefined) return false
  const age = Date.now() - found
  return age >= 0 && age < LIFETIME
}

function read(file: string): Verdicts {
  const verdicts: Verdicts = new Map()
  try {
    const { legacy } = JSON.parse(readFileSync(file, 'utf8')) as { readonly legacy?: unknown }
    if (!isObject(legacy)) return verdicts
    for (const [key, found] of Object.entries(legacy)) if (typeof found === 'number') verdicts.set(key, found)
  } catch {
    // Missing, unreadable or broken: nothing is remembered.
  }
  return verdicts
}

/** Whole or not at all: a reader never sees half a file. */
function write(file: string, verdicts: Verdicts): void {
  const kept = [...verdicts]
    .filter(([, found]) => isFresh(found))
    .sort(([, a], [, b]) => b - a)
    .slice(0, MAX_ENTRIES)
  const temporary = `${file}.${process.pid}.${crypto.randomUUID()}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, `${JSON.stringify({ legacy: Object.fromEntries(kept) })}\n`, {
      mode: 0o600,
      flag: 'wx',
    })
    renameSync(temporary, file)
  } catch {
    // A folder that cannot be written, a full disk: the next start asks again.
    remove(temporary)
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // Where nothing could be written, there is nothing to remove.
  }
}

/** The XDG base directory specification; elsewhere what the system has in its place. Undefined for a user without a home. */
function standardFile(): string | undefined {
  try {
    return join(cacheFolder(), 'anyport', 'eras.json')
  } catch {
    return undefined
  }
}

function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME
  if (process.platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}
