/** A file system that exists in a table only. */

import { posix, win32 } from 'node:path'
import type { FileView } from '../../../src/node/process/file-view.js'

/** Paths to contents; `-> target` makes a link. On Windows names compare without case. */
export function inventedFiles(platform: string, table: Readonly<Record<string, string>>): FileView {
  const paths = platform === 'win32' ? win32 : posix
  const fold = (path: string) => (platform === 'win32' ? path.toLowerCase() : path)
  const entries = new Map(Object.entries(table).map(([path, text]) => [fold(path), { path, text }]))
  /** Follows links of any folder on the way. */
  const real = (path: string): string => {
    for (const { path: link, text } of entries.values()) {
      const target = /^-> (.*)$/.exec(text)?.[1]
      if (target === undefined) continue
      if (fold(path) === fold(link)) return real(target)
      if (fold(path).startsWith(fold(link) + paths.sep)) return real(target + path.slice(link.length))
    }
    return path
  }
  const files: FileView = {
    isFile: path => entries.has(fold(real(path))),
    isExecutable: path => files.isFile(path) && !/\.(txt|json|nvmrc)$/.test(path),
    readText: (path, limit = Number.POSITIVE_INFINITY) => entries.get(fold(real(path)))?.text.slice(0, limit),
    list(path) {
      const folder = real(path) + (path.endsWith(paths.sep) ? '' : paths.sep)
      const names = [...entries.values()]
        .filter(entry => fold(entry.path).startsWith(fold(folder)))
        .map(entry => entry.path.slice(folder.length).split(paths.sep)[0] as string)
      return [...new Set(names)]
    },
    realPath: real,
  }
  return files
}
