/**
 * Believes what reverse proxies say about their clients: address, scheme, host and the prefix of the path. Only what comes from an address of theirs is
 * read, and only one kind of headers, since a proxy that sets the one kind passes on the other as its client wrote it.
 * Forwarded: RFC 7239. X-Forwarded-*: by custom.
 */

import type { HttpIdentity, HttpMiddleware, HttpReply, HttpRequest } from '../../exchange/http.js'
import { because, refusal } from '../../exchange/http-reply.js'
import { type AddressSet, addressSet, parseAddress } from './address-rules.js'

export interface TrustedProxyOptions {
  /** The proxies: `ADDRESS`, `ADDRESS/BITS`, `loopback` or `private`. */
  readonly addresses: readonly string[]
  /** What they set: `X-Forwarded-For`, `-Proto`, `-Host` and `-Prefix`, or `Forwarded`. Default `x-forwarded`. */
  readonly headers?: 'x-forwarded' | 'forwarded' | undefined
}

/**
 * The client is the last address in the chain that is no trusted proxy; scheme and host are those that the proxy saw which had
 * it as its client. A chain that cannot be read is answered with 400. Throws `TypeError` for wrong options.
 */
export function trustedProxy({ addresses, headers = 'x-forwarded' }: TrustedProxyOptions): HttpMiddleware {
  const trusted = addressSet('trustProxy', addresses)
  const hopsOf = headers === 'forwarded' ? forwardedHops : xForwardedHops
  return next => request => {
    if (!trusted(request.address)) return next(request)
    const hops = hopsOf(request)
    if (hops === undefined) return Promise.resolve(unreadable(headers))
    const client = clientOf(hops, trusted)
    if (client === undefined) return next(request)
    return next(new ForwardedRequest(request, client))
  }
}

/** What one proxy says of who came to it. */
interface Hop {
  readonly address: string | undefined
  readonly scheme: 'http' | 'https' | undefined
  readonly host: string | undefined
  readonly prefix?: string | undefined
}

/** More is no chain of proxies. */
const MAX_HOPS = 32

/** From the nearest on, as long as those who speak are trusted. */
function clientOf(hops: readonly Hop[], trusted: AddressSet): Hop | undefined {
  let client: Hop | undefined
  for (let index = hops.length - 1; index >= 0; index--) {
    const hop = hops[index] as Hop
    client = hop
    // `unknown` and names that hide the client (RFC 7239 section 6) end what can be followed.
    if (hop.address === undefined || !trusted(hop.address)) break
  }
  return client
}

function xForwardedHops(request: HttpRequest): readonly Hop[] | undefined {
  const addresses = listOf(request.header('x-forwarded-for'))
  const schemes = listOf(request.header('x-forwarded-proto'))
  const hosts = listOf(request.header('x-forwarded-host'))
  const prefixes = listOf(request.header('x-forwarded-prefix'))
  const length = Math.max(addresses.length, Math.min(1, schemes.length + hosts.length + prefixes.length))
  if (length > MAX_HOPS) return undefined
  const hops: Hop[] = []
  for (let index = 0; index < length; index++) {
    const given = addresses[index]
    const address = given === undefined ? request.address : nodeAddress(given)
    // Most proxies hand on one scheme and host, as the first of them saw it; others make lists of them as of addresses.
    const scheme = schemeOf(aligned(schemes, index, length))
    const host = aligned(hosts, index, length)
    const prefix = aligned(prefixes, index, length)?.replace(/\/$/, '')
    if (address === null || scheme === null || !isHost(host) || !isPrefix(prefix)) return undefined
    hops.push({ address, scheme, host, prefix })
  }
  return hops
}

/** The value that goes with the hop, counted from the nearest one, which is the one to be trusted. */
function aligned(values: readonly string[], index: number, length: number): string | undefined {
  return values[Math.max(0, values.length - (length - index))]
}

