/** The command `anyport config`: the servers in the configurations of clients. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Launcher } from '../config/bridge.js'
import type { Client } from '../config/client.js'
import { CLIENTS, clientNamed, detectClient } from '../config/clients.js'
import { equalValues, placeToEdit, removeServer, setServer } from '../config/edit-config.js'
import { nearest } from '../config/nearest.js'
import { formatProblem, type Problem } from '../config/problem.js'
import type { ReadConfig } from '../config/read-config.js'
import { problemOfName } from '../config/read-server.js'
import type { UnresolvedEntry } from '../config/server-entry.js'
import {
  nodeAt,
  type PlainObject,
  placeOf,
  type Syntax,
  SyntaxProblem,
  splitMark,
  toPlain,
} from '../config/source.js'
import { literal, type Template } from '../config/template.js'
import { anyportVariables } from '../config/variables.js'
import { type Note, writeServer } from '../config/write-server.js'
import { printable } from '../exchange/printable.js'
import { openConfig, readConfigFile, syntaxOf, updateConfigFile } from '../node/config-file.js'
import { clientFile, discoverConfig } from '../node/config-places.js'
import { resolveServers } from '../node/load-config.js'
import { nameOfCommand } from '../node/process/spawn-error.js'
import { type OptionValues, parseArguments, UsageError } from './arguments.js'
import { askInput } from './ask-input.js'
import { CONFIG_ACTIONS, CONFIG_OPTIONS, type ConfigAction, OPTIONS_OF } from './config-options.js'

type Options = OptionValues<typeof CONFIG_OPTIONS>

interface Command {
  readonly options: Options
  readonly positionals: readonly string[]
  readonly rest: readonly string[] | undefined
}

/** 0: done; 1: something was refused, or is there already; 2: wrong use, an error in a file, or a warning where `--strict` is given. */
export async function configCommand(argv: readonly string[]): Promise<number> {
  const { options, positionals, rest, given } = parseArguments(CONFIG_OPTIONS, argv)
  const [word, ...others] = positionals
  const action = CONFIG_ACTIONS.find(candidate => candidate === word)
  if (action === undefined) {
    const near = word === undefined ? undefined : nearest(word, CONFIG_ACTIONS)
    throw new UsageError(
      word === undefined
        ? `What is to be done? Write: anyport config ${CONFIG_ACTIONS.join('|')}`
        : `config has no action ${word}${near === undefined ? '' : `; did you mean ${near}?`}`,
    )
  }
  for (const name of given) {
    if (!(OPTIONS_OF[action] as readonly string[]).includes(name))
      throw new UsageError(`--${name} is not for config ${action}`)
  }
  if (rest !== undefined && action !== 'add') throw new UsageError(`config ${action} takes no command`)
  return await ACTIONS[action]({ options, positionals: others, rest })
}

const ACTIONS: Readonly<Record<ConfigAction, (command: Command) => Promise<number>>> = {
  list: listServers,
  add: addServer,
  remove: removeServers,
  import: importServers,
  export: exportServers,
  convert: convertServers,
}

async function listServers({ options, positionals }: Command): Promise<number> {
  takesNone(positionals, 'list')
  const files =
    options.client === undefined && options.file === undefined && options.scope === undefined
      ? everyFile()
      : [targetFile(options, options.client ?? 'anyport')]
  let failed = false
  const shown: object[] = []
  for (const { file, client } of files) {
    const read = await readConfigFile(file, client)
    failed = report(read.problems, options.strict) || failed
    const title = (read.client ?? client)?.title ?? 'unknown'
    if (options.json) {
      shown.push({
        client: (read.client ?? client)?.id,
        file,
        servers: read.servers.map(entry => ({
          ...describeServer(entry),
          ...(entry.disabled ? { disabled: true } : {}),
        })),
      })
      continue
    }
    print(`${title}  ${file}`)
    const width = Math.max(0, ...read.servers.map(({ name }) => name.length))
    for (const entry of read.servers) {
      const { name, kind, target } = describeServer(entry)
      print(
        `  ${printable(name).padEnd(width)}  ${kind.padEnd(15)}  ${printable(target)}${entry.disabled ? '  (disabled)' : ''}`,
      )
    }
    if (read.servers.length === 0) print('  no servers')
  }
  if (options.json) print(JSON.stringify(shown, undefined, 2))
  else if (files.length === 0) print('No client on this machine has a configuration where it is looked for.')
  return failed ? 2 : 0
}

