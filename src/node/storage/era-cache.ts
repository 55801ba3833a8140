/** The eras of servers, remembered on disk, so that a server that ignores the question costs its probe timeout once a week. */

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { EraMemory } from '../../client/upstream-options.js'
import { isObject } from '../../protocol/meta.js'
import { cachePath, writeCacheFile } from './cache-file.js'

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
export function eraCache(file = cachePath('eras.json')): EraMemory {
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
  writeCacheFile(file, `${JSON.stringify(content)}\n`)
}
