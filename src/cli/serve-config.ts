/** The servers of a configuration file, as `anyport serve` serves them. */

import { Capacity } from '../client/capacity.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import { ConfigError, formatProblem } from '../config/problem.js'
import type { GatewayEvent } from '../gateway/events.js'
import { createSealer } from '../legacy/request-state.js'
import {
  type ConfigEvent,
  type ConfigGateway,
  type ConfigGatewayOptions,
  configGateway,
} from '../node/config/config-gateway.js'
import { discoverConfig } from '../node/config/config-places.js'
import type { Governing } from '../node/govern.js'
import type { Log } from '../node/log.js'
import type { LaunchPlan } from '../node/process/launch-plan.js'
import type { ServeEvent } from '../node/serve-options.js'
import { type OptionValues, type ParsedArguments, UsageError } from './arguments.js'
import { askInput } from './ask-input.js'
import { describeError } from './describe-error.js'
import { remoteOptions } from './remote-options.js'
import type { SERVE_OPTIONS } from './serve-options.js'
import { signInLog } from './sign-in-log.js'
import { signInOptions } from './sign-in-options.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>
type Options = OptionValues<typeof SERVE_OPTIONS>

export interface ServeConfigOptions {
  readonly log: Log
  /** What holds for servers that say nothing else. */
  readonly common: UpstreamOptions & { readonly stateKey?: string | undefined }
  readonly version: string
  readonly governing?: Governing
  readonly guardsIn: ConfigGatewayOptions['guardsIn']
  readonly onServerEvent: (server: string, event: ServeEvent) => void
}

/** Throws `UsageError` for what cannot be served, with the file's problems. */
export async function openConfig(parsed: Parsed, given: ServeConfigOptions): Promise<ConfigGateway> {
  const { options } = parsed
  refuseCommands(parsed)
  if (options.config === undefined && discoverConfig() === undefined) {
    throw new UsageError(
      'What is to be served? Write: anyport serve -- COMMAND [ARGS...], or anyport serve --config FILE',
    )
  }
  const { log, common, version } = given
  const { transport: _transport, headers: _headers, ...http } = remoteOptions(options)
  const { stateKey, ...limits } = common
  const counts = new Map<string, number>()
  try {
    return await configGateway({
      ...limits,
      ...gatewayOptions(options),
      capacity: new Capacity(options['max-children-total'], '--max-children-total'),
      load: {
        file: options.config,
        client: options['config-client'],
        strict: options.strict,
        ask: askInput,
      },
      ...(given.governing === undefined
        ? {}
        : { around: given.governing.around, audienceOf: given.governing.audienceOf }),
      guardsIn: given.guardsIn,
      watch: !options['no-watch'],
      serverInfo: { name: 'anyport', version },
      ...(stateKey === undefined ? {} : { sealer: await createSealer(stateKey) }),
      http,
      signIn: options['no-sign-in']
        ? undefined
        : { ...(await signInOptions(options)), onEvent: signInLog(log) },
      limits: { maxMessage: options['max-message'], maxDepth: options['max-depth'] },
      onStderr: (server, line) => log.info('server_stderr', line, { server }),
      onLaunch: (server, launch) => logLaunch(log, server, launch),
      onServerEvent: given.onServerEvent,
      onLoss: (kind, detail) => {
        const count = (counts.get(kind) ?? 0) + 1
        counts.set(kind, count)
        given.onServerEvent('', { type: 'loss', kind, detail, count })
      },
      onEvent: event => logGatewayEvent(log, event),
      onConfig: event => logConfigEvent(log, event),
    })
  } catch (error) {
    if (error instanceof ConfigError || error instanceof TypeError) throw new UsageError(error.message)
    throw error
  }
}

/** Left out where nothing is given, so that the file decides. */
function gatewayOptions(options: Options) {
  return {
    ...(options.names === undefined ? {} : { style: options.names }),
    ...(options['max-name'] === undefined ? {} : { limit: options['max-name'] }),
    ...(options['max-tools'] === undefined ? {} : { maxTools: options['max-tools'] }),
    ...(options['lazy-tools'] ? { lazy: true } : {}),
    ...(options['allow-tool'].length === 0 ? {} : { allow: options['allow-tool'] }),
    ...(options['deny-tool'].length === 0 ? {} : { deny: options['deny-tool'] }),
  }
}

const OF_ONE_SERVER = [
  ...['cwd', 'env', 'env-file', 'inherit-env', 'header', 'transport'],
  ...['client-id', 'client-secret', 'client-key', 'client-key-id', 'scope', 'issuer', 'grant'],
]

function refuseCommands({ positionals, rest, given }: Parsed): void {
  if (positionals.length > 0 || rest !== undefined)
    throw new UsageError('--config serves what the file names: there can be no command or address beside it')
  for (const name of OF_ONE_SERVER)
    if (given.has(name))
      throw new UsageError(`--${name} is for one server; the file says it for each of them`)
}

function logLaunch(log: Log, server: string, { file, why }: LaunchPlan): void {
  if (why.length === 0) log.debug('server_launch', 'Starting the command as it is', { server, file })
  for (const reason of why) log.info('server_launch', reason, { server, file })
}

function logConfigEvent(log: Log, event: ConfigEvent): void {
  if (event.type === 'config-broken') {
    log.error(
      'config_broken',
      `The file cannot be used, so what it said before goes on: ${describeError(event.error)}`,
      {
        file: event.file,
      },
    )
    return
  }
  const { config, added, replaced, removed, needsRestart } = event
  for (const problem of config.warnings) log.warn('config_warning', formatProblem(problem))
  const { file } = config
  log.info('config_applied', `${config.servers.length} servers of ${file}`, {
    file,
    added,
    replaced,
    removed,
  })
  if (needsRestart)
    log.warn(
      'config_restart',
      "Settings of the gateway itself have changed: they hold after anyport's restart",
      { file },
    )
}

function logGatewayEvent(log: Log, event: GatewayEvent): void {
  switch (event.type) {
    case 'unavailable':
      log.warn('server_unavailable', `It does not say what it has: ${describeError(event.error)}`, {
        server: event.server,
      })
      break
    case 'available':
      log.info('server_available', 'It says again what it has', { server: event.server })
      break
    case 'collision': {
      const what = `Several servers have ${event.kind} that would be called ${event.name}`
      const how = event.outcome === 'renamed' ? 'each got a longer name' : 'only the first is shown'
      log.warn('name_collision', `${what}: ${how}`, { between: event.between })
      break
    }
    case 'rename-refused':
      log.warn(
        'rename_refused',
        `${event.name} keeps its name: ${event.wanted} is something else of this server`,
        {
          server: event.server,
        },
      )
      break
    case 'over-budget':
      log.info(
        'over_budget',
        `${event.hidden} of ${event.tools} tools are not listed, and are found by searching`,
      )
      break
    case 'servers-changed':
      // The file's own event says it.
      break
  }
}
