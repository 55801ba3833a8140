/** How to sign in to remote servers: for `login`, and for every command that calls one. */

import { readFile } from 'node:fs/promises'
import { parseDuration } from '../config/units.js'
import type { SignInOptions } from '../node/oauth/authorizer-for.js'
import {
  flag,
  integer,
  type OptionSpecs,
  type OptionValues,
  oneOf,
  text,
  UsageError,
  value,
} from './arguments.js'
import type { CommandSpec } from './help.js'
import { WIRE_OPTIONS } from './remote-options.js'

const group = 'Signing in'

const OPTIONS = {
  'client-id': value('A client that you registered with the authorization server', text, {
    metavar: 'ID',
    group,
  }),
  'client-secret': value(
    'Its secret; better given as ANYPORT_CLIENT_SECRET, since others can see command lines',
    text,
    { metavar: 'SECRET', group },
  ),
  'client-key': value('File with its private key (PEM), in place of a secret', text, {
    metavar: 'FILE',
    group,
  }),
  'client-key-id': value('Which of its keys that is, where it has several', text, { metavar: 'ID', group }),
  'client-metadata-url': value(
    'Address of your client metadata document, used where that is supported',
    text,
    {
      metavar: 'URL',
      group,
    },
  ),
  scope: value('What to ask for, in place of what the server suggests', text, { metavar: '"A B"', group }),
  issuer: value('The only authorization server to use', text, { metavar: 'URL', group }),
  grant: value(
    'authorization-code asks a person, client-credentials nobody (default: what the authorization server has)',
    oneOf('authorization-code', 'client-credentials'),
    { metavar: 'GRANT', group },
  ),
  'callback-port': value(
    'Port on this machine for the answer, as it is registered (default: any free one)',
    integer(1, 65_535),
    { metavar: 'PORT', group },
  ),
  'callback-host': value(
    'Its host, as it is registered: 127.0.0.1 or localhost',
    oneOf('127.0.0.1', 'localhost'),
    {
      metavar: 'HOST',
      default: '127.0.0.1',
      group,
    },
  ),
  'callback-path': value('Its path, as it is registered', text, {
    metavar: 'PATH',
    default: '/callback',
    group,
  }),
  'no-browser': flag('Print the address rather than open a browser', { group }),
  'sign-in-timeout': value('How long a person has to sign in', parseDuration, {
    metavar: 'TIME',
    default: '5m',
    group,
  }),
  credentials: value('Folder for sign-ins (default: anyport/sign-ins in your folder for state)', text, {
    metavar: 'FOLDER',
    group,
  }),
} as const satisfies OptionSpecs

/** For the commands that call remote servers. */
export const SIGN_IN_OPTIONS = {
  ...OPTIONS,
  'no-sign-in': flag('Call the server as nobody, and do not sign in', { group }),
} as const satisfies OptionSpecs

export const LOGIN_OPTIONS = { ...OPTIONS, ...WIRE_OPTIONS } as const satisfies OptionSpecs

export const LOGIN: CommandSpec = {
  usage: ['anyport login [options] URL'],
  summary:
    'Signs in to a remote server, and keeps the sign-in for all anyport processes of yours. Those that run already take it over.',
  examples: [
    ['in your browser', 'anyport login https://mcp.example.com/mcp'],
    [
      'with a client that you registered for port 3118',
      'anyport login --client-id abc --callback-port 3118 --callback-host localhost https://mcp.example.com/mcp',
    ],
  ],
  notes: [
    'Where the browser is on another machine, paste the address that it ends up at (it cannot be shown there, and need not be).',
  ],
  options: LOGIN_OPTIONS,
}

const { credentials } = OPTIONS

export const LOGOUT_OPTIONS = {
  ...WIRE_OPTIONS,
  credentials: { ...credentials, group: undefined },
} as const satisfies OptionSpecs

export const LOGOUT: CommandSpec = {
  usage: ['anyport logout [options] URL'],
  summary: 'Ends the sign-in to a remote server: here, and at the authorization server where it can be told.',
  examples: [['', 'anyport logout https://mcp.example.com/mcp']],
  notes: [],
  options: LOGOUT_OPTIONS,
}

export const WHOAMI_OPTIONS = {
  json: flag('Print JSON'),
  credentials: { ...credentials, group: undefined },
} as const satisfies OptionSpecs

export const WHOAMI: CommandSpec = {
  usage: ['anyport whoami [options] [URL]'],
  summary:
    'Shows the sign-in to a remote server, or to all of them. Never shows a token. Ends with 1 where there is none.',
  examples: [['', 'anyport whoami https://mcp.example.com/mcp']],
  notes: [],
  options: WHOAMI_OPTIONS,
}

/** Whoever has said already who calls, by a header or in the address, is not signed in. Throws `UsageError` for options that say otherwise. */
export function signsIn(
  address: string,
  options: OptionValues<typeof SIGN_IN_OPTIONS> & { readonly header: readonly (readonly [string, string])[] },
  given: ReadonlySet<string>,
): boolean {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:'
  const named =
    url?.username !== '' || options.header.some(([name]) => name.toLowerCase() === 'authorization')
  const wanted = Object.keys(SIGN_IN_OPTIONS).find(name => given.has(name))
  if (wanted !== undefined && (!isHttp || named)) {
    throw new UsageError(
      `--${wanted} has no effect here: ${named ? 'it is said already who calls' : 'nobody signs in there'}`,
    )
  }
  return isHttp && !named && !options['no-sign-in']
}

/** The options of the command line as `authorizerFor` takes them. Throws `UsageError`. */
export async function signInOptions(options: OptionValues<typeof OPTIONS>): Promise<SignInOptions> {
  const { clientKey, ...words } = await signInWords(options)
  if (clientKey === undefined) return words
  const { signingKey } = await import('../node/oauth/signing-key.js')
  try {
    return { ...words, clientKey: await signingKey(clientKey.pem, clientKey.id) }
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(`--client-key: ${error.message}`) : error
  }
}

/** The same in words that another process understands. Throws `UsageError`. */
export async function signInWords(options: OptionValues<typeof OPTIONS>) {
  const clientId = options['client-id']
  const secret =
    options['client-secret'] ?? (clientId === undefined ? undefined : process.env.ANYPORT_CLIENT_SECRET)
  const keyFile = options['client-key']
  return {
    clientId,
    clientSecret: keyFile === undefined ? secret : options['client-secret'],
    clientKey:
      keyFile === undefined ? undefined : { pem: await readKey(keyFile), id: options['client-key-id'] },
    clientMetadataUrl: options['client-metadata-url'],
    scopes: options.scope?.split(/\s+/).filter(Boolean),
    issuer: options.issuer,
    grant: options.grant === undefined ? undefined : GRANTS[options.grant],
    callbackPort: options['callback-port'],
    callbackHost: options['callback-host'],
    callbackPath: options['callback-path'],
    browser: !options['no-browser'],
    signInTimeout: options['sign-in-timeout'],
    credentials: options.credentials,
  }
}

/** The address of a remote server. Throws `UsageError`. */
export function parseServerUrl(given: string): URL {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new UsageError(`${JSON.stringify(given)} is no address of a remote server; write https://...`)
}

const GRANTS = {
  'authorization-code': 'authorization_code',
  'client-credentials': 'client_credentials',
} as const

async function readKey(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--client-key: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}
