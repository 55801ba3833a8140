/** Where the background anyport of a user is found: a folder that nobody else can enter. */

import { lstatSync, mkdirSync, type Stats } from 'node:fs'
import { homedir } from 'node:os'
import { posix, win32 } from 'node:path'
import { TransportError } from '../../exchange/errors.js'
import type { Environment } from '../process/environment.js'

export interface FolderQuestion {
  /** As `process.platform`. */
  readonly platform?: string
  readonly env?: Environment
  readonly home?: () => string
}

/**
 * `anyport` in the user's runtime folder, which goes with the login; in the state folder where there is none (XDG base directory
 * specification), and in the application data of the user on macOS and Windows.
 */
export function sharedFolder(question: FolderQuestion = {}): string {
  const { platform = process.platform, env = process.env, home = homedir } = question
  if (platform === 'win32')
    return win32.join(env.LOCALAPPDATA || win32.join(home(), 'AppData', 'Local'), 'anyport', 'shared')
  for (const name of ['XDG_RUNTIME_DIR', 'XDG_STATE_HOME']) {
    const folder = env[name]
    if (folder !== undefined && posix.isAbsolute(folder)) return posix.join(folder, 'anyport')
  }
  if (platform === 'darwin') return posix.join(home(), 'Library', 'Application Support', 'anyport')
  return posix.join(home(), '.local', 'state', 'anyport')
}

export interface FolderOwner {
  readonly platform?: string
  /** Our user; undefined on Windows, where the folder inherits that others are kept out. */
  readonly uid?: number | undefined
}

/**
 * Makes the folder where it is missing, and makes sure that nobody else can enter it or put another in its place: what goes through
 * it are the environments of servers. Throws `TransportError` ERR_CONNECT that says what is wrong with it.
 */
export function secureFolder(folder: string, owner: FolderOwner = {}): void {
  const { platform = process.platform, uid = process.getuid?.() } = owner
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refusal(folder, `it cannot be made: ${(error as Error).message}`)
  }
  if (platform === 'win32' || uid === undefined) return
  const found = lstatSync(folder)
  if (!found.isDirectory()) throw refusal(folder, 'it is no folder')
  if (found.uid !== uid) throw refusal(folder, `it belongs to another user (${found.uid})`)
  if ((found.mode & 0o077) !== 0)
    throw refusal(folder, `others can enter it (mode ${modeOf(found)}); make it yours alone with chmod 700`)
  const parent = posix.dirname(folder)
  const above = lstatSync(parent)
  if (above.uid !== uid && above.uid !== 0 && !above.isSymbolicLink())
    throw refusal(folder, `${parent} belongs to another user (${above.uid})`)
  // In a sticky folder (as /tmp is one) others cannot rename what is ours.
  if (!above.isSymbolicLink() && (above.mode & 0o022) !== 0 && (above.mode & 0o1000) === 0)
    throw refusal(folder, `others can put another in its place: ${parent} has mode ${modeOf(above)}`)
}

function modeOf({ mode }: Stats): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

function refusal(folder: string, why: string): TransportError {
  return new TransportError(
    'ERR_CONNECT',
    `The folder for shared servers cannot be trusted: ${folder}: ${why}. It is taken from XDG_RUNTIME_DIR, or else XDG_STATE_HOME, where they are set`,
    { hop: folder, knob: '--shared' },
  )
}
