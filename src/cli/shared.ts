/** `anyport serve --stdio --shared` and `anyport connect --shared`: a thin process between the client and the background that serves it. */

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { nameOfUrl } from '../exchange/http-address.js'
import { resolveHeaders } from '../node/http/header-values.js'
import { createLog } from '../node/log.js'
import { childEnvironment } from '../node/process/environment.js'
import type { SharedEntry, SharedSignIn } from '../node/shared/entry.js'
import { secureFolder, sharedFolder } from '../node/shared/folder.js'
import { logFile } from '../node/shared/log-place.js'
import { passBytes } from '../node/shared/pass-bytes.js'
import { places } from '../node/shared/places.js'
import { type Reached, reachBackground } from '../node/shared/reach.js'
import { standardStreams } from '../node/standard-streams.js'
import { version } from '../node/version.js'
import { type ParsedArguments, parseArguments, UsageError } from './arguments.js'
import { parseConnect } from './connect.js'
import { remoteOptions } from './remote-options.js'
import { SERVE_OPTIONS, stateKeyOfEnvironment } from './serve-options.js'
import { signInWords, signsIn } from './sign-in-options.js'
import { usage } from './usage.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>

/** Passes bytes until either side ends; resolves with the exit code, or with undefined where nothing is to be shared. */
export async function sharedCommand(argv: readonly string[]): Promise<number | undefined> {
  return await share(parseArguments(SERVE_OPTIONS, argv), commandEntry)
}

/** The same for `anyport connect`. */
export async function sharedConnectCommand(argv: readonly string[]): Promise<number | undefined> {
  return await share(parseConnect(argv), addressEntry)
}

async function share(
  parsed: Parsed,
  entryOf: (parsed: Parsed) => Promise<SharedEntry>,
): Promise<number | undefined> {
  const { options, given } = parsed
  // They were values of other options.
  if (!options.shared && !given.has('linger')) return undefined
  if (!options.shared) throw new UsageError('--linger is for --shared')
  const log = createLog({
    level: options.quiet && !given.has('log-level') ? 'error' : options['log-level'],
    format: options['log-format'],
  })
  const entry = await entryOf(parsed)
  const folder = sharedFolder()
  secureFolder(folder)
  const { stream, pid, ...reached } = await reach(entry, folder)
  const whereLog = logFile(folder)
  log.info('shared', `Served by the background anyport, process ${pid}; its log is ${whereLog}`, {
    pid,
    version: reached.version,
  })

  const client = standardStreams()
  const end = await new Promise<'client' | 'background'>(resolve => {
    passBytes(stream, client, () => resolve('background'))
    passBytes(client, stream, () => resolve('client'))
  })
  if (end === 'client') {
    await stream.close()
    return 0
  }
  await client.close()
  log.error('shared_ended', `The background anyport (process ${pid}) has ended; ${whereLog} may say why`)
  await log.flush()
  return 1
}

async function reach(entry: SharedEntry, folder: string): Promise<Reached> {
  const command = [process.execPath, process.argv[1] as string, 'background'] as const
  try {
    return await reachBackground(entry, {
      places: places(folder),
      version: version(),
      log: logFile(folder),
      start: async () => (await import('../node/shared/start.js')).startProcess({ folder, command }),
    })
  } catch (error) {
    return usage(() => {
      throw error
    })
  }
}

async function commandEntry({ options, positionals, rest, given }: Parsed): Promise<SharedEntry> {
  if (!options.stdio) throw new UsageError('--shared is for --stdio: write --stdio --shared')
  refuseGroups(given, OF_OTHER_FACES, ['socket', 'tcp'])
  const [command, ...args] = rest ?? []
  if (positionals.length > 0 || command === undefined)
    throw new UsageError(
      '--shared is for a command (anyport serve --stdio --shared -- COMMAND [ARGS...]) or an address (anyport connect --shared URL)',
    )
  return {
    server: {
      command,
      args,
      cwd: resolve(options.cwd ?? '.'),
      env: Object.assign({}, ...(await filesOf(options)), Object.fromEntries(options.env)),
      inherited: childEnvironment({ inheritNames: options['inherit-env'] ? ['*'] : [] }),
    },
    options: serverWords(options, given),
    linger: options.linger,
  }
}

