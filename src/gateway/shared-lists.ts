import type { JSONObject } from '../protocol/message.js'
import type { Catalog, Listed, Part } from './catalog.js'
import type { ListKind } from './events.js'
import type { SliceKind } from './fetch-slice.js'
import type { Member } from './member.js'
import type { Pages } from './pages.js'

/** What is made of the same parts. */
export interface Assembled {
  readonly catalog: Catalog
  readonly shown: readonly Listed[]
  readonly pages: Pages
}

/**
 * Most callers are shown the same, though nobody may assume it: what turns out to be equal is kept once. A thousand callers of
 * five hundred tools would otherwise hold a gigabyte.
 */
export class SharedLists {
  readonly #lists = new WeakMap<
    Member,
    Map<SliceKind, { readonly text: string; readonly entries: readonly JSONObject[] }[]>
  >()
  readonly #assembled = new Map<string, { readonly parts: readonly Part[]; readonly made: Assembled }[]>()

  /** The same entries as somebody else was given, where they are equal. */
  list(member: Member, kind: SliceKind, entries: readonly JSONObject[]): readonly JSONObject[] {
    const kinds = this.#lists.get(member) ?? new Map()
    this.#lists.set(member, kinds)
    const known = kinds.get(kind) ?? []
    const text = JSON.stringify(entries)
    const twin = known.find((one: { text: string }) => one.text === text)
    if (twin !== undefined) return twin.entries
    kinds.set(kind, [{ text, entries }, ...known].slice(0, VARIANTS))
    return entries
  }

  /** What was made of the same parts before, or else is made now. `scope` is part of what is made. */
  assemble(kind: ListKind, scope: string, parts: readonly Part[], make: () => Assembled): Assembled {
    const key = `${kind} ${scope}`
    const known = this.#assembled.get(key) ?? []
    const twin = known.find(one => isSame(one.parts, parts))
    if (twin !== undefined) return twin.made
    const made = make()
    this.#assembled.set(key, [{ parts, made }, ...known].slice(0, VARIANTS))
    return made
  }

  /** The servers are others: nothing will be made of those parts again. */
  clear(): void {
    this.#assembled.clear()
  }
}

/** Different lists of one kind that are kept: those for clients that can be asked, for those that cannot, and some more. */
const VARIANTS = 8

function isSame(one: readonly Part[], other: readonly Part[]): boolean {
  return (
    one.length === other.length &&
    one.every(
      ({ member, entries }, index) => member === other[index]?.member && entries === other[index]?.entries,
    )
  )
}
