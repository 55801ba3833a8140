/** What a client's configuration looks like: each in a file of `clients/`, read and written by the same description. */

import type { RemoteTransport, ServerTimeouts, SignIn } from './server-entry.js'
import type { PlainObject, ServersPlace } from './source.js'
import type { VariableSyntax } from './variables.js'

export interface Client {
  /** As the command line names it: `claude-desktop`. */
  readonly id: string
  /** As people name it: `Claude Desktop`. */
  readonly title: string
  readonly syntax: 'json' | 'toml' | 'yaml'
  /** Where servers are found in a file; a file without any gets the first. */
  readonly places: readonly ServersPlace[]
  /** Where the user's file has the servers that hold in one folder alone: the way there from the root, the folder's path between. */
  readonly folderPlace?: { readonly before: readonly string[]; readonly after: readonly string[] }
  /** The user's file, the first that applies. `~` is the home folder, `$NAME/` a folder that a variable names. */
  readonly userFiles: UserFiles
  /** Files in a project's folder. */
  readonly projectFiles: readonly string[]
  readonly variables: VariableSyntax
  /** Declares what a person is asked for in a list `inputs` beside its servers. */
  readonly inputs?: boolean
  /** The key at the root that switches tools of all servers on and off: globs of `SERVER_TOOL` with `true` or `false`. */
  readonly toolSwitches?: string
  /** The fields in which references are replaced. Default: all texts. */
  readonly variableFields?: readonly TextField[]
  readonly fields: ClientFields
  /** What `type` says for each kind of server; an empty text for none. What is missing cannot be reached. */
  readonly types: Readonly<Partial<Record<'stdio' | RemoteTransport, string>>>
  /** Keys that mean something to the client alone. */
  readonly kept?: readonly string[]
  /** Takes what any client writes, and has a word for everything: the format of anyport itself. */
  readonly universal?: boolean
  /** Written into each entry, and no news when read. */
  readonly always?: (name: string) => PlainObject
  /** Names that it ignores. */
  readonly reservedNames?: readonly string[]
  /** What else a person should know, where something is written for it. */
  readonly hint?: string
}

export type UserFiles = Readonly<Partial<Record<'linux' | 'darwin' | 'win32', readonly string[]>>>
export type TextField = 'command' | 'args' | 'cwd' | 'env' | 'envFile' | 'url' | 'headers' | 'auth'

/** A key, or the way to it. */
export type FieldPath = string | readonly string[]

export interface ClientFields {
  readonly command: string
  /** Missing where `command` is a list that holds the arguments as well. */
  readonly args?: string
  readonly env: string
  readonly cwd?: string
  readonly envFile?: string
  /** A list of the variables that are passed on. */
  readonly inherit?: string
  readonly url?: string
  readonly headers?: FieldPath
  /** The name of the variable that holds a bearer token. */
  readonly bearerVariable?: string
  /** Headers whose values are names of variables. */
  readonly headerVariables?: string
  readonly disabled?: string
  readonly enabled?: string
  readonly timeouts?: readonly TimeoutField[]
  readonly allow?: string
  readonly deny?: string
  readonly approve?: string
  /** Filters take globs, rather than names only. */
  readonly globs?: boolean
  readonly description?: string
  readonly auth?: AuthFields
}

export interface TimeoutField {
  readonly key: string
  readonly of: keyof ServerTimeouts
  /** Milliseconds in one of its units. */
  readonly unit: 1 | 1000
  /** Takes whole numbers only. */
  readonly whole?: boolean
  readonly minimum?: number
  readonly maximum?: number
}

export interface AuthFields {
  readonly fields: Readonly<Partial<Record<keyof SignIn, FieldPath>>>
  /** Scopes are one text with blanks between them. */
  readonly scopesAsText?: boolean
  /** The key that is `false` where nobody is to sign in. */
  readonly never?: string
}

export function everywhere(...files: readonly string[]): UserFiles {
  return { linux: files, darwin: files, win32: files }
}

export function toPath(field: FieldPath): readonly string[] {
  return typeof field === 'string' ? [field] : field
}