async function addressEntry({ options, positionals, given }: Parsed): Promise<SharedEntry> {
  refuseGroups(given, ['What callers may do'])
  const url = positionals[0] as string
  if (/^(socket:|tcp:)/i.test(url))
    throw new UsageError(`--shared is for what is called by HTTP, not for ${nameOfUrl(url)}`)
  const { headers, transport, ca = [], ...http } = remoteOptions(options)
  const trusted = [...ca, ...trustedByNode()]
  return {
    server: {
      url,
      transport,
      headers: usage(() => resolveHeaders(headers)),
      http: { ...http, ca: trusted.length === 0 ? undefined : trusted },
      proxies: variables(/^(https?|all|no)_proxy$/i),
      ...(signsIn(url, options, given) ? { signIn: await signInOf(options) } : {}),
      desktop: variables(
        /^(BROWSER|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY|DBUS_SESSION_BUS_ADDRESS|XDG_.+|WSL_.+|WSLENV)$/,
      ),
    },
    options: serverWords(options, given),
    linger: options.linger,
  }
}

/** Where sign-ins are kept is said by our environment, if not by an option. */
async function signInOf(options: Parsed['options']): Promise<SharedSignIn> {
  const { credentialFolder } = await import('../node/oauth/credential-file.js')
  const words = await signInWords(options)
  return { ...words, credentials: resolve(words.credentials ?? credentialFolder()) }
}

/** The background trusts for nobody else what one of its clients trusts. Node itself passes over a file that it cannot read. */
function trustedByNode(): readonly string[] {
  const file = process.env.NODE_EXTRA_CA_CERTS
  if (file === undefined || file === '') return []
  try {
    const text = readFileSync(file, 'utf8')
    return text.includes('-----BEGIN CERTIFICATE-----') ? [text] : []
  } catch {
    return []
  }
}

function variables(names: RegExp): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      names.test(name) && value !== undefined ? [[name, value]] : [],
    ),
  )
}

async function filesOf({ 'env-file': files }: Parsed['options']) {
  if (files.length === 0) return []
  const { readEnvFile } = await import('../node/process/env-file.js')
  try {
    return files.map(readEnvFile)
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

/** Those who share a server have one background, which does these things for none of them. */
function refuseGroups(
  given: Parsed['given'],
  groups: readonly string[],
  names: readonly string[] = [],
): void {
  for (const name of given) {
    const { group } = SERVE_OPTIONS[name as keyof typeof SERVE_OPTIONS]
    if (groups.includes(group ?? '') || names.includes(name))
      throw new UsageError(`--${name} does not go with --shared`)
  }
}

/** Groups of the help. */
const OF_OTHER_FACES = [
  ...['HTTP', 'Who may come in', 'What callers may do', 'Dashboard', 'A server at a URL', 'Signing in'],
]
/** Of servers at addresses, and yet not in their entry: it is about calls. */
const OF_CALLS = 'reconnect-timeout'
/** What is in the entry in other words, or concerns this process alone. */
const OURS = ['stdio', 'shared', 'linger', 'cwd', 'env', 'env-file', 'inherit-env', 'drain-timeout']

function serverWords(options: Parsed['options'], given: Parsed['given']): SharedEntry['options'] {
  const isTheirs = (name: string) => {
    const { group } = SERVE_OPTIONS[name as keyof typeof SERVE_OPTIONS]
    if (name === OF_CALLS) return true
    return !OURS.includes(name) && ![...OF_OTHER_FACES, 'Output'].includes(group ?? '')
  }
  const cache = options['era-cache']
  const own: Partial<Parsed['options']> = {
    'era-cache': cache === undefined || cache === 'off' ? cache : resolve(cache),
    'state-key': options['state-key'] ?? stateKeyOfEnvironment(),
  }
  const words = Object.entries({ ...options, ...own }).filter(
    ([name, word]) => isTheirs(name) && word !== undefined,
  )
  // Lists and names of choices, numbers and flags: all of it JSON.
  return { values: Object.fromEntries(words), given: [...given].filter(isTheirs).sort() }
}
