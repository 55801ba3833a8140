/** The server that a command calls, as its command line names it. */

import { existsSync } from 'node:fs'
import { type ClientOptions, client, type ServerClient } from '../client/server-client.js'
import { clientNamed } from '../config/clients.js'
import { nearest } from '../config/nearest.js'
import { ConfigError } from '../config/problem.js'
import { clientFile, discoverConfig } from '../node/config/config-places.js'
import type { LoadedConfig } from '../node/config/load-config.js'
import type { Log } from '../node/log.js'
import { eraCache } from '../node/storage/era-cache.js'
import { version } from '../node/version.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import type { CALLED_SERVER_OPTIONS } from './called-server-options.js'
import { noiseLog } from './log-noise.js'
import { SERVE_OPTIONS } from './serve-options.js'
import { isAddress, targetOf } from './target.js'

type Options = OptionValues<typeof CALLED_SERVER_OPTIONS>

export interface CalledArguments {
  readonly options: Options
  /** The address; undefined where there is none. */
  readonly address: string | undefined
  /** What stands behind `--`. */
  readonly rest: readonly string[] | undefined
  readonly given: ReadonlySet<string>
}

export interface CalledServer {
  /** As a person names it, without secrets. */
  readonly name: string
  readonly client: ServerClient
  close(): Promise<void>
}

/** Tells the address of the server from the words that follow it. Throws `UsageError` where two servers are named. */
export function calledArguments({
  options,
  positionals,
  rest,
  given,
}: Omit<CalledArguments, 'address'> & { readonly positionals: readonly string[] }): {
  readonly called: CalledArguments
  readonly words: readonly string[]
} {
  const hasAddress = isAddress(positionals[0])
  const named = [
    ...(rest === undefined ? [] : ['the command behind --']),
    ...(hasAddress ? ['an address'] : []),
    ...(['config', 'client'] as const).filter(name => given.has(name)).map(name => `--${name}`),
  ]
  if (named.length > 1) throw new UsageError(`Which server? There are ${named.join(' and ')}`)
  if (given.has('server') && (rest !== undefined || hasAddress))
    throw new UsageError('--server names one of a configuration')
  return {
    called: { options, address: hasAddress ? positionals[0] : undefined, rest, given },
    words: hasAddress ? positionals.slice(1) : positionals,
  }
}

/** Whether the command line, or the folder, says which server. */
export function namesServer({ options, address, rest }: CalledArguments): boolean {
  const { config, client: id } = options
  return [address, rest, config, id].some(each => each !== undefined) || discoverConfig() !== undefined
}

/** Nothing is started yet. Throws `UsageError` for what cannot work. */
export async function calledServer(
  called: CalledArguments,
  log: Log,
  own: Pick<ClientOptions, 'questions' | 'logLevel'> = {},
): Promise<CalledServer> {
  const { options, address, rest, given } = called
  const noise = noiseLog(log)
  const life: ClientOptions = {
    ...own,
    protocol: options.protocol,
    startTimeout: options['start-timeout'],
    probeTimeout: options['probe-timeout'],
    timeout: options.timeout,
    maxTimeout: options['max-timeout'],
    reconnectTimeout: options['reconnect-timeout'],
    // Somebody waits: what fails is told rather than tried again.
    maxRestarts: 0,
    ...(options['era-cache'] === 'off' ? {} : { eras: eraCache(options['era-cache']) }),
    clientInfo: { name: 'anyport', version: version() },
    onEvent: event => {
      if (event.type === 'noise') noise(event)
    },
  }
  if (address === undefined && rest === undefined) return await configuredServer(called, life, log)
  const { options: standard } = parseArguments(SERVE_OPTIONS, [])
  const positionals = address === undefined ? [] : [address]
  const target = await targetOf({ options: { ...standard, ...options }, positionals, rest, given }, log)
  return opened(target.name, client(target, life))
}

function opened(name: string, caller: ServerClient, also?: () => Promise<void>): CalledServer {
  return {
    name,
    client: caller,
    async close() {
      await caller.close()
      await also?.()
    },
  }
}

const OF_ONE_SERVER = ['cwd', 'env', 'env-file', 'inherit-env', 'header', 'transport'] as const

