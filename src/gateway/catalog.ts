/** Many lists become one: what each entry is called, and whose it is. */

import type { JSONObject } from '../protocol/message.js'
import type { GatewayEvent, ListKind } from './events.js'
import { assignNames, type Named, type Names } from './exposed-names.js'
import type { Member, Selection } from './member.js'
import { isQualifiedUri, qualifiedUri } from './qualified-uri.js'

/** What one server lists. */
export interface Part {
  readonly member: Member
  readonly entries: readonly JSONObject[]
}

/** Whose it is, and what it is called there. */
export interface Route {
  readonly member: Member
  /** The name, URI or template as its server knows it. */
  readonly name: string
}

/** An entry as clients see it. */
export interface Listed extends Route {
  readonly exposed: string
  readonly entry: JSONObject
}

export interface Catalog {
  /** By server, then in its own order. */
  readonly listed: readonly Listed[]
  readonly routes: ReadonlyMap<string, Route>
  /** Names that lead nowhere because several servers have them, with what each is called instead. */
  readonly shared: ReadonlyMap<string, readonly string[]>
  /** What did not go without saying. */
  readonly events: readonly GatewayEvent[]
}

/** Tools and prompts, which have names. `parts` are in the order of their servers' names. */
export function mergeNamed(
  kind: 'tools' | 'prompts',
  parts: readonly Part[],
  names: Names,
  reserved?: ReadonlySet<string>,
): Catalog {
  const events: GatewayEvent[] = []
  const items: (Named & Route & { readonly entry: JSONObject })[] = []
  for (const { member, entries } of parts) {
    const selection = member[kind]
    const offered = entries.filter(entry => typeof entry.name === 'string' && selection.offers(entry.name))
    const local = localNames(kind, member, selection, offered, events)
    for (const entry of offered) {
      const own = entry.name as string
      items.push({
        label: member.label,
        member,
        name: local.get(own) ?? own,
        entry: described(entry, selection),
      })
    }
  }
  const { names: assigned, collisions } = assignNames(items, names, reserved)
  const listed = [...assigned].map(([item, exposed]) => ({
    member: item.member,
    name: item.entry.name as string,
    exposed,
    entry: item.entry.name === exposed ? item.entry : { ...item.entry, name: exposed },
  }))
  const shared = new Map<string, readonly string[]>()
  for (const { exposed, between, outcome } of collisions) {
    if (outcome === 'renamed')
      shared.set(
        exposed,
        between.flatMap(item => assigned.get(item) ?? []),
      )
    events.push({ type: 'collision', kind, name: exposed, between: between.map(pathOf), outcome })
  }
  return { listed, routes: routesOf(listed), shared, events }
}

/**
 * Resources and templates, which have URIs: as they are, because what a tool returns refers to them, unless several servers
 * have the same one.
 */
export function mergeByUri(kind: 'resources' | 'templates', parts: readonly Part[]): Catalog {
  const key = kind === 'resources' ? 'uri' : 'uriTemplate'
  const owners = new Map<string, Set<Member>>()
  for (const { member, entries } of parts) {
    for (const { [key]: uri } of entries) {
      if (typeof uri !== 'string') continue
      const known = owners.get(uri)
      if (known === undefined) owners.set(uri, new Set([member]))
      else known.add(member)
    }
  }
  const listed: Listed[] = []
  const seen = new Set<string>()
  for (const { member, entries } of parts) {
    for (const entry of entries) {
      const uri = entry[key]
      if (typeof uri !== 'string') continue
      const plain = owners.get(uri)?.size === 1 && !isQualifiedUri(uri)
      const exposed = plain ? uri : qualifiedUri(member.name, uri)
      if (seen.size === seen.add(exposed).size) continue
      listed.push({ member, name: uri, exposed, entry: plain ? entry : { ...entry, [key]: exposed } })
    }
  }
  const shared = new Map<string, readonly string[]>()
  const events: GatewayEvent[] = []
  for (const [uri, members] of owners) {
    if (members.size === 1) continue
    const between = [...members].map(({ name }) => name)
    shared.set(
      uri,
      between.map(server => qualifiedUri(server, uri)),
    )
    events.push({
      type: 'collision',
      kind,
      name: uri,
      between: between.map(server => `${server}/${uri}`),
      outcome: 'renamed',
    })
  }
  return { listed, routes: routesOf(listed), shared, events }
}

function routesOf(listed: readonly Listed[]): ReadonlyMap<string, Route> {
  return new Map(listed.map(({ exposed, member, name }) => [exposed, { member, name }]))
}

function pathOf({ label, name }: Named): string {
  return `${label.server}/${name}`
}

/** What those are called that are renamed. A rename that meets another name is dropped, until none does. */
function localNames(
  kind: ListKind,
  { name: server }: Member,
  { renames }: Selection,
  entries: readonly JSONObject[],
  events: GatewayEvent[],
): ReadonlyMap<string, string> {
  const own = new Set(entries.map(({ name }) => name as string))
  const applied = new Map([...renames].filter(([name]) => own.has(name)))
  for (;;) {
    // Those that keep their names are in nobody's way but that of a rename.
    const kept = new Set([...own].filter(name => !applied.has(name)))
    const blocked = [...applied].filter(([, wanted]) => kept.has(wanted))
    if (blocked.length === 0) return applied
    for (const [name, wanted] of blocked) {
      applied.delete(name)
      events.push({ type: 'rename-refused', kind, server, name, wanted })
    }
  }
}

function described(entry: JSONObject, { descriptions }: Selection): JSONObject {
  const description = descriptions.get(entry.name as string)
  return description === undefined ? entry : { ...entry, description }
}
