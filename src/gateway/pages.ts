/** A merged list as results, page by page, each encoded once. */

import { INVALID_PARAMS, RpcError } from '../protocol/errors.js'
import type { JSONObject } from '../protocol/message.js'
import { RawJson } from '../protocol/raw-json.js'
import type { Listed } from './catalog.js'

/** Where a page begins: after this entry. It means the same after a restart, and where other entries came or went. */
interface Position {
  readonly index: number
  readonly server: string
  readonly name: string
}

export class Pages {
  readonly #key: string
  readonly #entries: readonly Listed[]
  readonly #size: number
  readonly #rest: JSONObject
  readonly #encoded = new Map<number, RawJson>()

  /** `key` is the field of the result that holds the list; `rest` its other fields. */
  constructor(key: string, entries: readonly Listed[], size: number, rest: JSONObject) {
    this.#key = key
    this.#entries = entries
    this.#size = size
    this.#rest = rest
  }

  /** Throws `RpcError` INVALID_PARAMS for a cursor that is none of ours. */
  page(cursor: unknown): RawJson {
    const start = cursor === undefined ? 0 : this.#startOf(cursor)
    const known = this.#encoded.get(start)
    if (known !== undefined) return known
    const end = start + this.#size
    const last = this.#entries[end - 1]
    const text = JSON.stringify({
      ...this.#rest,
      [this.#key]: this.#entries.slice(start, end).map(({ entry }) => entry),
      ...(last !== undefined && end < this.#entries.length
        ? {
            nextCursor: cursorOf(this.#key, { index: end - 1, server: last.member.name, name: last.exposed }),
          }
        : {}),
    })
    const page = RawJson.fromBytes(encoder.encode(text))
    // Pages that begin elsewhere are those of clients that began before a change: not worth keeping.
    if (start % this.#size === 0) this.#encoded.set(start, page)
    return page
  }

  #startOf(cursor: unknown): number {
    const { index, server, name } = positionOf(this.#key, cursor)
    if (this.#entries[index]?.exposed === name) return index + 1
    const moved = this.#entries.findIndex(({ exposed }) => exposed === name)
    if (moved >= 0) return moved + 1
    // The entry is gone: its neighbours have moved up, within their server.
    const first = this.#entries.findIndex(({ member }) => member.name >= server)
    if (first < 0) return this.#entries.length
    const after = this.#entries.findIndex(({ member }) => member.name > server)
    return Math.min(Math.max(index, first), after < 0 ? this.#entries.length : after)
  }
}

function cursorOf(key: string, { index, server, name }: Position): string {
  let binary = ''
  for (const byte of encoder.encode(JSON.stringify([key, index, server, name])))
    binary += String.fromCharCode(byte)
  return btoa(binary)
}

function positionOf(key: string, cursor: unknown): Position {
  try {
    const bytes = Uint8Array.from(atob(String(cursor)), character => character.charCodeAt(0))
    const [of, index, server, name] = JSON.parse(decoder.decode(bytes)) as unknown[]
    if (of === key && Number.isSafeInteger(index) && typeof server === 'string' && typeof name === 'string')
      return { index: Math.max(0, index as number), server, name }
  } catch {
    // Told below.
  }
  throw new RpcError(INVALID_PARAMS, 'Invalid cursor: begin again without one')
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
