/** Definitions that somebody has looked at and accepted, to compare what a server says with. */

import { canonicalJson } from '../../../protocol/canonical-json.js'
import type { JSONObject } from '../../../protocol/message.js'
import { type Difference, differences } from './differences.js'
import { DEFINITION_KINDS, type DefinitionKind, LISTS } from './kinds.js'

/**
 * The accepted definitions of one server, whole. A name may be there more than once: servers show different clients
 * different things. A kind that is missing is not compared; one that is empty has none. Instructions are
 * `{ "instructions": "..." }`.
 */
export type ServerPins = Readonly<Partial<Record<DefinitionKind, readonly JSONObject[]>>>

export type PinVerdict =
  | { readonly is: 'accepted' }
  | { readonly is: 'added' }
  /** Compared with the accepted one that is most like it. */
  | { readonly is: 'changed'; readonly differences: readonly Difference[] }

/** Pins, ready to be compared with. */
export interface CompiledPins {
  covers(kind: DefinitionKind): boolean
  verdict(kind: DefinitionKind, definition: JSONObject): PinVerdict
}

export function compilePins(pins: ServerPins): CompiledPins {
  const kinds = new Map<DefinitionKind, Map<string, Map<string, JSONObject>>>()
  for (const kind of DEFINITION_KINDS) {
    const definitions = pins[kind]
    if (definitions === undefined) continue
    const byName = new Map<string, Map<string, JSONObject>>()
    for (const definition of definitions) {
      const name = nameOfDefinition(kind, definition) ?? ''
      const accepted = byName.get(name) ?? new Map<string, JSONObject>()
      accepted.set(canonicalJson(definition), definition)
      byName.set(name, accepted)
    }
    kinds.set(kind, byName)
  }
  return {
    covers: kind => kinds.has(kind),
    verdict(kind, definition) {
      const byName = kinds.get(kind)
      if (byName === undefined) return ACCEPTED
      const accepted = byName.get(nameOfDefinition(kind, definition) ?? '')
      if (accepted === undefined) return { is: 'added' }
      if (accepted.has(canonicalJson(definition))) return ACCEPTED
      const found = [...accepted.values()].map(known => differences(known, definition))
      return { is: 'changed', differences: found.sort((one, other) => one.length - other.length)[0] ?? [] }
    },
  }
}

const ACCEPTED: PinVerdict = { is: 'accepted' }

/** What a definition goes by; undefined for one that has no name. */
export function nameOfDefinition(kind: DefinitionKind, definition: JSONObject): string | undefined {
  if (kind === 'instructions') return 'instructions'
  const name = definition[LISTS[kind].key]
  return typeof name === 'string' ? name : undefined
}
