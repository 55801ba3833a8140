/**
 * Refuses requests for names that are not ours. A web page whose name was rebound to this machine's address
 * still sends its own name as `Host`. Specification: 2026-07-28 basic/transports/streamable-http, "Security & Endpoint".
 */

import type { HttpReply, HttpRequest } from '../../exchange/http.js'
import { because, errorReply } from '../../exchange/http-reply.js'
import { INVALID_REQUEST } from '../../protocol/errors.js'

export interface HostGuardOptions {
  /** Names accepted besides the loopback ones: `NAME` (with any port), `NAME:PORT`, or `*` for all. */
  readonly allowHosts?: readonly string[] | undefined
  /** The address that the server is bound to, where it is not a loopback one. It is accepted as a name too. */
  readonly boundHost?: string | undefined
}

/** Undefined lets the request pass. */
export type HttpGuard = (request: HttpRequest) => HttpReply | undefined

/** Throws `TypeError` for a name that cannot be one. */
export function hostGuard(options: HostGuardOptions = {}): HttpGuard {
  const names = new Set(LOOPBACK_NAMES)
  let any = false
  for (const name of options.allowHosts ?? []) {
    if (name === '*') any = true
    else if (HOST.test(name)) names.add(normalise(name))
    else throw new TypeError(`allowHosts: "${name}" is not a host name (expected NAME, NAME:PORT or *)`)
  }
  const bound = options.boundHost
  // Bound to all interfaces, every address of this machine is ours. An address cannot be rebound as a name can.
  const anyAddress = bound === '0.0.0.0' || bound === '::' || bound === '[::]' || bound === ''
  if (bound !== undefined && !anyAddress) {
    names.add(normalise(bound.includes(':') && !bound.startsWith('[') ? `[${bound}]` : bound))
  }
  // Clients repeat the same few values: what passed once passes without being taken apart again.
  const passed = new Set<string>()

  return request => {
    const host = request.header('host')
    // No browser leaves `Host` out, so there is nothing to defend against.
    if (any || host === undefined || passed.has(host)) return undefined
    const normal = normalise(host)
    const name = withoutPort(normal)
    if (names.has(name) || names.has(normal) || (anyAddress && isAddress(name))) {
      if (passed.size < 64) passed.add(host)
      return undefined
    }
    const refused = errorReply(403, {
      code: INVALID_REQUEST,
      message: `Host "${host}" is not allowed. If it is a name of this server, allow it with --allow-host ${name}`,
      data: { option: '--allow-host' },
    })
    return because(refused, 'host')
  }
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]']
const HOST = /^(\[[0-9a-f:.]+\]|[^\s:/?#@[\]]+)(:\d{1,5})?$/i

/** In lower case, and without the dot that may end a name (not a port). */
function normalise(host: string): string {
  const given = host.trim().toLowerCase()
  const [, name, port = ''] = /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(given) ?? []
  return name === undefined ? given : name.replace(/\.$/, '') + port
}

function withoutPort(host: string): string {
  return host.replace(/:\d*$/, match => (host.endsWith(']') ? match : ''))
}

function isAddress(name: string): boolean {
  return /^\[[0-9a-f:.]+\]$/.test(name) || /^\d{1,3}(\.\d{1,3}){3}$/.test(name)
}
