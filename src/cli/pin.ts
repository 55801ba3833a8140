/** The command `anyport pin`. */

import type { Target } from '../client/open.js'
import type { RemoteTarget } from '../client/remote.js'
import { upstream } from '../client/upstream.js'
import type { UpstreamOptions } from '../client/upstream-options.js'
import { ConfigError } from '../config/problem.js'
import { matchesGlob } from '../exchange/glob.js'
import type { ServerPins } from '../middleware/exchange/definitions/pins.js'
import { collectDefinitions } from '../node/collect-definitions.js'
import { comparePins, type PinChange, type PinComparison } from '../node/compare-pins.js'
import { createLog, type Log } from '../node/log.js'
import { changePinFile, type PinnedServers, readPinFile } from '../node/storage/pin-file.js'
import { pinFilePath } from '../node/storage/pin-file-path.js'
import { version } from '../node/version.js'
import { type ParsedArguments, parseArguments, UsageError } from './arguments.js'
import { describeError } from './describe-error.js'
import { pinName } from './pin-name.js'
import { PIN_OPTIONS } from './pin-options.js'
import { reportOf } from './pin-report.js'
import { SERVE_OPTIONS } from './serve-options.js'

type Parsed = ParsedArguments<typeof SERVE_OPTIONS>

/** 0: all is as it was accepted, or was written; 1: something differs, is flagged, or cannot be reached. */
export async function pinCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals, rest, given } = parseArguments(PIN_OPTIONS, argv)
  if (options.check && options.accept)
    throw new UsageError('--check writes nothing, so that it goes without --accept')
  const hasTarget = rest === undefined && options.config === undefined && isAddress(positionals[0])
  const names = hasTarget ? positionals.slice(1) : positionals
  if (names.length > 0 && !options.accept)
    throw new UsageError(
      `Put -- before the command: anyport pin -- ${names.join(' ')}; names are for --accept`,
    )
  const log = createLog({ level: options['log-level'], format: options['log-format'] })
  const { options: standard } = parseArguments(SERVE_OPTIONS, [])
  const parsed: Parsed = {
    options: { ...standard, ...options },
    positionals: hasTarget ? positionals.slice(0, 1) : [],
    rest,
    given,
  }
  const { servers, config } = await serversOf(parsed, log)
  const file = options['pin-file'] ?? pinFilePath(config)
  const pinned = await orUsage(() => readPinFile(file))
  if (options.check && pinned === undefined)
    throw new UsageError(`There is no file ${file}; "anyport pin" writes it`)

  const compared = new Map<string, PinComparison>()
  const failed = new Map<string, string>()
  for (const [name, open] of servers) {
    try {
      compared.set(name, await open(pinned?.get(name), options.skip))
    } catch (error) {
      failed.set(name, describeError(error))
    }
  }
  const accepts = acceptance(options.accept, names)
  const refused = [...compared].flatMap(([server, { changes }]) =>
    changes.filter(change => !accepts(server, change)),
  )
  const written = options.check ? false : await write(file, compared, accepts)
  if (names.length > 0) refuseUnknown(names, compared)
  if (options.json) printJson(file, compared, failed, written)
  else printText(file, compared, failed, written, refused.length, options)
  await log.flush()
  return refused.length + failed.size === 0 && !(options.check && hasNew(compared)) ? 0 : 1
}

type Compare = (
  before: ServerPins | undefined,
  skip: Parameters<typeof comparePins>[2],
) => Promise<PinComparison>

async function serversOf(
  parsed: Parsed,
  log: Log,
): Promise<{ readonly servers: ReadonlyMap<string, Compare>; readonly config: string | undefined }> {
  const { options, positionals, rest } = parsed
  const life: UpstreamOptions = {
    protocol: options.protocol,
    startTimeout: options['start-timeout'],
    probeTimeout: options['probe-timeout'],
    // Nobody waits for it to come back.
    maxRestarts: 0,
    clientInfo: { name: 'anyport', version: version() },
  }
  if (positionals.length > 0 || rest !== undefined) {
    if (options.config !== undefined)
      throw new UsageError('--config names the servers: there can be no command or address beside it')
    const { targetOf } = await import('./target.js')
    const target = await targetOf(parsed, log)
    return { servers: new Map([[pinName(target.name), comparing(target, life)]]), config: undefined }
  }
  const [{ loadConfig }, { serverOf }, { askInput }, { remoteOptions }, { signInOptions }, { signInLog }] =
    await Promise.all([
      import('../node/config/load-config.js'),
      import('../node/config/config-servers.js'),
      import('./ask-input.js'),
      import('./remote-options.js'),
      import('./sign-in-options.js'),
      import('./sign-in-log.js'),
    ])
  const config = await orUsage(() =>
    loadConfig({ file: options.config, client: options['config-client'], ask: askInput }),
  )
  const { transport: _transport, headers: _headers, ...http } = remoteOptions(options)
  const signIn = options['no-sign-in']
    ? undefined
    : { ...(await signInOptions(options)), onEvent: signInLog(log) }
  const servers = new Map<string, Compare>()
  for (const entry of config.servers) {
    const { target, startTimeout, probeTimeout, protocol } = await orUsage(async () =>
      serverOf(entry, {
        file: config.file,
        http,
        signIn,
        limits: { maxMessage: options['max-message'], maxDepth: options['max-depth'] },
        onStderr: (server, line) => log.info('server_stderr', line, { server }),
      }),
    )
    if (typeof target === 'function') continue
    const own = {
      ...life,
      ...(startTimeout === undefined ? {} : { startTimeout }),
      ...(probeTimeout === undefined ? {} : { probeTimeout }),
      ...(protocol === undefined ? {} : { protocol }),
    }
    servers.set(entry.name, comparing(target, own))
  }
  return { servers, config: config.file }
}

