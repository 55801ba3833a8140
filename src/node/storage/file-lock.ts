/**
 * A lock between processes: a file that only one of them can create. It says who holds it, and is touched while it is held, so that
 * one whose process has died is not waited for.
 */

import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm, rmdir, stat, utimes } from 'node:fs/promises'
import { hostname } from 'node:os'

export interface FileLock {
  /** Never rejects. */
  release(): Promise<void>
}

interface Holder {
  readonly id: string
  readonly pid: number
  readonly host: string
}

const HEARTBEAT = 2_000
/** Milliseconds without a heartbeat after which the holder is taken for dead: a busy machine is slow, but not that slow. */
const STALE = 20_000
/** The same for a folder, which some programs make their lock, and touch rarely. */
const STALE_FOLDER = 60_000
const MIN_PAUSE = 10
const MAX_PAUSE = 100
/** How long somebody who writes a file waits for others who do, in milliseconds. */
const WRITER_WAIT = 30_000

/** One writer of a file at a time. Rejects with `TypeError` that names the lock where it cannot be had. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const name = `${file}.lock`
  const late = () => new TypeError(`${name}: another program holds this lock; remove the file if none does`)
  const lock = await fileLock(name, WRITER_WAIT, late).catch(error => {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw new TypeError(`Cannot write ${name}: ${code === 'EACCES' ? 'no permission' : code}`)
  })
  try {
    return await work()
  } finally {
    await lock.release()
  }
}

/** Resolves undefined where somebody else holds it. Rejects where the folder cannot be written. */
export async function tryFileLock(file: string): Promise<FileLock | undefined> {
  if (await removeIfStale(file)) return await create(file)
  return undefined
}

/** Waits for it, at most so many milliseconds; then rejects with what `late` makes. */
export async function fileLock(file: string, limit: number, late: () => Error): Promise<FileLock> {
  const deadline = performance.now() + limit
  for (;;) {
    const lock = await tryFileLock(file)
    if (lock !== undefined) return lock
    if (performance.now() > deadline) throw late()
    // Apart from each other, so that those who wait do not all come at once.
    await new Promise(resolve => setTimeout(resolve, MIN_PAUSE + Math.random() * (MAX_PAUSE - MIN_PAUSE)))
  }
}

async function create(file: string): Promise<FileLock | undefined> {
  const holder: Holder = { id: randomUUID(), pid: process.pid, host: hostname() }
  try {
    const handle = await open(file, 'wx', 0o600)
    try {
      await handle.writeFile(JSON.stringify(holder))
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (isHeld(error)) return undefined
    throw error
  }
  const heartbeat = setInterval(() => touch(file, holder), HEARTBEAT)
  heartbeat.unref()
  return {
    async release() {
      clearInterval(heartbeat)
      // Somebody may have taken it from us while this machine slept.
      if ((await holderOf(file))?.id === holder.id) await rm(file, { force: true }).catch(() => {})
    },
  }
}

/** Resolves true where nobody holds it now. */
async function removeIfStale(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined)
  if (found === undefined) return true
  const holder = await holderOf(file)
  const isDead = holder !== undefined && holder.host === hostname() && !isAlive(holder.pid)
  const limit = found.isDirectory() ? STALE_FOLDER : STALE
  if (!isDead && Date.now() - found.mtimeMs < limit) return false
  // Whoever renames it has it alone: of several that find it stale, one removes it. What was renamed may be the lock of somebody who
  // was faster still; then it goes back.
  const taken = `${file}.${process.pid}.${randomUUID()}`
  try {
    await rename(file, taken)
  } catch {
    return false
  }
  const isSame = (await holderOf(taken))?.id === holder?.id
  if (isSame && (await removed(taken))) return true
  await rename(taken, file)
  return false
}

/** A folder goes only where nothing is in it. */
async function removed(taken: string): Promise<boolean> {
  try {
    if ((await stat(taken)).isDirectory()) await rmdir(taken)
    else await rm(taken)
    return true
  } catch {
    return false
  }
}

async function touch(file: string, { id }: Holder): Promise<void> {
  if ((await holderOf(file))?.id !== id) return
  const now = new Date()
  await utimes(file, now, now).catch(() => {})
}

/** Undefined also for the moment in which it was created and not yet written. */
async function holderOf(file: string): Promise<Holder | undefined> {
  try {
    const holder = JSON.parse(await readFile(file, 'utf8')) as Partial<Holder>
    const { id, pid, host } = holder
    return typeof id === 'string' && typeof pid === 'number' && typeof host === 'string'
      ? { id, pid, host }
      : undefined
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

/** On Windows a file that is being deleted can be neither opened nor created. */
function isHeld(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EEXIST' || (process.platform === 'win32' && (code === 'EPERM' || code === 'EACCES'))
}
