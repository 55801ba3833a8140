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

interface Verdict {
  readonly dialect: Remembered
  /** When, by the clock. */
  readonly found: number
}

type Remembered = 'legacy' | 'sse'
type Verdicts = Map<string, Verdict>

/**
 * Remembers in `file`, by default `anyport/eras.json` in the user's cache folder. The file holds no command line, only its
 * hash. A file that is missing, broken or cannot be written is no error: then the server is asked again.
 */
export function eraCache(file = standardFile()): EraMemory {
  if (file === undefined) return { get: () => undefined, set: () => {} }
  return {
    get: server => {
      const verdict = read(file).get(keyOf(server))
      return isFresh(verdict) ? verdict?.dialect : undefined
    },
    set(server, dialect) {
      const key = keyOf(server)
      // Read anew: another process may have written meanwhile.
      const verdicts = read(file)
      // A modern server answers at once, so that only the others are worth remembering. A verdict ages from when it was found.
      const known = verdicts.get(key)
      if (dialect === 'modern' ? !verdicts.delete(key) : isFresh(known) && known?.dialect === dialect) return
      if (dialect !== 'modern') verdicts.set(key, { dialect, found: Date.now() })
      write(file, verdicts)
    },
  }
}

const REMEMBERED: readonly Remembered[] = ['legacy', 'sse']

function keyOf(server: string): string {
  return createHash('sha256').update(server).digest('base64url')
}

function isFresh(verdict: Verdict | undefined): boolean {
  if (verdict === undefined) return false
  const age = Date.now() - verdict.found
  return age >= 0 && age < LIFETIME
}

function read(file: string): Verdicts {
  const verdicts: Verdicts = new Map()
  try {
    const content = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, unknown>>
    for (const dialect of REMEMBERED) {
      const servers = content[dialect]
      if (!isObject(servers)) continue
      for (const [key, found] of Object.entries(servers))
        if (typeof found === 'number') verdicts.set(key, { dialect, found })
    }
  } catch {
    // Missing, unreadable or broken: nothing is remembered.
  }
  return verdicts
}

/** Whole or not at all: a reader never sees half a file. */
function write(file: string, verdicts: Verdicts): void {
  const kept = [...verdicts]
    .filter(([, verdict]) => isFresh(verdict))
    .sort(([, a], [, b]) => b.found - a.found)
    .slice(0, MAX_ENTRIES)
  const content = Object.fromEntries(
    REMEMBERED.map(dialect => [
      dialect,
      Object.fromEntries(
        kept.filter(([, verdict]) => verdict.dialect === dialect).map(([key, { found }]) => [key, found]),
      ),
    ]),
  )
  const temporary = `${file}.${process.pid}.${crypto.randomUUID()}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, `${JSON.stringify(content)}\n`, {
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
