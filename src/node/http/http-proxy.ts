/** Which HTTP proxy leads to an address. */

import { BlockList, isIP } from 'node:net'

/** A proxy, with its secrets apart from its name. */
export interface HttpProxy {
  readonly url: URL
  /** For people: without user name and password. */
  readonly name: string
  /** The `proxy-authorization` header. */
  readonly authorization: string | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * As curl and most programs read it: `https_proxy` or `http_proxy` by the scheme, else `all_proxy`, and `no_proxy`; the lower-case name
 * wins over the upper-case one. Addresses of this machine never go through a proxy of the environment: it could not reach them.
 * Throws `TypeError` for a proxy that cannot be used.
 */
export function proxyOfEnvironment(url: URL, env: Environment = process.env): HttpProxy | undefined {
  const scheme = url.protocol.slice(0, -1)
  if (scheme !== 'http' && scheme !== 'https') return undefined
  const [name, value] = firstOf(env, `${scheme}_proxy`, 'all_proxy')
  if (name === undefined || value === undefined) return undefined
  const host = hostOf(url)
  if (isThisMachine(host)) return undefined
  const [, excluded = ''] = firstOf(env, 'no_proxy')
  if (isExcluded(host, portOf(url), excluded)) return undefined
  return parseProxy(value, name)
}

/** `source` is the option or variable that a complaint names. Never shows the value, which may hold a password. */
export function parseProxy(value: string, source: string): HttpProxy {
  let url: URL
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`)
  } catch {
    throw new TypeError(`${source}: no address of a proxy; write for example http://proxy.example:3128`)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new TypeError(
      `${source}: ${url.protocol.slice(0, -1)} proxies are not supported, only http and https`,
    )
  }
  if (url.hostname === '') {
    throw new TypeError(`${source}: the address has no host; write for example http://proxy.example:3128`)
  }
  const name = `${url.protocol}//${url.host}`
  if (url.username === '' && url.password === '') return { url, name, authorization: undefined }
  let pair: string
  try {
    pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  } catch {
    throw new TypeError(`${source}: a % in its user name or password must be written %25`)
  }
  return { url, name, authorization: `Basic ${Buffer.from(pair).toString('base64')}` }
}

/** Brackets of IPv6 addresses are no part of them. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, '')
}

export function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port)
  return url.protocol === 'https:' ? 443 : 80
}

function firstOf(env: Environment, ...names: readonly string[]): readonly [string?, string?] {
  for (const name of names) {
    for (const spelling of [name, name.toUpperCase()]) {
      const value = env[spelling]?.trim()
      if (value !== undefined && value !== '') return [spelling, value]
    }
  }
  return []
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127\./.test(host)
}

/** Entries are a name (and all names below it), `*.name`, an address, a range in CIDR notation, each perhaps with a port; or `*`. */
function isExcluded(host: string, port: number, list: string): boolean {
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .some(entry => {
      if (entry === '*') return true
      const [, pattern = '', ownPort] =
        /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? []
      if (pattern === '' || (ownPort !== undefined && Number(ownPort) !== port)) return false
      const name = pattern.replace(/^\[|\]$/g, '')
      if (name.includes('/')) return isInRange(host, name)
      if (isIP(name) !== 0) return name === host
      const base = name.replace(/^\*?\.?/, '')
      return base !== '' && (host === base || host.endsWith(`.${base}`))
    })
}

function isInRange(host: string, range: string): boolean {
  const [address = '', length = ''] = range.split('/')
  const family = isIP(address)
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(length)) return false
  const type = family === 6 ? 'ipv6' : 'ipv4'
  const list = new BlockList()
  try {
    list.addSubnet(address, Number(length), type)
  } catch {
    return false
  }
  return list.check(host, type)
}
