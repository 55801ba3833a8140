/**
 * Lets web pages of other origins call (Fetch standard, "CORS protocol"). Credentials of the browser (cookies) are never asked
 * for: who calls shows a token.
 */

import type { HttpMiddleware, HttpReply, HttpRequest } from '../../exchange/http.js'

export interface CorsOptions {
  /**
   * `SCHEME://HOST[:PORT]`; `*` for the first label of the host (`https://*.example.com`, any depth) or for the port
   * (`http://localhost:*`); or `*` alone for all but `null`.
   */
  readonly origins: readonly string[]
  /** Seconds that a browser may remember the answer to its question. Default 2 hours. */
  readonly maxAge?: number | undefined
}

/** Whether a page may call, by its origin. */
export type OriginTest = (origin: string) => boolean

/** Throws `TypeError` that names `option` for what is neither an origin nor a pattern of them. */
export function originTest(option: string, origins: readonly string[]): OriginTest {
  const exact = new Set<string>()
  const patterns: RegExp[] = []
  let any = false
  for (const origin of origins) {
    if (origin === '*') any = true
    else if (ORIGIN.test(origin)) exact.add(origin.toLowerCase())
    else if (PATTERN.test(origin)) patterns.push(compiled(origin.toLowerCase()))
    else
      throw new TypeError(
        `${option}: "${origin}" is no origin (expected SCHEME://HOST[:PORT], with * for the first label or the port, or *)`,
      )
  }
  return origin => {
    const normal = origin.toLowerCase()
    return normal !== 'null' && (any || exact.has(normal) || patterns.some(pattern => pattern.test(normal)))
  }
}

/**
 * Answers what browsers ask before a call, and marks the replies to calls. Pages of other origins get nothing that a browser
 * would show them. Throws `TypeError` for wrong origins.
 */
export function cors({ origins, maxAge = 7_200 }: CorsOptions): HttpMiddleware {
  const allowed = originTest('corsOrigins', origins)
  return next => request => {
    const origin = request.header('origin')?.trim()
    if (origin === undefined || !allowed(origin)) return next(request)
    if (request.method === 'OPTIONS' && request.header('access-control-request-method') !== undefined)
      return Promise.resolve(preflight(request, origin, maxAge))
    return next(request).then(reply => shown(reply, origin))
  }
}

const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@*]+$/i
const PATTERN = /^[a-z][a-z0-9+.-]*:\/\/(\*\.)?(\[[0-9a-f:.]+\]|[^\s/?#@*:[\]]+)(:(\d{1,5}|\*))?$/i

function compiled(pattern: string): RegExp {
  const text = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace('://*\\.', '://(?:[a-z0-9_-]+\\.)+')
    .replace(/:\*$/, '(?::\\d{1,5})?')
  return new RegExp(`^${text}$`)
}

const METHODS = 'GET, POST, DELETE, OPTIONS'
/** What clients of both eras send. Parameters of tools have headers of their own, `Mcp-Param-NAME`. */
const REQUEST_HEADERS = new Set([
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'x-api-key',
])
const MCP_HEADER = /^mcp-[a-z0-9!#$%&'*+.^_`|~-]+$/
/** Tracing: W3C Trace Context and Baggage. */
const TRACE_HEADERS = new Set(['traceparent', 'tracestate', 'baggage'])
/** What scripts may read of a reply. */
const EXPOSED = 'Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After'

function preflight(request: HttpRequest, origin: string, maxAge: number): HttpReply {
  const asked = (request.header('access-control-request-headers') ?? '')
    .split(',')
    .map(name => name.trim().toLowerCase())
    .filter(name => REQUEST_HEADERS.has(name) || TRACE_HEADERS.has(name) || MCP_HEADER.test(name))
  const names = new Set([...REQUEST_HEADERS, ...asked])
  const isPrivate = request.header('access-control-request-private-network') === 'true'
  return {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': METHODS,
      'access-control-allow-headers': [...names].join(', '),
      'access-control-max-age': String(maxAge),
      ...(isPrivate ? { 'access-control-allow-private-network': 'true' } : {}),
      vary: 'Origin, Access-Control-Request-Headers',
    },
  }
}

function shown(reply: HttpReply, origin: string): HttpReply {
  return {
    ...reply,
    headers: {
      ...reply.headers,
      'access-control-allow-origin': origin,
      'access-control-expose-headers': EXPOSED,
      vary: 'Origin',
    },
  }
}