async function addServer({ options, positionals, rest }: Command): Promise<number> {
  const [name, url, ...more] = positionals
  if (name === undefined)
    throw new UsageError('Which server? Write: anyport config add NAME -- COMMAND [ARGS...]')
  if (more.length > 0 || (url === undefined) === (rest === undefined)) {
    throw new UsageError('A server is an address or, behind --, a command: anyport config add NAME URL')
  }
  const entry = entryOfCommandLine(name, url, rest, options)
  return await writeAll([entry], targetFile(options, options.client ?? 'anyport'), options)
}

async function removeServers({ options, positionals }: Command): Promise<number> {
  if (positionals.length === 0) throw new UsageError('Which server? Write: anyport config remove NAME')
  const { file, client } = targetFile(options, options.client ?? 'anyport')
  const { text, syntax } = await openConfig(file, client)
  const owner = client ?? ownerOf(file, text ?? '', syntax)
  const missing: string[] = []
  const edit = (before: string) => {
    missing.length = 0
    return positionals.reduce((current, name) => {
      const after = removeServer(current, syntax, placeToEdit(current, syntax, owner), name)
      if (after === current) missing.push(name)
      return after
    }, before)
  }
  if (options['dry-run']) write(located(file, text ?? '', edit))
  else if (text !== undefined) await update(file, edit)
  for (const name of text === undefined ? positionals : missing)
    tell(`${file}: there is no server ${JSON.stringify(name)}`)
  const removed = positionals.filter(name => text !== undefined && !missing.includes(name))
  if (!options['dry-run']) for (const name of removed) print(`Removed ${printable(name)} from ${file}`)
  return removed.length < positionals.length ? 1 : 0
}

async function importServers({ options, positionals }: Command): Promise<number> {
  const { from, file } = options
  if (from === undefined) throw new UsageError('From whom? Write: anyport config import --from CLIENT')
  const client = named(from)
  const source = clientFile(client, options.scope ?? userScope(client))
  if (source === undefined)
    throw new UsageError(`${client.title} has no ${options.scope} file; name the scope that it has`)
  const read = await readConfigFile(mustExist(source, client), client)
  if (report(read.problems, options.strict)) return 2
  const target = file ?? discoverConfig() ?? 'anyport.json'
  return await writeChosen(read, positionals, { file: resolve(target), client: undefined }, options)
}

async function exportServers({ options, positionals }: Command): Promise<number> {
  const { from, to } = options
  if (to === undefined) throw new UsageError('For whom? Write: anyport config export --to CLIENT')
  named(to)
  const source = from === undefined ? discoverConfig() : clientFile(named(from), userScope(named(from)))
  if (source === undefined)
    throw new UsageError(
      'There is no anyport.json, mcp.json or .mcp.json here or above; name a client with --from',
    )
  const read = await readConfigFile(
    mustExist(source, undefined),
    from === undefined ? undefined : named(from),
  )
  if (report(read.problems, options.strict)) return 2
  return await writeChosen(read, positionals, targetFile(options, to), options)
}

async function convertServers({ options, positionals }: Command): Promise<number> {
  const [source, ...more] = positionals
  if (source === undefined || more.length > 0 || options.to === undefined)
    throw new UsageError('Which file, for whom? Write: anyport config convert FILE --to CLIENT')
  const client = named(options.to)
  const read = await readConfigFile(
    mustExist(source, undefined),
    options.from === undefined ? undefined : named(options.from),
  )
  if (report(read.problems, options.strict)) return 2
  const { entries, failed } = await prepared(read.servers, read, options)
  const syntax = await syntaxOf('', client.syntax)
  let text = ''
  let refused = failed
  for (const entry of entries) {
    const { value, notes } = writeServer(entry, client, { launcher: launcherOf(options) })
    tellNotes(notes)
    if (value === undefined) refused = true
    else text = setServer(text, syntax, placeToEdit(text, syntax, client), entry.name, value)
  }
  write(text)
  return refused ? 1 : 0
}

