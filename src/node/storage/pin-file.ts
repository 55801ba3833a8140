/** The file of accepted definitions: whole, with their digests, in one order, so that a change of it can be read as such. */

import { createHash } from 'node:crypto'
import { DEFINITION_KINDS, type DefinitionKind } from '../../middleware/exchange/definitions/kinds.js'
import { nameOfDefinition, type ServerPins } from '../../middleware/exchange/definitions/pins.js'
import { canonicalJson } from '../../protocol/canonical-json.js'
import type { JSONObject } from '../../protocol/message.js'
import { isObject } from '../../protocol/meta.js'
import { openConfig, updateConfigFile } from '../config/config-file.js'

/** Accepted definitions by the names of their servers. */
export type PinnedServers = ReadonlyMap<string, ServerPins>

/** Undefined where there is no such file. Rejects with `TypeError` that names it, and what is wrong with it. */
export async function readPinFile(file: string): Promise<PinnedServers | undefined> {
  const { text } = await openConfig(file)
  return text === undefined ? undefined : parse(file, text)
}

/** Replaces the file at once, so that nobody sees half of it. False where nothing changed. */
export async function changePinFile(
  file: string,
  change: (servers: PinnedServers) => PinnedServers,
): Promise<boolean> {
  return await updateConfigFile(
    file,
    text => {
      const next = change(text === '' ? new Map() : parse(file, text))
      return text === '' && next.size === 0 ? text : write(next)
    },
    // Nothing in it is secret: it belongs beside the configuration, in version control.
    { mode: 0o644 },
  )
}

/** SHA-256 of the whole definition in its canonical spelling, as hexadecimal digits. */
function digestOf(definition: JSONObject): string {
  return createHash('sha256').update(canonicalJson(definition)).digest('hex')
}

const VERSION = 1

function write(servers: PinnedServers): string {
  const written: Record<string, unknown> = {}
  for (const name of [...servers.keys()].sort()) {
    const pins = servers.get(name) ?? {}
    const kinds: Record<string, unknown> = {}
    for (const kind of DEFINITION_KINDS) {
      const definitions = pins[kind]
      if (definitions !== undefined) kinds[kind] = definitions.map(it => entryOf(kind, it)).sort(byName)
    }
    Object.defineProperty(written, name, { value: kinds, enumerable: true })
  }
  return `${JSON.stringify({ version: VERSION, servers: written }, undefined, 2)}\n`
}

interface Entry {
  readonly name: string
  readonly sha256: string
  readonly definition: JSONObject
}

function entryOf(kind: DefinitionKind, definition: JSONObject): Entry {
  return {
    name: nameOfDefinition(kind, definition) ?? '',
    sha256: digestOf(definition),
    definition: JSON.parse(canonicalJson(definition)) as JSONObject,
  }
}

function byName(one: Entry, other: Entry): number {
  const [a, b] = [`${one.name} ${one.sha256}`, `${other.name} ${other.sha256}`]
  return a < b ? -1 : Number(a > b)
}

function parse(file: string, text: string): PinnedServers {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch (error) {
    throw new TypeError(`${file} is no JSON: ${(error as Error).message}`)
  }
  if (!isObject(content) || !isObject(content.servers))
    throw new TypeError(`${file} is no file of pinned definitions: it has no "servers"`)
  if (content.version !== VERSION)
    throw new TypeError(`${file} is of another version of anyport: ${JSON.stringify(content.version)}`)
  return new Map(
    Object.entries(content.servers).map(([server, kinds]) => [server, pinsOf(`${file}: ${server}`, kinds)]),
  )
}

function pinsOf(where: string, kinds: unknown): ServerPins {
  if (!isObject(kinds)) throw new TypeError(`${where}: expected an object`)
  const pins: Partial<Record<DefinitionKind, JSONObject[]>> = {}
  for (const [kind, entries] of Object.entries(kinds)) {
    if (!isKind(kind)) throw new TypeError(`${where}: ${JSON.stringify(kind)} is nothing that is pinned`)
    if (!Array.isArray(entries)) throw new TypeError(`${where}, ${kind}: expected a list`)
    pins[kind] = entries.map((entry: unknown) => {
      if (!isObject(entry) || !isObject(entry.definition))
        throw new TypeError(`${where}, ${kind}: expected objects with a definition`)
      const { name, sha256, definition } = entry
      // Whoever edits one of the two means something else than what was looked at.
      if (name !== nameOfDefinition(kind, definition) || sha256 !== digestOf(definition))
        throw new TypeError(
          `${where}, ${kind}, ${JSON.stringify(name)}: the name or digest is not that of the definition; it was edited by hand`,
        )
      return definition
    })
  }
  return pins
}

function isKind(text: string): text is DefinitionKind {
  return (DEFINITION_KINDS as readonly string[]).includes(text)
}
