/** Which file `anyport config` reads or writes, and whose it is. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Client } from '../config/client.js'
import { CLIENTS, clientNamed, detectClient } from '../config/clients.js'
import { nearest } from '../config/nearest.js'
import { formatProblem } from '../config/problem.js'
import { placeOf, type Syntax, SyntaxProblem, splitMark } from '../config/source.js'
import { clientFile, discoverConfig } from '../node/config/config-places.js'
import { UsageError } from './arguments.js'
import type { ConfigOptions } from './config-options.js'

export interface Target {
  readonly file: string
  /** Undefined where the file itself tells. */
  readonly client: Client | undefined
  /** What the file has for this folder alone. */
  readonly folder?: string | undefined
}

/** Every client's file on this machine that exists. */
export function everyFile(): Target[] {
  const own = discoverConfig()
  const seen = new Set<string>()
  const files = CLIENTS.flatMap(client =>
    (['user', 'project'] as const).flatMap((scope): Target[] => {
      const file = clientFile(client, scope)
      return file === undefined
        ? []
        : [{ file, client: client.universal ? undefined : readerOf(client, file) }]
    }),
  )
  const present = [...(own === undefined ? [] : [{ file: own, client: undefined }]), ...files].filter(
    ({ file }) => {
      if (seen.has(file) || !existsSync(file)) return false
      seen.add(file)
      return true
    },
  )
  const local = CLIENTS.filter(client => client.folderPlace !== undefined).map(localTarget)
  return [...present, ...local.filter(({ file }) => existsSync(file))]
}

export function targetFile(options: ConfigOptions, id: string): Target {
  const client = named(id)
  const known = options.client === undefined && options.to === undefined ? undefined : client
  if (options.file !== undefined) {
    if (options.scope !== 'local') return { file: resolve(options.file), client: known }
    return { ...localTarget(client), file: resolve(options.file) }
  }
  if (client.universal && options.scope !== 'user')
    return { file: resolve(discoverConfig() ?? 'anyport.json'), client: undefined }
  if (options.scope === 'local') return localTarget(client)
  const file = clientFile(client, options.scope ?? userScope(client))
  if (file === undefined)
    throw new UsageError(
      `${client.title} has no ${options.scope ?? 'user'} file; use the other --scope, or --file`,
    )
  return { file, client: readerOf(client, file) }
}

/** The user's file, and in it what holds in this folder alone. */
export function localTarget(client: Client): Target {
  const file = clientFile(client, 'user')
  if (client.folderPlace === undefined || file === undefined)
    throw new UsageError(
      `${client.title} has no servers for one folder in the user's file; use --scope project`,
    )
  return { file, client, folder: process.cwd() }
}

export function userScope(client: Client): 'user' | 'project' {
  return Object.keys(client.userFiles).length === 0 ? 'project' : 'user'
}

export function ownerOf(file: string, text: string, syntax: Syntax): Client {
  const root = located(file, text, syntax.parse)
  const client = detectClient(file, root) ?? clientNamed('anyport')
  return client as Client
}

export function named(id: string): Client {
  const client = clientNamed(id)
  if (client !== undefined) return client
  const near = nearest(
    id,
    CLIENTS.map(candidate => candidate.id),
  )
  throw new UsageError(
    `There is no client ${id}${near === undefined ? `: ${CLIENTS.map(candidate => candidate.id).join(', ')}` : `; did you mean ${near}?`}`,
  )
}

export function mustExist(file: string, client: Client | undefined): string {
  if (!existsSync(file))
    throw new UsageError(
      `${file} does not exist${client === undefined ? '' : `: that is where ${client.title} has its servers`}`,
    )
  return resolve(file)
}

/** A project's file, without values in place of references, is like every other of the project. */
export function isShared(file: string, owner: Client, { resolve: baked }: ConfigOptions): boolean {
  const path = file.replaceAll('\\', '/')
  return (
    !baked &&
    owner.projectFiles.some(ending => path.endsWith(`/${ending}`)) &&
    path !== clientFile(owner, 'user')
  )
}

/** A text that cannot be read is a mistake of its writer, with its place. */
export function located<T>(file: string, text: string, work: (text: string) => T): T {
  try {
    return work(text)
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const place = placeOf(file, splitMark(text)[1], error.offset)
    throw new TypeError(formatProblem({ severity: 'error', place, message: error.message }))
  }
}

/** Undefined where the file tells better: the two versions of OpenCode share one. */
export function readerOf(client: Client, file: string): Client | undefined {
  return client.id.startsWith('opencode') && existsSync(file) ? undefined : client
}
