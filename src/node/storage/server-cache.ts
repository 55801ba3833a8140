/** What servers offer, remembered on disk, so that clients get it at once while one of them starts. */

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readRecord, type ServerMemory } from '../../client/server-memory.js'
import { cachePath, removeCacheFile, writeCacheFile } from './cache-file.js'

/** How long it is good for, in milliseconds, from when the server was last looked at. */
const LIFETIME = 30 * 24 * 3_600_000
/** Beyond these the oldest are forgotten. */
const MAX_FILES = 200
const MAX_BYTES = 64 * 1024 * 1024
/** Of the form in which it is written. */
const FORMAT = 1

/**
 * Remembers in a folder, by default `anyport/servers` in the user's cache folder: a file for each server and principal. They
 * hold what the server shows its clients; what was started and for whom is only in their names, as a hash. What is
 * missing, broken or cannot be written is no error: then clients get less, and the truth a little later.
 */
export function serverCache(folder = cachePath('servers')): ServerMemory {
  if (folder === undefined) return { get: () => undefined, set: () => {} }
  const fileOf = (server: string) => join(folder, `${hash(server)}.json`)
  return {
    get(server) {
      try {
        const stored = JSON.parse(readFileSync(fileOf(server), 'utf8')) as Readonly<Record<string, unknown>>
        const age = Date.now() - Number(stored.looked)
        if (stored.format !== FORMAT || !(age >= 0 && age < LIFETIME)) return undefined
        return readRecord(stored.record)
      } catch {
        return undefined
      }
    },
    set(server, record) {
      const text = JSON.stringify({ format: FORMAT, looked: Date.now(), record })
      if (!writeCacheFile(fileOf(server), `${text}\n`)) return
      try {
        prune(folder)
      } catch {
        // A folder that cannot be read is pruned another time.
      }
    },
  }
}

function hash(server: string): string {
  return createHash('sha256').update(server).digest('base64url')
}

function prune(folder: string): void {
  let bytes = 0
  const files = readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .flatMap(name => {
      const file = join(folder, name)
      const stat = statSync(file, { throwIfNoEntry: false })
      return stat === undefined ? [] : [{ file, size: stat.size, changed: stat.mtimeMs }]
    })
    .sort((a, b) => b.changed - a.changed)
  for (const [index, { file, size, changed }] of files.entries()) {
    bytes += size
    const old = Date.now() - changed > LIFETIME
    if (old || index >= MAX_FILES || bytes > MAX_BYTES) removeCacheFile(file)
  }
}
