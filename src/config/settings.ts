/** anyport's own settings, under the key `anyport`: of the file, and of each server. */

import { describe, Fields, type Reading } from './fields.js'
import { GUARD_KEYS, type GuardEntry, readGuards } from './guard-settings.js'
import { nearest } from './nearest.js'
import { type GatewaySettings, NAME_STYLES, PIN_MODES, type ServerSettings } from './server-entry.js'
import { type PlainObject, type SourceEntry, type SourceMap, toPlain } from './source.js'
import { formatDuration, formatSize, parseDuration, parseSize } from './units.js'
import { anyportVariables } from './variables.js'

const SERVER_TIMES = ['idleTimeout', 'startTimeout', 'probeTimeout', 'timeout', 'maxTimeout'] as const
export const SERVER_KEYS = [
  'protocol',
  'isolation',
  'lazy',
  ...SERVER_TIMES,
  'maxRestarts',
  'maxChildren',
  'maxMessage',
  'prefix',
  'rename',
  'describe',
  'allow',
  'deny',
  'rateLimit',
  'maxConcurrent',
  'rules',
  'pin',
  'validateArguments',
] as const
export const GATEWAY_KEYS = [
  'style',
  'limit',
  'maxTools',
  'lazy',
  'always',
  'allow',
  'deny',
  'listTimeout',
  'pin',
  'validateArguments',
  'servers',
  ...GUARD_KEYS,
] as const

export interface FileSettings {
  readonly gateway: GatewaySettings
  /** By the name of the server. */
  readonly servers: ReadonlyMap<string, ServerSettings>
  readonly guards: readonly GuardEntry[]
}

export const NO_SETTINGS: FileSettings = { gateway: {}, servers: new Map(), guards: [] }

export function readFileSettings(reading: Reading, entry: SourceEntry): FileSettings {
  const fields = fieldsOf(reading, 'anyport', entry)
  if (fields === undefined) return NO_SETTINGS
  const gateway: Writable<GatewaySettings> = {}
  set(gateway, 'style', fields.oneOf('style', NAME_STYLES))
  set(gateway, 'limit', wholeNumber(fields, 'limit', 40, 128))
  set(gateway, 'maxTools', wholeNumber(fields, 'maxTools', 4, 1_000_000))
  set(gateway, 'lazy', fields.flag('lazy'))
  for (const key of ['always', 'allow', 'deny'] as const) set(gateway, key, texts(fields, key))
  set(gateway, 'listTimeout', duration(fields, 'listTimeout'))
  set(gateway, 'pin', fields.oneOf('pin', PIN_MODES))
  set(gateway, 'validateArguments', fields.flag('validateArguments'))
  const servers = new Map<string, ServerSettings>()
  const map = fields.take('servers')
  if (map?.node.kind === 'map') {
    for (const [name, inner] of map.node.entries) {
      servers.set(name, readServerSettings(reading, `anyport.servers.${name}`, inner))
    }
  } else if (map !== undefined) fields.error(map, 'servers', 'a map from names of servers to their settings')
  const guards = readGuards(fields, (text, at) => anyportVariables.read(text, at))
  warnOfUnknown(fields, GATEWAY_KEYS)
  return { gateway, servers, guards }
}

export function readServerSettings(reading: Reading, owner: string, entry: SourceEntry): ServerSettings {
  const fields = fieldsOf(reading, owner, entry)
  if (fields === undefined) return {}
  const settings: Writable<ServerSettings> = {}
  set(settings, 'protocol', fields.oneOf('protocol', ['auto', 'legacy', 'modern']))
  set(settings, 'isolation', fields.oneOf('isolation', ['principal', 'session', 'shared']))
  set(settings, 'lazy', fields.flag('lazy'))
  for (const key of SERVER_TIMES) set(settings, key, duration(fields, key))
  set(settings, 'maxRestarts', wholeNumber(fields, 'maxRestarts', 0, 1_000))
  set(settings, 'maxChildren', wholeNumber(fields, 'maxChildren', 1, 1_000_000))
  set(settings, 'maxMessage', quantity(fields, 'maxMessage', parseSize))
  const prefix = fields.find('prefix')?.node
  if (prefix?.kind === 'scalar' && prefix.value === false) {
    fields.take('prefix')
    settings.prefix = false
  } else set(settings, 'prefix', fields.text('prefix')?.text)
  set(settings, 'rename', textMap(fields, 'rename'))
  set(settings, 'describe', textMap(fields, 'describe'))
  set(settings, 'allow', texts(fields, 'allow'))
  set(settings, 'deny', texts(fields, 'deny'))
  set(settings, 'rateLimit', rates(fields))
  set(settings, 'maxConcurrent', wholeNumber(fields, 'maxConcurrent', 1, 1_000_000))
  set(settings, 'rules', rules(fields))
  set(settings, 'pin', fields.oneOf('pin', PIN_MODES))
  set(settings, 'validateArguments', fields.flag('validateArguments'))
  warnOfUnknown(fields, SERVER_KEYS)
  return settings
}

