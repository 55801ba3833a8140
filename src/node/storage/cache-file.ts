/** Files that anyport can do without: what cannot be read or written is found out again. */

import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

/** A path in the user's cache folder; undefined for a user without a home. */
export function cachePath(name: string): string | undefined {
  try {
    return join(cacheFolder(), 'anyport', name)
  } catch {
    return undefined
  }
}

/** Whole or not at all, for the user alone: a reader never sees half a file. False where it cannot be written. */
export function writeCacheFile(file: string, text: string): boolean {
  const temporary = `${file}.${process.pid}.${crypto.randomUUID()}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    writeFileSync(temporary, text, { mode: 0o600, flag: 'wx' })
    renameSync(temporary, file)
    return true
  } catch {
    // A folder that cannot be written, a full disk.
    removeCacheFile(temporary)
    return false
  }
}

export function removeCacheFile(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // Where nothing could be written, there is nothing to remove.
  }
}

/** The XDG base directory specification; elsewhere what the system has in its place. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (XDG_CACHE_HOME !== undefined && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME
  if (process.platform === 'win32' && LOCALAPPDATA) return LOCALAPPDATA
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}
