/** Reads one entry as a client writes it. What another client would have written is understood as well, with a warning. */

import { bridgedServer } from './bridge.js'
import { type Client, type FieldPath, toPath } from './client.js'
import { describe, nameOf, type Reading } from './fields.js'
import { nearest } from './nearest.js'
import { readTimeouts, readTools } from './read-limits.js'
import { readRemote } from './read-remote.js'
import { readStdio } from './read-stdio.js'
import { readType } from './read-type.js'
import type { RemoteServer, ServerEntry, StdioServer, UnresolvedEntry } from './server-entry.js'
import { type FieldName, ServerFields } from './server-fields.js'
import { readServerSettings } from './settings.js'
import type { SourceEntry } from './source.js'
import type { Template } from './template.js'

/** Undefined for an entry that has an error, which the reading then knows, and for one that is no MCP server. */
export function readServer(
  reading: Reading,
  client: Client,
  name: string,
  entry: SourceEntry,
): UnresolvedEntry | undefined {
  const owner = `server ${JSON.stringify(name)}`
  const errors = reading.problems.length
  const nameProblem = problemOfName(name)
  if (nameProblem !== undefined) reading.error(entry.keyStart, `${owner}: ${nameProblem}`)
  if (entry.node.kind !== 'map') {
    reading.error(entry.node.start, `${owner} must be a map; found ${describe(entry.node)}`)
    return undefined
  }
  const fields = new ServerFields(reading, client, name, entry.keyStart, entry.node)
  if (isForeignKind(client, fields)) return undefined
  const server = readFields(fields)
  const failed = reading.problems.slice(errors).some(({ severity }) => severity === 'error')
  if (failed || server === undefined) return undefined
  return { name, ...server, at: reading.place(entry.keyStart) }
}

/** Why a server cannot have this name; undefined where it can. */
export function problemOfName(name: string): string | undefined {
  if (name.trim() === '') return 'its name is empty'
  if (name.length > 128) return `its name has ${name.length} characters, of 128 at most`
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001F\u007F\u2028\u2029\uFFFE\uFFFF]|\p{Cs}/u.test(name))
    return 'its name holds a control character'
  return name === '__proto__' ? 'no server can be named so' : undefined
}

function readFields(fields: ServerFields): Omit<ServerEntry<Template>, 'name' | 'at'> | undefined {
  const server = serverOf(fields)
  const description = fields.named('description', field => fields.text(field)?.text)
  const disabled = fields.named('disabled', field => fields.flag(field))
  const enabled = fields.named('enabled', field => fields.flag(field))
  const timeouts = readTimeouts(fields)
  const tools = readTools(fields)
  const settings = settingsOf(fields)
  const extras = extrasOf(fields)
  if (server === undefined) return undefined
  return {
    server,
    ...(description === undefined ? {} : { description }),
    ...(disabled === true || enabled === false ? { disabled: true } : {}),
    ...(timeouts === undefined ? {} : { timeouts }),
    ...(tools === undefined ? {} : { tools }),
    ...(settings === undefined || Object.keys(settings).length === 0 ? {} : { settings }),
    ...(extras === undefined ? {} : { extras: { client: fields.client.id, fields: extras } }),
  }
}

function serverOf(fields: ServerFields): StdioServer<Template> | RemoteServer<Template> | undefined {
  adoptNestedTransport(fields)
  const type = readType(fields)
  const stdio = readStdio(fields)
  const remote = readRemote(fields, type)
  if (stdio === undefined && remote !== undefined)
    warnOfIdle(fields, 'an address', ['args', 'env', 'cwd', 'envFile', 'inherit'])
  if (stdio !== undefined && remote === undefined) {
    warnOfIdle(fields, 'a command', ['headers', 'bearerVariable', 'headerVariables'])
    const auth = fields.client.universal ? fields.find('auth') : undefined
    if (auth !== undefined) fields.warnAt(auth.keyStart, '"auth" means nothing beside a command')
  }
  if (stdio !== undefined && remote !== undefined) {
    return fields.fail('it has a command and an address; it can have one of them only')
  }
  if (stdio === undefined && remote === undefined) {
    const { command, url } = fields.client.fields
    return fields.fail(`it needs ${url === undefined ? command : `${command} or ${url}`}`)
  }
  if (type === 'stdio' && remote !== undefined)
    return fields.fail('its type is that of a program, but it has an address')
  if (type !== undefined && type !== 'stdio' && stdio !== undefined) {
    return fields.fail('its type is that of a server elsewhere, but it has a command')
  }
  return remote ?? (stdio && (bridgedServer(stdio) ?? stdio))
}

