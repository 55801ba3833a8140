import type { JSONObject, Result } from '../protocol/message.js'
import { isObject } from '../protocol/meta.js'

/** What a server offered when it was last looked at. */
export interface Remembered extends JSONObject {
  /** Its `DiscoverResult`. */
  readonly discovered: Result
  /** Its lists by method, each whole in one page. */
  readonly lists: Readonly<Record<string, Result>>
}

/** By the capabilities of the clients that it was offered to, in one spelling. */
export type ServerRecord = Readonly<Record<string, Remembered>>

/** Remembers what servers offer, so that clients need not wait while one starts. */
export interface ServerMemory {
  /** `server` tells it from every other one. It may hold secrets: it is not stored as it is. */
  get(server: string): ServerRecord | undefined
  set(server: string, record: ServerRecord): void
}

/** Servers, and principals that they are remembered for. */
const MAX_RECORDS = 64
/** Kinds of clients for each of them. */
const MAX_KINDS = 8
/** Characters of JSON that are remembered of a server for one kind of clients. */
const MAX_SIZE = 2 * 1024 * 1024

/** The memory of this process, in front of one that outlives it where there is one. */
export class RecentServers {
  readonly #beyond: ServerMemory | undefined
  readonly #records = new Map<string, ServerRecord>()

  constructor(beyond: ServerMemory | undefined) {
    this.#beyond = beyond
  }

  /** What clients with these capabilities were offered, or else others: most servers make no difference. */
  get(server: string, capabilities: string): Remembered | undefined {
    let record = this.#records.get(server)
    if (record === undefined) {
      record = this.#beyond?.get(server)
      if (record === undefined) return undefined
      this.#keep(server, record)
    }
    return record[capabilities] ?? Object.values(record).at(-1)
  }

  set(server: string, capabilities: string, remembered: Remembered): void {
    const { [capabilities]: _old, ...others } = this.#records.get(server) ?? this.#beyond?.get(server) ?? {}
    const kept = Object.entries(others).slice(1 - MAX_KINDS)
    // Too much for a memory: then the lists are left out, which clients can wait for.
    const small = JSON.stringify(remembered).length <= MAX_SIZE ? remembered : { ...remembered, lists: {} }
    const record = { ...Object.fromEntries(kept), [capabilities]: small }
    this.#keep(server, record)
    this.#beyond?.set(server, record)
  }

  #keep(server: string, record: ServerRecord): void {
    this.#records.delete(server)
    this.#records.set(server, record)
    if (this.#records.size <= MAX_RECORDS) return
    for (const oldest of this.#records.keys()) {
      this.#records.delete(oldest)
      return
    }
  }
}

/** What was stored, as far as it can be a record. */
export function readRecord(stored: unknown): ServerRecord | undefined {
  if (!isObject(stored)) return undefined
  const entries = Object.entries(stored).filter(
    ([, remembered]) =>
      isObject(remembered) &&
      isObject(remembered.discovered) &&
      isObject(remembered.discovered.capabilities) &&
      isObject(remembered.lists) &&
      Object.values(remembered.lists).every(isObject),
  )
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as ServerRecord)
}
