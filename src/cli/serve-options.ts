/** What `anyport serve` takes. */

import { parseDuration, parseSize } from '../config/units.js'
import { LOG_LEVELS } from '../node/log.js'
import { ACCESS_OPTIONS } from './access-options.js'
import { flag, integer, list, type OptionSpecs, oneOf, text, UsageError, value } from './arguments.js'
import { DASHBOARD_OPTIONS } from './dashboard-options.js'
import { GATEWAY_OPTIONS } from './gateway-options.js'
import { GOVERNING_OPTIONS } from './governing-options.js'
import type { CommandSpec } from './help.js'
import { REMOTE_OPTIONS } from './remote-options.js'
import { SIGN_IN_OPTIONS } from './sign-in-options.js'

const http = 'HTTP'
const pipes = 'Instead of HTTP, or beside it with --port'
const server = 'The server'
const limits = 'Limits'
const output = 'Output'

const duration = (description: string, standard: string, group: string) =>
  value(description, parseDuration, { metavar: 'TIME', default: standard, group })
const size = (description: string, standard: string) =>
  value(description, parseSize, { metavar: 'SIZE', default: standard, group: limits })
const count = (description: string, standard: string) =>
  value(description, integer(1, 1_000_000), { metavar: 'N', default: standard, group: limits })

export const SERVE_OPTIONS = {
  host: value('Address to listen on', text, { metavar: 'HOST', default: '127.0.0.1', group: http }),
  port: value('Port to listen on; 0 takes any free one', integer(0, 65_535), {
    metavar: 'PORT',
    default: '3000',
    group: http,
  }),
  path: value('Endpoint of Streamable HTTP', text, { metavar: 'PATH', default: '/mcp', group: http }),
  'sse-path': value('Stream of HTTP+SSE', text, { metavar: 'PATH', default: '/sse', group: http }),
  'messages-path': value('Where clients of HTTP+SSE post', text, {
    metavar: 'PATH',
    default: '/messages',
    group: http,
  }),
  sessionless: flag('Serve legacy clients without sessions', { group: http }),
  'public-url': value('Address for the outside, behind a reverse proxy, without the path', text, {
    metavar: 'URL',
    group: http,
  }),
  'keep-alive': duration('Silence after which an open stream is kept alive', '15s', http),
  'strict-accept': flag('Refuse clients that do not accept both JSON and event streams', { group: http }),

  stdio: flag('Serve on stdin and stdout', { group: pipes }),
  shared: flag(
    'With --stdio, or connect: by one background process for all your clients, where those that ask for the same share the server',
    { group: pipes },
  ),
  linger: value('How long a shared server stays after its last client has left', parseDuration, {
    metavar: 'TIME',
    default: '1m',
    group: pipes,
  }),
  socket: value('Serve on a Unix domain socket', text, { metavar: 'PATH', group: pipes }),
  tcp: value('Serve the stdio framing on a TCP port', parseHostPort, { metavar: 'HOST:PORT', group: pipes }),

  ...GATEWAY_OPTIONS,

  cwd: value('Working directory of the command', text, { metavar: 'FOLDER', group: server }),
  env: list('Variable for the command; a bare NAME passes on our own value (repeatable)', parseVariable, {
    metavar: 'NAME=VALUE',
    group: server,
  }),
  'env-file': list('File with variables for the command (repeatable)', text, {
    metavar: 'FILE',
    group: server,
  }),
  'inherit-env': flag('Pass on our whole environment, secrets included', { group: server }),
  protocol: value('Era of the server: auto, legacy or modern', oneOf('auto', 'legacy', 'modern'), {
    metavar: 'ERA',
    default: 'auto',
    group: server,
  }),
  isolation: value(
    'Who shares a connection to it: principal, session or shared',
    oneOf('principal', 'session', 'shared'),
    { metavar: 'RULE', default: 'principal', group: server },
  ),
  'start-timeout': duration('How long it may take to start', '60s', server),
  eager: flag('Start it at once (the default); where --isolation is session, a spare for the first one', {
    group: server,
  }),
  lazy: flag('Start it on the first request rather than at once', { group: server }),
  'strict-start': flag(
    'Let clients wait until it is up, rather than answer with what is remembered of it and tell them later what has changed',
    { group: server },
  ),
  warm: value(
    'Spare ones kept running for the next session, or the next client that needs its own',
    integer(0, 1_000),
    { metavar: 'N', default: '0', group: server },
  ),
  'idle-timeout': value(
    'Time without a call after which it is stopped, until the next one; 0s for never (default 30m where --isolation is session, else never: what it keeps in memory would be lost)',
    parseDuration,
    { metavar: 'TIME', group: server },
  ),
  'max-restarts': value(
    'Failures in a row that callers wait out; after them they are told at once, until it starts again',
    integer(0, 1_000),
    { metavar: 'N', default: '5', group: server },
  ),
  'max-children': value('How many of it may run at once, spare ones included', integer(1, 1_000_000), {
    metavar: 'N',
    default: '256',
    group: server,
  }),
  'queue-timeout': duration(
    'How long clients wait for one of these before they are told it is busy',
    '30s',
    server,
  ),
  'probe-timeout': duration('How long it may ignore the question for its era', '3s', server),
  'era-cache': value(
    'Where found eras are remembered for a week; off for nowhere (default a file in your cache folder)',
    text,
    { metavar: 'FILE', group: server },
  ),
  'server-cache': value(
    'Where it is remembered what the server offers, for a month; off for nowhere (default a folder in your cache folder)',
    text,
    { metavar: 'FOLDER', group: server },
  ),

  ...REMOTE_OPTIONS,
  ...SIGN_IN_OPTIONS,

  ...ACCESS_OPTIONS,

  ...GOVERNING_OPTIONS,

  ...DASHBOARD_OPTIONS,

  timeout: duration('How long the server may be silent about a call', '10m', limits),
  'max-timeout': duration('How long a call may take in all', '1h', limits),
  'park-timeout': duration('How long a call waits for the answer to its question', '10m', limits),
  'state-key': value(
    'Secret of 16 characters or more that seals the state of waiting calls, the same for all replicas; better given as ANYPORT_STATE_KEY, since others can see command lines (default random)',
    parseStateKey,
    { metavar: 'SECRET', group: limits },
  ),
  'drain-timeout': duration('How long open calls may go on after SIGINT or SIGTERM', '5s', limits),
  'max-body': size('Size of a request', '4MiB'),
  'request-timeout': duration('How long a client may take to send a request over HTTP', '30s', limits),
  'max-header-size': size('Size of the headers of a request', '32KiB'),
  'max-headers': value('Headers of a request', integer(1, 2_000), {
    metavar: 'N',
    default: '256',
    group: limits,
  }),
  'max-clients': count('HTTP connections at once', '10000'),
  'max-clients-per-address': count(
    'HTTP connections of one address, but for this machine and trusted proxies',
    '1000',
  ),
  'max-message': size('Size of a message from the server', '64MiB'),
  'max-depth': count('Nesting of a message', '128'),
  'max-sessions': count('Legacy sessions at once', '10000'),
  'session-ttl': duration('How long a legacy session may be left alone', '30m', limits),
  'max-parked': count('Calls that wait for answers at once', '10000'),

  'log-level': value(LOG_LEVELS.join(', '), oneOf(...LOG_LEVELS), {
    metavar: 'LEVEL',
    default: 'info',
    group: output,
  }),
  'log-format': value('text or json', oneOf('text', 'json'), {
    metavar: 'FORMAT',
    default: 'text',
    group: output,
  }),
  quiet: flag('Print errors only', { group: output }),
} as const satisfies OptionSpecs

