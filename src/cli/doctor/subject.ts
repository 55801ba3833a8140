/** One server that is looked at: where it stands, and all that is known of it before it is started or called. */

import type { Client } from '../../config/client.js'
import type { ServerEntry, UnresolvedEntry } from '../../config/server-entry.js'
import type { Place } from '../../config/template.js'
import type { Finding } from './finding.js'

export interface Subject {
  /** As its configuration names it; undefined for what a file says beside its servers. */
  readonly name: string | undefined
  /** Undefined for what the command line named. */
  readonly file: string | undefined
  readonly client: Client | undefined
  /** Where the entry begins. */
  readonly at: Place | undefined
  /** As it stands in the file; undefined where it cannot be read. */
  readonly written: UnresolvedEntry | undefined
  /** With all values; undefined where one is missing, and where the entry is wrong or disabled. */
  readonly entry: ServerEntry | undefined
  readonly disabled: boolean
  /** What its file says in confidence, as far as that shows. */
  readonly secrets: readonly string[]
  /** What is wrong with how it is written. */
  readonly findings: readonly Finding[]
}

/** `FILE:LINE`, where a person has to look; undefined for what the command line named. */
export function placeOf({ file, at }: Pick<Subject, 'file' | 'at'>): string | undefined {
  if (at !== undefined) return `${at.file}:${at.line}`
  return file
}

/** A field of the entry, as a fix names it: `"command" in FILE:4`, or what stands for it on the command line. */
export function fieldOf(
  subject: Subject,
  field: 'command' | 'args' | 'env' | 'url' | 'headers' | 'type',
): string {
  const where = placeOf(subject)
  if (where === undefined) return ON_COMMAND_LINE[field]
  return `"${KEYS[field](subject.client)}" in ${where}`
}

const ON_COMMAND_LINE = {
  command: 'the command behind --',
  args: 'the arguments behind --',
  env: '--env',
  url: 'the address',
  headers: '--header',
  type: '--transport',
} as const

const keyOf = (key: string | readonly string[] | undefined, standard: string): string =>
  key === undefined ? standard : typeof key === 'string' ? key : key.join('.')

const KEYS: Readonly<Record<keyof typeof ON_COMMAND_LINE, (client: Client | undefined) => string>> = {
  command: client => keyOf(client?.fields.command, 'command'),
  args: client => keyOf(client?.fields.args ?? client?.fields.command, 'args'),
  env: client => keyOf(client?.fields.env, 'env'),
  url: client => keyOf(client?.fields.url, 'url'),
  headers: client => keyOf(client?.fields.headers, 'headers'),
  type: () => 'type',
}