/** Fields of programs beside an address, and the reverse: nobody reads them. */
function warnOfIdle(
  fields: ServerFields,
  beside: 'an address' | 'a command',
  names: readonly FieldName[],
): void {
  for (const name of names) {
    const found = fields.findNamed(name)
    if (found === undefined || isEmptyNode(found.entry)) continue
    fields.warnAt(
      found.entry.keyStart,
      `${JSON.stringify(nameOf(found.path))} means nothing beside ${beside}`,
    )
  }
}

/** A map under `transport`, as Cline's command writes it, is read as if its fields stood beside it. */
function adoptNestedTransport(fields: ServerFields): void {
  const nested = fields.find('transport')
  if (nested?.node.kind !== 'map') return
  fields.take('transport')
  fields.adopt(nested.node.entries)
}

function settingsOf(fields: ServerFields) {
  const entry = fields.take('anyport')
  return entry === undefined
    ? undefined
    : readServerSettings(fields.reading, `${fields.owner}: anyport`, entry)
}

/** What is left: known to this client alone, or to nobody. */
function extrasOf(fields: ServerFields): Readonly<Record<string, unknown>> | undefined {
  const extras = new Map<string, unknown>()
  const { kept = [], title, always, universal } = fields.client
  const standard = always?.(fields.name)
  for (const [key, { entry, value, isPart }] of fields.rest()) {
    if (
      standard !== undefined &&
      Object.hasOwn(standard, key) &&
      JSON.stringify(standard[key]) === JSON.stringify(value)
    )
      continue
    if (key === 'name' && fields.client.places.some(({ list }) => list)) continue
    extras.set(key, value)
    if (isPart || kept.includes(key) || key.startsWith('_') || key === '//' || key === '$schema') continue
    const right = rightKey(fields, key)
    fields.warnAt(
      entry.keyStart,
      `${universal ? 'there is no field' : `${title} has no field`} ${JSON.stringify(key)}${right === undefined ? '' : `; did you mean ${JSON.stringify(right)}?`}`,
    )
  }
  return extras.size === 0 ? undefined : Object.fromEntries(extras)
}

function rightKey(fields: ServerFields, key: string): string | undefined {
  return nearest(key, keysOf(fields.client))
}

function isEmptyNode({ node }: SourceEntry): boolean {
  if (node.kind === 'map') return node.entries.size === 0
  return node.kind === 'list' ? node.items.length === 0 : node.value === null || node.value === ''
}

/** Every key that a client reads. */
export function keysOf({ fields, kept = [], types, universal }: Client): string[] {
  const { timeouts = [], auth, ...rest } = fields
  return [
    ...Object.values(rest).filter(value => typeof value === 'string' || Array.isArray(value)),
    ...timeouts.map(({ key }) => key),
    ...Object.values(auth?.fields ?? {}),
    ...kept,
    ...(Object.values(types).some(word => word !== '') ? ['type'] : []),
    ...(universal ? ['timeout', 'startTimeout', 'auth', 'anyport'] : []),
  ].map(field => toPath(field as FieldPath)[0] as string)
}

/** Extensions of goose that are part of it, and servers of Zed's extensions: nothing that could be started by others. */
function isForeignKind(client: Client, fields: ServerFields): boolean {
  if (client.id === 'zed') return !fields.has('command') && !fields.has('url') && fields.has('settings')
  const type = fields.find('type')?.node
  const word = type?.kind === 'scalar' ? type.value : undefined
  return client.id === 'goose' && ['builtin', 'platform', 'frontend', 'inline_python'].includes(String(word))
}