interface Target {
  readonly file: string
  /** Undefined where the file itself tells. */
  readonly client: Client | undefined
}

/** The servers that were named, or all. */
async function writeChosen(
  read: ReadConfig,
  names: readonly string[],
  target: Target,
  options: Options,
): Promise<number> {
  for (const name of names) {
    if (!read.servers.some(server => server.name === name)) {
      const near = nearest(
        name,
        read.servers.map(server => server.name),
      )
      throw new UsageError(
        `There is no server ${JSON.stringify(name)} to read${near === undefined ? '' : `; did you mean ${near}?`}`,
      )
    }
  }
  const chosen = read.servers.filter(({ name }) => names.length === 0 || names.includes(name))
  const { entries, failed } = await prepared(chosen, read, options)
  const code = await writeAll(entries, target, options)
  return failed ? 1 : code
}

/** With the values of references, where they are asked for. */
async function prepared(
  entries: readonly UnresolvedEntry[],
  { inputs }: Pick<ReadConfig, 'inputs'>,
  { resolve }: Options,
) {
  if (!resolve) return { entries, failed: false }
  const { servers, problems } = await resolveServers(entries, inputs, { ask: askInput })
  report(problems, true)
  return { entries: servers.map(withLiterals), failed: problems.length > 0 }
}

async function writeAll(
  given: readonly UnresolvedEntry[],
  { file, client }: Target,
  options: Options,
): Promise<number> {
  const { text, syntax } = await openConfig(file, client)
  const owner = client ?? ownerOf(file, text ?? '', syntax)
  const written: { readonly entry: UnresolvedEntry; readonly value: PlainObject }[] = []
  let refused = false
  for (const entry of given) {
    const { value, notes } = writeServer(entry, owner, { launcher: launcherOf(options) })
    tellNotes(notes)
    if (value === undefined) refused = true
    else written.push({ entry, value })
  }
  const taken = new Set<string>()
  const same = new Set<string>()
  const edit = (before: string) => {
    taken.clear()
    same.clear()
    return written.reduce((current, { entry: { name }, value }) => {
      const place = placeToEdit(current, syntax, owner)
      const known = valueAt(current, syntax, [...place.path, name])
      if (known !== undefined && equalValues(known, value)) same.add(name)
      else if (known !== undefined && !options.replace) {
        taken.add(name)
        return current
      }
      return setServer(current, syntax, place, name, value)
    }, before)
  }
  if (options['dry-run']) write(located(file, text ?? '', edit))
  else if (written.length > 0) await update(file, edit, isShared(file, owner, options) ? 0o666 : 0o600)
  for (const name of taken)
    tell(`${file}: another server is called ${JSON.stringify(name)} already; --replace replaces it`)
  for (const { entry } of written) {
    if (options['dry-run'] || taken.has(entry.name)) continue
    print(
      `${same.has(entry.name) ? 'Already there:' : 'Wrote'} ${printable(entry.name)} ${same.has(entry.name) ? 'in' : 'to'} ${file} (${owner.title})`,
    )
  }
  if (owner.hint !== undefined && written.length > taken.size) tell(owner.hint)
  return refused || taken.size > 0 ? 1 : 0
}

function valueAt(text: string, syntax: Syntax, path: readonly string[]) {
  const node = nodeAt(syntax.parse(text), path)
  return node === undefined ? undefined : toPlain(node)
}

