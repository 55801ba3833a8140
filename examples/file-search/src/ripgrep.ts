/** Runs ripgrep, of which the npm package for this platform has the program in it, and ends it when nobody wants its words any more. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access, chmod } from 'node:fs/promises'
import { rgPath } from '@vscode/ripgrep'
import { Refusal } from './refusal.js'

export interface Run {
  readonly folder: string
  readonly arguments: readonly string[]
  /** The byte that ends what `onPart` gets: a line feed, or NUL. */
  readonly separator: number
  /** A part without its separator; `cut` where it was longer than MAX_PART and only its beginning is here. */
  readonly onPart: (part: Buffer, cut: boolean) => void
  readonly signal: AbortSignal
}

export interface Ended {
  /** 0: something was found; 1: nothing; 2: something went wrong, and it may have found something all the same. */
  readonly code: number | null
  readonly stderr: string
}

const MAX_PART = 32 * 1024 * 1024
const MAX_STDERR = 64 * 1024
const MAX_AT_ONCE = 4
const MAX_WAITING = 64

/** Settles when the program has ended, which is at once after the signal. Rejects with the signal's reason. */
export async function ripgrep(run: Run): Promise<Ended> {
  await turn(run.signal)
  try {
    return await runNow(run)
  } finally {
    done()
  }
}

async function runNow({ folder, arguments: args, separator, onPart, signal }: Run): Promise<Ended> {
  signal.throwIfAborted()
  ready ??= makeExecutable()
  await ready
  const child = spawn(rgPath, ['--no-config', ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(),
    windowsHide: true,
  })
  const closed = once(child, 'close')
  const end = () => child.kill('SIGKILL')
  signal.addEventListener('abort', end, { once: true })
  running.add(child)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    if (stderr.length < MAX_STDERR) stderr += text
  })
  const split = splitter(separator, onPart)
  let fault: unknown
  child.stdout.on('data', chunk => {
    if (signal.aborted || fault !== undefined) return
    try {
      split(chunk)
    } catch (error) {
      fault = error
      end()
    }
  })
  try {
    const [code] = await closed
    signal.throwIfAborted()
    if (fault !== undefined) throw fault
    return { code, stderr }
  } finally {
    signal.removeEventListener('abort', end)
    running.delete(child)
  }
}

let ready: Promise<void> | undefined

/** Whoever unpacked a desktop bundle may have lost the mode of the program. */
async function makeExecutable(): Promise<void> {
  try {
    await access(rgPath, constants.X_OK)
  } catch {
    // Where this fails, starting it says why.
    await chmod(rgPath, 0o755).catch(() => {})
  }
}

/** Where git's global ignore file is; nothing else of the environment is its business. */
function environment(): NodeJS.ProcessEnv {
  const names = ['HOME', 'XDG_CONFIG_HOME', 'USERPROFILE', 'SystemRoot']
  return Object.fromEntries(names.flatMap(name => (process.env[name] ? [[name, process.env[name]]] : [])))
}

function splitter(separator: number, onPart: Run['onPart']): (chunk: Buffer) => void {
  let kept: Buffer[] = []
  let size = 0
  const end = (last: Buffer) => {
    onPart(kept.length === 0 ? last : Buffer.concat([...kept, last]), size > MAX_PART)
    kept = []
    size = 0
  }
  return chunk => {
    let from = 0
    for (let at = chunk.indexOf(separator); at >= 0; at = chunk.indexOf(separator, from)) {
      end(chunk.subarray(from, at))
      from = at + 1
    }
    if (from === chunk.length) return
    size += chunk.length - from
    if (size <= MAX_PART) kept.push(chunk.subarray(from))
  }
}

/** They end with this process; where it is killed, at their first word, which nobody takes, or at the end of their search. */
const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

let free = MAX_AT_ONCE
const waiting: (() => void)[] = []

/** ripgrep uses all processors by itself: many at once only share them. */
async function turn(signal: AbortSignal): Promise<void> {
  signal.throwIfAborted()
  if (free > 0) {
    free--
    return
  }
  if (waiting.length >= MAX_WAITING) throw new Refusal('Too many searches at once; try again later.')
  await new Promise<void>((resolve, reject) => {
    const leave = () => {
      waiting.splice(waiting.indexOf(mine), 1)
      reject(signal.reason)
    }
    const mine = () => {
      signal.removeEventListener('abort', leave)
      resolve()
    }
    waiting.push(mine)
    signal.addEventListener('abort', leave, { once: true })
  })
}

function done(): void {
  const next = waiting.shift()
  if (next === undefined) free++
  else next()
}
