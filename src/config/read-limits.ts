/** Reads what is said about times and tools. */

import type { FieldPath } from './client.js'
import type { ServerTimeouts, ToolFilter } from './server-entry.js'
import type { ServerFields } from './server-fields.js'
import { parseDuration } from './units.js'

export function readTimeouts(fields: ServerFields): ServerTimeouts | undefined {
  const timeouts: Record<string, number> = {}
  for (const { key, of, unit } of fields.client.fields.timeouts ?? []) {
    const value = fields.number(
      key,
      `a time in ${unit === 1 ? 'milliseconds' : 'seconds'}, a number above 0`,
      number => number > 0,
    )
    if (value !== undefined) timeouts[of] = Math.round(value * unit)
  }
  // An old word of Codex for the same.
  if (fields.client.id === 'codex' && timeouts.start === undefined) {
    const value = fields.number(
      'startup_timeout_ms',
      'a time in milliseconds, a number above 0',
      number => number > 0,
    )
    if (value !== undefined) timeouts.start = Math.round(value)
  }
  if (fields.client.universal) readDurations(fields, timeouts)
  return Object.keys(timeouts).length === 0 ? undefined : timeouts
}

/** Times with their unit. A bare number is what some client wrote: seconds to some, milliseconds to others. */
function readDurations(fields: ServerFields, timeouts: Record<string, number>): void {
  for (const [key, of] of [
    ['timeout', 'call'],
    ['startTimeout', 'start'],
  ] as const) {
    const entry = fields.take(key)
    if (entry === undefined) continue
    const value = entry.node.kind === 'scalar' ? entry.node.value : undefined
    if (typeof value === 'number' && value > 0) {
      const milliseconds = value >= 1_000 ? value : value * 1_000
      timeouts[of] = Math.round(milliseconds)
      fields.warnAt(
        entry.node.start,
        `${key} ${value} has no unit; it is taken for ${value >= 1_000 ? 'milliseconds' : 'seconds'}. Write "${value >= 1_000 ? `${value}ms` : `${value}s`}", or name the client whose file this is`,
      )
      continue
    }
    try {
      if (typeof value !== 'string') throw new TypeError('it must be a duration such as "30s"')
      timeouts[of] = parseDuration(value)
    } catch (error) {
      fields.errorAt(entry.node.start, `${key}: ${(error as Error).message}`)
    }
  }
}

export function readTools(fields: ServerFields): ToolFilter | undefined {
  const list = (field: FieldPath) => {
    const entry = fields.find(field)
    // A policy of the client for each tool, rather than a list of them.
    if (entry?.node.kind === 'map') return undefined
    return fields.texts(field)?.map(({ text }) => text)
  }
  const allow = fields.named('allow', list)
  const deny = fields.named('deny', list)
  const approve = fields.named('approve', list)
  const tools: ToolFilter = {
    ...(allow === undefined ||
    (fields.client.always !== undefined && isAll(allow)) ||
    (fields.client.fields.allow === 'available_tools' && allow.length === 0)
      ? {}
      : { allow }),
    ...(deny === undefined || deny.length === 0 ? {} : { deny }),
    ...(approve === undefined || approve.length === 0 ? {} : { approve }),
  }
  return Object.keys(tools).length === 0 ? undefined : tools
}

function isAll(allow: readonly string[]): boolean {
  return allow.length === 1 && allow[0] === '*'
}
