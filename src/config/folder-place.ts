/** Servers that a user's file has for one folder: those of Claude Code's scope "local". */

import type { Client } from './client.js'
import { nodeAt, type ServersPlace, type SourceNode } from './source.js'

/**
 * Where a client has, or would have, the servers of a folder: under the folder itself or the nearest above it that the file knows. Undefined
 * for a client that has no such place.
 */
export function placeOfFolder(
  client: Client,
  root: SourceNode | undefined,
  folder: string,
): ServersPlace | undefined {
  const { folderPlace } = client
  if (folderPlace === undefined) return undefined
  const { before, after } = folderPlace
  const folders = nodeAt(root, before)
  const known = folders?.kind === 'map' ? [...folders.entries.keys()] : []
  const key = ancestorsOf(folder).flatMap(wanted => known.find(name => withSlashes(name) === wanted) ?? [])[0]
  return { path: [...before, key ?? folder, ...after] }
}

/** The folder and those above it, the nearest first. */
function ancestorsOf(folder: string): string[] {
  const found: string[] = []
  for (let path = withSlashes(folder); path !== ''; path = path.slice(0, path.lastIndexOf('/'))) {
    found.push(path)
    if (!path.includes('/')) break
  }
  return found
}

/** Windows has two ways to write a path. */
function withSlashes(path: string): string {
  const slashes = path.replaceAll('\\', '/')
  return slashes.length > 1 ? slashes.replace(/\/$/, '') : slashes
}
