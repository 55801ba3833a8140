/** Reads a file of any client into the canonical form. */

import type { Client } from './client.js'
import { CLIENTS, detectClient, placeOfServers } from './clients.js'
import { describe, Reading, type ValueChecks } from './fields.js'
import { placeOfFolder } from './folder-place.js'
import type { GuardEntry } from './guard-settings.js'
import { type ConfigInput, readInputs } from './inputs.js'
import { nearest } from './nearest.js'
import type { Problem } from './problem.js'
import { readServer } from './read-server.js'
import type { GatewaySettings, ServerSettings, UnresolvedEntry } from './server-entry.js'
import { type FileSettings, NO_SETTINGS, readFileSettings } from './settings.js'
import {
  entryOf,
  nodeAt,
  type ServersPlace,
  type SourceEntry,
  type SourceNode,
  type Syntax,
  SyntaxProblem,
  splitMark,
} from './source.js'
import { readSwitches, switched } from './tool-switches.js'

export interface ConfigText {
  /** For messages, and for finding out whose file it is. */
  readonly file: string
  readonly text: string
  readonly syntax: Syntax
}

export interface ReadOptions {
  /** Whose file it is. Default: found out by its path and what it holds. */
  readonly client?: Client | undefined
  readonly checks?: ValueChecks | undefined
  /** Servers that the file has for this folder are read as well, and go before others of the same name. Default: none are. */
  readonly folder?: string | undefined
  /** Those only. */
  readonly folderOnly?: boolean | undefined
}

export interface ReadConfig {
  /** Undefined where it could not be found out, which is an error among the problems unless the file is empty. */
  readonly client: Client | undefined
  readonly place: ServersPlace | undefined
  readonly servers: readonly UnresolvedEntry[]
  readonly gateway: GatewaySettings
  /** Who may come in, and what callers may do. */
  readonly guards: readonly GuardEntry[]
  readonly inputs: readonly ConfigInput[]
  readonly problems: readonly Problem[]
}

/** Never throws: what is wrong is in `problems`, and entries that have an error are left out. */
export function readConfig(
  { file, text, syntax }: ConfigText,
  { client: given, checks, folder, folderOnly = false }: ReadOptions = {},
): ReadConfig {
  const reading = new Reading(file, splitMark(text)[1], checks)
  let root: SourceNode | undefined
  try {
    root = syntax.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error
    reading.error(error.offset, error.message)
    return nothing(given, reading)
  }
  if (root === undefined) return nothing(given ?? detectClient(file, undefined), reading)
  const client = given ?? detectClient(file, root)
  if (client === undefined || root.kind !== 'map') {
    reading.error(
      root.start,
      root.kind === 'map' ? noServers(root) : `expected a map; found ${describe(root)}`,
    )
    return nothing(client, reading)
  }
  const own = folder === undefined ? undefined : placeOfFolder(client, root, folder)
  const place = folderOnly ? own : (placeOfServers(client, root) ?? foreignPlace(client, root, reading))
  const settings = settingsOf(root, reading)
  const ofFolder = own === undefined ? [] : readServers(reading, client, root, own)
  const ofAll = folderOnly || place === undefined ? [] : readServers(reading, client, root, place)
  const switches = client.toolSwitches === undefined ? [] : readSwitches(reading, root, client.toolSwitches)
  const servers = [
    ...ofFolder,
    ...ofAll.filter(({ name }) => ofFolder.every(other => other.name !== name)),
  ].map(server => (switches.length === 0 ? server : switched(reading, server, switches)))
  const named = new Set(servers.map(({ name }) => name))
  for (const name of settings.servers.keys()) {
    if (!named.has(name)) warnOfSettings(reading, root, name)
  }
  return {
    client,
    place,
    servers: servers.map(server => withSettings(server, settings.servers.get(server.name))),
    gateway: settings.gateway,
    guards: settings.guards,
    inputs: readInputs(root, place),
    problems: reading.problems,
  }
}

