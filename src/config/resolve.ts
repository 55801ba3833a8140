// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** Gives references their values. */

import type { Problem } from './problem.js'
import type {
  RemoteServer,
  ServerEntry,
  SignIn,
  StdioServer,
  TokenExchangeEntry,
  UnresolvedEntry,
} from './server-entry.js'
import type { Place, Reference, Template } from './template.js'

/** Where values come from. Each gives undefined for what it does not have. */
export interface Resolver {
  env(name: string): string | undefined
  input?(id: string): string | undefined
  /** May throw `TypeError` that says why the file cannot be read. `from` is the file that refers to it. */
  file?(path: string, from: string): string | undefined
  folder?(folder: 'project' | 'home', from: string): string | undefined
}

export interface Resolved {
  /** Undefined where a reference has no value. */
  readonly server: ServerEntry | undefined
  readonly problems: readonly Problem[]
}

/** Never shows a value: problems name references only. */
export function resolveEntry(entry: UnresolvedEntry, resolver: Resolver): Resolved {
  const problems: Problem[] = []
  const nowhere: Place = entry.at ?? { file: 'configuration', line: 1, column: 1 }
  const text = textResolver(`server ${JSON.stringify(entry.name)}`, nowhere, resolver, problems)
  const server = { ...entry, server: resolveServer(entry.server, text) }
  return { server: problems.length === 0 ? server : undefined, problems }
}

/** Gives a template its text, or adds to the problems why it has none. */
export function textResolver(
  owner: string,
  nowhere: Place,
  resolver: Resolver,
  problems: Problem[],
): (template: Template) => string {
  const valueFor = (reference: Reference): string | undefined => {
    const place = reference.at ?? nowhere
    const fail = (message: string) => {
      problems.push({ severity: 'error', place, message: `${owner}: ${message}` })
      return undefined
    }
    switch (reference.kind) {
      case 'env': {
        const value = resolver.env(reference.name)
        if (reference.fallback !== undefined && (value === undefined || value === ''))
          return reference.fallback
        return value ?? fail(`the variable ${reference.name} is not set`)
      }
      case 'input':
        return (
          resolver.input?.(reference.id) ??
          fail(
            `the input ${JSON.stringify(reference.id)} has no value; ${variableOfInput(reference.id)} can give it one`,
          )
        )
      case 'file':
        try {
          const value = resolver.file?.(reference.path, place.file)
          return value ?? fail(`the file ${JSON.stringify(reference.path)} cannot be read`)
        } catch (error) {
          if (!(error instanceof TypeError)) throw error
          return fail(error.message)
        }
      case 'folder':
        return (
          resolver.folder?.(reference.folder, place.file) ??
          fail(`there is no ${reference.folder === 'home' ? 'home' : 'project'} folder here`)
        )
      case 'caller':
        return fail(
          'who calls is known only once somebody does: only headers of a server at an address can say it',
        )
      case 'foreign':
        return fail(
          reference.client === 'anyport'
            ? `${JSON.stringify(reference.text)} is no reference that anyport knows; a text \${ is written $\${`
            : `${JSON.stringify(reference.text)} means something to ${reference.client} only`,
        )
    }
  }
  return template => template.map(part => (typeof part === 'string' ? part : (valueFor(part) ?? ''))).join('')
}

/** The variable of the environment that stands for an input, where nobody can be asked. */
export function variableOfInput(id: string): string {
  return `ANYPORT_INPUT_${id.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}`
}

/** The ids of all inputs that entries refer to, in order. */
export function inputsOf(
  entries: readonly UnresolvedEntry[],
  others: readonly Template[] = [],
): readonly string[] {
  const ids = new Set<string>()
  const collect = (template: Template): string => {
    for (const part of template) if (typeof part === 'object' && part.kind === 'input') ids.add(part.id)
    return ''
  }
  for (const entry of entries) resolveServer(entry.server, collect)
  for (const template of others) collect(template)
  return [...ids]
}

function resolveServer(
  server: StdioServer<Template> | RemoteServer<Template>,
  text: (template: Template) => string,
): StdioServer | RemoteServer {
  if (server.kind === 'remote') {
    const { auth, exchange, ...rest } = server
    const headers = Object.entries(server.headers)
    const ofCallers = headers.filter(([, value]) => namesCaller(value))
    return {
      ...rest,
      url: text(server.url),
      headers: resolveAll(Object.fromEntries(headers.filter(([, value]) => !namesCaller(value))), text),
      ...(ofCallers.length === 0
        ? {}
        : {
            callerHeaders: Object.fromEntries(
              ofCallers.map(([name, value]) => [name, forCaller(value, text)]),
            ),
          }),
      ...(exchange === undefined ? {} : { exchange: resolveExchange(exchange, text) }),
      ...(auth === undefined ? {} : { auth: auth === false ? false : resolveSignIn(auth, text) }),
    }
  }
  const { cwd, envFile, ...rest } = server
  return {
    ...rest,
    command: text(server.command),
    args: server.args.map(text),
    env: resolveAll(server.env, text),
    ...(cwd === undefined ? {} : { cwd: text(cwd) }),
    ...(envFile === undefined ? {} : { envFile: text(envFile) }),
  }
}

function resolveSignIn(
  { clientId, clientSecret, ...rest }: SignIn<Template>,
  text: (template: Template) => string,
): SignIn {
  return {
    ...rest,
    ...(clientId === undefined ? {} : { clientId: text(clientId) }),
    ...(clientSecret === undefined ? {} : { clientSecret: text(clientSecret) }),
  }
}

function resolveAll(
  values: Readonly<Record<string, Template>>,
  text: (template: Template) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)]))
}

function namesCaller(template: Template): boolean {
  return template.some(part => typeof part === 'object' && part.kind === 'caller')
}

/** What stays is who calls; text that looks like it is escaped. */
function forCaller(template: Template, text: (template: Template) => string): string {
  return template
    .map(part => {
      if (typeof part === 'string' || part.kind !== 'caller')
        return text([part]).replaceAll('${', () => '$${')
      return part.claim === undefined ? '${principal}' : `\${claim:${part.claim}}`
    })
    .join('')
}

function resolveExchange(
  { scopes, ...texts }: TokenExchangeEntry<Template>,
  text: (template: Template) => string,
): TokenExchangeEntry {
  const values = Object.entries(texts).map(([key, value]) => [key, text(value)])
  return { ...Object.fromEntries(values), ...(scopes === undefined ? {} : { scopes }) }
}
