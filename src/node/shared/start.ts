/** Starts the background anyport as a process that outlives whoever needed it first. */

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { closeSync, openSync, rmSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { TransportError } from '../../exchange/errors.js'
import { childEnvironment } from '../process/environment.js'
import { logFile } from './log-place.js'

export interface StartOptions {
  readonly folder: string
  /** What runs it, and with which arguments. Everybody can read them: nothing of a server is among them. */
  readonly command: readonly [file: string, ...args: readonly string[]]
}

/** Milliseconds after which a start that led to nothing is tried again. */
const START_LIMIT = 5_000

/**
 * Starts it, unless somebody else does so at this moment: of twenty clients one is enough. (That only one serves is not decided here,
 * see `claim`.) Rejects with `TransportError` ERR_SPAWN.
 */
export async function startProcess({ folder, command }: StartOptions): Promise<void> {
  if (!mayStart(startingFile(folder))) return
  const errors = openLog(logFile(folder))
  const options: SpawnOptions = {
    // A session of its own, out of reach of what ends ours; it holds no folder.
    detached: true,
    cwd: process.platform === 'win32' ? undefined : '/',
    // What programs need, and no secrets: the environments of servers come with those who ask for them, and so does whom to trust.
    env: { ...childEnvironment(), NODE_EXTRA_CA_CERTS: undefined },
    stdio: ['ignore', 'ignore', errors ?? 'ignore'],
    windowsHide: true,
  }
  try {
    if (process.platform === 'win32') (await started(spawn(command[0], command.slice(1), options))).unref()
    else {
      // The shell ends at once, so that a client which ends us with all our descendants does not find it among them.
      const shell = await started(spawn('/bin/sh', ['-c', '"$@" &', 'sh', ...command], options)).catch(() =>
        started(spawn(command[0], command.slice(1), options)),
      )
      shell.unref()
    }
  } catch (error) {
    startEnded(folder)
    throw new TransportError(
      'ERR_SPAWN',
      `The background anyport cannot be started: ${(error as Error).message}`,
      { hop: 'the background anyport', knob: '--shared', cause: error },
    )
  } finally {
    if (errors !== undefined) closeSync(errors)
  }
}

/** To be called once it serves, or will not. */
export function startEnded(folder: string): void {
  rmSync(startingFile(folder), { force: true })
}

function startingFile(folder: string): string {
  return join(folder, 'starting')
}

function mayStart(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx', 0o600))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  try {
    if (Date.now() - statSync(file).mtimeMs < START_LIMIT) return false
    utimesSync(file, new Date(), new Date())
    return true
  } catch {
    // It has just ended: whoever asks again sees how.
    return false
  }
}

/** Undefined where it cannot be written: that is no reason not to serve. */
function openLog(file: string): number | undefined {
  try {
    return openSync(file, 'a', 0o600)
  } catch {
    return undefined
  }
}

function started(child: ChildProcess): Promise<ChildProcess> {
  return new Promise((resolve, reject) => {
    child.once('spawn', () => resolve(child))
    child.once('error', reject)
  })
}
