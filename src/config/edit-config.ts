/** Changes one server of a file. All around it stays as it is, byte for byte. */

import type { Client } from './client.js'
import { placeOfServers } from './clients.js'
import { placeOfFolder } from './folder-place.js'
import {
  nodeAt,
  type PlainObject,
  type PlainValue,
  type ServersPlace,
  type Syntax,
  SyntaxProblem,
  toPlain,
} from './source.js'

/** The text with the entry set. Throws `SyntaxProblem` for a text that cannot be read, or that has something else in its place. */
export function setServer(
  text: string,
  syntax: Syntax,
  place: ServersPlace,
  name: string,
  value: PlainObject,
): string {
  const servers = serversIn(text, syntax, place)
  const expected = new Map(servers).set(name, value)
  const known = servers.get(name)
  if (known !== undefined && equalValues(known, value)) return text
  return checked(text, syntax.set(text, place, name, value), syntax, place, expected)
}

/** The text without the entry; the same text where there is none. */
export function removeServer(text: string, syntax: Syntax, place: ServersPlace, name: string): string {
  const expected = serversIn(text, syntax, place)
  if (!expected.delete(name)) return text
  return checked(text, syntax.remove(text, place, name), syntax, place, expected)
}

/** Where a client's servers are in this text, or would be put; those that hold in `folder` alone where one is given. */
export function placeToEdit(text: string, syntax: Syntax, client: Client, folder?: string): ServersPlace {
  const root = syntax.parse(text)
  const place =
    folder === undefined
      ? (placeOfServers(client, root) ?? client.places[0])
      : placeOfFolder(client, root, folder)
  if (place === undefined) throw new TypeError(`${client.title} has no place for servers`)
  // Maps may stand where lists are the rule, and the reverse.
  const kind = nodeAt(root, place.path)?.kind
  if (kind === 'map') return { path: place.path }
  return kind === 'list' ? { path: place.path, list: true } : place
}

/** A last look before anything is written: the servers are those expected, and all else is what it was. */
function checked(
  before: string,
  after: string,
  syntax: Syntax,
  place: ServersPlace,
  expected: ReadonlyMap<string, PlainValue>,
): string {
  const found = serversIn(after, syntax, place)
  const same =
    found.size === expected.size &&
    [...expected].every(
      ([name, value]) => found.has(name) && equalValues(found.get(name) as PlainValue, value),
    )
  if (!same || !equalValues(without(before, syntax, place), without(after, syntax, place))) {
    throw new Error('The edit would have changed more than its entry; nothing was written')
  }
  return after
}

function serversIn(text: string, syntax: Syntax, { path, list }: ServersPlace): Map<string, PlainValue> {
  const node = nodeAt(syntax.parse(text), path)
  if (list && node?.kind === 'list') {
    return new Map(
      node.items.map(item => {
        if (item.kind !== 'map') throw new SyntaxProblem(item.start, 'expected a map with a name')
        const { name, ...rest } = toPlain(item) as { readonly [key: string]: PlainValue }
        return [String(name), rest]
      }),
    )
  }
  if (node?.kind !== 'map') return new Map()
  return new Map([...node.entries].map(([name, { node: value }]) => [name, toPlain(value)]))
}

/** The whole value but for the servers, and for empty maps that may come or go around them. */
function without(text: string, syntax: Syntax, { path }: ServersPlace): PlainValue {
  const root = syntax.parse(text)
  if (root === undefined) return {}
  const strip = (value: PlainValue, way: readonly string[]): PlainValue => {
    const [key, ...rest] = way
    if (key === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value
    const entries = Object.entries(value).flatMap(([name, inner]): [string, PlainValue][] => {
      if (name !== key) return [[name, inner]]
      if (rest.length === 0) return []
      const stripped = strip(inner, rest)
      const isEmpty =
        stripped === null || (typeof stripped === 'object' && Object.keys(stripped).length === 0)
      return isEmpty ? [] : [[name, stripped]]
    })
    return Object.fromEntries(entries)
  }
  return strip(toPlain(root), path)
}

/** Equal as JSON, whatever the order of keys. */
export function equalValues(a: PlainValue, b: PlainValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) || Array.isArray(b)) {
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, index) => equalValues(item, b[index] as PlainValue))
    )
  }
  const left = Object.entries(a)
  const right = new Map(Object.entries(b))
  return (
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && equalValues(value, right.get(key) as PlainValue))
  )
}
