/** What kind of server an entry says that it is. */

import { nearest } from './nearest.js'
import type { RemoteTransport } from './server-entry.js'
import { listOf, type ServerFields } from './server-fields.js'
import type { SourceEntry } from './source.js'

/** Words that mean the same as one of ours, whatever their case and their `-` and `_`. */
const TYPES: Readonly<Record<string, 'stdio' | RemoteTransport>> = {
  stdio: 'stdio',
  local: 'stdio',
  http: 'streamable-http',
  streamablehttp: 'streamable-http',
  streamable: 'streamable-http',
  sse: 'sse',
  remote: 'auto',
  auto: 'auto',
  modern: 'modern',
}

export function readType(fields: ServerFields): 'stdio' | RemoteTransport | undefined {
  for (const key of ['type', 'transport', 'transportType']) {
    const entry = fields.take(key)
    if (entry === undefined) continue
    const word = fields.textOf(entry, key)?.text
    if (word === undefined) return undefined
    const type = TYPES[word.toLowerCase().replace(/[-_]/g, '')]
    if (type === undefined) {
      const choices = Object.values(fields.client.types).filter(text => text !== '')
      const near = nearest(word, choices)
      fields.errorAt(
        entry.node.start,
        `${key} ${JSON.stringify(word)} is none that ${fields.client.title} has; expected ${listOf(choices) || 'no type'}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
      )
      return undefined
    }
    checkTypeWord(fields, entry, key, word, type)
    return type
  }
  return undefined
}

function checkTypeWord(
  fields: ServerFields,
  entry: SourceEntry,
  key: string,
  word: string,
  type: 'stdio' | RemoteTransport,
): void {
  const { types, title, universal } = fields.client
  if (universal) return
  if (key !== 'type') {
    const nested = fields.find('transport')?.node.kind === 'map'
    if (!nested) fields.warnAt(entry.keyStart, `${title} does not read ${key}; it calls it type`)
  }
  const expected = types[type]
  const words = Object.values(types)
  if (words.includes(word) || type === 'stdio') return
  if (words.every(text => text === '')) return
  fields.warnAt(
    entry.node.start,
    `${title} does not know the type ${JSON.stringify(word)}; ${expected ? `it calls it ${JSON.stringify(expected)}` : `it knows ${listOf(words.filter(text => text !== ''))}`}`,
  )
}
