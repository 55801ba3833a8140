/** Writes what is known about a program. */

import type { EntryWriter } from './entry-writer.js'
import type { StdioServer } from './server-entry.js'
import { onlyVariable, type Template } from './template.js'

export function writeStdio(writer: EntryWriter, server: StdioServer<Template>): void {
  const { fields, types } = writer.client
  if (types.stdio) writer.set('type', types.stdio)
  const command = writer.must('command', 'server.command', server.command)
  const args = server.args.map((arg, index) => writer.must('args', `server.args[${index}]`, arg))
  if (fields.args === undefined) writer.set(fields.command, [command, ...args])
  else {
    writer.set(fields.command, command)
    if (args.length > 0) writer.set(fields.args, args)
  }
  writeEnvironment(writer, server)
  if (server.cwd !== undefined) {
    if (fields.cwd === undefined) writer.lost('server.cwd', 'no field for the folder to start in')
    else writer.set(fields.cwd, writer.must('cwd', 'server.cwd', server.cwd))
  }
  if (server.envFile !== undefined) {
    if (fields.envFile === undefined) writer.lost('server.envFile', 'no field for a file of variables')
    else writer.set(fields.envFile, writer.must('envFile', 'server.envFile', server.envFile))
  }
}

function writeEnvironment(writer: EntryWriter, { env, inheritEnv }: StdioServer<Template>): void {
  const { fields, title, universal } = writer.client
  const written = new Map<string, string>()
  const inherited = new Set<string>(inheritEnv === true ? [] : inheritEnv)
  for (const [name, value] of Object.entries(env)) {
    const text = writer.text('env', value)
    if (text !== undefined) written.set(name, text)
    else if (fields.inherit !== undefined && onlyVariable(value)?.name === name) {
      inherited.add(name)
      writer.note(
        `server.env.${name}`,
        'changed',
        `${title} passes it on where it is set, and is silent where it is not`,
      )
    } else writer.must('env', `server.env.${name}`, value)
  }
  if (inheritEnv === true) {
    if (universal && fields.inherit !== undefined) writer.set(fields.inherit, true)
    else writer.lost('server.inheritEnv', 'no field for passing on all variables')
  }
  if (inherited.size > 0) {
    if (fields.inherit !== undefined) {
      if (inheritEnv !== true) writer.set(fields.inherit, [...inherited])
    } else {
      for (const name of inherited) passOn(writer, name, written)
    }
  }
  if (written.size > 0) writer.set(fields.env, Object.fromEntries(written))
}

/** A variable of the same name: an error or an empty text where it is not set. */
function passOn(writer: EntryWriter, name: string, written: Map<string, string>): void {
  const text = writer.text('env', [{ kind: 'env', name }])
  if (text === undefined) writer.lost(`server.inheritEnv.${name}`, 'no field for passing on a variable')
  else {
    const given = written.has(name)
    if (!given) written.set(name, text)
    writer.note(
      `server.inheritEnv.${name}`,
      'changed',
      given
        ? 'it is given a value anyway'
        : `${writer.client.title} gets a reference, which wants it to be set`,
    )
  }
}
