/**
 * The process groups that we started and that may still live. None of them outlives us: our end ends them too,
 * and where we are killed a supervisor does.
 */

import { spawnSync } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { releaseGroup, superviseGroup } from './supervisor.js'

const living = new Set<number>()
const supervised = new Set<number>()
let hooked = false

/** Registers a group by its leader's process id. On Windows, where there are no groups, the id stands for the tree. */
export function addGroup(leader: number, { supervise }: { readonly supervise: boolean }): void {
  living.add(leader)
  if (supervise) {
    supervised.add(leader)
    superviseGroup(leader, supervised)
  }
  if (hooked) return
  hooked = true
  // 'exit' is also emitted after process.exit() and an uncaught error, and allows synchronous work only.
  process.on('exit', () => {
    for (const group of living) signalGroup(group, 'SIGKILL')
  })
}

/** To be called once the group is gone: its id may be given to a stranger afterwards. */
export function removeGroup(leader: number): void {
  living.delete(leader)
  if (supervised.delete(leader)) releaseGroup(leader)
}

export function signalGroup(leader: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  if (process.platform === 'win32') {
    // Windows has no signal that a console program could handle; /F ends the whole tree.
    spawnSync('taskkill', ['/pid', String(leader), '/T', '/F'], {
      stdio: 'ignore',
      windowsHide: true,
      timeout: 5_000,
    })
    return
  }
  try {
    process.kill(-leader, signal)
  } catch {
    // Nobody left in it.
  }
}

/** Resolves with true as soon as the group is gone, with false after the timeout (milliseconds). */
export async function whenGroupGone(leader: number, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout
  for (let wait = 5; ; wait = Math.min(wait * 2, 100)) {
    if (!(await groupLives(leader))) return true
    const left = deadline - performance.now()
    if (left <= 0) return false
    await new Promise(resolve => setTimeout(resolve, Math.min(wait, left)))
  }
}

async function groupLives(leader: number): Promise<boolean> {
  if (process.platform === 'win32') return false
  try {
    process.kill(-leader, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
  // A signal reaches the dead as well, as long as nobody has collected them; in containers often nobody does.
  return process.platform === 'linux' ? hasLiveMember(leader) : true
}

async function hasLiveMember(group: number): Promise<boolean> {
  const ids = (await readdir('/proc')).filter(name => /^\d+$/.test(name))
  for (const id of ids) {
    const stat = await readFile(`/proc/${id}/stat`, 'utf8').catch(() => '')
    // pid (command) state parent group ...; the command may hold anything, parentheses included.
    const [state, , groupId] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (Number(groupId) === group && state !== 'Z' && state !== 'X') return true
  }
  return false
}
