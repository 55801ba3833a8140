/** Where configurations are: each client's file on each platform, and the file of a project found from its folders. */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { posix, win32 } from 'node:path'
import type { Client } from '../../config/client.js'

/** The machine, as far as it decides where files are. */
export interface PlacesOptions {
  /** Default `process.platform`. */
  readonly platform?: string
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly home?: string
  readonly cwd?: string
  readonly exists?: (file: string) => boolean
}

/** Names of a project's configuration, the first that is there. */
const DISCOVERED = ['anyport.json', 'mcp.json', '.mcp.json']

/**
 * The file with a client's servers: that of the project in `cwd`, or the user's. Where several places are possible, the first that
 * exists, else the first. Undefined where the client has no such file.
 */
export function clientFile(
  client: Client,
  scope: 'user' | 'project',
  options: PlacesOptions = {},
): string | undefined {
  const { exists = existsSync } = options
  const files = filesOf(client, scope, options)
  return files.find(exists) ?? files[0]
}

/** `anyport.json`, `mcp.json` or `.mcp.json` of this folder or of one above it. */
export function discoverConfig(options: PlacesOptions = {}): string | undefined {
  const { exists = existsSync, cwd = process.cwd() } = options
  const paths = pathsOf(options)
  for (let folder = paths.resolve(cwd); ; folder = paths.dirname(folder)) {
    const found = DISCOVERED.map(name => paths.join(folder, name)).find(exists)
    if (found !== undefined) return found
    if (folder === paths.dirname(folder)) return undefined
  }
}

function filesOf(client: Client, scope: 'user' | 'project', options: PlacesOptions): string[] {
  const { platform = process.platform, env = process.env, home = homedir(), cwd = process.cwd() } = options
  const paths = pathsOf(options)
  if (scope === 'project') return client.projectFiles.map(file => paths.join(cwd, ...file.split('/')))
  const key = platform === 'win32' || platform === 'darwin' ? platform : 'linux'
  return (client.userFiles[key] ?? []).flatMap(file => {
    const [first = '', ...rest] = file.split('/')
    if (first === '~') return [paths.join(home, ...rest)]
    const folder = env[first.slice(1)]
    return folder === undefined || folder === '' ? [] : [paths.join(folder, ...rest)]
  })
}

function pathsOf({ platform = process.platform }: PlacesOptions) {
  return platform === 'win32' ? win32 : posix
}
