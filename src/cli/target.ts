/** What a command line asks for: a program to start, a socket to dial, an address to call. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import { type ConnectOptions, connect } from '../node/connect.js'
import type { Log } from '../node/log.js'
import { readEnvFile } from '../node/process/env-file.js'
import type { LaunchPlan } from '../node/process/launch-plan.js'
import { type ParsedArguments, UsageError } from './arguments.js'
import { REMOTE_OPTIONS, remoteOptions } from './remote-options.js'
import { parseHostPort, type SERVE_OPTIONS } from './serve-options.js'
import { SIGN_IN_OPTIONS, signInOptions, signsIn } from './sign-in-options.js'
import { usage } from './usage.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>

const FOR_ADDRESSES = [...Object.keys(REMOTE_OPTIONS), ...Object.keys(SIGN_IN_OPTIONS)]

/** Whether a word is the address of a server: a URL, `socket:PATH` or `tcp://HOST:PORT`. */
export function isAddress(word: string | undefined): boolean {
  return word !== undefined && /^(?:socket:.|[a-z][a-z0-9+.-]*:\/\/)/is.test(word)
}

/** Throws `UsageError`. */
export async function targetOf(parsed: Parsed, log: Log): Promise<Target | RemoteTarget> {
  const { options, positionals, rest } = parsed
  const limits: ConnectOptions = { maxMessage: options['max-message'], maxDepth: options['max-depth'] }
  const [address, ...more] = positionals
  if (address === undefined) return commandTarget(parsed, log, limits)
  const socket = /^socket:(.+)$/s.exec(address)?.[1]
  const isUrl = socket === undefined && isAddress(address)
  if (socket === undefined && !isUrl) {
    throw new UsageError(
      `Put -- before the command: anyport serve [options] -- ${[...positionals, ...(rest ?? [])].join(' ')}`,
    )
  }
  const tcp = /^tcp:\/\/(.+?)\/?$/s.exec(address)?.[1]
  if (isUrl && tcp === undefined) return await remoteTarget(address, parsed, log, limits)
  alone(address, parsed, more)
  refuse(parsed, FOR_ADDRESSES, name => `--${name} is for a server at a URL, not for ${address}`)
  if (socket !== undefined) return connect({ socket }, limits)
  return connect({ tcp: usage(() => parseHostPort(tcp as string)) }, limits)
}

function commandTarget(parsed: Parsed, log: Log, limits: ConnectOptions): Target {
  const { options, rest } = parsed
  const [command, ...args] = rest ?? []
  if (command === undefined)
    throw new UsageError('What is to be served? Write: anyport serve -- COMMAND [ARGS...]')
  refuse(parsed, FOR_ADDRESSES, name => `--${name} is for a server at a URL, not for a command`)
  const env = Object.assign(
    {},
    ...options['env-file'].map(file => usage(() => readEnvFile(file))),
    Object.fromEntries(options.env),
  )
  return connect(
    {
      command,
      args,
      env,
      inheritEnv: options['inherit-env'],
      onStderr: line => log.info('server_stderr', line),
      onLaunch: launch => logLaunch(log, launch),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    },
    limits,
  )
}

async function remoteTarget(
  address: string,
  parsed: Parsed,
  log: Log,
  limits: ConnectOptions,
): Promise<RemoteTarget> {
  alone('An address', parsed, parsed.positionals.slice(1))
  refuse(
    parsed,
    ['warm', 'strict-start', 'server-cache'],
    name => `--${name} is for what anyport starts or dials, not for a server at a URL`,
  )
  const options = remoteOptions(parsed.options)
  // Programs are started without what only addresses need.
  const { connectUrl } = await import('../node/connect-url.js')
  const authorizer = await authorizerOf(address, parsed, log)
  return usage(() => connectUrl({ url: address, ...options, authorizer }, limits))
}

async function authorizerOf(address: string, { options, given }: Parsed, log: Log) {
  if (!signsIn(address, options, given)) return undefined
  const [{ oauth }, { signInLog }, settings] = await Promise.all([
    import('../node/oauth/authorizer-for.js'),
    import('./sign-in-log.js'),
    signInOptions(options),
  ])
  return oauth(address, { ...settings, onEvent: signInLog(log) })
}

/** What runs already gets neither arguments nor an environment from us. */
function alone(address: string, parsed: Parsed, more: readonly string[]): void {
  if (more.length > 0 || parsed.rest !== undefined)
    throw new UsageError(`${address} is served alone, without a command`)
  // A URL may hold secrets.
  const shown = parsed.positionals.includes(address) ? address : 'what is at a URL'
  refuse(
    parsed,
    ['cwd', 'env', 'env-file', 'inherit-env'],
    name => `--${name} is for a command; ${shown} runs already`,
  )
}

function refuse({ given }: Parsed, names: readonly string[], why: (name: string) => string): void {
  const name = names.find(name => given.has(name))
  if (name !== undefined) throw new UsageError(why(name))
}

/** Without the arguments: they may hold secrets. */
export function logLaunch(log: Log, { file, why }: LaunchPlan): void {
  if (why.length === 0) log.debug('server_launch', 'Starting the command as it is', { file })
  for (const reason of why) log.info('server_launch', reason, { file })
}
