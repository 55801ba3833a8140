/**
 * The canonical form of a server entry: what every client's format is read into and written from. `Text` is `Template` as long
 * as references may be unresolved, and `string` once all have values.
 */

import type { PlainObject } from './source.js'
import type { Place, Template } from './template.js'

export interface ServerEntry<Text = string> {
  readonly name: string
  readonly server: StdioServer<Text> | RemoteServer<Text>
  readonly description?: string
  /** Present in the file, and not to be started. */
  readonly disabled?: boolean
  readonly timeouts?: ServerTimeouts
  readonly tools?: ToolFilter
  /** anyport's own settings of this server. */
  readonly settings?: ServerSettings
  /** Fields that only one client knows: kept for that client, named as lost for every other. */
  readonly extras?: ForeignFields
  /** Where the entry begins in its file. */
  readonly at?: Place
}

/** An entry as it stands in a file. */
export type UnresolvedEntry = ServerEntry<Template>

export interface StdioServer<Text = string> {
  readonly kind: 'stdio'
  readonly command: Text
  readonly args: readonly Text[]
  readonly cwd?: Text
  readonly env: Readonly<Record<string, Text>>
  /** A `.env` file; `env` wins over it. */
  readonly envFile?: Text
  /** Variables passed on where they are set, besides those of docs/environment.md; `true` passes on all. */
  readonly inheritEnv?: true | readonly string[]
}

/** `auto` asks for Streamable HTTP of both eras, then HTTP+SSE; `modern` is pinned to revision 2026-07-28. */
export type RemoteTransport = 'auto' | 'modern' | 'streamable-http' | 'sse'

export interface RemoteServer<Text = string> {
  readonly kind: 'remote'
  readonly url: Text
  readonly transport: RemoteTransport
  readonly headers: Readonly<Record<string, Text>>
  /** How to sign in; `false` never signs in. Default: as the server asks for. */
  readonly auth?: false | SignIn<Text>
  /**
   * Headers with who calls in them, once all else has its value: `${principal}`, `${claim:NAME}`, and `$${` for the text `${`. Before, they are
   * among `headers`.
   */
  readonly callerHeaders?: Readonly<Record<string, string>>
  /** Each caller's token is exchanged for one of its own (RFC 8693). */
  readonly exchange?: TokenExchangeEntry<Text>
}

/** `auth` of an entry, of the type `token-exchange`. */
export interface TokenExchangeEntry<Text = string> {
  readonly issuer?: Text
  readonly tokenEndpoint?: Text
  readonly clientId?: Text
  readonly clientSecret?: Text
  readonly audience?: Text
  readonly resource?: Text
  readonly scopes?: readonly string[]
}

/** What a client registers itself with at an authorization server. */
export interface SignIn<Text = string> {
  readonly clientId?: Text
  readonly clientSecret?: Text
  readonly scopes?: readonly string[]
  readonly redirectUri?: string
  readonly callbackPort?: number
  readonly authorizationUrl?: string
  readonly tokenUrl?: string
  readonly resource?: string
}

/** Milliseconds. */
export interface ServerTimeouts {
  /** Until the server has started and named its tools. */
  readonly start?: number
  /** Until a call is answered. */
  readonly call?: number
}

export interface ToolFilter {
  /** Globs (`*`, `?`) of tools that are offered; all where it is missing. */
  readonly allow?: readonly string[]
  /** Globs of tools that are not offered; they win over `allow`. */
  readonly deny?: readonly string[]
  /** Tools that a client may call without asking its user. */
  readonly approve?: readonly string[]
}

/** The key `anyport` of an entry, or of `anyport.servers.NAME`. Times are milliseconds here, and `"30s"` in the file. */
export interface ServerSettings {
  readonly protocol?: 'auto' | 'legacy' | 'modern'
  readonly isolation?: 'principal' | 'session' | 'shared'
  readonly lazy?: boolean
  readonly idleTimeout?: number
  readonly startTimeout?: number
  readonly probeTimeout?: number
  /** How long it may be silent about a call. */
  readonly timeout?: number
  readonly maxTimeout?: number
  readonly maxRestarts?: number
  readonly maxChildren?: number
  /** Bytes. */
  readonly maxMessage?: number
  /** What its tools and prompts are prefixed with in the gateway, instead of its name; `false` for nothing. */
  readonly prefix?: string | false
  /** Other names for tools: from the server's name to the one that clients see. */
  readonly rename?: Readonly<Record<string, string>>
  /** Other descriptions of tools, by the server's name of them. */
  readonly describe?: Readonly<Record<string, string>>
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** How often it may be called, besides what holds for all: `principal=5/s,20`. */
  readonly rateLimit?: readonly string[]
  /** Calls that one principal may have open at it. */
  readonly maxConcurrent?: number
  /** Who may use what of it. What the rules for all deny stays denied. */
  readonly rules?: readonly PlainObject[]
  /** What is done about definitions that differ from those pinned. Default as the gateway's. */
  readonly pin?: (typeof PIN_MODES)[number]
  /** Arguments of tools are checked against their schemas. Default as the gateway's. */
  readonly validateArguments?: boolean
}

export const PIN_MODES = ['off', 'warn', 'strict'] as const

export const NAME_STYLES = ['server__tool', 'server_tool', 'server-tool', 'none'] as const

/** The key `anyport` at the root of a file: the gateway over all its servers. */
export interface GatewaySettings {
  /** How names of tools and prompts are made. Default `server__tool`; `none` leaves them as they are. */
  readonly style?: (typeof NAME_STYLES)[number]
  /** Characters that a name may have, 40 to 128. Default 64. */
  readonly limit?: number
  /** Lists at most so many tools; where there are more, three among them search, describe and call the rest. */
  readonly maxTools?: number
  /** Lists only those three, and what matches `always`. */
  readonly lazy?: boolean
  /** Globs of tools that are listed before all others. */
  readonly always?: readonly string[]
  /** Globs of what no server may offer beyond, and of what none may, as `SERVER/NAME`. */
  readonly allow?: readonly string[]
  readonly deny?: readonly string[]
  /** How long a list waits for one server, in milliseconds. */
  readonly listTimeout?: number
  /** What is done about definitions that differ from those pinned. Default `off`. */
  readonly pin?: (typeof PIN_MODES)[number]
  /** Arguments of tools are checked against their schemas. Default false. */
  readonly validateArguments?: boolean
}

export interface ForeignFields {
  readonly client: string
  readonly fields: Readonly<Record<string, unknown>>
}
