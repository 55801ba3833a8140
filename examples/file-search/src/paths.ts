/** How files are named to a caller, who may give these names back. */

import { relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Folders } from './folders.js'

/** Relative where there is one folder, absolute where there are several; always with slashes. */
export function nameOf(folders: Folders, path: string): string {
  const [only] = folders
  const name = folders.length === 1 && only !== undefined ? relative(only, path) || '.' : path
  return sep === '/' ? name : name.replaceAll(sep, '/')
}

export function uriOf(path: string): string {
  return pathToFileURL(path).href
}

const MAX_LINKS = 20

/** Links to the first files of a result, for clients that open or attach them. */
export function linksTo(folders: Folders, paths: readonly string[]) {
  return paths.slice(0, MAX_LINKS).map(path => ({
    type: 'resource_link' as const,
    uri: uriOf(path),
    name: nameOf(folders, path),
  }))
}
