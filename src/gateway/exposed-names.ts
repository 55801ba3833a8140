/**
 * The names under which a gateway shows the tools and prompts of its servers: legal everywhere
 * (`^[A-Za-z0-9_-]{1,limit}$`), never the same for two, and a function of what they are called, not of when they came.
 *
 * Three forms, tried in this order. *Preferred*: the server's prefix and the name, as the style says. *Qualified*: the server's own
 * name and the name, for those who would be called the same. *Hashed*: cut, cleaned and marked with a hash, for names that are
 * too long, not legal, or could be read in two ways. Nothing but a hashed name ends like one, so that the forms never meet.
 */

import { shortHash } from './short-hash.js'

/**
 * How a name is put together: `server__tool` is understood without knowing any list; the others are where one of them can be told
 * from the rest. `none` shows names as they are, as far as they are legal and only one server has them.
 */
export type NameStyle = 'server__tool' | 'server_tool' | 'server-tool' | 'none'

export interface NameOptions {
  /** Default `server__tool`. */
  readonly style?: NameStyle | undefined
  /** Characters that a name may have, 40 to 128. Default 64, which every model provider takes. */
  readonly limit?: number | undefined
}

/** What names of one server begin with. */
export interface Label {
  /** The name of the server: no two have the same. */
  readonly server: string
  /** Stands for the server in names; empty for nothing. */
  readonly prefix: string
}

export interface Names {
  preferred(label: Label, name: string): string
  qualified(label: Label, name: string): string
  hashed(label: Label, name: string): string
  /** The prefix and the name of which a name may be made, where its form alone tells; to be checked by {@link preferred}. */
  split(exposed: string): readonly [prefix: string, name: string] | undefined
}

/** Throws `TypeError` for options that cannot work. */
export function exposedNames({ style = 'server__tool', limit = 64 }: NameOptions = {}): Names {
  const separator = SEPARATORS.get(style)
  if (separator === undefined)
    throw new TypeError(`style: expected ${[...SEPARATORS.keys()].join(', ')}, got ${JSON.stringify(style)}`)
  if (!Number.isInteger(limit) || limit < 40 || limit > 128)
    throw new TypeError(`limit: expected a whole number from 40 to 128, got ${limit}`)

  const join = (prefix: string, between: string, name: string): string | undefined => {
    if (!LEGAL.test(name)) return undefined
    const exposed = prefix === '' ? name : prefix + between + name
    if (exposed.length > limit || MARKED.test(exposed)) return undefined
    return prefix === '' || (LEGAL.test(prefix) && !isAmbiguous(prefix, between)) ? exposed : undefined
  }
  const hashed = ({ server, prefix }: Label, name: string): string => {
    const room = limit - MARK_LENGTH
    const start = style === 'none' || prefix === '' ? '' : cleaned(prefix).slice(0, room >> 1) + separator
    const stem = (start + cleaned(name)).slice(0, room)
    return `${stem.replace(/_+$/, '')}_0${shortHash(JSON.stringify([server, name]))}`
  }
  return {
    hashed,
    preferred: (label, name) =>
      join(style === 'none' ? '' : label.prefix, separator, name) ?? hashed(label, name),
    qualified: (label, name) => join(label.server, QUALIFIER, name) ?? hashed(label, name),
    split: exposed => {
      if (separator !== QUALIFIER) return undefined
      const at = exposed.indexOf(QUALIFIER)
      return at <= 0 ? undefined : [exposed.slice(0, at), exposed.slice(at + QUALIFIER.length)]
    },
  }
}

/** One thing that needs a name. */
export interface Named {
  readonly label: Label
  /** What its server calls it, or what the configuration calls it instead. */
  readonly name: string
  /** The name cannot be had as it is: something else of the same server is called so. */
  readonly taken?: boolean
}

export interface Assigned<T extends Named> {
  /** In the order given. */
  readonly names: ReadonlyMap<T, string>
  readonly collisions: readonly Collision<T>[]
}

