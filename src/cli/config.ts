/** The command `anyport config`: the servers in the configurations of clients. */

import { resolve } from 'node:path'
import type { Launcher } from '../config/bridge.js'
import type { Client } from '../config/client.js'
import { equalValues, placeToEdit, removeServer, setServer } from '../config/edit-config.js'
import type { Note } from '../config/entry-writer.js'
import { type ConfigInput, declareInputs } from '../config/inputs.js'
import { nearest } from '../config/nearest.js'
import type { ReadConfig } from '../config/read-config.js'
import type { UnresolvedEntry } from '../config/server-entry.js'
import { nodeAt, type PlainObject, type Syntax, toPlain } from '../config/source.js'
import { writeServer } from '../config/write-server.js'
import { printable } from '../exchange/printable.js'
import { openConfig, readConfigFile, syntaxOf, updateConfigFile } from '../node/config/config-file.js'
import { clientFile, discoverConfig } from '../node/config/config-places.js'
import { resolveServers } from '../node/config/load-config.js'
import { parseArguments, UsageError } from './arguments.js'
import { askInput } from './ask-input.js'
import { entryOfCommandLine, withLiterals } from './config-entry.js'
import {
  CONFIG_ACTIONS,
  CONFIG_OPTIONS,
  type ConfigAction,
  type ConfigOptions,
  OPTIONS_OF,
} from './config-options.js'
import { describeServer, print, report, tell, tellNotes, write } from './config-report.js'
import {
  everyFile,
  isShared,
  localTarget,
  located,
  mustExist,
  named,
  ownerOf,
  readerOf,
  type Target,
  targetFile,
  userScope,
} from './config-targets.js'

interface Command {
  readonly options: ConfigOptions
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
  for (const { file, client, folder } of files) {
    const read = await readConfigFile(file, client, { folder, folderOnly: folder !== undefined })
    // Whoever has none for this folder need not hear so.
    if (folder !== undefined && options.scope === undefined && read.servers.length === 0) continue
    failed = report(read.problems, options.strict) || failed
    const title = (read.client ?? client)?.title ?? 'unknown'
    if (options.json) {
      shown.push({
        client: (read.client ?? client)?.id,
        file,
        ...(folder === undefined ? {} : { folder }),
        servers: read.servers.map(entry => ({
          ...describeServer(entry),
          ...(entry.disabled ? { disabled: true } : {}),
        })),
      })
      continue
    }
    print(`${title}  ${file}${folder === undefined ? '' : `  (in ${folder})`}`)
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
  const { file, client, folder } = targetFile(options, options.client ?? 'anyport')
  const { text, syntax } = await openConfig(file, client)
  const owner = client ?? ownerOf(file, text ?? '', syntax)
  const missing: string[] = []
  const edit = (before: string) => {
    missing.length = 0
    return positionals.reduce((current, name) => {
      const after = removeServer(current, syntax, placeToEdit(current, syntax, owner, folder), name)
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
  const { file: source, folder } = sourceOf(client, options)
  const read = await readConfigFile(mustExist(source, client), readerOf(client, source), {
    folder: folder ?? process.cwd(),
    folderOnly: folder !== undefined,
  })
  if (report(read.problems, options.strict)) return 2
  const target = file ?? discoverConfig() ?? 'anyport.json'
  return await writeChosen(read, positionals, { file: resolve(target), client: undefined }, options)
}

/** Without a scope, what the client itself would read here. */
function sourceOf(client: Client, { scope }: ConfigOptions): Pick<Target, 'file' | 'folder'> {
  if (scope === 'local') return localTarget(client)
  const file = clientFile(client, scope ?? userScope(client))
  if (file === undefined)
    throw new UsageError(`${client.title} has no ${scope} file; name the scope that it has`)
  return { file }
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
    from === undefined ? undefined : readerOf(named(from), source),
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
  const written: UnresolvedEntry[] = []
  for (const entry of entries) {
    const { value, notes } = writeServer(entry, client, { launcher: launcherOf(options) })
    tellNotes(notes)
    if (value === undefined) refused = true
    else {
      text = setServer(text, syntax, placeToEdit(text, syntax, client), entry.name, value)
      written.push(entry)
    }
  }
  const place = placeToEdit(text, syntax, client)
  const declared = declareInputs(text, syntax, client, place, written, read.inputs)
  tellNotes(declared.notes)
  write(declared.text)
  return refused ? 1 : 0
}

/** The servers that were named, or all. */
async function writeChosen(
  read: ReadConfig,
  names: readonly string[],
  target: Target,
  options: ConfigOptions,
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
  const code = await writeAll(entries, target, options, read.inputs)
  return failed ? 1 : code
}

/** With the values of references, where they are asked for. */
async function prepared(
  entries: readonly UnresolvedEntry[],
  { inputs }: Pick<ReadConfig, 'inputs'>,
  { resolve }: ConfigOptions,
) {
  if (!resolve) return { entries, failed: false }
  const { servers, problems } = await resolveServers(entries, inputs, { ask: askInput })
  report(problems, true)
  return { entries: servers.map(withLiterals), failed: problems.length > 0 }
}

async function writeAll(
  given: readonly UnresolvedEntry[],
  { file, client, folder }: Target,
  options: ConfigOptions,
  inputs: readonly ConfigInput[] = [],
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
  let inputNotes: readonly Note[] = []
  const edit = (before: string) => {
    taken.clear()
    same.clear()
    const after = written.reduce((current, { entry: { name }, value }) => {
      const place = placeToEdit(current, syntax, owner, folder)
      const known = valueAt(current, syntax, [...place.path, name])
      if (known !== undefined && equalValues(known, value)) same.add(name)
      else if (known !== undefined && !options.replace) {
        taken.add(name)
        return current
      }
      return setServer(current, syntax, place, name, value)
    }, before)
    const place = placeToEdit(after, syntax, owner, folder)
    const entries = written.flatMap(({ entry }) => (taken.has(entry.name) ? [] : [entry]))
    const declared = declareInputs(after, syntax, owner, place, entries, inputs)
    inputNotes = declared.notes
    return declared.text
  }
  if (options['dry-run']) write(located(file, text ?? '', edit))
  else if (written.length > 0) await update(file, edit, isShared(file, owner, options) ? 0o666 : 0o600)
  tellNotes(inputNotes)
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

function launcherOf({ installed }: ConfigOptions): Launcher {
  return installed
    ? { command: process.execPath, args: [process.argv[1] as string] }
    : { command: 'npx', args: ['-y', 'anyport'] }
}

async function update(file: string, edit: (text: string) => string, mode = 0o600): Promise<void> {
  await updateConfigFile(file, text => located(file, text, edit), { mode })
}

function takesNone(positionals: readonly string[], action: string): void {
  if (positionals.length > 0) throw new UsageError(`config ${action} takes no names`)
}