async function configuredServer(
  { options, given }: CalledArguments,
  life: ClientOptions,
  log: Log,
): Promise<CalledServer> {
  for (const name of OF_ONE_SERVER)
    if (given.has(name))
      throw new UsageError(
        `--${name} is for a command or an address; the file says it for each of its servers`,
      )
  const [{ serverOf }, { remoteOptions }, { signInOptions }, { signInLog }] = await Promise.all([
    import('../node/config/config-servers.js'),
    import('./remote-options.js'),
    import('./sign-in-options.js'),
    import('./sign-in-log.js'),
  ])
  const config = await configOf(options)
  const { transport: _transport, headers: _headers, ...http } = remoteOptions(options)
  const shared = {
    file: config.file,
    http,
    signIn: options['no-sign-in']
      ? undefined
      : { ...(await signInOptions(options)), onEvent: signInLog(log) },
    limits: { maxMessage: options['max-message'], maxDepth: options['max-depth'] },
    onStderr: (server: string, line: string) => log.info('server_stderr', line, { server }),
  }
  const servers = config.servers.map(entry => {
    // Whoever calls a server of his own may do what he likes.
    const { guards: _guards, audienceOf: _audience, ...target } = usageOf(() => serverOf(entry, shared))
    return [entry.name, target] as const
  })
  const [first] = servers
  if (first === undefined) throw new UsageError(`${config.file} has no server that is not disabled`)
  if (servers.length === 1) {
    const [name, { target, startTimeout, probeTimeout, protocol, timeout }] = first
    const said = { startTimeout, probeTimeout, protocol, timeout }
    return opened(name, client(target, { ...life, ...withoutAbsent(said) }))
  }
  const { gateway } = await import('../node/gateway.js')
  const { questions, logLevel, onEvent: _event, ...common } = life
  const many = gateway({ servers: Object.fromEntries(servers) }, { ...config.gateway, ...common })
  const one = client(many.handler, {
    ...(questions === undefined ? {} : { questions }),
    ...(logLevel === undefined ? {} : { logLevel }),
    clientInfo: { name: 'anyport', version: version() },
  })
  return opened(config.file, one, () => many.close())
}

async function configOf(options: Options): Promise<LoadedConfig> {
  const [{ loadConfig }, { askInput }] = await Promise.all([
    import('../node/config/load-config.js'),
    import('./ask-input.js'),
  ])
  const file = options.config ?? (options.client === undefined ? undefined : fileOf(options.client))
  if (file === undefined && discoverConfig() === undefined)
    throw new UsageError('Which server? Name a URL, a command behind --, or --config FILE')
  const { server } = options
  try {
    const config = await loadConfig({
      file,
      client: options.client,
      ask: input => askInput(input),
      ...(server === undefined ? {} : { only: [server] }),
    })
    if (server !== undefined && config.servers.length === 0)
      throw new UsageError(await noSuchServer(config.file, server, options.client))
    return config
  } catch (error) {
    if (error instanceof ConfigError || error instanceof TypeError) throw new UsageError(error.message)
    throw error
  }
}

/** The project's, where there is one here, else the user's. */
function fileOf(id: string): string {
  const known = clientNamed(id)
  if (known === undefined) throw new UsageError(`There is no client ${id}`)
  if (known.universal) {
    const found = discoverConfig()
    if (found === undefined) throw new UsageError('There is no anyport.json here or above')
    return found
  }
  const files = (['project', 'user'] as const).flatMap(scope => clientFile(known, scope) ?? [])
  const file = files.find(each => existsSync(each))
  if (file === undefined)
    throw new UsageError(`${known.title} has no servers here: ${files.join(' and ')} do not exist`)
  return file
}

async function noSuchServer(file: string, name: string, id: string | undefined): Promise<string> {
  const { readConfigFile } = await import('../node/config/config-file.js')
  const { servers } = await readConfigFile(file, id === undefined ? undefined : clientNamed(id))
  const names = servers.map(server => server.name)
  const near = nearest(name, names)
  const hint = near === undefined ? `: it has ${names.join(', ') || 'none'}` : `; did you mean ${near}?`
  return `${file} has no server ${JSON.stringify(name)}${hint}`
}

function usageOf<T>(make: () => T): T {
  try {
    return make()
  } catch (error) {
    throw error instanceof TypeError ? new UsageError(error.message) : error
  }
}

function withoutAbsent<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
