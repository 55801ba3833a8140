/** The way to an address: where to connect, and what to ask for there. */

import { nameOfUrl } from '../../exchange/http-address.js'
import type { Destination } from './http-dial.js'
import { type HttpProxy, hostOf, portOf } from './http-proxy.js'

export interface HttpRoute {
  readonly url: URL
  /** As a person names it. */
  readonly hop: string
  readonly destination: Destination
  /** Routes with the same key share connections. */
  readonly key: string
  /** The origin as undici wants it. */
  readonly origin: string
  /** What the request line holds. */
  readonly target: string
  /** Headers that the way asks for, flat. */
  readonly headers: readonly string[]
}

/** Throws `TypeError` for an address that no request can go to, without the secrets it may hold. */
export function routeOf(text: string, proxyFor: (url: URL) => HttpProxy | undefined): HttpRoute {
  const url = parse(text)
  let hop = nameOfUrl(text)
  const origin = nameOfOrigin(url)
  const target = `${url.pathname === '' ? '/' : url.pathname}${url.search}`
  const credentials = credentialsOf(url)
  if (url.protocol === 'http+unix:') {
    const destination = {
      hop: origin,
      secure: false,
      at: { path: socketPath(url) },
      proxy: undefined,
      forwarded: false,
    }
    return { url, hop, destination, key: origin, origin: 'http://localhost', target, headers: credentials }
  }
  const secure = url.protocol === 'https:'
  const proxy = proxyFor(url)
  if (proxy !== undefined) hop += ` (through the proxy ${proxy.name})`
  const forwarded = proxy !== undefined && !secure
  const destination = { hop: origin, secure, at: { host: hostOf(url), port: portOf(url) }, proxy, forwarded }
  if (!forwarded)
    return { url, hop, destination, key: origin, origin: url.origin, target, headers: credentials }
  // RFC 9112, section 3.2.2.
  const authorization = proxy.authorization === undefined ? [] : ['proxy-authorization', proxy.authorization]
  return {
    url,
    hop,
    destination,
    key: origin,
    origin: url.origin,
    target: `http://${url.host}${target}`,
    headers: [...credentials, ...authorization],
  }
}

function parse(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new TypeError(`${nameOfUrl(text)}: write for example https://mcp.example.com/mcp`)
  }
  if (!['http:', 'https:', 'http+unix:'].includes(url.protocol)) {
    throw new TypeError(`${nameOfUrl(text)}: only http, https and http+unix addresses can be reached`)
  }
  return url
}

function nameOfOrigin(url: URL): string {
  return `${url.protocol}//${url.host}`
}

/** `http+unix://%2Frun%2Fserver.sock/mcp`: the path of the socket takes the place of the host. */
function socketPath(url: URL): string {
  let path = ''
  try {
    path = decodeURIComponent(url.host)
  } catch {
    // Not encoded: no path either.
  }
  if (/^[\\/]/.test(path)) return path
  throw new TypeError(
    `${nameOfUrl(url.href)}: the path of the socket has to be encoded; write for example http+unix://%2Frun%2Fserver.sock/mcp`,
  )
}

/** RFC 7617, from the address as curl takes it. */
function credentialsOf({ username, password }: URL): readonly string[] {
  if (username === '' && password === '') return []
  let pair: string
  try {
    pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  } catch {
    throw new TypeError('A % in the user name or password of an address must be written %25')
  }
  return ['authorization', `Basic ${Buffer.from(pair).toString('base64')}`]
}
