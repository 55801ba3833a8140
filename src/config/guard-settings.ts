/** Who may come in and what callers may do, as a file says it under `anyport`: the options of the command line, by the same names. */

import type { Fields } from './fields.js'
import { type PlainValue, type SourceEntry, toPlain } from './source.js'
import type { Place, Template } from './template.js'

/** What the key holds: a text or a number; one or a list of them; a yes or no; a file or a list of rules. */
export const GUARD_KINDS = {
  publicUrl: 'text',
  keys: 'text',
  authIssuer: 'text',
  authAudience: 'texts',
  authScope: 'texts',
  authJwks: 'text',
  authAlgorithm: 'texts',
  authClockSkew: 'text',
  authIntrospection: 'text',
  authClientId: 'text',
  authClientSecret: 'text',
  tls: 'text',
  tlsCert: 'text',
  tlsKey: 'text',
  tlsClientCa: 'text',
  cors: 'texts',
  allowOrigin: 'texts',
  allowHost: 'texts',
  allowAddress: 'texts',
  denyAddress: 'texts',
  trustProxy: 'texts',
  proxyHeaders: 'text',
  allowUnauthenticated: 'flag',
  maxBody: 'text',
  maxDepth: 'number',
  requestTimeout: 'text',
  maxHeaderSize: 'text',
  maxHeaders: 'number',
  maxClients: 'number',
  maxClientsPerAddress: 'number',
  rateLimit: 'texts',
  maxConcurrent: 'number',
  rules: 'rules',
  audit: 'text',
  auditArguments: 'flag',
  auditRedact: 'texts',
  auditDurable: 'flag',
  auditOnFailure: 'text',
  auditRefusals: 'text',
  auditMaxSize: 'text',
  auditKeep: 'number',
  auditKey: 'text',
  dashboard: 'flag',
  dashboardAllow: 'texts',
  dashboardArguments: 'flag',
} as const

export type GuardKey = keyof typeof GUARD_KINDS

export const GUARD_KEYS = Object.keys(GUARD_KINDS) as readonly GuardKey[]

/** A value as it stands in the file, references and all. */
export interface GuardEntry {
  readonly key: GuardKey
  readonly at: Place
  /** Each text with its own place, since a list may have many lines. */
  readonly value:
    | boolean
    | number
    | readonly { readonly at: Place; readonly text: Template }[]
    | { readonly rules: readonly { readonly at: Place; readonly rule: PlainValue }[] }
}

/** Takes all of these keys. `read` finds the references in a text. */
export function readGuards(
  fields: Fields,
  read: (text: string, at: Place) => Template,
): readonly GuardEntry[] {
  return GUARD_KEYS.flatMap(key => {
    const entry = fields.take(key)
    const value = entry === undefined ? undefined : valueAt(fields, key, entry, read)
    return entry === undefined || value === undefined
      ? []
      : [{ key, at: fields.reading.place(entry.node.start), value }]
  })
}

function valueAt(
  fields: Fields,
  key: GuardKey,
  entry: SourceEntry,
  read: (text: string, at: Place) => Template,
): GuardEntry['value'] | undefined {
  const { node } = entry
  const kind = GUARD_KINDS[key]
  const scalar = node.kind === 'scalar' ? node.value : undefined
  const textAt = (text: string, start: number) => {
    const at = fields.reading.place(start)
    return { at, text: read(text, at) }
  }
  switch (kind) {
    case 'flag':
      return typeof scalar === 'boolean' ? scalar : fields.error(entry, key, 'true or false')
    case 'number':
      if (typeof scalar === 'number' && Number.isInteger(scalar) && scalar >= 1 && scalar <= 1_000_000)
        return scalar
      return fields.error(entry, key, 'a whole number from 1 to 1000000')
    case 'text':
      return typeof scalar === 'string' ? [textAt(scalar, node.start)] : fields.error(entry, key, 'a text')
    case 'rules':
      if (typeof scalar === 'string') return [textAt(scalar, node.start)]
      if (node.kind !== 'list') return fields.error(entry, key, 'a list of rules, or a file that has one')
      return {
        rules: node.items.map(item => ({ at: fields.reading.place(item.start), rule: toPlain(item) })),
      }
    case 'texts':
      if (typeof scalar === 'string') return [textAt(scalar, node.start)]
      return fields.texts(key)?.map(({ text, start }) => textAt(text, start))
  }
}