function nothing(client: Client | undefined, reading: Reading): ReadConfig {
  return {
    client,
    place: undefined,
    servers: [],
    gateway: {},
    guards: [],
    inputs: [],
    problems: reading.problems,
  }
}

function readServers(
  reading: Reading,
  client: Client,
  root: SourceNode,
  { path }: ServersPlace,
): UnresolvedEntry[] {
  const node = nodeAt(root, path)
  if (node === undefined || (node.kind === 'scalar' && node.value === null)) return []
  if (node.kind === 'scalar') {
    reading.error(node.start, `${path.join('.')} must be a map of servers; found ${describe(node)}`)
    return []
  }
  const entries = node.kind === 'map' ? [...node.entries] : namedItems(reading, node.items)
  return entries.flatMap(([name, entry]) => {
    const server = readServer(reading, client, name, entry)
    return server === undefined ? [] : [server]
  })
}

/** Items of a list know their names themselves. */
function namedItems(reading: Reading, items: readonly SourceNode[]): (readonly [string, SourceEntry])[] {
  const seen = new Set<string>()
  return items.flatMap(node => {
    const name = nodeAt(node, ['name'])
    if (name?.kind !== 'scalar' || typeof name.value !== 'string') {
      reading.error(node.start, 'each server in this list needs a name, a text')
      return []
    }
    if (seen.has(name.value)) {
      reading.error(name.start, `the server ${JSON.stringify(name.value)} is there twice`)
      return []
    }
    seen.add(name.value)
    return [[name.value, { keyStart: node.start, node }] as const]
  })
}

/** Servers under a key that other clients use: read, with a warning. */
function foreignPlace(client: Client, root: SourceNode, reading: Reading): ServersPlace | undefined {
  const own = client.places[0]?.path.join('.')
  for (const other of CLIENTS) {
    for (const place of other.places) {
      const [key] = place.path
      const entry = entryOf(root, key as string)
      const node = nodeAt(root, place.path)
      if (place.path.length > 1 || entry === undefined || !looksLikeServers(node)) continue
      reading.warn(
        entry.keyStart,
        `${client.title} does not read ${JSON.stringify(place.path.join('.'))}; it calls it ${JSON.stringify(own)}`,
      )
      return place
    }
  }
  return undefined
}

function looksLikeServers(node: SourceNode | undefined): boolean {
  if (node?.kind !== 'map') return false
  const inner = [...node.entries.values()].map(({ node: value }) => value)
  const words = ['command', 'url', 'cmd', 'uri', 'serverUrl', 'httpUrl']
  return inner.some(value => words.some(word => entryOf(value, word) !== undefined))
}

function noServers(root: SourceNode): string {
  const keys = [
    'mcpServers',
    'servers',
    'context_servers',
    'mcp',
    'mcp_servers',
    'extensions',
    'amp.mcpServers',
  ]
  const found = root.kind === 'map' ? [...root.entries.keys()] : []
  for (const key of found) {
    const near = nearest(key, keys)
    if (near !== undefined)
      return `no servers here: there is no ${JSON.stringify(near)}; did you mean it by ${JSON.stringify(key)}?`
  }
  return `no servers here: expected one of the keys ${keys.map(key => JSON.stringify(key)).join(', ')}`
}

function settingsOf(root: SourceNode, reading: Reading): FileSettings {
  const entry = entryOf(root, 'anyport')
  return entry === undefined ? NO_SETTINGS : readFileSettings(reading, entry)
}

function warnOfSettings(reading: Reading, root: SourceNode, name: string): void {
  const entry = entryOf(nodeAt(root, ['anyport', 'servers']), name)
  if (entry !== undefined)
    reading.warn(entry.keyStart, `anyport.servers: there is no server ${JSON.stringify(name)}`)
}

/** What the entry says itself wins. */
function withSettings(server: UnresolvedEntry, settings: ServerSettings | undefined): UnresolvedEntry {
  if (settings === undefined || Object.keys(settings).length === 0) return server
  return { ...server, settings: { ...settings, ...server.settings } }
}
