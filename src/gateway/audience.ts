import type { Asker } from '../exchange/list-pages.js'
import type { JSONObject } from '../protocol/message.js'
import { type Implementation, META_SERVER_INFO } from '../protocol/meta.js'
import {
  METHOD_PROMPTS_CHANGED,
  METHOD_RESOURCES_CHANGED,
  METHOD_TOOLS_CHANGED,
} from '../protocol/methods.js'
import { type Catalog, type Listed, mergeByUri, mergeNamed, type Part } from './catalog.js'
import type { GatewayEvent, ListKind } from './events.js'
import type { Names } from './exposed-names.js'
import { fetchSlice, LIST_METHODS, type SliceKind } from './fetch-slice.js'
import type { Member } from './member.js'
import { Pages } from './pages.js'
import type { PublicSlices } from './public-slices.js'
import type { Assembled, SharedLists } from './shared-lists.js'
import { Slice } from './slice.js'
import { type Watch, watch } from './watch.js'

/** What all audiences have in common. */
export interface AudienceHost {
  /** In the order of their names. */
  readonly members: () => readonly Member[]
  readonly names: Names
  readonly reserved: ReadonlySet<string>
  readonly publicSlices: PublicSlices
  readonly shared: SharedLists
  /** How long a list waits for one server, and how long that server may take in all, in milliseconds. */
  readonly patience: number
  readonly fetchLimit: number
  /** How long what a server listed stands in for what it does not answer, in milliseconds. */
  readonly keep: number
  readonly pageSize: number
  /** Who lists, as results say. */
  readonly serverInfo: Implementation | undefined
  /** Which tools are listed. */
  readonly show: (tools: readonly Listed[]) => readonly Listed[]
  readonly tell: (event: GatewayEvent) => void
  /** A server was asked for something: what came of it. */
  readonly report: (member: Member, kind: SliceKind, error: Error | undefined) => void
  readonly backoff?: readonly [first: number, longest: number] | undefined
}

/** Hears that lists changed. */
export interface Listener {
  readonly wants: (method: string) => boolean
  readonly push: (method: string) => void
}

/** A list as its audience sees it. */
export interface Merged {
  readonly catalog: Catalog
  readonly shown: readonly Listed[]
  readonly pages: Pages
  readonly scope: 'public' | 'private'
  /** Servers whose entries are missing or may be old. */
  readonly failing: ReadonlyMap<string, Error>
  /** Of what it was made. */
  readonly versions: readonly number[]
  readonly members: readonly Member[]
}

const CHANGES: Readonly<Record<ListKind, string>> = {
  tools: METHOD_TOOLS_CHANGED,
  prompts: METHOD_PROMPTS_CHANGED,
  resources: METHOD_RESOURCES_CHANGED,
  templates: METHOD_RESOURCES_CHANGED,
}
const KINDS = Object.keys(LIST_METHODS) as readonly ListKind[]
const EVERYTHING: JSONObject = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
}
const HONOURED: Readonly<Record<ListKind, string>> = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
  templates: 'resourcesListChanged',
}
/** Milliseconds within which changes are told as one. */
const GATHER = 25
/** Milliseconds until a server that could not be listed is asked again although nobody lists. */
const RECONSIDER = 5_000

const NOTHING: readonly JSONObject[] = []

interface Watched {
  readonly watch: Watch
  /** Lists of which the server tells when they change, as acknowledged. */
  readonly live: Set<ListKind>
}

/**
 * Callers who see the same: one principal, with the same capabilities. What is known of the servers on their behalf, merged, and
 * who of them listens.
 */
export class Audience {
  readonly asker: Asker
  readonly #key: string
  readonly #host: AudienceHost
  readonly #slices = new Map<Member, Map<SliceKind, Slice>>()
  readonly #watches = new Map<Member, Watched>()
  readonly #merged = new Map<ListKind, Merged>()
  readonly #listeners = new Set<Listener>()
  readonly #changed = new Set<ListKind>()
  #timer: ReturnType<typeof setTimeout> | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #lists = 0
  #closed = false

  /** `key` stands for what servers may list by, whoever asks: the capabilities. */
  constructor(asker: Asker, key: string, host: AudienceHost) {
    this.asker = asker
    this.#key = key
    this.#host = host
  }

  get hasListeners(): boolean {
    return this.#listeners.size > 0
  }

