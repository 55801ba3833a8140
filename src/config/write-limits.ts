/** Writes what is known about times and tools. */

import type { TimeoutField } from './client.js'
import type { EntryWriter } from './entry-writer.js'
import { switchesFor } from './tool-switches.js'
import { formatDuration } from './units.js'

const FILTERS = {
  allow: 'the tools to offer',
  deny: 'the tools not to offer',
  approve: 'the tools that need no approval',
} as const

export function writeTimeouts(writer: EntryWriter): void {
  for (const [of, milliseconds] of Object.entries(writer.entry.timeouts ?? {}) as [
    'start' | 'call',
    number,
  ][]) {
    if (writer.client.universal) {
      writer.set(of === 'call' ? 'timeout' : 'startTimeout', formatDuration(milliseconds))
      continue
    }
    const field = writer.client.fields.timeouts?.find(candidate => candidate.of === of)
    if (field === undefined) {
      writer.lost(
        `timeouts.${of}`,
        of === 'call' ? 'no field for how long a call may take' : 'no field for how long a start may take',
      )
      continue
    }
    const value = inUnit(milliseconds, field)
    if (value * field.unit !== milliseconds) {
      writer.note(
        `timeouts.${of}`,
        'changed',
        `${writer.client.title} takes ${limitsOf(field)}, so that ${milliseconds} ms become ${value} ${field.unit === 1 ? 'ms' : 's'}`,
      )
    }
    writer.set(field.key, value)
  }
}

export function writeTools(writer: EntryWriter): void {
  const { fields, title } = writer.client
  for (const [key, tools] of Object.entries(writer.entry.tools ?? {}) as [
    'allow' | 'deny' | 'approve',
    readonly string[],
  ][]) {
    const field = fields[key]
    if (field === undefined) {
      const { toolSwitches } = writer.client
      if (toolSwitches !== undefined && key !== 'approve')
        writer.lost(
          `tools.${key}`,
          `${JSON.stringify(toolSwitches)} at the root of its file for that, which stays as it is: ${switchesFor(writer.entry.name, { [key]: tools })} would say it`,
        )
      else writer.lost(`tools.${key}`, `no field for ${FILTERS[key]}`)
      continue
    }
    if (key === 'allow' && field === 'available_tools' && tools.length === 0) {
      writer.lost('tools.allow', 'no way to offer no tool at all: there an empty list means all')
      continue
    }
    if (key !== 'approve' && !fields.globs && tools.some(tool => /[*?]/.test(tool))) {
      writer.note(`tools.${key}`, 'changed', `${title} takes names there, and does not understand globs`)
    }
    writer.set(field, tools)
  }
}

function inUnit(
  milliseconds: number,
  { unit, whole, minimum = 0, maximum = Number.POSITIVE_INFINITY }: TimeoutField,
): number {
  const exact = milliseconds / unit
  const value = whole ? Math.ceil(exact) : exact
  return Math.min(maximum, Math.max(minimum, value))
}

function limitsOf({ unit, whole, minimum, maximum }: TimeoutField): string {
  const words = `${whole ? 'whole ' : ''}${unit === 1 ? 'milliseconds' : 'seconds'}`
  return maximum === undefined ? words : `${words} from ${minimum ?? 0} to ${maximum}`
}