/** Starts the server, asks it, and stops it again. */
function comparing(target: Target | RemoteTarget, options: UpstreamOptions): Compare {
  return async (before, skip) => {
    const up = upstream(target, options)
    try {
      const clientInfo = { name: 'anyport', version: version() }
      const limit = (options.startTimeout ?? 60_000) + 30_000
      return comparePins(before, await collectDefinitions(up.handler, { clientInfo, limit }), skip)
    } finally {
      await up.close()
    }
  }
}

function acceptance(accept: boolean, names: readonly string[]) {
  return (server: string, { name, kind }: PinChange): boolean =>
    accept &&
    (names.length === 0 ||
      names.some(
        pattern =>
          matchesGlob(pattern, name) ||
          matchesGlob(pattern, `${server}/${name}`) ||
          matchesGlob(pattern, `${server}/${kind}/${name}`),
      ))
}

/** Servers that are new and of which something is flagged are not written, unless that is accepted. */
async function write(
  file: string,
  compared: ReadonlyMap<string, PinComparison>,
  accepts: (server: string, change: PinChange) => boolean,
): Promise<boolean> {
  return await orUsage(() =>
    changePinFile(file, before => {
      const next = new Map(before)
      for (const [server, comparison] of compared) {
        const isRefused = comparison.changes.some(change => !accepts(server, change))
        if (comparison.isNew && isRefused) continue
        next.set(
          server,
          comparison.accepted(change => accepts(server, change)),
        )
      }
      return next satisfies PinnedServers
    }),
  )
}

function refuseUnknown(names: readonly string[], compared: ReadonlyMap<string, PinComparison>): void {
  for (const name of names) {
    const one = acceptance(true, [name])
    const hits = [...compared].some(([server, { changes }]) => changes.some(change => one(server, change)))
    if (!hits) process.stderr.write(`anyport: nothing that differs is called ${JSON.stringify(name)}\n`)
  }
}

function hasNew(compared: ReadonlyMap<string, PinComparison>): boolean {
  return [...compared.values()].some(({ isNew }) => isNew)
}

function printText(
  file: string,
  compared: ReadonlyMap<string, PinComparison>,
  failed: ReadonlyMap<string, string>,
  written: boolean,
  refused: number,
  { check, accept }: { readonly check: boolean; readonly accept: boolean },
): void {
  for (const [server, comparison] of compared) process.stdout.write(`${reportOf(server, comparison)}\n`)
  for (const [server, why] of failed) process.stderr.write(`anyport: ${server}: ${why}\n`)
  if (written) process.stdout.write(`Written to ${file}\n`)
  if (check && hasNew(compared))
    process.stdout.write('Servers that are new are not pinned: "anyport pin" writes them\n')
  if (refused > 0)
    process.stdout.write(
      `${accept ? 'Not accepted' : 'To be looked at'}: ${refused}. "anyport pin --accept" takes over all, "anyport pin --accept NAME" one\n`,
    )
}

function printJson(
  file: string,
  compared: ReadonlyMap<string, PinComparison>,
  failed: ReadonlyMap<string, string>,
  written: boolean,
): void {
  const servers = Object.fromEntries([
    ...[...compared].map(([server, { isNew, changes, counts }]) => [server, { isNew, counts, changes }]),
    ...[...failed].map(([server, error]) => [server, { error }]),
  ])
  process.stdout.write(`${JSON.stringify({ file, written, servers }, undefined, 2)}\n`)
}

async function orUsage<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ConfigError || error instanceof TypeError) throw new UsageError(error.message)
    throw error
  }
}

function isAddress(word: string | undefined): boolean {
  return word !== undefined && /^(?:socket:|https?(?:\+unix)?:\/\/|tcp:\/\/)/i.test(word)
}
