/** What a server defines now, next to what was accepted of it. */

import { type Difference, differences } from '../middleware/exchange/definitions/differences.js'
import { type Flag, flagsOf } from '../middleware/exchange/definitions/flags.js'
import { DEFINITION_KINDS, type DefinitionKind } from '../middleware/exchange/definitions/kinds.js'
import { nameOfDefinition, type ServerPins } from '../middleware/exchange/definitions/pins.js'
import { canonicalJson } from '../protocol/canonical-json.js'
import type { JSONObject } from '../protocol/message.js'
import type { CollectedDefinitions } from './collect-definitions.js'

export interface PinChange {
  readonly what: 'added' | 'changed' | 'removed' | 'flagged' | 'duplicate'
  readonly kind: DefinitionKind
  readonly name: string
  /** Of one that has changed. */
  readonly differences: readonly Difference[]
  /** What is odd about it, where that was not accepted already. */
  readonly flags: readonly Flag[]
}

export interface PinComparison {
  /** Nothing of the server was accepted before. */
  readonly isNew: boolean
  /** What takes somebody's consent; of a new server only what is flagged. */
  readonly changes: readonly PinChange[]
  readonly counts: Readonly<Partial<Record<DefinitionKind, number>>>
  /** What is accepted from now on, if these changes are. */
  accepted(accepts: (change: PinChange) => boolean): ServerPins
}

/** `skip`: kinds that are not to be pinned. One that the file does not have for a server stays out of it. */
export function comparePins(
  before: ServerPins | undefined,
  now: CollectedDefinitions,
  skip: readonly DefinitionKind[],
): PinComparison {
  const kinds = DEFINITION_KINDS.filter(
    kind => !skip.includes(kind) && (before === undefined || before[kind] !== undefined),
  )
  const rows = kinds.flatMap(kind => {
    const known = byName(kind, before?.[kind] ?? [])
    const found = byName(kind, now.definitions[kind])
    const twice = new Set(now.duplicates.filter(it => it.kind === kind).map(it => it.name))
    return [...new Set([...known.keys(), ...found.keys()])].sort().map(name => {
      const [old, fresh] = [known.get(name) ?? [], found.get(name) ?? []]
      const change = changeOf(kind, name, old, fresh, before === undefined, twice.has(name))
      return { kind, old, fresh, change }
    })
  })
  return {
    isNew: before === undefined,
    changes: rows.flatMap(({ change }) => change ?? []),
    counts: Object.fromEntries(kinds.map(kind => [kind, now.definitions[kind].length])),
    accepted(accepts) {
      const pins: Partial<Record<DefinitionKind, readonly JSONObject[]>> = {}
      for (const kind of kinds)
        pins[kind] = rows
          .filter(row => row.kind === kind)
          .flatMap(({ old, fresh, change }) =>
            change === undefined ? (before === undefined ? fresh : old) : accepts(change) ? fresh : old,
          )
      return pins
    },
  }
}

function changeOf(
  kind: DefinitionKind,
  name: string,
  old: readonly JSONObject[],
  fresh: readonly JSONObject[],
  isNew: boolean,
  isTwice: boolean,
): PinChange | undefined {
  const known = new Set(old.map(canonicalJson))
  const others = fresh.filter(definition => !known.has(canonicalJson(definition)))
  const flags = others.flatMap(flagsOf)
  const change = (what: PinChange['what'], found: readonly Difference[] = []): PinChange => ({
    what,
    kind,
    name,
    differences: found,
    flags,
  })
  if (isTwice && (others.length > 0 || old.length < 2)) return change('duplicate')
  if (fresh.length === 0) return change('removed')
  if (others.length === 0) return undefined
  if (old.length > 0) {
    const found = old.map(definition => differences(definition, others[0]))
    return change('changed', found.sort((one, other) => one.length - other.length)[0])
  }
  if (!isNew) return change('added')
  return flags.length > 0 ? change('flagged') : undefined
}

function byName(
  kind: DefinitionKind,
  definitions: readonly JSONObject[],
): ReadonlyMap<string, readonly JSONObject[]> {
  const named = new Map<string, JSONObject[]>()
  for (const definition of definitions) {
    const name = nameOfDefinition(kind, definition)
    if (name === undefined) continue
    const known = named.get(name)
    if (known === undefined) named.set(name, [definition])
    else known.push(definition)
  }
  return named
}
