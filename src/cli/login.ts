/** The commands `anyport login`, `anyport logout` and `anyport whoami`. */

import { nameOf } from '../client/oauth/addresses.js'
import { askServer } from '../client/oauth/ask-server.js'
import type { RequestLimits } from '../client/oauth/bounded-fetch.js'
import type { SignInRecord } from '../client/oauth/credentials.js'
import { fetchOver } from '../client/oauth/fetch-over.js'
import { revokeAll } from '../client/oauth/sign-out.js'
import { TransportError } from '../exchange/errors.js'
import { printable } from '../exchange/printable.js'
import { httpClient } from '../node/http/http-client.js'
import { authorizerFor } from '../node/oauth/authorizer-for.js'
import {
  type CredentialFile,
  credentialFile,
  type StoredCredentials,
  storedCredentials,
} from '../node/oauth/credential-file.js'
import type { SignInPrompt } from '../node/oauth/person-at-browser.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import { type WIRE_OPTIONS, wireOptions } from './remote-options.js'
import {
  LOGIN_OPTIONS,
  LOGOUT_OPTIONS,
  parseServerUrl,
  signInOptions,
  WHOAMI_OPTIONS,
} from './sign-in-options.js'

/** Resolves with the exit code. */
export async function loginCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(LOGIN_OPTIONS, argv)
  const server = serverOf(parsed, 'login')
  const options = await signInOptions(parsed.options)
  const limits = requestLimits(parsed.options)
  let stored = true
  let authorizer: ReturnType<typeof authorizerFor>
  try {
    authorizer = authorizerFor(server, {
      ...options,
      fetch: limits.fetch,
      ...(process.stdin.isTTY ? { terminal: process.stdin } : {}),
      onPrompt: prompt => process.stderr.write(promptText(server, prompt)),
      onEvent(event) {
        if (event.type === 'auth-awaited') {
          process.stderr.write('Another anyport process asks you to sign in: this one waits for that.\n')
        }
        if (event.type === 'sign-in-not-stored') {
          process.stderr.write(`anyport: ${event.error.message}\n`)
          stored = false
        }
      },
    })
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
  const { status, wanted, challenge } = await askServer(server, limits)
  if (!wanted) {
    if (status >= 400) throw strange(server, status)
    process.stdout.write(`${nameOf(server)} wants no sign-in\n`)
    return 0
  }
  const record = await authorizer.signIn(challenge)
  if (!stored) return 1
  process.stdout.write(`${signedIn(server, record)}\n`)
  return 0
}

/** Resolves with the exit code: 0 also where there was no sign-in. */
export async function logoutCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(LOGOUT_OPTIONS, argv)
  const server = serverOf(parsed, 'logout')
  const file = credentialFile(server, { folder: parsed.options.credentials })
  const limits = requestLimits(parsed.options)
  const ended = await file.exclusively(async ({ credentials }) => {
    // Before anybody is told: from here on nobody uses them.
    await file.remove()
    return await revokeAll(server, credentials, limits)
  })
  if (ended.length === 0) process.stdout.write(`There was no sign-in to ${nameOf(server)}\n`)
  for (const { issuer, revoked } of ended) {
    const end = revoked ? 'revoked there' : 'could not be revoked there, and ends when it expires'
    process.stdout.write(
      `Signed out of ${nameOf(server)} at ${issuer}: the sign-in is removed here, and ${end}\n`,
    )
  }
  return 0
}

/** Resolves with the exit code: 1 where there is no sign-in. */
export async function whoamiCommand(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(WHOAMI_OPTIONS, argv)
  const { credentials: folder, json } = parsed.options
  const named = parsed.positionals.length === 0 ? undefined : serverOf(parsed, 'whoami')
  const stored =
    named === undefined
      ? await storedCredentials(folder)
      : [await oneStored(named, credentialFile(named, { folder }))]
  const views = stored.flatMap(viewsOf)
  if (json) process.stdout.write(`${JSON.stringify(views, undefined, 2)}\n`)
  else if (views.length > 0) process.stdout.write(`${views.map(describe).join('\n\n')}\n`)
  else process.stderr.write(`There is no sign-in${named === undefined ? '' : ` to ${nameOf(named)}`}\n`)
  return views.length === 0 ? 1 : 0
}