  /** The list as it is now; at once where nothing has to be asked. */
  list(kind: ListKind): Merged | Promise<Merged> {
    // Who lists more than once is spared the wait by a subscription.
    if (++this.#lists === 2) this.#watchAll()
    return this.#current(kind)
  }

  /** The list as it was last seen, which is enough to find something in it. */
  known(kind: ListKind): Merged | Promise<Merged> {
    const known = this.#merged.get(kind)
    return known !== undefined && known.members === this.#host.members() ? known : this.#current(kind)
  }

  /** How long the list may be called fresh, in milliseconds. */
  freshFor(kind: ListKind, { failing }: Merged): number {
    if (failing.size > 0) return 0
    const now = performance.now()
    let shortest = Number.POSITIVE_INFINITY
    for (const member of this.#host.members()) {
      const value = this.#slice(member, kind).value
      if (value === undefined || value.ttlMs === 0) return 0
      shortest = Math.min(shortest, value.at + value.ttlMs - now)
    }
    return Number.isFinite(shortest) ? Math.max(0, Math.floor(shortest)) : 0
  }

  /** What each server says of itself, as far as it does within the patience. */
  async descriptions(patience: number): Promise<ReadonlyMap<Member, JSONObject | undefined>> {
    const members = this.#host.members()
    await this.#load(members, 'discover', patience)
    return new Map(members.map(member => [member, this.#slice(member, 'discover').value?.entries[0]]))
  }

  /** Tells the listener of each change of a list from now on. Returns how to stop. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    this.#watchAll()
    this.#reconsider(KINDS)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** The servers are others now. */
  membersChanged(): void {
    const members = new Set(this.#host.members())
    for (const member of this.#slices.keys()) if (!members.has(member)) this.#slices.delete(member)
    for (const [member, { watch: open }] of this.#watches) {
      if (members.has(member)) continue
      open.close()
      this.#watches.delete(member)
    }
    if (this.hasListeners) this.#watchAll()
    this.#reconsider(KINDS)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
    for (const { watch: open } of this.#watches.values()) open.close()
    this.#watches.clear()
    this.#listeners.clear()
  }

  #current(kind: ListKind): Merged | Promise<Merged> {
    const members = this.#host.members()
    const loading = this.#load(members, kind, this.#host.patience)
    return loading === undefined ? this.#build(kind) : loading.then(() => this.#build(kind))
  }

  /** Asks whom it has to; undefined where that is nobody. */
  #load(members: readonly Member[], kind: SliceKind, patience: number): Promise<unknown> | undefined {
    let waits: Promise<void>[] | undefined
    for (const member of members) {
      const slice = this.#slice(member, kind)
      if (slice.isFresh(this.#isWatched(member, kind))) continue
      const shared = this.#host.publicSlices.get(member, kind, this.#key)
      if (shared !== undefined) {
        slice.adopt(shared)
        continue
      }
      waits ??= []
      waits.push(slice.load(patience).then(() => this.#host.report(member, kind, slice.error)))
    }
    return waits === undefined ? undefined : Promise.all(waits)
  }

  #build(kind: ListKind): Merged {
    const members = this.#host.members()
    const slices = members.map(member => this.#slice(member, kind))
    const versions = slices.map(slice => slice.version)
    const before = this.#merged.get(kind)
    if (before?.members === members && versions.every((version, index) => version === before.versions[index]))
      return before
    const failing = new Map<string, Error>()
    for (const [index, { error }] of slices.entries())
      if (error !== undefined) failing.set((members[index] as Member).name, error)
    const isPrivate = failing.size > 0 || slices.some(({ value }) => value?.scope !== 'public')
    const scope = isPrivate && members.length > 0 ? 'private' : 'public'
    const parts = members.map((member, index) => ({
      member,
      entries: slices[index]?.value?.entries ?? NOTHING,
    }))
    const { catalog, shown, pages } = this.#host.shared.assemble(kind, scope, parts, () =>
      this.#assemble(kind, scope, parts),
    )
    const same = before !== undefined && (before.shown === shown || isSameList(before.shown, shown))
    const merged: Merged = { catalog, shown, pages, scope, failing, versions, members }
    this.#merged.set(kind, merged)
    if (before !== undefined && !same) this.#announce(CHANGES[kind])
    if (failing.size > 0 && this.hasListeners) this.#lookAgain()
    return merged
  }

  #assemble(kind: ListKind, scope: 'public' | 'private', parts: readonly Part[]): Assembled {
    const { names, reserved, serverInfo, pageSize, tell, show } = this.#host
    const catalog =
      kind === 'tools' || kind === 'prompts'
        ? mergeNamed(kind, parts, names, kind === 'tools' ? reserved : undefined)
        : mergeByUri(kind, parts)
    for (const event of catalog.events) tell(event)
    const shown = kind === 'tools' ? show(catalog.listed) : catalog.listed
    const _meta = serverInfo === undefined ? {} : { _meta: { [META_SERVER_INFO]: serverInfo } }
    const rest = { resultType: 'complete', ..._meta, ttlMs: 0, cacheScope: scope }
    return { catalog, shown, pages: new Pages(LIST_METHODS[kind].field, shown, pageSize, rest) }
  }

  #announce(method: string): void {
    for (const listener of this.#listeners) if (listener.wants(method)) listener.push(method)
  }

  /** Looks at lists anew, soon and in the background, so that listeners hear where one has changed. */
  #reconsider(kinds: Iterable<ListKind>): void {
    if (this.#closed) return
    for (const kind of kinds) if (this.#isWanted(kind)) this.#changed.add(kind)
    if (this.#changed.size === 0 || this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const changed = [...this.#changed]
      this.#changed.clear()
      // Whoever hears of events may throw; nobody waits here to be told.
      for (const kind of changed)
        Promise.resolve()
          .then(() => this.#current(kind))
          .catch(() => {})
    }, GATHER)
  }

  #isWanted(kind: ListKind): boolean {
    for (const listener of this.#listeners) if (listener.wants(CHANGES[kind])) return true
    return false
  }

  #lookAgain(): void {
    if (this.#retry !== undefined || this.#closed) return
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      this.#reconsider([...this.#merged].flatMap(([kind, { failing }]) => (failing.size > 0 ? [kind] : [])))
    }, RECONSIDER)
    ;(this.#retry as { unref?: () => void }).unref?.()
  }

  #slice(member: Member, kind: SliceKind): Slice {
    let slices = this.#slices.get(member)
    if (slices === undefined) {
      slices = new Map()
      this.#slices.set(member, slices)
    }
    let slice = slices.get(kind)
    if (slice === undefined) {
      slice = this.#newSlice(member, kind)
      slices.set(kind, slice)
    }
    return slice
  }

  #newSlice(member: Member, kind: SliceKind): Slice {
    const { publicSlices, shared, fetchLimit, keep } = this.#host
    return new Slice({
      fetch: async () => {
        const fetched = await fetchSlice(member.handler, kind, this.asker, fetchLimit)
        const value = { ...fetched, entries: shared.list(member, kind, fetched.entries) }
        publicSlices.set(member, kind, this.#key, value)
        return value
      },
      keep,
      onSettled: (late, outdated) => {
        if (this.#closed || !(late || outdated)) return
        if (late) this.#host.report(member, kind, this.#slice(member, kind).error)
        // Who looked at the list because of the change got the answer from before it.
        if (kind !== 'discover') this.#reconsider([kind])
      },
    })
  }

  #isWatched(member: Member, kind: SliceKind): boolean {
    const live = this.#watches.get(member)?.live
    if (live === undefined) return false
    return kind === 'discover' ? live.size > 0 : live.has(kind)
  }

  #watchAll(): void {
    if (this.#closed) return
    for (const member of this.#host.members()) if (!this.#watches.has(member)) this.#watch(member)
  }

  #watch(member: Member): void {
    const live = new Set<ListKind>()
    const { caller, meta } = this.asker
    const changed = (kinds: readonly ListKind[]) => {
      for (const kind of kinds) {
        this.#slice(member, kind).invalidate()
        this.#host.publicSlices.drop(member, kind)
      }
      this.#reconsider(kinds)
    }
    const open = watch({
      handler: member.handler,
      caller,
      meta,
      filter: EVERYTHING,
      backoff: this.#host.backoff,
      onAcknowledged: honoured => {
        live.clear()
        for (const kind of KINDS) if (honoured[HONOURED[kind]] === true) live.add(kind)
        // What was listed before may have changed since, unheard.
        changed([...live])
      },
      onChange: change => changed(KINDS.filter(kind => CHANGES[kind] === change.method && live.has(kind))),
      onLost: () => live.clear(),
    })
    this.#watches.set(member, { watch: open, live })
  }
}

function isSameList(one: readonly Listed[], other: readonly Listed[]): boolean {
  if (one.length !== other.length) return false
  return one.every(({ exposed, entry, member }, index) => {
    const twin = other[index] as Listed
    if (exposed !== twin.exposed || member.name !== twin.member.name) return false
    return entry === twin.entry || JSON.stringify(entry) === JSON.stringify(twin.entry)
  })
}
