/** One writer of a file at a time, across processes: a file beside it that only one of them can make. */

import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readFileSync, rmdirSync, rmSync, statSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

/** How long a lock is waited for, in milliseconds. */
const MAX_WAIT = 30_000
/** Nobody needs a lock for longer: its holder is gone, or on another machine that was switched off. */
const MAX_AGE = 60_000
/** What a lock that was just made may take to get its content. */
const MAX_EMPTY = 2_000

/** Rejects with `TypeError` that names the lock where it cannot be had. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const lock = `${file}.lock`
  const own = `${process.pid} ${hostname()} ${randomUUID()}`
  await acquire(lock, own)
  try {
    return await work()
  } finally {
    // Somebody may have taken us for dead.
    if (contentOf(lock) === own) rmSync(lock, { force: true })
  }
}

async function acquire(lock: string, own: string): Promise<void> {
  const end = Date.now() + MAX_WAIT
  while (!make(lock, own)) {
    if (Date.now() > end)
      throw new TypeError(`${lock}: another program holds this lock; remove the file if none does`)
    if (isStale(lock)) removeStale(lock)
    await sleep(2 + Math.random() * 18)
  }
}

function make(lock: string, own: string): boolean {
  let file: number
  try {
    file = openSync(lock, 'wx', 0o600)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Windows answers so while another process removes it.
    if (code === 'EEXIST' || (process.platform === 'win32' && (code === 'EPERM' || code === 'EACCES')))
      return false
    throw new TypeError(
      `Cannot write ${lock}: ${code === 'EACCES' ? 'no permission' : (code ?? String(error))}`,
    )
  }
  try {
    writeSync(file, own)
  } finally {
    closeSync(file)
  }
  return true
}

function isStale(lock: string): boolean {
  const age = ageOf(lock)
  if (age === undefined) return false
  const content = contentOf(lock)
  // Some programs make a folder of this name their lock, and touch it as long as they hold it.
  if (content === undefined) return age > MAX_AGE
  const [pid, host] = content.split(' ')
  if (content === '') return age > MAX_EMPTY
  return age > MAX_AGE || (host === hostname() && !isAlive(Number(pid)))
}

/** One at a time: what two hold to be stale, the second would otherwise remove when it is new again. */
function removeStale(lock: string): void {
  const guard = `${lock}.stale`
  if (!make(guard, '')) {
    const age = ageOf(guard)
    if (age !== undefined && age > MAX_AGE) rmSync(guard, { force: true })
    return
  }
  try {
    if (isStale(lock)) removeLock(lock)
  } finally {
    rmSync(guard, { force: true })
  }
}

/** A folder goes only where nothing is in it. */
function removeLock(lock: string): void {
  try {
    if (statSync(lock).isDirectory()) rmdirSync(lock)
    else rmSync(lock, { force: true })
  } catch {
    // Gone meanwhile, or in use: then it is waited for.
  }
}

function ageOf(file: string): number | undefined {
  try {
    return Date.now() - statSync(file).mtimeMs
  } catch {
    return undefined
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