/** With the proxies and certificates of the options and the environment. */
function requestLimits(options: OptionValues<typeof WIRE_OPTIONS>): RequestLimits {
  try {
    return { fetch: fetchOver(httpClient(wireOptions(options))), timeout: 10_000 }
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

async function oneStored(server: URL, file: CredentialFile): Promise<StoredCredentials> {
  return { server: nameOf(server), path: file.path, credentials: await file.read() }
}

/** What a person may know of a sign-in. */
interface SignInView {
  readonly server: string
  readonly issuer: string
  readonly account: string | undefined
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly signedInAt: string
  /** Of the access token; undefined where it does not expire. */
  readonly expiresAt: string | undefined
  readonly renewable: boolean
  readonly file: string
}

function viewsOf({ server, path, credentials }: StoredCredentials): readonly SignInView[] {
  return Object.values(credentials.issuers).flatMap(
    ({ metadata, account, client, tokens, signedInAt, grant }) => {
      if (tokens === undefined) return []
      const { scopes, expiresAt, refreshToken } = tokens
      return {
        server,
        issuer: metadata.issuer,
        account,
        clientId: client.id,
        scopes,
        signedInAt: new Date(signedInAt).toISOString(),
        expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt).toISOString(),
        renewable: refreshToken !== undefined || grant === 'client_credentials',
        file: path,
      }
    },
  )
}

function describe(view: SignInView): string {
  const expired = view.expiresAt !== undefined && Date.parse(view.expiresAt) <= Date.now()
  const end = view.expiresAt === undefined ? 'never' : `${view.expiresAt}${expired ? ' (over)' : ''}`
  const rows = [
    ['account', view.account],
    ['issuer', view.issuer],
    ['client', view.clientId],
    ['scopes', view.scopes.join(' ')],
    ['since', view.signedInAt],
    ['token expires', `${end}${view.renewable ? ', and is renewed' : ''}`],
    ['file', view.file],
  ]
  return [
    view.server,
    ...rows
      .filter(([, value]) => value)
      .map(([name, value]) => `  ${name?.padEnd(14)}${printable(value ?? '')}`),
  ].join('\n')
}

function promptText(server: URL, { url, opened, paste, wrong }: SignInPrompt): string {
  if (wrong) return 'That is not the address of this sign-in.\n'
  const name = nameOf(server)
  const head = opened
    ? `Your browser shows the sign-in for ${name}. If it does not, open:`
    : `To sign in to ${name}, open:`
  const tail = paste ? 'If the browser is on another machine, paste the address that it ends up at:\n' : ''
  return `${head}\n\n  ${url}\n\n${tail}`
}

function signedIn(server: URL, { account, metadata, tokens }: SignInRecord): string {
  const who = account === undefined ? '' : ` as ${printable(account)}`
  const renewed = tokens?.refreshToken === undefined && tokens?.expiresAt !== undefined
  const end = renewed ? `; it ends ${new Date(tokens.expiresAt).toISOString()}, and cannot be renewed` : ''
  return `Signed in to ${nameOf(server)} at ${metadata.issuer}${who}${end}`
}

function serverOf(
  {
    positionals,
    rest,
  }: { readonly positionals: readonly string[]; readonly rest: readonly string[] | undefined },
  command: string,
): URL {
  const [given, ...more] = [...positionals, ...(rest ?? [])]
  if (given === undefined)
    throw new UsageError(`${command} needs the address of a server: anyport ${command} https://...`)
  if (more.length > 0) throw new UsageError(`${command} takes one address, not ${more.length + 1}`)
  return parseServerUrl(given)
}

function strange(server: URL, status: number): TransportError {
  return new TransportError(
    'ERR_HANDSHAKE',
    `${nameOf(server)} answers ${status}, and says nothing about a sign-in: is it the address of an MCP server?`,
    { hop: server.origin },
  )
}
