/** Writes one entry as a client reads it, and names all that does not cross. */

import { bridgedServer } from './bridge.js'
import type { Client } from './client.js'
import { EntryWriter, isMap, type Note, type WriteOptions } from './entry-writer.js'
import type { UnresolvedEntry } from './server-entry.js'
import { writeServerSettings } from './settings.js'
import type { PlainObject, PlainValue } from './source.js'
import { writeTimeouts, writeTools } from './write-limits.js'
import { writeElsewhere } from './write-remote.js'
import { writeStdio } from './write-stdio.js'

export interface Written {
  /** Undefined where something was refused. */
  readonly value: PlainObject | undefined
  readonly notes: readonly Note[]
}

export function writeServer(entry: UnresolvedEntry, client: Client, options: WriteOptions = {}): Written {
  const writer = new EntryWriter(entry, client, options)
  if (client.reservedNames?.includes(entry.name)) {
    writer.note(
      'name',
      'refused',
      `${client.title} ignores a server of the name ${JSON.stringify(entry.name)}`,
    )
  }
  for (const [key, value] of Object.entries(client.always?.(entry.name) ?? {})) writer.set(key, value)
  writeKind(writer)
  writeDescription(writer)
  writeDisabled(writer)
  writeTimeouts(writer)
  writeTools(writer)
  writeSettings(writer)
  writeExtras(writer)
  const refused = writer.notes.some(({ kind }) => kind === 'refused')
  return { value: refused ? undefined : writer.value, notes: writer.notes }
}

function writeKind(writer: EntryWriter): void {
  const { server } = writer.entry
  if (server.kind === 'stdio') {
    writeStdio(writer, server)
    if (bridgedServer(server) !== undefined) {
      writer.note('server', 'changed', 'it is read back as the server that it leads to')
    }
    return
  }
  writeElsewhere(writer, server)
}

function writeDescription(writer: EntryWriter): void {
  const { description } = writer.entry
  if (description === undefined) return
  const { description: field } = writer.client.fields
  if (field === undefined) writer.lost('description', 'no field for a description')
  else writer.set(field, description)
}

function writeDisabled(writer: EntryWriter): void {
  if (!writer.entry.disabled) return
  const { disabled, enabled } = writer.client.fields
  if (disabled !== undefined) writer.set(disabled, true)
  else if (enabled !== undefined) writer.set(enabled, false)
  else writer.lost('disabled', 'no way to say in its file that a server is not to be used: there it will be')
}

function writeSettings(writer: EntryWriter): void {
  const { settings } = writer.entry
  if (settings === undefined) return
  if (writer.client.universal) writer.set('anyport', writeServerSettings(settings))
  else writer.lost('settings', "no place for anyport's own settings")
}

function writeExtras(writer: EntryWriter): void {
  const { extras } = writer.entry
  if (extras === undefined) return
  if (extras.client !== writer.client.id) {
    for (const key of Object.keys(extras.fields))
      writer.note(`extras.${key}`, 'lost', `${JSON.stringify(key)} means something to ${extras.client} only`)
    return
  }
  for (const [key, value] of Object.entries(extras.fields)) {
    const own = writer.get(key)
    writer.set(key, isMap(own) && isMap(value) ? { ...value, ...own } : (value as PlainValue))
  }
}