/** As the file has it. */
export function writeServerSettings(settings: ServerSettings): PlainObject {
  const written: Record<string, PlainObject[string]> = {}
  for (const key of SERVER_KEYS) {
    const value = settings[key]
    if (value === undefined) continue
    if (typeof value === 'number' && (SERVER_TIMES as readonly string[]).includes(key))
      written[key] = formatDuration(value)
    else if (typeof value === 'number' && key === 'maxMessage') written[key] = formatSize(value)
    else written[key] = value as PlainObject[string]
  }
  return written
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }

function set<T extends object, K extends keyof T>(into: T, key: K, value: T[K] | undefined): void {
  if (value !== undefined) into[key] = value
}

function fieldsOf(reading: Reading, owner: string, { node }: SourceEntry): Fields | undefined {
  if (node.kind === 'map') return new Fields(reading, owner, node satisfies SourceMap)
  reading.error(node.start, `${owner} must be a map of settings; found ${describe(node)}`)
  return undefined
}

function wholeNumber(fields: Fields, key: string, minimum: number, maximum: number): number | undefined {
  return fields.number(
    key,
    `a whole number from ${minimum} to ${maximum}`,
    value => Number.isInteger(value) && value >= minimum && value <= maximum,
  )
}

function duration(fields: Fields, key: string): number | undefined {
  return quantity(fields, key, parseDuration)
}

function quantity(fields: Fields, key: string, parse: (text: string) => number): number | undefined {
  const entry = fields.take(key)
  if (entry === undefined) return undefined
  const { node } = entry
  if (node.kind !== 'scalar' || (typeof node.value !== 'string' && typeof node.value !== 'number')) {
    return fields.error(
      entry,
      key,
      parse === parseSize ? 'a size such as "4MiB"' : 'a duration such as "30s"',
    )
  }
  try {
    return parse(String(node.value))
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    fields.reading.error(node.start, `${fields.owner}: ${key}: ${error.message}`)
    return undefined
  }
}

function rates(fields: Fields): readonly string[] | undefined {
  const { reading, owner } = fields
  const given = fields.texts('rateLimit')
  for (const { text, start } of given ?? []) reading.check('rateLimit', text, start, owner)
  return given?.map(({ text }) => text)
}

function rules(fields: Fields): readonly PlainObject[] | undefined {
  const entry = fields.take('rules')
  if (entry === undefined) return undefined
  if (entry.node.kind !== 'list') return fields.error(entry, 'rules', 'a list of rules')
  return entry.node.items.map(item => {
    const rule = toPlain(item)
    fields.reading.check('rules', rule, item.start, fields.owner)
    return rule as PlainObject
  })
}

function texts(fields: Fields, key: string): readonly string[] | undefined {
  return fields.texts(key)?.map(({ text }) => text)
}

function textMap(fields: Fields, key: string): Readonly<Record<string, string>> | undefined {
  const map = fields.textMap(key)
  return map === undefined ? undefined : Object.fromEntries([...map].map(([name, { text }]) => [name, text]))
}

function warnOfUnknown(fields: Fields, keys: readonly string[]): void {
  for (const [key, { entry }] of fields.rest()) {
    const near = nearest(key, keys)
    fields.reading.warn(
      entry.keyStart,
      `${fields.owner}: there is no setting ${JSON.stringify(key)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
    )
  }
}
