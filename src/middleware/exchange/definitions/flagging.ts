import type { Handler } from '../../../exchange/exchange.js'
import type { JSONObject, JSONRPCResponse } from '../../../protocol/message.js'
import { isObject } from '../../../protocol/meta.js'
import { METHOD_DISCOVER } from '../../../protocol/methods.js'
import { RawJson } from '../../../protocol/raw-json.js'
import { type Flag, flagsWithin, type LookingLimit, limitOfList } from './flags.js'
import { type DefinitionKind, kindOfList, LISTS } from './kinds.js'
import { Answered } from './listed-definitions.js'
import { nameOfDefinition } from './pins.js'

export interface FlaggedEvent {
  /** A definition has invisible characters, or speaks to the model. */
  readonly type: 'definition-flagged'
  readonly kind: DefinitionKind
  readonly name: string
  readonly flags: readonly Flag[]
}

/** Lists that are the same each time cost a comparison of bytes, and definitions that were looked at one of texts. */
const MAX_PAGES = 8
const MAX_LOOKED = 4 * 1024 * 1024

/** Looks at what is listed, remembers next to nothing, and changes nothing. */
export function flagging(next: Handler, tell: (event: FlaggedEvent) => void): Handler {
  const pages: Uint8Array[] = []
  const looked = new Set<string>()
  let characters = 0
  const look = (kind: DefinitionKind, definition: JSONObject, limit: LookingLimit) => {
    const text = JSON.stringify(definition)
    if (looked.has(text)) return
    characters += text.length
    if (characters > MAX_LOOKED) {
      looked.clear()
      characters = text.length
    }
    looked.add(text)
    const flags = flagsWithin(definition, limit)
    if (flags.length > 0)
      tell({ type: 'definition-flagged', kind, name: nameOfDefinition(kind, definition) ?? '', flags })
  }
  return (request, context) => {
    const { method } = request
    const kind = kindOfList(method)
    if (kind === undefined && method !== METHOD_DISCOVER) return next(request, context)
    return new Answered(next(request, context), (read, response) => {
      const bytes = bytesOf(response)
      if (bytes !== undefined && pages.some(page => areSame(page, bytes))) return undefined
      const result = read()
      const limit = limitOfList()
      if (kind === undefined) {
        const { instructions } = result
        if (typeof instructions === 'string' && instructions !== '')
          look('instructions', { instructions }, limit)
      } else {
        const entries = result[LISTS[kind].field]
        if (Array.isArray(entries)) for (const entry of entries) if (isObject(entry)) look(kind, entry, limit)
      }
      if (bytes !== undefined && bytes.byteLength <= MAX_LOOKED / MAX_PAGES) {
        if (pages.length >= MAX_PAGES) pages.shift()
        pages.push(bytes)
      }
      return undefined
    })
  }
}

/** Of a result that stays as it came. */
function bytesOf(response: JSONRPCResponse): Uint8Array | undefined {
  if ('error' in response || !(response.result instanceof RawJson)) return undefined
  const segments = response.result.segments()
  return segments.length === 1 ? segments[0] : undefined
}

function areSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.byteLength !== other.byteLength) return false
  for (let index = 0; index < one.byteLength; index++) if (one[index] !== other[index]) return false
  return true
}
