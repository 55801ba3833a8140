import type { Caller } from '../../exchange/context.js'
import { masked } from '../../exchange/masked.js'
import { printable } from '../../exchange/printable.js'
import { isObject } from '../../protocol/meta.js'

const MAX_SHOWN = 500
/** Characters of an error that are looked at. */
const MAX_TEXT = 4_096
/** Arguments that are looked for in an error; where there are more it is not shown. */
const MAX_STRINGS = 500
const MAX_DEPTH = 16
/** So much of a long argument gives it away where an error quotes its beginning. */
const START = 24
const CREDENTIALS = ['authorization', 'x-api-key', 'cookie', 'proxy-authorization']
/** What the call is about, which is shown beside the error anyway. */
const SHOWN_ANYWAY = new Set(['name', 'uri', 'ref'])

export interface ErrorSource {
  readonly caller: Caller
  readonly params: unknown
  /** Secrets that the server was given. */
  readonly secrets: readonly string[]
}

/**
 * What an error says, for people who watch: errors quote what they are about, so that what the caller said with the call, and showed to get
 * in, is replaced in it, and so is what looks like a credential.
 */
export function shownError(message: string, { caller, params, secrets }: ErrorSource): string {
  const said: string[] = []
  if (!collectParams(params, said)) return 'Not shown: its call has too many arguments to look for in it'
  for (const name of CREDENTIALS) {
    const value = caller.header?.(name)
    if (value !== undefined) said.push(value, value.replace(/^\S+\s+/, ''))
  }
  const hidden = [...said.flatMap(spellings), ...secrets].filter(text => text.length >= 4)
  let text = masked(message.slice(0, MAX_TEXT), hidden)
  for (const { length, start } of said.map(value => ({
    length: value.length,
    start: value.slice(0, START),
  }))) {
    const at = length > START ? text.indexOf(start) : -1
    if (at >= 0) text = `${text.slice(0, at)}***`
  }
  return printable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text)
}

/** As it is, and as it stands in JSON and in addresses. */
function spellings(value: string): readonly string[] {
  if (value.length > MAX_TEXT) return []
  const json = JSON.stringify(value).slice(1, -1)
  const url = inAddress(value)
  return [value, ...(json === value ? [] : [json]), ...(url === value ? [] : [url])]
}

function inAddress(value: string): string {
  try {
    return encodeURIComponent(value)
  } catch {
    // Half a character stands in no address.
    return value
  }
}

function collectParams(params: unknown, found: string[]): boolean {
  if (!isObject(params)) return true
  return Object.entries(params).every(([key, value]) => {
    if (SHOWN_ANYWAY.has(key)) return true
    if (key !== '_meta' || !isObject(value)) return collect(value, found, 0)
    return Object.entries(value).every(
      ([name, part]) => name.startsWith('io.modelcontextprotocol/') || collect(part, found, 0),
    )
  })
}

/** False where there are too many. */
function collect(value: unknown, found: string[], depth: number): boolean {
  if (typeof value === 'string') {
    found.push(value)
    return found.length <= MAX_STRINGS
  }
  if (typeof value !== 'object' || value === null) return true
  if (depth >= MAX_DEPTH) return false
  return Object.values(value).every(part => collect(part, found, depth + 1))
}
