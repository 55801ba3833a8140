/** Reads what is said about a program. */

import { nameOf, type TextAt } from './fields.js'
import type { StdioServer } from './server-entry.js'
import type { ServerFields } from './server-fields.js'
import type { SourceEntry } from './source.js'
import type { Template } from './template.js'

/** Undefined where there is no command. */
export function readStdio(fields: ServerFields): StdioServer<Template> | undefined {
  const command = commandOf(fields)
  const args = fields.named('args', field => fields.texts(field))
  const env = fields.named('env', field => fields.textMap(field))
  const cwd = fields.textNamed('cwd')
  const envFile = fields.textNamed('envFile')
  const inheritEnv = inheritedOf(fields)
  if (command === undefined) return undefined
  const { texts } = command
  const [first, ...more] = texts
  if (first === undefined || first.text.trim() === '') {
    return fields.fail(
      `${fields.client.fields.command} must be the name or path of a program; found an empty one`,
    )
  }
  for (const key of env?.keys() ?? []) {
    if (key === '' || key.includes('=') || key.includes('\0'))
      fields.fail(`${JSON.stringify(key)} is no name of a variable`)
  }
  return {
    kind: 'stdio',
    command: fields.template('command', first),
    args: [...more, ...(args ?? [])].map(text => fields.template('args', text)),
    ...(cwd === undefined ? {} : { cwd: fields.template('cwd', cwd) }),
    env: fields.templates('env', env),
    ...(envFile === undefined ? {} : { envFile: fields.template('envFile', envFile) }),
    ...(inheritEnv === undefined ? {} : { inheritEnv }),
  }
}

function commandOf(fields: ServerFields): { readonly texts: readonly TextAt[] } | undefined {
  return fields.named('command', field => {
    const found = fields.find(field)
    if (found === undefined) return undefined
    if (found.node.kind === 'list') {
      if (fields.client.fields.args !== undefined && !fields.client.universal) {
        fields.warnAt(
          found.node.start,
          `${nameOf(field)} is a list; ${fields.client.title} takes a text, and arguments in ${fields.client.fields.args}`,
        )
      }
      const texts = fields.texts(field)
      return texts === undefined ? undefined : { texts }
    }
    // As Zed wrote it once: { path, args, env }.
    if (found.node.kind === 'map' && found.node.entries.has('path')) {
      const { path, ...rest } = Object.fromEntries(found.node.entries)
      fields.adopt(new Map(Object.entries(rest)))
      fields.replace('command', path as SourceEntry)
    }
    const text = fields.text(field)
    return text === undefined ? undefined : { texts: [text] }
  })
}

function inheritedOf(fields: ServerFields): true | readonly string[] | undefined {
  return fields.named('inherit', field => {
    const entry = fields.take(field)
    if (entry === undefined) return undefined
    const { node } = entry
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value ? true : undefined
    if (node.kind !== 'list') return fields.error(entry, field, 'a list of names of variables')
    const names = node.items.flatMap(item => {
      // Codex also writes { name, source }.
      const name = item.kind === 'map' ? item.entries.get('name')?.node : item
      if (name?.kind === 'scalar' && typeof name.value === 'string') return [name.value]
      return fields.error({ keyStart: item.start, node: item }, field, 'a list of names of variables') ?? []
    })
    return names.length === 0 ? undefined : names
  })
}