function entryOfCommandLine(
  name: string,
  url: string | undefined,
  rest: readonly string[] | undefined,
  options: Options,
): UnresolvedEntry {
  const problem = problemOfName(name)
  if (problem !== undefined) throw new UsageError(`${JSON.stringify(name)}: ${problem}`)
  const { timeout, 'start-timeout': start, description, disabled } = options
  const timeouts = {
    ...(start === undefined ? {} : { start }),
    ...(timeout === undefined ? {} : { call: timeout }),
  }
  const common = {
    name,
    ...(description === undefined ? {} : { description }),
    ...(disabled ? { disabled } : {}),
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
  }
  if (url !== undefined) {
    if (!URL.canParse(url) || !/^https?:/.test(url))
      throw new UsageError(`${JSON.stringify(url)} is no address such as https://example.com/mcp`)
    return {
      ...common,
      server: {
        kind: 'remote',
        url: anyportVariables.read(url),
        transport: options.transport,
        headers: Object.fromEntries(options.header.map(parseHeader)),
      },
    }
  }
  const [command, ...args] = rest ?? []
  if (command === undefined) throw new UsageError('There is no command behind --')
  return {
    ...common,
    server: {
      kind: 'stdio',
      command: literal(command),
      args: args.map(arg => anyportVariables.read(arg)),
      env: Object.fromEntries(options.env.map(parseVariable)),
      ...(options.cwd === undefined ? {} : { cwd: literal(options.cwd) }),
      ...(options['env-file'] === undefined ? {} : { envFile: literal(options['env-file']) }),
    },
  }
}

function parseVariable(given: string): readonly [string, Template] {
  const equals = given.indexOf('=')
  const name = equals < 0 ? given : given.slice(0, equals)
  if (!/^[A-Za-z_][A-Za-z0-9_.()-]*$/.test(name)) throw new UsageError('--env: expected NAME=VALUE or NAME')
  return [name, equals < 0 ? [{ kind: 'env', name }] : anyportVariables.read(given.slice(equals + 1))]
}

function parseHeader(given: string): readonly [string, Template] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(given) ?? []
  if (name === undefined || value === undefined) throw new UsageError('--header: expected "Name: value"')
  return [name, anyportVariables.read(value)]
}

/** Every client's file on this machine that exists. */
function everyFile(): Target[] {
  const own = discoverConfig()
  const seen = new Set<string>()
  const files = CLIENTS.flatMap(client =>
    (['user', 'project'] as const).flatMap(scope => {
      const file = clientFile(client, scope)
      return file === undefined ? [] : [{ file, client: client.universal ? undefined : client }]
    }),
  )
  return [...(own === undefined ? [] : [{ file: own, client: undefined }]), ...files].filter(({ file }) => {
    if (seen.has(file) || !existsSync(file)) return false
    seen.add(file)
    return true
  })
}

function targetFile(options: Options, id: string): Target {
  const client = named(id)
  const known = options.client === undefined && options.to === undefined ? undefined : client
  if (options.file !== undefined) return { file: resolve(options.file), client: known }
  if (client.universal && options.scope !== 'user')
    return { file: resolve(discoverConfig() ?? 'anyport.json'), client: undefined }
  const file = clientFile(client, options.scope ?? userScope(client))
  if (file === undefined)
    throw new UsageError(
      `${client.title} has no ${options.scope ?? 'user'} file; use the other --scope, or --file`,
    )
  return {
    file,
    client: client.id === 'opencode' || client.id === 'opencode-2' ? undefinedIfTold(file, client) : client,
  }
}

/** The two versions of OpenCode share a file, which tells which one it is. */
function undefinedIfTold(file: string, client: Client): Client | undefined {
  return existsSync(file) ? undefined : client
}

function userScope(client: Client): 'user' | 'project' {
  return Object.keys(client.userFiles).length === 0 ? 'project' : 'user'
}

function ownerOf(file: string, text: string, syntax: Syntax): Client {
  const root = located(file, text, syntax.parse)
  const client = detectClient(file, root) ?? clientNamed('anyport')
  return client as Client
}

function named(id: string): Client {
  const client = clientNamed(id)
  if (client !== undefined) return client
  const near = nearest(
    id,
    CLIENTS.map(candidate => candidate.id),
  )
  throw new UsageError(
    `There is no client ${id}${near === undefined ? `: ${CLIENTS.map(candidate => candidate.id).join(', ')}` : `; did you mean ${near}?`}`,
  )
}

