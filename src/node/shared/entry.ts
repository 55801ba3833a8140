/** What a client asks the background anyport for, and what makes two such wishes the same. */

import { existsSync } from 'node:fs'
import type { RemoteTransport } from '../../client/remote.js'
import type { JSONObject } from '../../protocol/message.js'
import type { HttpClientOptions } from '../http/http-client.js'
import type { SignInOptions } from '../oauth/authorizer-for.js'
import { type Paths, pathsOf } from '../process/machine.js'

export interface SharedCommand {
  readonly command: string
  readonly args: readonly string[]
  /** Absolute. */
  readonly cwd: string
  /** Values given by name. */
  readonly env: Readonly<Record<string, string>>
  /** What the server inherits from the client's environment. */
  readonly inherited: Readonly<Record<string, string>>
}

/** A server at an address, with what the client's command line, files and environment say of the way there. */
export interface SharedRemote {
  readonly url: string
  readonly transport: RemoteTransport
  /** As they are sent. */
  readonly headers: Readonly<Record<string, string>>
  readonly http: Omit<HttpClientOptions, 'environment'>
  /** The proxies of the client's environment. */
  readonly proxies: Readonly<Record<string, string>>
  /** Missing where nobody signs in. */
  readonly signIn?: SharedSignIn
  /** What a browser needs of the client's environment to find its screen. */
  readonly desktop: Readonly<Record<string, string>>
}

export interface SharedSignIn
  extends Omit<SignInOptions, 'clientKey' | 'fetch' | 'terminal' | 'environment' | 'onEvent' | 'onPrompt'> {
  readonly clientKey?: { readonly pem: string; readonly id?: string | undefined } | undefined
}

export interface SharedEntry {
  readonly server: SharedCommand | SharedRemote
  /** How it is to be served, in words that whoever runs the background understands. */
  readonly options: JSONObject
  /** Milliseconds that it stays after its last client has left. */
  readonly linger: number
}

export interface EntryView {
  readonly platform?: string
  /** Folders in PATH that are not there make no difference: npm adds one for each folder above the one it is run in. */
  readonly exists?: (path: string) => boolean
}

/**
 * Equal for entries that may share a server: the same command, arguments, folder, options and environment, or the same address, way
 * there and sign-in. It holds secrets. Of the inherited environment all counts but what only tells which terminal or desktop session asks.
 */
export function entryKey({ server, ...rest }: SharedEntry, view: EntryView = {}): string {
  if ('url' in server) {
    const { desktop: _ofTheSession, headers, proxies, ...remote } = server
    return JSON.stringify([remote, sorted(Object.entries(headers)), sorted(Object.entries(proxies)), rest])
  }
  const { platform = process.platform, exists = existsSync } = view
  const paths = pathsOf({ platform })
  const { inherited, env, ...program } = server
  const matters = Object.entries(inherited)
    .filter(([name]) => !OF_THE_SESSION.test(name))
    .map(([name, value]) => [name, /^path$/i.test(name) ? livingFolders(value, paths, exists) : value])
  return JSON.stringify([program, sorted(Object.entries(env)), sorted(matters as [string, string][]), rest])
}

/** Which terminal, which login, which shell: no server does another work by it. */
const OF_THE_SESSION =
  /^(TERM|COLORTERM|TERM_.+|ITERM_.+|WINDOWID|XDG_(SESSION_.+|SEAT|SEAT_PATH|VTNR|MENU_PREFIX|ACTIVATION_TOKEN)|FNM_MULTISHELL_PATH|SHLVL|PWD|OLDPWD|INIT_CWD|_)$/i

function livingFolders(path: string, { delimiter }: Paths, exists: (path: string) => boolean): string {
  return path
    .split(delimiter)
    .filter(folder => exists(folder))
    .join(delimiter)
}

function sorted(entries: readonly (readonly [string, string])[]) {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
}