export const SERVE: CommandSpec = {
  usage: [
    'anyport serve [options] -- COMMAND [ARGS...]',
    'anyport serve [options] URL | socket:PATH | tcp://HOST:PORT',
    'anyport serve [options] [--config FILE]',
  ],
  summary:
    'Serves one MCP server, or many as one, on every HTTP transport at once: Streamable HTTP for modern and legacy clients, and HTTP+SSE.',
  examples: [
    ['a server from npm, on port 3000', 'anyport serve -- npx -y @modelcontextprotocol/server-everything'],
    ['any free port, a secret from a file', 'anyport serve --port 0 --env-file .env -- uvx some-server'],
    ['a server elsewhere, which speaks whatever it speaks', 'anyport serve https://mcp.example.com/sse'],
    ['one server for all your editors', 'anyport serve --stdio --shared -- npx -y some-server'],
    ['all servers of a client, behind one address', 'anyport serve --config ~/.cursor/mcp.json'],
    ['with a page that shows what is going on', 'anyport serve --dashboard --config servers.json'],
    ['a server that already listens', 'anyport serve socket:/run/user/1000/server.sock'],
  ],
  notes: ['Times are written 500ms, 2s, 10m or 1h; sizes 64KiB, 4MiB or 1GiB.'],
  options: SERVE_OPTIONS,
}

/** `HOST:PORT`, with IPv6 addresses in brackets. Throws `TypeError`. */
export function parseHostPort(given: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:[\]\s]+)):(\d+)$/.exec(given) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) {
    throw new TypeError(
      `${JSON.stringify(given)} is no address; write for example 127.0.0.1:4000 or [::1]:4000`,
    )
  }
  return { host, port: Number(port) }
}

/** Throws `TypeError` that does not show it. */
export function parseStateKey(given: string): string {
  if (given.length >= 16) return given
  throw new TypeError(`the secret must have at least 16 characters; this one has ${given.length}`)
}

/** Throws `UsageError` that does not show it. */
export function stateKeyOfEnvironment(): string | undefined {
  const key = process.env.ANYPORT_STATE_KEY
  if (key === undefined || key === '') return undefined
  try {
    return parseStateKey(key)
  } catch (error) {
    throw new UsageError(`ANYPORT_STATE_KEY: ${(error as Error).message}`)
  }
}

/** Throws `TypeError` that never shows a value. */
function parseVariable(given: string): readonly [name: string, value: string] {
  const equals = given.indexOf('=')
  const name = equals < 0 ? given : given.slice(0, equals)
  if (!/^[A-Za-z_][A-Za-z0-9_.()-]*$/.test(name)) {
    throw new TypeError(
      `expected NAME=VALUE, got ${equals < 0 ? 'something else' : `the name ${JSON.stringify(name)}`}`,
    )
  }
  if (equals >= 0) return [name, given.slice(equals + 1)]
  const inherited = process.env[name]
  if (inherited === undefined) throw new TypeError(`${name} has no value here; write ${name}=VALUE`)
  return [name, inherited]
}
