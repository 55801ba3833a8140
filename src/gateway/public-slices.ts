import type { SliceKind } from './fetch-slice.js'
import type { Member } from './member.js'
import type { SliceValue } from './slice.js'

/**
 * What servers call the same for everybody: a caller is spared the question that another one has asked. Only for as long as
 * the server calls it fresh (2026-07-28 server/utilities/caching, "Cache Scope Field").
 */
export class PublicSlices {
  readonly #values = new WeakMap<Member, Map<string, SliceValue>>()

  /** `key` stands for the capabilities, which are parameters of the question. */
  get(member: Member, kind: SliceKind, key: string): SliceValue | undefined {
    const value = this.#values.get(member)?.get(`${kind}\n${key}`)
    return value !== undefined && performance.now() < value.at + value.ttlMs ? value : undefined
  }

  set(member: Member, kind: SliceKind, key: string, value: SliceValue): void {
    if (value.scope !== 'public' || value.ttlMs === 0) return
    const values = this.#values.get(member) ?? new Map<string, SliceValue>()
    this.#values.set(member, values)
    values.set(`${kind}\n${key}`, value)
    if (values.size <= MAX_VALUES) return
    for (const oldest of values.keys()) {
      values.delete(oldest)
      return
    }
  }

  /** The list has changed. */
  drop(member: Member, kind: SliceKind): void {
    const values = this.#values.get(member)
    for (const key of values?.keys() ?? []) if (key.startsWith(`${kind}\n`)) values?.delete(key)
  }
}

const MAX_VALUES = 100
