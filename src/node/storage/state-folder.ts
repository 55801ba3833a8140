import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** Where the system keeps what programs must not lose: XDG base directories, and what other systems have in their place. */
export function stateFolder(): string {
  const { XDG_STATE_HOME: xdg, LOCALAPPDATA: local } = process.env
  if (xdg !== undefined && isAbsolute(xdg)) return xdg
  if (process.platform === 'win32' && local) return local
  return process.platform === 'darwin'
    ? join(homedir(), 'Library', 'Application Support')
    : join(homedir(), '.local', 'state')
}
