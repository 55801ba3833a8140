/** What a gateway cannot do as an entry says it. */

import { isSetByUs } from './bridge.js'
import type { Problem } from './problem.js'
import type { RemoteServer, ServerEntry, ServerSettings } from './server-entry.js'
import { literalText, type Place, type Template } from './template.js'

/** `file` is where an entry stands that does not say it. */
export function gatewayProblems(
  { name, server, at, settings }: ServerEntry<Template>,
  file: string,
): readonly Problem[] {
  if (server.kind !== 'remote') return []
  const place: Place = at ?? { file, line: 1, column: 1 }
  return [...headerProblems(server), ...signInProblems(server), ...exchangeProblems(server, settings)].map(
    ([severity, message]) => ({
      severity,
      place,
      message: `server "${name}": ${message}`,
    }),
  )
}

/** The headers that are sent: people write down others, although the protocol says what they are. */
export function sentHeaders<T>(headers: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !isSetByUs(name)))
}

/** Where the answer of an authorization server comes to, if it can come to us. */
export function redirectPlace(redirectUri: string) {
  const url = URL.canParse(redirectUri) ? new URL(redirectUri) : undefined
  if (url?.protocol !== 'http:' || url.search !== '' || url.hash !== '') return undefined
  const host = (['127.0.0.1', 'localhost'] as const).find(known => known === url.hostname)
  if (host === undefined) return undefined
  return { host, port: url.port === '' ? 80 : Number(url.port), path: url.pathname }
}

type Found = readonly [Problem['severity'], string]

function headerProblems({ headers }: RemoteServer<Template>): readonly Found[] {
  return Object.keys(headers)
    .filter(isSetByUs)
    .map(name => ['warning', `the header ${name} is left out: anyport sets it itself`])
}

function signInProblems({ auth }: RemoteServer<Template>): readonly Found[] {
  if (auth === undefined || auth === false) return []
  const found: Found[] = []
  if (auth.clientSecret !== undefined && auth.clientId === undefined)
    found.push(['error', 'a client secret needs the client id that it belongs to'])
  for (const field of ['authorizationUrl', 'tokenUrl', 'resource'] as const)
    if (auth[field] !== undefined)
      found.push(['warning', `${field} has no effect: the server itself says where to sign in, and for what`])
  if (auth.redirectUri !== undefined && redirectPlace(auth.redirectUri) === undefined)
    found.push([
      'warning',
      'the redirect address has no effect: answers can come to http://127.0.0.1 and http://localhost only',
    ])
  return found
}

function exchangeProblems(
  { url, headers, auth, exchange }: RemoteServer<Template>,
  settings: ServerSettings = {},
): readonly Found[] {
  const ofCallers = Object.values(headers).some(value =>
    value.some(part => typeof part === 'object' && part.kind === 'caller'),
  )
  const found: Found[] = []
  if ((ofCallers || exchange !== undefined) && settings.isolation === 'shared')
    found.push([
      'error',
      'callers with credentials of their own cannot share a connection: isolation "shared"',
    ])
  if (exchange === undefined) return found
  if (exchange.clientId === undefined)
    found.push(['error', 'auth needs the clientId that tokens are exchanged as'])
  if ((exchange.issuer === undefined) === (exchange.tokenEndpoint === undefined))
    found.push(['error', 'auth needs either an issuer or a tokenEndpoint'])
  if (Object.keys(headers).some(name => name.toLowerCase() === 'authorization'))
    found.push(['error', 'auth sets the header Authorization, so that headers cannot'])
  if (auth !== undefined && auth !== false)
    found.push(['error', 'it can have auth or oauth: a token of each caller, or one sign-in for all'])
  const address = literalText(url)
  if (address !== undefined && URL.canParse(address) && new URL(address).username !== '')
    found.push(['error', 'auth sets the header Authorization, so that the address cannot hold credentials'])
  for (const key of ['issuer', 'tokenEndpoint'] as const) {
    const text = exchange[key] === undefined ? undefined : literalText(exchange[key])
    if (text !== undefined && !/^https:\/\/[^@]+$|^http:\/\/(localhost|127\.|\[::1\])[^@]*$/.test(text))
      found.push(['error', `auth.${key} must be an https address: tokens go there`])
  }
  return found
}
