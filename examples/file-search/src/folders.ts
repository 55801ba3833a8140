/** Which folders may be searched: those that whoever started the server named, narrowed to the roots of the client. */

import { realpath, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Refusal } from './refusal.js'

/** Folders by their real paths: no links, no `..`, the case that the disk has; none inside another. */
export type Folders = readonly string[]

/** Throws where one is not there, or not a folder: a server that searches less than it was told to would be believed. */
export async function allowedFolders(paths: readonly string[]): Promise<Folders> {
  const real = await Promise.all(
    paths.map(async path => {
      const found = await realpath(path)
      if (!(await stat(found)).isDirectory()) throw new Error(`${path} is not a folder`)
      return found
    }),
  )
  return outermost(real)
}

/**
 * The part of the allowed folders that is also in the client's roots. A client that lists no roots says nothing about folders, and
 * narrows nothing. Throws `Refusal` where nothing is left.
 */
export async function narrowed(
  folders: Folders,
  roots: readonly { readonly uri: string }[],
): Promise<Folders> {
  if (roots.length === 0) return folders
  const found = (await Promise.all(roots.slice(0, MAX_ROOTS).map(realRoot))).filter(
    root => root !== undefined,
  )
  const both = folders.flatMap(folder =>
    found.flatMap(root => (isInside(folder, root) ? [root] : isInside(root, folder) ? [folder] : [])),
  )
  if (both.length === 0)
    throw new Refusal('None of the folders that the client has open is one that may be searched here.')
  return outermost(both)
}

const MAX_ROOTS = 100

/** Whether a real path is the folder, or in it. */
export function isInside(folder: string, path: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep)
}

async function realRoot(root: { readonly uri: string }): Promise<string | undefined> {
  try {
    const found = await realpath(fileURLToPath(root.uri))
    return (await stat(found)).isDirectory() ? found : undefined
  } catch {
    // Not on this machine, or not a file at all.
    return undefined
  }
}

function outermost(folders: readonly string[]): Folders {
  const unique = [...new Set(folders)].sort()
  return unique.filter(folder => !unique.some(other => other !== folder && isInside(other, folder)))
}
