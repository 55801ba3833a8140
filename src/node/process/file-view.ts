/** What launch planning may know of the file system: it reads, follows links, and never runs anything. */

import {
  accessSync,
  closeSync,
  constants,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  statSync,
} from 'node:fs'

export interface FileView {
  isFile(path: string): boolean
  /** A file that we may execute. */
  isExecutable(path: string): boolean
  /** The beginning of a file, at most `limit` bytes (default 256 KiB); undefined where it cannot be read. */
  readText(path: string, limit?: number): string | undefined
  /** The names in a folder; none where it cannot be read. */
  list(path: string): readonly string[]
  /** The path without links; itself where that cannot be found out. */
  realPath(path: string): string
}

const READ_LIMIT = 256 * 1024

export const realFiles: FileView = {
  isFile: path => attempt(() => statSync(path, { throwIfNoEntry: false })?.isFile()) ?? false,
  isExecutable: path =>
    realFiles.isFile(path) && attempt(() => accessSync(path, constants.X_OK) === undefined) === true,
  readText: (path, limit = READ_LIMIT) =>
    // Opening a pipe would wait for its writer.
    realFiles.isFile(path) ? attempt(() => readBeginning(path, limit)) : undefined,
  list: path => attempt(() => readdirSync(path)) ?? [],
  realPath: path => attempt(() => realpathSync(path)) ?? path,
}

function readBeginning(path: string, limit: number): string {
  const file = openSync(path, 'r')
  try {
    const bytes = Buffer.alloc(Math.min(limit, statSync(path).size))
    return bytes.toString('utf8', 0, readSync(file, bytes))
  } finally {
    closeSync(file)
  }
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    // Missing, forbidden, or a loop of links: for us it is not there.
    return undefined
  }
}
