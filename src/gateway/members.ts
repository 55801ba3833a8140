import type { Handler } from '../exchange/exchange.js'
import type { GatewayEvent } from './events.js'
import { type GatewayServer, type Member, member } from './member.js'
import { nameFilter } from './name-filter.js'

export interface MembersOptions {
  /** What no server may offer beyond, as `SERVER/NAME`. */
  readonly allow?: readonly string[] | undefined
  readonly deny?: readonly string[] | undefined
}

export interface ServersChange {
  /** Servers that are new, or take the place of one of the same name. */
  readonly set?: Readonly<Record<string, Handler | GatewayServer>> | undefined
  /** Names of those that go. Unknown ones are no error. */
  readonly remove?: readonly string[] | undefined
}

/** The servers behind a gateway, in the order of their names, so that nothing depends on when they came. */
export class Members {
  readonly #filter: (name: string) => boolean
  readonly #byName = new Map<string, Member>()
  #byPrefix = new Map<string, Member | undefined>()
  #all: readonly Member[] = []

  /** Throws `TypeError` for servers or patterns that cannot work. */
  constructor(servers: Readonly<Record<string, Handler | GatewayServer>>, options: MembersOptions) {
    this.#filter = nameFilter(options)
    this.change({ set: servers })
  }

  /** The same array until something changes. */
  all(): readonly Member[] {
    return this.#all
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name)
  }

  /** The only server whose names begin so. */
  ofPrefix(prefix: string): Member | undefined {
    return this.#byPrefix.get(prefix)
  }

  /** Some names have no prefix, so that the form of a name does not tell whose it is. */
  get someAreBare(): boolean {
    return this.#byPrefix.has('')
  }

  /** All of it or, where it throws `TypeError`, nothing. */
  change({ set = {}, remove = [] }: ServersChange): Extract<GatewayEvent, { type: 'servers-changed' }> {
    const made = Object.entries(set).map(([name, server]) => member(name, server, this.#filter))
    const removed = remove.filter(name => this.#byName.has(name) && !Object.hasOwn(set, name))
    for (const name of removed) this.#byName.delete(name)
    const added: string[] = []
    const replaced: string[] = []
    for (const one of made) {
      const list = this.#byName.has(one.name) ? replaced : added
      list.push(one.name)
      this.#byName.set(one.name, one)
    }
    this.#all = [...this.#byName.values()].sort((one, other) => (one.name < other.name ? -1 : 1))
    this.#byPrefix = new Map()
    for (const one of this.#all) {
      const { prefix } = one.label
      this.#byPrefix.set(prefix, this.#byPrefix.has(prefix) ? undefined : one)
    }
    return { type: 'servers-changed', added, replaced, removed }
  }
}
