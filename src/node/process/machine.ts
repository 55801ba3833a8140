/** The machine on which a program is to start, as far as planning the start needs it. All of it can be invented. */

import { posix, win32 } from 'node:path'
import type { FileView } from './file-view.js'

export interface Machine {
  /** As `process.platform`. */
  readonly platform: string
  /** The environment of the child. */
  readonly env: Readonly<Record<string, string>>
  /** The folder in which the child starts, absolute. */
  readonly cwd: string
  readonly files: FileView
  /** The Node that runs us. */
  readonly ownNode?: { readonly executable: string; readonly version: string }
}

/** What is used of `node:path`, in words of our own: our types must not ask their readers for Node's. */
export interface Paths {
  readonly delimiter: string
  readonly sep: string
  basename(path: string, suffix?: string): string
  dirname(path: string): string
  extname(path: string): string
  isAbsolute(path: string): boolean
  join(...paths: string[]): string
  normalize(path: string): string
  relative(from: string, to: string): string
  resolve(...paths: string[]): string
}

export function pathsOf({ platform }: Pick<Machine, 'platform'>): Paths {
  return platform === 'win32' ? win32 : posix
}

/** A variable of the child; empty ones count as not set. Names compare without case on Windows. */
export function variable({ platform, env }: Machine, name: string): string | undefined {
  if (platform !== 'win32') return env[name] || undefined
  const found = Object.keys(env).find(key => key.toUpperCase() === name.toUpperCase())
  return (found === undefined ? undefined : env[found]) || undefined
}

export function homeOf(machine: Machine): string | undefined {
  return variable(machine, machine.platform === 'win32' ? 'USERPROFILE' : 'HOME')
}

/** The folders of PATH, absolute, in order. */
export function pathFolders(machine: Machine): readonly string[] {
  const paths = pathsOf(machine)
  // Without PATH the system looks there.
  const path = variable(machine, 'PATH') ?? (machine.platform === 'win32' ? '' : '/usr/bin:/bin')
  return path
    .split(paths.delimiter)
    .map(folder => (machine.platform === 'win32' ? folder.trim().replace(/^"(.*)"$/, '$1') : folder))
    .filter(folder => folder !== '')
    .map(folder => paths.resolve(machine.cwd, folder))
}

/** The environment with a folder first (or last) in PATH, under the name that PATH has there. */
export function withFolderInPath(machine: Machine, folder: string, place: 'first' | 'last') {
  const { env, platform } = machine
  const name =
    (platform === 'win32' ? Object.keys(env).find(key => key.toUpperCase() === 'PATH') : undefined) ?? 'PATH'
  const others = pathFolders(machine).filter(other => other !== folder)
  const folders = place === 'first' ? [folder, ...others] : [...others, folder]
  return { ...env, [name]: folders.join(pathsOf(machine).delimiter) }
}
