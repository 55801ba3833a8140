/** What the edges of a message tell, where the whole is too large, too deep or broken. */

import { decodeUtf8, JsonScanner, type Member } from './json-scan.js'
import type { RequestId } from './message.js'

export interface Glimpse {
  readonly id?: RequestId
  /** Present where it is a request or a notification. */
  readonly method?: string
}

/** Nesting that a scan of the first bytes walks into at most. */
const MAX_DEPTH = 1000
const ID = String.raw`("(?:[^"\\]|\\.)*"|-?\d+)`
/** The last members of a message, where they are simple. Every quote here is one of JSON's own: none is escaped. */
const TAIL = new RegExp(String.raw`[,{]\s*"id"\s*:\s*${ID}\s*(?:,\s*"jsonrpc"\s*:\s*"2\.0"\s*)?\}\s*$`)

const lenient = new TextDecoder()

/** Reads id and method from a message's first bytes and, where they are apart, its last. */
export function glimpse(head: Uint8Array, tail?: Uint8Array): Glimpse {
  const found: { id?: RequestId; method?: string } = {}
  let hasId = false
  let hasMethod = false
  for (const member of leadingMembers(head)) {
    // A number that the cut may have shortened is not trusted.
    if (member.end >= head.length || (member.key !== 'id' && member.key !== 'method')) continue
    const value = memberValue(head, member)
    // Of one that is there twice nobody can say which is meant.
    if (member.key === 'id') {
      if (!hasId && isId(value)) found.id = value
      else delete found.id
      hasId = true
    } else {
      if (!hasMethod && typeof value === 'string') found.method = value
      else delete found.method
      hasMethod = true
    }
  }
  if (!hasId) {
    const match = TAIL.exec(lenient.decode(tail ?? head.subarray(-4096)))
    const id = match === null ? undefined : parse(match[1] as string)
    if (isId(id)) found.id = id
  }
  return found
}

function leadingMembers(bytes: Uint8Array): readonly Member[] {
  const members: Member[] = []
  const scanner = new JsonScanner(bytes, MAX_DEPTH)
  const start = scanner.space(bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)
  if (bytes[start] !== 0x7b) return members
  try {
    scanner.members(start, 1, members)
  } catch {
    // The cut, or whatever is wrong with it: what came before counts.
  }
  return members
}

function memberValue(bytes: Uint8Array, member: Member): unknown {
  try {
    const text = decodeUtf8(bytes.subarray(member.value, member.end))
    // A fraction or an exponent may be rounded to an integer, which is the id of something else.
    return /^-?\d+[.eE]/.test(text) ? undefined : parse(text)
  } catch {
    return undefined
  }
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function isId(value: unknown): value is RequestId {
  return typeof value === 'string' || Number.isSafeInteger(value)
}
