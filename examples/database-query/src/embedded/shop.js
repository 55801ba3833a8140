/** The data folder of the embedded PostgreSQL. */

import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'

const SAMPLE = new URL('sample.sql', import.meta.url)

/**
 * Opens the folder; an empty one gets the shop. Making it takes seconds, so it is made once and copied from then on.
 * @param {string} folder
 */
export async function openShop(folder) {
  if (existsSync(join(folder, 'PG_VERSION'))) return await PGlite.create(folder)
  const kept = keptFolder()
  if (existsSync(kept)) {
    cpSync(kept, folder, { recursive: true })
    return await PGlite.create(folder)
  }
  const postgres = await PGlite.create(folder)
  // One transaction: all of it or nothing.
  await postgres.exec(readFileSync(SAMPLE, 'utf8'))
  await postgres.close()
  keep(folder, kept)
  return await PGlite.create(folder)
}

/** One for each sample and version of PGlite. */
function keptFolder() {
  const about = new URL('../package.json', import.meta.resolve('@electric-sql/pglite'))
  const hash = createHash('sha256').update(readFileSync(SAMPLE)).update(readFileSync(about)).digest('hex')
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return join(cache, 'anyport-database-query', hash.slice(0, 16))
}

/**
 * Under its name only when it is whole.
 * @param {string} folder
 * @param {string} kept
 */
function keep(folder, kept) {
  let copy
  try {
    const parent = join(kept, '..')
    mkdirSync(parent, { recursive: true, mode: 0o700 })
    copy = mkdtempSync(join(parent, 'new-'))
    cpSync(folder, copy, { recursive: true })
    renameSync(copy, kept)
  } catch {
    // Somebody else was first, or there is no place to keep it: the next start takes as long as this one.
    if (copy !== undefined) rmSync(copy, { recursive: true, force: true })
  }
}
