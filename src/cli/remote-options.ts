// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** How to reach a remote server: for every command that calls one. */

import { readFileSync } from 'node:fs'
import { parseDuration } from '../config/units.js'
import {
  integer,
  list,
  type OptionSpecs,
  type OptionValues,
  oneOf,
  text,
  UsageError,
  value,
} from './arguments.js'

const group = 'A server at a URL'

const duration = (description: string, standard: string) =>
  value(description, parseDuration, { metavar: 'TIME', default: standard, group })
const file = (description: string) => value(description, text, { metavar: 'FILE', group })

/** The way there: for everything that goes over the network. */
export const WIRE_OPTIONS = {
  ca: list('File with certificates to trust besides the usual ones (repeatable)', text, {
    metavar: 'FILE',
    group,
  }),
  cert: file('File with our own certificate, where it wants one'),
  key: file('File with the private key of that certificate'),
  proxy: value(
    'HTTP proxy on the way, or none (default: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say)',
    text,
    { metavar: 'URL', group },
  ),
} as const satisfies OptionSpecs

export const REMOTE_OPTIONS = {
  transport: value(
    'What it speaks: auto, modern, streamable-http or sse',
    oneOf('auto', 'modern', 'streamable-http', 'sse'),
    { metavar: 'KIND', default: 'auto', group },
  ),
  header: list(
    'Header for each request; ${NAME} in its value is a variable, since others can see command lines; ${claim:NAME} and ${principal} say who calls (repeatable)',
    parseHeader,
    { metavar: '"NAME: VALUE"', group },
  ),
  'connect-timeout': duration('How long a connection may take, TLS included', '10s'),
  'response-timeout': duration('How long it may take to begin an answer', '10m'),
  'read-timeout': duration('How long it may be silent within an answer that is no open stream', '10m'),
  'reconnect-timeout': duration(
    'How long calls wait for it where it was there before and cannot be reached now',
    '10s',
  ),
  'max-connections': value('Connections to it for calls; open streams have others', integer(1, 65_535), {
    metavar: 'N',
    default: '256',
    group,
  }),
  ...WIRE_OPTIONS,
} as const satisfies OptionSpecs

/** As `httpClient` takes them. Throws `UsageError` for files that cannot be read. */
export function wireOptions({ ca, cert, key, proxy }: OptionValues<typeof WIRE_OPTIONS>) {
  return {
    ca: ca.length === 0 ? undefined : ca.map(file => contentOf('ca', file)),
    cert: cert === undefined ? undefined : contentOf('cert', cert),
    key: key === undefined ? undefined : contentOf('key', key),
    proxy: proxy === 'none' ? (false as const) : proxy,
  }
}

/** How servers at URLs are reached. Throws `UsageError` for files that cannot be read. */
export function remoteOptions(options: OptionValues<typeof REMOTE_OPTIONS>) {
  const { header } = options
  const headers = new Map(header)
  const twice = header.find(([name, value]) => headers.get(name) !== value)
  if (twice !== undefined) throw new UsageError(`--header: ${twice[0]} is given twice`)
  return {
    transport: options.transport,
    headers: Object.fromEntries(headers),
    connectTimeout: options['connect-timeout'],
    responseTimeout: options['response-timeout'],
    readTimeout: options['read-timeout'],
    maxConnections: options['max-connections'],
    ...wireOptions(options),
  }
}

function contentOf(option: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new UsageError(`--${option}: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

/** `Name: value`. Throws `TypeError` that does not show it. */
function parseHeader(given: string): readonly [name: string, value: string] {
  const colon = given.indexOf(':')
  const name = given.slice(0, Math.max(0, colon)).trim()
  if (name === '') throw new TypeError('expected a name, a colon and a value: --header "NAME: VALUE"')
  return [name, given.slice(colon + 1).trim()]
}
