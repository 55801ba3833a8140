/** From the words of the command line to what is decided on. */

import { type Launcher, NPX } from '../config/bridge.js'
import type { Client } from '../config/client.js'
import { clientNamed } from '../config/clients.js'
import { ABILITIES, type Ability, type Situation } from './advice.js'
import type { Wishes } from './advice-setup.js'
import type { ADVISE_OPTIONS } from './advise-options.js'
import { serverName } from './announce.js'
import { type OptionValues, type ParsedArguments, UsageError } from './arguments.js'
import { named } from './config-targets.js'

export type AdviseArguments = ParsedArguments<typeof ADVISE_OPTIONS>
export type AdviseOptions = OptionValues<typeof ADVISE_OPTIONS>

export function kindOf({ options, positionals }: AdviseArguments): Situation['serverIs'] {
  if (positionals.length > 0) return 'url'
  return options['server-is'] ?? 'command'
}

export function commandOf(parsed: AdviseArguments): readonly string[] {
  if (parsed.rest !== undefined && parsed.rest.length > 0) return parsed.rest
  return kindOf(parsed) === 'sdk' ? ['node', 'server.js'] : ['npx', '-y', 'some-server']
}

/** Throws `UsageError` for what does not go together. */
export function situationOf(parsed: AdviseArguments): Situation {
  const { options, positionals, rest, given } = parsed
  const [url, ...more] = positionals
  const serverIs = kindOf(parsed)
  if (more.length > 0 || (url !== undefined && rest !== undefined))
    throw new UsageError('Give one address, or -- and a command')
  if (rest?.length === 0) throw new UsageError('There is no command behind --')
  if (url !== undefined && (!URL.canParse(url) || !/^https?:/i.test(url)))
    throw new UsageError(
      `${JSON.stringify(url)} is no address such as https://example.com/mcp; put -- before a command`,
    )
  if (given.has('server-is') && (options['server-is'] === 'url') !== (url !== undefined))
    throw new UsageError(
      url === undefined ? '--server-is url needs the address' : '--server-is: an address is given',
    )
  const runs = serverIs === 'url' ? 'remote' : (options.runs ?? 'local')
  if (options.replicas > 1 && runs !== 'remote') throw new UsageError('--replicas is for --runs remote')
  if (given.has('platform') && runs !== 'serverless')
    throw new UsageError('--platform is for --runs serverless')
  const { client } = clientOf(options)
  if (options['client-speaks'] !== undefined && (options.client ?? 'other') !== 'other')
    throw new UsageError(`--client-speaks is for --client other; what ${client.title} can do is known`)
  return {
    serverIs,
    url,
    runs,
    users: options.users ?? 'me',
    streams: options.streams,
    asks: options.asks,
    state: options.state,
    speaks: options['client-speaks'] ?? abilitiesOf(client),
    manyClients: options['many-clients'],
    replicas: options.replicas,
  }
}

/** As its format has words for it. */
export function abilitiesOf({ types, fields }: Client): readonly Ability[] {
  const calls = fields.url !== undefined
  const can: Readonly<Record<Ability, boolean>> = {
    stdio: types.stdio !== undefined,
    http: calls && (types.auto ?? types['streamable-http'] ?? types.modern) !== undefined,
    sse: calls && (types.auto ?? types.sse) !== undefined,
  }
  return ABILITIES.filter(ability => can[ability])
}

export function clientOf({ client: id = 'other' }: AdviseOptions): {
  client: Client
  clientId: string | undefined
} {
  if (id === 'other') return { client: clientNamed('anyport') as Client, clientId: undefined }
  return { client: named(id), clientId: id }
}

export function wishesOf(parsed: AdviseArguments, { serverIs, runs, url }: Situation): Wishes {
  const { options } = parsed
  const words = commandOf(parsed)
  const container = options.platform === undefined && serverIs === 'command'
  return {
    name: options.name ?? serverName(url ?? words.join(' ')),
    words,
    ...clientOf(options),
    launcher: launcherOf(options),
    installed: options.installed,
    port: options.port,
    publicUrl: options['public-url'],
    issuer: options.issuer,
    https: options.https,
    platform: runs === 'serverless' && container ? 'container' : (options.platform ?? 'fetch'),
  }
}

export function launcherOf({ installed }: AdviseOptions): Launcher {
  return installed ? { command: process.execPath, args: [process.argv[1] as string] } : NPX
}