function forwardedHops(request: HttpRequest): readonly Hop[] | undefined {
  const elements = listOf(request.header('forwarded'))
  if (elements.length > MAX_HOPS) return undefined
  const hops: Hop[] = []
  for (const element of elements) {
    const pairs = new Map<string, string>()
    for (const pair of split(element, ';')) {
      const [, name, token, quoted] =
        /^([!#$%&'*+.^_`|~\w-]+)=(?:([^\s"=;,]+)|"((?:[^"\\]|\\.)*)")$/.exec(pair) ?? []
      const value = token ?? quoted?.replace(/\\(.)/g, '$1')
      if (name === undefined || value === undefined || pairs.has(name.toLowerCase())) return undefined
      pairs.set(name.toLowerCase(), value)
    }
    const by = pairs.get('for')
    const address = by === undefined ? undefined : nodeAddress(by)
    const scheme = schemeOf(pairs.get('proto'))
    const host = pairs.get('host')
    if (address === null || scheme === null || !isHost(host)) return undefined
    hops.push({ address, scheme, host })
  }
  return hops
}

function listOf(value: string | undefined): readonly string[] {
  return value === undefined ? [] : split(value, ',').filter(part => part !== '')
}

/** At a separator that is not within quotes. */
function split(text: string, separator: ',' | ';'): readonly string[] {
  if (!text.includes('"')) return text.split(separator).map(part => part.trim())
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let index = 0; index < text.length; index++) {
    const character = text[index]
    if (quoted && character === '\\') index += 1
    else if (character === '"') quoted = !quoted
    else if (character === separator && !quoted) {
      parts.push(text.slice(start, index).trim())
      start = index + 1
    }
  }
  return [...parts, text.slice(start).trim()]
}

/** Without its port. Undefined for `unknown` and hidden names; null for what is none of it. */
function nodeAddress(text: string): string | undefined | null {
  if (text.toLowerCase() === 'unknown' || /^_[\w.-]+$/.test(text)) return undefined
  const [, bracketed, plain] =
    /^(?:\[([0-9a-f:.]+)\]|(\d[\d.]*))(?::(?:\d{1,5}|_[\w.-]+))?$/i.exec(text) ?? []
  const address = bracketed ?? plain ?? text
  return parseAddress(address) === undefined ? null : address
}

function schemeOf(text: string | undefined): 'http' | 'https' | undefined | null {
  if (text === undefined) return undefined
  const scheme = text.toLowerCase()
  return scheme === 'http' || scheme === 'https' ? scheme : null
}

function isHost(text: string | undefined): boolean {
  return text === undefined || /^(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?$/i.test(text)
}

/** Steps of a path: what begins with two slashes would be another host. */
function isPrefix(text: string | undefined): boolean {
  return text === undefined || /^(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._~-]+)*$/.test(text)
}

function unreadable(headers: 'x-forwarded' | 'forwarded'): HttpReply {
  const what = headers === 'forwarded' ? 'Forwarded' : 'X-Forwarded-*'
  const text = `The ${what} headers of the proxy cannot be read (--trust-proxy)`
  return because(refusal(400, text), 'proxy-headers')
}

/** The request as the proxy got it. */
class ForwardedRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly scheme: 'http' | 'https'
  readonly address: string | undefined
  readonly prefix: string | undefined
  identity: HttpIdentity | undefined
  readonly #request: HttpRequest
  readonly #host: string | undefined

  constructor(request: HttpRequest, hop: Hop) {
    this.#request = request
    this.#host = hop.host
    this.method = request.method
    this.path = request.path
    this.query = request.query
    this.scheme = hop.scheme ?? request.scheme
    this.address = hop.address
    this.prefix = hop.prefix
  }

  get called(): boolean {
    return this.#request.called === true
  }

  set called(value: boolean) {
    this.#request.called = value
  }

  /** A certificate would be the proxy's own, not its client's. */
  get certificate(): undefined {
    return undefined
  }

  header(name: string): string | undefined {
    return (name === 'host' ? this.#host : undefined) ?? this.#request.header(name)
  }

  text(limit: number): Promise<string> {
    return this.#request.text(limit)
  }

  onHangup(listener: () => void): () => void {
    return this.#request.onHangup(listener)
  }
}