function mustExist(file: string, client: Client | undefined): string {
  if (!existsSync(file))
    throw new UsageError(
      `${file} does not exist${client === undefined ? '' : `: that is where ${client.title} has its servers`}`,
    )
  return resolve(file)
}

function launcherOf({ installed }: Options): Launcher {
  return installed
    ? { command: process.execPath, args: [process.argv[1] as string] }
    : { command: 'npx', args: ['-y', 'anyport'] }
}

/** Values are plain text: nothing in them refers to anything any more. */
function withLiterals(entry: Awaited<ReturnType<typeof resolveServers>>['servers'][number]): UnresolvedEntry {
  const all = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, literal(value)]))
  const { server } = entry
  if (server.kind === 'remote') {
    const { auth, ...rest } = server
    const signIn =
      auth === undefined || auth === false
        ? auth
        : {
            ...auth,
            ...(auth.clientId === undefined ? {} : { clientId: literal(auth.clientId) }),
            ...(auth.clientSecret === undefined ? {} : { clientSecret: literal(auth.clientSecret) }),
          }
    return {
      ...entry,
      server: {
        ...rest,
        url: literal(server.url),
        headers: all(server.headers),
        ...(signIn === undefined ? {} : { auth: signIn }),
      },
    } as UnresolvedEntry
  }
  return {
    ...entry,
    server: {
      ...server,
      command: literal(server.command),
      args: server.args.map(literal),
      env: all(server.env),
      ...(server.cwd === undefined ? {} : { cwd: literal(server.cwd) }),
      ...(server.envFile === undefined ? {} : { envFile: literal(server.envFile) }),
    },
  } as UnresolvedEntry
}

/** What a person sees of a server; nothing that may be secret. */
function describeServer({ name, server }: UnresolvedEntry): {
  readonly name: string
  readonly kind: string
  readonly target: string
} {
  const show = (template: Template) => anyportVariables.write(template) ?? '...'
  if (server.kind === 'remote')
    return {
      name,
      kind: server.transport,
      target: show(server.url)
        .replace(/\/\/[^/@]*@/, '//***@')
        .replace(/\?.*$/s, '?...'),
    }
  return { name, kind: 'stdio', target: nameOfCommand(show(server.command), server.args.map(show)) }
}

/** True where there is an error, or a warning that counts as one. */
function report(problems: readonly Problem[], strict: boolean): boolean {
  for (const problem of problems)
    tell(`${problem.severity === 'error' || strict ? 'error' : 'warning'}: ${formatProblem(problem)}`)
  return problems.some(({ severity }) => severity === 'error' || strict)
}

function tellNotes(notes: readonly Note[]): void {
  for (const { server, field, kind, message } of notes) tell(`${kind}: ${server}: ${field}: ${message}`)
}

async function update(file: string, edit: (text: string) => string, mode = 0o600): Promise<void> {
  await updateConfigFile(file, text => located(file, text, edit), { mode })
}

/** A project's file, without values in place of references, is like every other of the project. */
function isShared(file: string, owner: Client, { resolve: baked }: Options): boolean {
  const path = file.replaceAll('\\', '/')
  return (
    !baked &&
    owner.projectFiles.some(ending => path.endsWith(`/${ending}`)) &&
    path !== clientFile(owner, 'user')
  )
}

/** A text that cannot be read is a mistake of its writer, with its place. */
function located<T>(file: string, text: string, work: (text: string) => T): T {
  try {
    return work(text)
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    const place = placeOf(file, splitMark(text)[1], error.offset)
    throw new TypeError(formatProblem({ severity: 'error', place, message: error.message }))
  }
}

function takesNone(positionals: readonly string[], action: string): void {
  if (positionals.length > 0) throw new UsageError(`config ${action} takes no names`)
}

function print(line: string): void {
  write(`${line}\n`)
}

function write(text: string): void {
  process.stdout.write(text)
}

function tell(line: string): void {
  process.stderr.write(`${printable(line)}\n`)
}
