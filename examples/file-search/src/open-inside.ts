/**
 * Opens what is proven to be in an allowed folder. A check of a name proves nothing, since between check and use the name may come to mean
 * something else; so the file is opened first, and then asked where it is.
 */

import type { Stats } from 'node:fs'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readlink, realpath, stat } from 'node:fs/promises'
import { isAbsolute, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Folders, isInside } from './folders.js'
import { Refusal } from './refusal.js'

/** What was found: its real path, and what it was when it was proven. */
export interface Found {
  readonly path: string
  readonly stats: Stats
}

export interface OpenFile extends Found, AsyncDisposable {
  readonly handle: FileHandle
}

/** Linux opens a file without touching it, and has links to what is open; elsewhere names are compared around the opening. */
export type Proof = 'descriptor' | 'names'

export const BEST_PROOF: Proof = process.platform === 'linux' ? 'descriptor' : 'names'

/** From `linux/fcntl.h`; Node does not name it. Such a descriptor says what a file is, and cannot read it: devices and pipes notice nothing. */
const O_PATH = 0o10000000

/**
 * Opens a regular file for reading, by the path that a caller gave: see `pathOf`. Throws `Refusal` for whatever else it is, wherever else it is.
 */
export async function openFile(folders: Folders, asked: string, proof = BEST_PROOF): Promise<OpenFile> {
  const path = await pathOf(folders, asked)
  const by = proof === 'descriptor' ? byDescriptor : byNames
  const opened = await opening(asked, () => by(folders, path, asked))
  return { ...opened, [Symbol.asyncDispose]: () => opened.handle.close() }
}

/** What there is at a path, without reading it. Throws `Refusal` where nothing is, or it is elsewhere. */
export async function find(folders: Folders, asked: string, proof = BEST_PROOF): Promise<Found> {
  const path = await pathOf(folders, asked)
  return await opening(asked, async () => {
    if (proof === 'names') {
      const real = await realpath(path)
      return { path: inside(folders, real, asked), stats: await stat(real) }
    }
    const anchor = await open(path, O_PATH)
    try {
      return await proven(folders, anchor, asked)
    } finally {
      await anchor.close()
    }
  })
}

/**
 * The absolute path that a caller means: `file:` URIs and absolute paths as they are, others in the first folder where there is such a thing.
 * It is not proven to be inside.
 */
async function pathOf(folders: Folders, asked: string): Promise<string> {
  if (asked.includes('\0')) throw new Refusal('A path cannot have a NUL character in it.')
  // NTFS has further streams of a file behind a second colon.
  if (
    process.platform === 'win32' &&
    asked.replace(/^[a-z]:/i, '').includes(':') &&
    !asked.startsWith('file:')
  )
    throw new Refusal('A path has no colon but that of its drive.')
  if (asked.startsWith('file:')) {
    try {
      return fileURLToPath(asked)
    } catch {
      throw new Refusal(`Not the URI of a file on this machine: ${shown(asked)}`)
    }
  }
  if (isAbsolute(asked)) return resolve(asked)
  for (const folder of folders.slice(0, -1)) {
    const path = resolve(folder, asked)
    if (await exists(path)) return path
  }
  return resolve(folders.at(-1) ?? sep, asked)
}

async function byDescriptor(folders: Folders, path: string, asked: string) {
  const anchor = await open(path, O_PATH)
  try {
    const found = await proven(folders, anchor, asked)
    regular(found.stats, asked)
    // The same file again, whatever its name means by now.
    const handle = await open(linkOf(anchor), constants.O_RDONLY | constants.O_NONBLOCK)
    return { ...found, handle }
  } finally {
    await anchor.close()
  }
}

async function proven(folders: Folders, anchor: FileHandle, asked: string): Promise<Found> {
  const stats = await anchor.stat()
  const path = await readlink(linkOf(anchor))
  // Deleted meanwhile: its link says so in words that could also be a name.
  if (stats.nlink === 0) throw elsewhere(asked)
  return { path: inside(folders, path, asked), stats }
}

function linkOf(handle: FileHandle): string {
  return `/proc/self/fd/${handle.fd}`
}

/** Without such links: the file that was opened must be the one that a path free of links, inside, leads to. */
async function byNames(folders: Folders, path: string, asked: string) {
  regular(await stat(path), asked)
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const stats = await handle.stat()
    regular(stats, asked)
    const real = inside(folders, await realpath(path), asked)
    const named = await lstat(real)
    if (named.ino !== stats.ino || named.dev !== stats.dev) throw elsewhere(asked)
    return { path: real, stats, handle }
  } catch (error) {
    await handle.close()
    throw error
  }
}

function regular(stats: Stats, asked: string): void {
  if (stats.isDirectory()) throw new Refusal(`${shown(asked)} is a folder, not a file.`)
  if (!stats.isFile()) throw new Refusal(`${shown(asked)} is not a regular file.`)
}

function inside(folders: Folders, real: string, asked: string): string {
  if (!folders.some(folder => isInside(folder, real))) throw elsewhere(asked)
  return real
}

/** The same words for what is missing and for what is outside: otherwise they would tell what there is outside. */
function elsewhere(asked: string): Refusal {
  return new Refusal(`There is no ${shown(asked)} in the allowed folders.`)
}

async function opening<T>(asked: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Permissions inside are named below the same words, since whether a name outside may be read is nobody's matter either.
    if (code === 'EMFILE' || code === 'ENFILE')
      throw new Refusal('Too many files are open on this machine; try again.')
    if (code !== undefined) throw elsewhere(asked)
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch {
    return false
  }
}

function shown(path: string): string {
  return JSON.stringify(path.length > 300 ? `${path.slice(0, 300)}…` : path)
}
