/** Writes what is known about a server elsewhere: its address, or a bridge to it. */

import { bridgeTo, isSetByUs, NPX } from './bridge.js'
import type { FieldPath } from './client.js'
import type { EntryWriter } from './entry-writer.js'
import type { RemoteServer, RemoteTransport, SignIn, TokenExchangeEntry } from './server-entry.js'
import type { PlainValue } from './source.js'
import { literalText, onlyVariable, type Template } from './template.js'
import { writeStdio } from './write-stdio.js'

/** As the client itself reaches it, else by a bridge. */
export function writeElsewhere(writer: EntryWriter, server: RemoteServer<Template>): void {
  if (server.exchange !== undefined && !writer.client.universal)
    writer.note(
      'server.exchange',
      'refused',
      `${writer.client.title} cannot exchange tokens; a gateway that does can stand before the server`,
    )
  else if (reaches(writer, server)) writeRemote(writer, server)
  else writeBridge(writer, server)
}

/** The client itself can reach the server, with all that must be sent along. */
function reaches(writer: EntryWriter, server: RemoteServer<Template>): boolean {
  if (writer.client.fields.url === undefined || transportFor(writer, server) === undefined) return false
  if (writer.text('url', server.url) === undefined) return false
  return Object.entries(server.headers).every(([name, value]) => holdsHeader(writer, name, value))
}

function holdsHeader(writer: EntryWriter, name: string, value: Template): boolean {
  const { headers, bearerVariable, headerVariables } = writer.client.fields
  if (headers !== undefined && writer.text('headers', value) !== undefined) return true
  if (bearerVariable !== undefined && bearerOf(name, value) !== undefined) return true
  return headerVariables !== undefined && onlyVariable(value) !== undefined
}

function writeBridge(writer: EntryWriter, server: RemoteServer<Template>): void {
  const { title } = writer.client
  const bridge = bridgeTo(server, writer.options.launcher ?? NPX)
  if (bridge === undefined) {
    writer.note(
      'server',
      'refused',
      `${title} cannot reach it, and its address or headers have references that a bridge cannot pass on; --resolve writes their values`,
    )
    return
  }
  writer.note(
    'server',
    'bridged',
    `${title} cannot reach it itself, so that it starts anyport, which leads to it`,
  )
  for (const name of Object.keys(server.headers).filter(isSetByUs)) {
    writer.note(`server.headers.${name}`, 'lost', 'anyport sets it itself')
  }
  if (server.auth !== undefined)
    writer.note('server.auth', 'lost', 'a bridge signs in as the server asks for')
  const inherited = bridge.inheritEnv === true ? [] : (bridge.inheritEnv ?? [])
  const { inheritEnv: _, ...rest } = bridge
  writeStdio(writer, writer.client.fields.inherit === undefined ? rest : bridge)
  if (writer.client.fields.inherit === undefined && inherited.length > 0) {
    writer.note(
      'server.headers',
      'changed',
      `${title} must have ${inherited.join(', ')} in the environment that it starts programs with; --resolve writes ${inherited.length > 1 ? 'their values' : 'its value'}`,
    )
  }
}

function writeRemote(writer: EntryWriter, server: RemoteServer<Template>): void {
  const { fields, title, types } = writer.client
  const transport = transportFor(writer, server) as RemoteTransport
  const word = types[transport] as string
  if (word !== '') writer.set('type', word)
  if (transport !== server.transport) {
    writer.note(
      'server.transport',
      'changed',
      `${title} has no word for "${server.transport}"; it gets ${word === '' ? 'the address alone' : JSON.stringify(word)}`,
    )
  }
  writer.set(fields.url as string, writer.text('url', server.url) as string)
  const plain = new Map<string, string>()
  const variables = new Map<string, string>()
  for (const [name, value] of Object.entries(server.headers)) {
    const text = writer.text('headers', value)
    const bearer = fields.bearerVariable === undefined ? undefined : bearerOf(name, value)
    if (text !== undefined) plain.set(name, text)
    else if (bearer !== undefined) writer.set(fields.bearerVariable as string, bearer)
    else variables.set(name, onlyVariable(value)?.name as string)
  }
  if (plain.size > 0) writer.put(fields.headers as FieldPath, Object.fromEntries(plain))
  if (variables.size > 0) writer.put(fields.headerVariables as FieldPath, Object.fromEntries(variables))
  writeSignIn(writer, server.auth)
  writeExchange(writer, server.exchange)
}

function writeExchange(writer: EntryWriter, exchange: TokenExchangeEntry<Template> | undefined): void {
  if (exchange === undefined) return
  const { scopes, ...texts } = exchange
  const written = Object.entries(texts).map(([key, value]) => [
    key,
    writer.must('auth', `server.exchange.${key}`, value),
  ])
  writer.set('auth', {
    type: 'token-exchange',
    ...Object.fromEntries(written),
    ...(scopes === undefined ? {} : { scopes }),
  })
}

/** The transport that the client is told, the server's own or one that covers it. */
function transportFor(
  writer: EntryWriter,
  { transport, url }: RemoteServer<Template>,
): RemoteTransport | undefined {
  const { types } = writer.client
  const candidates: Readonly<Record<RemoteTransport, readonly RemoteTransport[]>> = {
    modern: ['modern', 'streamable-http', 'auto'],
    'streamable-http': ['streamable-http', 'auto'],
    sse: ['sse', 'auto'],
    // By the address where the client cannot find out: that is how such servers are named.
    auto: endsInSse(url) ? ['auto', 'sse', 'streamable-http'] : ['auto', 'streamable-http', 'sse'],
  }
  // A client that speaks one transport only cannot find out by itself that the server has the other one.
  const usable =
    transport === 'auto' && endsInSse(url) && types.auto === undefined
      ? ['sse' as const]
      : candidates[transport]
  return usable.find(candidate => types[candidate] !== undefined)
}

function writeSignIn(writer: EntryWriter, auth: false | SignIn<Template> | undefined): void {
  if (auth === undefined) return
  const known = writer.client.fields.auth
  if (auth === false) {
    if (known?.never === undefined) writer.lost('server.auth', 'no way to say that nobody is to sign in')
    else writer.set(known.never, false)
    return
  }
  for (const [key, value] of Object.entries(auth) as [keyof SignIn, unknown][]) {
    const field = known?.fields[key]
    if (field === undefined) {
      writer.lost(`server.auth.${key}`, `no field for ${key}`)
      continue
    }
    if (key === 'clientId' || key === 'clientSecret') {
      const text = writer.text('auth', value as Template)
      if (text === undefined) writer.must('auth', `server.auth.${key}`, value as Template)
      else writer.put(field, text)
    } else if (key === 'scopes' && known?.scopesAsText)
      writer.put(field, (value as readonly string[]).join(' '))
    else writer.put(field, value as PlainValue)
  }
}

/** The variable of a header that is exactly `Bearer ${VARIABLE}`. */
function bearerOf(name: string, value: Template): string | undefined {
  const [scheme, ...rest] = value
  return name.toLowerCase() === 'authorization' && scheme === 'Bearer ' ? onlyVariable(rest)?.name : undefined
}

function endsInSse(url: Template): boolean {
  return /\/sse\/?(?:$|[?#])/.test(literalText(url) ?? '')
}
