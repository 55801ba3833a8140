/**
 * Tools switched on and off for all servers at once, under a key at the root of the file: OpenCode's `"tools": { "github_*": false }`.
 * There a tool is called `SERVER_TOOL`; the longest pattern that matches decides, and what none matches is on.
 */

import type { Reading } from './fields.js'
import { describe } from './fields.js'
import type { ToolFilter, UnresolvedEntry } from './server-entry.js'
import { entryOf, type SourceNode } from './source.js'

interface Switch {
  readonly pattern: string
  readonly on: boolean
  readonly start: number
}

export function readSwitches(reading: Reading, root: SourceNode, key: string): readonly Switch[] {
  const entry = entryOf(root, key)
  if (entry === undefined) return []
  if (entry.node.kind !== 'map') {
    reading.warn(
      entry.node.start,
      `${key} must be a map from names of tools to true or false; found ${describe(entry.node)}`,
    )
    return []
  }
  const switches: Switch[] = []
  for (const [pattern, { keyStart, node }] of entry.node.entries) {
    if (node.kind === 'scalar' && typeof node.value === 'boolean')
      switches.push({ pattern, on: node.value, start: keyStart })
    else
      reading.warn(
        keyStart,
        `${key}: ${JSON.stringify(pattern)} must be true or false; found ${describe(node)}`,
      )
  }
  return switches.sort((a, b) => a.pattern.length - b.pattern.length || (a.pattern < b.pattern ? -1 : 1))
}

/** The entry with a filter that lets through what the switches do, or less, with a warning, where a filter cannot say the same. */
export function switched(
  reading: Reading,
  entry: UnresolvedEntry,
  switches: readonly Switch[],
): UnresolvedEntry {
  let allow: string[] | undefined
  let deny: string[] = []
  for (const { pattern, on, start } of switches) {
    const globs = restOfGlob(pattern, prefixOf(entry.name))
    if (globs.length === 0) continue
    const isAll = globs.some(glob => /^\*+$/.test(glob))
    if (isAll) {
      allow = on ? undefined : []
      deny = []
    } else if (!on) deny.push(...globs)
    else {
      // A filter denies whatever it allows.
      if (deny.length > 0)
        reading.warn(
          start,
          `${JSON.stringify(pattern)} is an exception to a shorter pattern: anyport keeps off what that one switches off`,
        )
      allow?.push(...globs)
    }
  }
  const tools: ToolFilter = {
    ...entry.tools,
    ...(allow === undefined ? {} : { allow }),
    ...(deny.length === 0 ? {} : { deny: [...(entry.tools?.deny ?? []), ...deny] }),
  }
  return Object.keys(tools).length === 0 ? entry : { ...entry, tools }
}

/** What would have to stand at the root for a filter, as text. */
export function switchesFor(name: string, { allow, deny = [] }: ToolFilter): string {
  const prefix = prefixOf(name)
  const lines = [
    ...(allow === undefined
      ? []
      : [[`${prefix}*`, false] as const, ...allow.map(glob => [`${prefix}${glob}`, true] as const)]),
    ...deny.map(glob => [`${prefix}${glob}`, false] as const),
  ]
  return lines.map(([pattern, on]) => `${JSON.stringify(pattern)}: ${on}`).join(', ')
}

function prefixOf(name: string): string {
  return `${name.replace(/[^A-Za-z0-9_-]/g, '_')}_`
}

/** Globs of all that may follow the prefix in a text that the pattern matches. None: no such text begins so. */
function restOfGlob(pattern: string, prefix: string): readonly string[] {
  let states = skipStars(pattern, [0])
  for (const character of prefix) {
    const next = states.flatMap(at => {
      if (pattern[at] === '*') return [at]
      return pattern[at] === '?' || pattern[at] === character ? [at + 1] : []
    })
    states = skipStars(pattern, next)
  }
  const rests = states.map(at => pattern.slice(at))
  // What a star stands before covers what follows it.
  return rests.filter(rest => !rests.includes(`*${rest}`) && (rest !== '' || !rests.includes('*')))
}

function skipStars(pattern: string, states: readonly number[]): number[] {
  const all = new Set<number>()
  for (let at of states) {
    all.add(at)
    while (pattern[at] === '*') all.add(++at)
  }
  return [...all]
}
