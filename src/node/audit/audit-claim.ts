/** One process writes one audit log: two writers would break its chain. */

import { closeSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'

/** Of this process. */
const held = new Set<string>()

/** Makes the lock file, and returns what removes it. Throws `TypeError` where another process has it. */
export function claim(lock: string): () => void {
  for (let attempt = 0; ; attempt++) {
    try {
      const file = openSync(lock, 'wx', 0o600)
      writeSync(file, `${process.pid} ${hostname()}`)
      closeSync(file)
      held.add(lock)
      return () => {
        held.delete(lock)
        rmSync(lock, { force: true })
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST')
        throw new TypeError(`The audit log cannot be written: ${lock}: ${code ?? String(error)}`)
    }
    const owner = ownerOf(lock)
    if (attempt > 0 || owner !== undefined)
      throw new TypeError(
        `The audit log belongs to ${owner ?? 'another process'}; two cannot write one. Remove ${lock} if it has gone`,
      )
    rmSync(lock, { force: true })
  }
}

/** Whoever holds a lock may just have made it, and not yet written into it. */
const YOUNG = 5_000

/** Undefined where whoever held it has gone. */
function ownerOf(lock: string): string | undefined {
  let text: string
  let age: number
  try {
    text = readFileSync(lock, 'utf8')
    age = Date.now() - statSync(lock).mtimeMs
  } catch {
    return undefined
  }
  const [pid = '', host] = text.split(' ')
  if (host === undefined) return age < YOUNG ? 'a process that is starting' : undefined
  const owner = `process ${pid} on ${host}`
  if (host !== hostname()) return owner
  // In containers each process has the number of the one before.
  if (Number(pid) === process.pid) return held.has(lock) ? owner : undefined
  return isAlive(Number(pid)) ? owner : undefined
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
