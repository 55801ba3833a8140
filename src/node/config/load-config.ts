/** A configuration as a gateway needs it: every reference has its value, and all that is wrong is known. */

import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import type { Client } from '../../config/client.js'
import { clientNamed } from '../../config/clients.js'
import { gatewayProblems, sentHeaders } from '../../config/gateway-problems.js'
import type { ConfigInput } from '../../config/inputs.js'
import { ConfigError, type Problem } from '../../config/problem.js'
import type { ReadConfig } from '../../config/read-config.js'
import { inputsOf, type Resolver, resolveEntry, variableOfInput } from '../../config/resolve.js'
import type { GatewaySettings, ServerEntry, UnresolvedEntry } from '../../config/server-entry.js'
import { readConfigFile } from './config-file.js'
import { discoverConfig } from './config-places.js'
import type { GuardSettings, ResolvedGuards } from './guard-settings.js'
import { VALUE_CHECKS } from './value-checks.js'

export interface LoadConfigOptions {
  /** Default: `anyport.json`, `mcp.json` or `.mcp.json` here or in a folder above. */
  readonly file?: string | undefined
  /** Whose format it is, as `anyport config` names it. Default: found out. */
  readonly client?: string | undefined
  /** Warnings are errors. Default false. */
  readonly strict?: boolean | undefined
  /** Where variables come from. Default our own environment. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Asks a person for a value that the environment does not have. Default: nobody is asked. */
  readonly ask?: ((input: ConfigInput) => Promise<string | undefined>) | undefined
  /** Only these servers get values, and are in `servers`; one that is disabled is too. Default: all that are not. */
  readonly only?: readonly string[] | undefined
}

export interface LoadedConfig {
  /** The absolute path. */
  readonly file: string
  /** Whose format it is. */
  readonly client: string
  /** Those that are not disabled, in the order of the file. */
  readonly servers: readonly ServerEntry[]
  /** The names of those that are. */
  readonly disabled: readonly string[]
  readonly gateway: GatewaySettings
  /** Who may come in, and what callers may do: for who serves the servers. */
  readonly guards: GuardSettings
  readonly warnings: readonly Problem[]
}

/** Rejects with `ConfigError` that names each problem with its place, with `TypeError` for a file that cannot be had. */
export async function loadConfig(options: LoadConfigOptions = {}): Promise<LoadedConfig> {
  const given = options.file ?? discoverConfig()
  if (given === undefined) {
    throw new TypeError(
      'No configuration: there is no anyport.json, mcp.json or .mcp.json here or above; name one',
    )
  }
  const file = resolve(given)
  mustExist(file)
  const read = await readConfigFile(file, clientOf(options.client), {
    checks: VALUE_CHECKS,
    // As the client itself would read it here.
    folder: process.cwd(),
  })
  // What is disabled needs no values.
  const enabled = read.servers.filter(({ name, disabled }) => options.only?.includes(name) ?? !disabled)
  const warnings = [...read.problems, ...enabled.flatMap(entry => gatewayProblems(entry, file))]
  const errors = warnings.filter(({ severity }) => severity === 'error' || options.strict)
  if (errors.length > 0) throw new ConfigError(errors)
  const { servers, problems } = await resolveServers(enabled, read.inputs, options)
  const { guards, problems: others } = await guardsOf(file, read, options)
  if (problems.length + others.length > 0) throw new ConfigError([...problems, ...others])
  return {
    file,
    client: read.client?.id ?? 'anyport',
    servers: servers.map(withoutOurHeaders),
    disabled: read.servers.flatMap(({ name, disabled }) => (disabled ? [name] : [])),
    gateway: read.gateway,
    guards,
    warnings,
  }
}

/**
 * Only what the file says of who may come in and what callers may do, for those who need it before the servers. Rejects as
 * {@link loadConfig}.
 */
export async function loadGuards(options: LoadConfigOptions = {}): Promise<GuardSettings> {
  const given = options.file ?? discoverConfig()
  if (given === undefined) return {}
  const file = resolve(given)
  mustExist(file)
  const read = await readConfigFile(file, clientOf(options.client), { checks: VALUE_CHECKS })
  // All that is wrong with the file is said at once.
  const errors = read.problems.filter(({ severity }) => severity === 'error')
  const { guards, problems } = await guardsOf(file, read, options)
  if (problems.length > 0) throw new ConfigError([...errors, ...problems])
  return guards
}

