/** Servers as the command line of `anyport config` describes them. */

import { problemOfName } from '../config/read-server.js'
import type { ServerEntry, TokenExchangeEntry, UnresolvedEntry } from '../config/server-entry.js'
import { hasReference, literal, type Template } from '../config/template.js'
import { anyportVariables } from '../config/variables.js'
import { UsageError } from './arguments.js'
import type { ConfigOptions } from './config-options.js'

export function entryOfCommandLine(
  name: string,
  url: string | undefined,
  rest: readonly string[] | undefined,
  options: ConfigOptions,
): UnresolvedEntry {
  const problem = problemOfName(name)
  if (problem !== undefined) throw new UsageError(`${JSON.stringify(name)}: ${problem}`)
  const { timeout, 'start-timeout': start, description, disabled } = options
  const timeouts = {
    ...(start === undefined ? {} : { start }),
    ...(timeout === undefined ? {} : { call: timeout }),
  }
  const common = {
    name,
    ...(description === undefined ? {} : { description }),
    ...(disabled ? { disabled } : {}),
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
  }
  if (url !== undefined) {
    const address = anyportVariables.read(url)
    const isWhole = hasReference(address) || URL.canParse(url)
    if (!isWhole || !/^(?:https?|http\+unix):\/\//.test(url))
      throw new UsageError(`${JSON.stringify(url)} is no address such as https://example.com/mcp`)
    return {
      ...common,
      server: {
        kind: 'remote',
        url: address,
        transport: options.transport,
        headers: Object.fromEntries(options.header.map(parseHeader)),
      },
    }
  }
  const [command, ...args] = rest ?? []
  if (command === undefined) throw new UsageError('There is no command behind --')
  return {
    ...common,
    server: {
      kind: 'stdio',
      command: literal(command),
      args: args.map(arg => anyportVariables.read(arg)),
      env: Object.fromEntries(options.env.map(parseVariable)),
      ...(options.cwd === undefined ? {} : { cwd: literal(options.cwd) }),
      ...(options['env-file'] === undefined ? {} : { envFile: literal(options['env-file']) }),
    },
  }
}

/** Values are plain text: nothing in them refers to anything any more. */
export function withLiterals(entry: ServerEntry): UnresolvedEntry {
  const all = (values: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, literal(value)]))
  const { server } = entry
  if (server.kind === 'remote') {
    const { auth, exchange, callerHeaders = {}, ...rest } = server
    const signIn =
      auth === undefined || auth === false
        ? auth
        : {
            ...auth,
            ...(auth.clientId === undefined ? {} : { clientId: literal(auth.clientId) }),
            ...(auth.clientSecret === undefined ? {} : { clientSecret: literal(auth.clientSecret) }),
          }
    return {
      ...entry,
      server: {
        ...rest,
        url: literal(server.url),
        headers: {
          ...all(server.headers),
          // Who calls is known only once somebody does.
          ...Object.fromEntries(
            Object.entries(callerHeaders).map(([name, value]) => [name, anyportVariables.read(value)]),
          ),
        },
        ...(exchange === undefined ? {} : { exchange: literalExchange(exchange) }),
        ...(signIn === undefined ? {} : { auth: signIn }),
      },
    } as UnresolvedEntry
  }
  return {
    ...entry,
    server: {
      ...server,
      command: literal(server.command),
      args: server.args.map(literal),
      env: all(server.env),
      ...(server.cwd === undefined ? {} : { cwd: literal(server.cwd) }),
      ...(server.envFile === undefined ? {} : { envFile: literal(server.envFile) }),
    },
  } as UnresolvedEntry
}

function literalExchange({ scopes, ...texts }: TokenExchangeEntry): TokenExchangeEntry<Template> {
  const values = Object.entries(texts).map(([key, value]) => [key, literal(value)])
  return { ...Object.fromEntries(values), ...(scopes === undefined ? {} : { scopes }) }
}

function parseVariable(given: string): readonly [string, Template] {
  const equals = given.indexOf('=')
  const name = equals < 0 ? given : given.slice(0, equals)
  if (!/^[A-Za-z_][A-Za-z0-9_.()-]*$/.test(name)) throw new UsageError('--env: expected NAME=VALUE or NAME')
  return [name, equals < 0 ? [{ kind: 'env', name }] : anyportVariables.read(given.slice(equals + 1))]
}

function parseHeader(given: string): readonly [string, Template] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(given) ?? []
  if (name === undefined || value === undefined) throw new UsageError('--header: expected "Name: value"')
  return [name, anyportVariables.read(value)]
}