/** Some would have been called the same. */
export interface Collision<T extends Named> {
  readonly exposed: string
  /** Those who would have been, in the order of their servers' names; one alone where it met a name of the gateway's own. */
  readonly between: readonly T[]
  /** They were qualified by their servers' names, or all but the first are left out: the last resort. */
  readonly outcome: 'renamed' | 'refused'
}

/**
 * Gives each its name. The result is the same for any order of `items` that keeps those of one server in their order.
 *
 * @param reserved Names that nobody may have.
 */
export function assignNames<T extends Named>(
  items: readonly T[],
  names: Names,
  reserved: ReadonlySet<string> = new Set(),
): Assigned<T> {
  const preferred = groups(distinct(items), ({ label, name, taken }) =>
    taken ? names.hashed(label, name) : names.preferred(label, name),
  )
  const assigned = new Map<string, T>()
  const collisions: Collision<T>[] = []
  const homeless: T[] = []
  for (const [exposed, group] of preferred) {
    const [first] = group
    if (group.length === 1 && !reserved.has(exposed)) assigned.set(exposed, first as T)
    else {
      homeless.push(...group)
      collisions.push({ exposed, between: inOrder(group), outcome: 'renamed' })
    }
  }
  // What is preferred by anybody stays out of reach, also where its own group had to move: a name that two would have had
  // must lead to neither.
  for (const [qualified, group] of groups(homeless, ({ label, name }) => names.qualified(label, name))) {
    const free = group.length === 1 && !preferred.has(qualified) && !reserved.has(qualified)
    for (const item of inOrder(group)) {
      const exposed = free ? qualified : names.hashed(item.label, item.name)
      if (!assigned.has(exposed)) assigned.set(exposed, item)
      else collisions.push({ exposed, between: [assigned.get(exposed) as T, item], outcome: 'refused' })
    }
  }
  const exposedOf = new Map<T, string>()
  for (const [exposed, item] of assigned) exposedOf.set(item, exposed)
  const inGivenOrder = items.flatMap(item => {
    const exposed = exposedOf.get(item)
    return exposed === undefined ? [] : [[item, exposed] as const]
  })
  return { names: new Map(inGivenOrder), collisions }
}

const SEPARATORS: ReadonlyMap<string, string> = new Map([
  ['server__tool', '__'],
  ['server_tool', '_'],
  ['server-tool', '-'],
  ['none', ''],
])
const QUALIFIER = '__'
const LEGAL = /^[A-Za-z0-9_-]+$/
/** How hashed names end, and no others. */
const MARKED = /_0[0-9a-v]{8}$/
const MARK_LENGTH = 10

/** With such a prefix, `split` would find another border than the one that was drawn. */
function isAmbiguous(prefix: string, separator: string): boolean {
  return separator === QUALIFIER && (prefix.includes(QUALIFIER) || prefix.endsWith('_'))
}

/** What remains of a name in legal characters: enough for a person to recognise it. */
function cleaned(name: string): string {
  const legal = name
    .normalize('NFKD')
    .replace(/\p{Mark}+/gu, '')
    .replace(/[^A-Za-z0-9_-]+/g, '_')
  // By hand: an expression for the end would need the square of the time for a name that is all underscores.
  let start = 0
  let end = legal.length
  while (legal[start] === '_') start++
  while (end > start && legal[end - 1] === '_') end--
  return legal.slice(start, end)
}

function groups<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const found = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = found.get(key)
    if (group === undefined) found.set(key, [item])
    else group.push(item)
  }
  return found
}

/** A server that lists the same name twice means one thing. */
function distinct<T extends Named>(items: readonly T[]): readonly T[] {
  const seen = new Set<string>()
  return items.filter(({ label, name }) => {
    const key = JSON.stringify([label.server, name])
    return seen.size < seen.add(key).size
  })
}

function inOrder<T extends Named>(group: readonly T[]): readonly T[] {
  return [...group].sort(
    (one, other) => compare(one.label.server, other.label.server) || compare(one.name, other.name),
  )
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