async function guardsOf(
  file: string,
  { guards, inputs }: ReadConfig,
  { env = process.env, ask }: LoadConfigOptions,
): Promise<ResolvedGuards> {
  // Most files have none, and need not load what checks them.
  if (guards.length === 0) return { guards: {}, problems: [] }
  const { resolveGuards, templatesOf } = await import('./guard-settings.js')
  const answers = await answersTo(inputsOf([], templatesOf(guards)), inputs, env, ask)
  return resolveGuards(file, guards, machineResolver(env, answers))
}

function withoutOurHeaders(entry: ServerEntry): ServerEntry {
  const { server } = entry
  if (server.kind !== 'remote') return entry
  return { ...entry, server: { ...server, headers: sentHeaders(server.headers) } }
}

export interface ResolvedServers {
  readonly servers: readonly ServerEntry[]
  readonly problems: readonly Problem[]
}

export async function resolveServers(
  entries: readonly UnresolvedEntry[],
  inputs: readonly ConfigInput[],
  { env = process.env, ask }: Pick<LoadConfigOptions, 'env' | 'ask'> = {},
): Promise<ResolvedServers> {
  const answers = await answersTo(inputsOf(entries), inputs, env, ask)
  const resolver = machineResolver(env, answers)
  const problems: Problem[] = []
  const servers = entries.flatMap(entry => {
    const resolved = resolveEntry(entry, resolver)
    problems.push(...resolved.problems)
    return resolved.server === undefined ? [] : [resolved.server]
  })
  return { servers, problems }
}

async function answersTo(
  ids: readonly string[],
  inputs: readonly ConfigInput[],
  env: Readonly<Record<string, string | undefined>>,
  ask: LoadConfigOptions['ask'],
): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>()
  for (const id of ids) {
    const input = inputs.find(candidate => candidate.id === id) ?? { id, description: id, secret: true }
    const answer = env[variableOfInput(id)] ?? (await ask?.(input)) ?? input.fallback
    if (answer !== undefined) answers.set(id, answer)
  }
  return answers
}

/** Bytes that a value from a file may have. */
const MAX_VALUE = 1024 * 1024

function machineResolver(
  env: Readonly<Record<string, string | undefined>>,
  answers: ReadonlyMap<string, string>,
): Resolver {
  return {
    env: name => env[name],
    input: id => answers.get(id),
    file: (path, from) => readValue(path, from),
    // The folder of a project, not that of its settings.
    folder: (folder, from) => (folder === 'home' ? homedir() : projectOf(from)),
  }
}

function readValue(path: string, from: string): string {
  const home = path.startsWith('~/') ? resolve(homedir(), path.slice(2)) : path
  const file = isAbsolute(home) ? home : resolve(dirname(from), home)
  try {
    if (statSync(file).size > MAX_VALUE)
      throw new TypeError(`the file ${path} is larger than ${MAX_VALUE} bytes`)
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
  } catch (error) {
    if (error instanceof TypeError) throw error
    const code = (error as NodeJS.ErrnoException).code
    throw new TypeError(
      `the file ${path} ${code === 'ENOENT' ? 'does not exist' : `cannot be read: ${code}`}`,
    )
  }
}

/** `.vscode/mcp.json` belongs to the folder above it. */
function projectOf(file: string): string {
  const folder = dirname(file)
  return /[\\/]\.[^\\/]+$/.test(folder) ? dirname(folder) : folder
}

function mustExist(file: string): void {
  try {
    statSync(file)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new TypeError(`Cannot read ${file}: ${code === 'ENOENT' ? 'it does not exist' : code}`)
  }
}

function clientOf(id: string | undefined): Client | undefined {
  if (id === undefined) return undefined
  const client = clientNamed(id)
  if (client === undefined) throw new TypeError(`client: there is no client ${JSON.stringify(id)}`)
  return client
}
