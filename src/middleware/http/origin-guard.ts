/**
 * Refuses web pages of foreign origins. Specification: 2026-07-28 basic/transports/streamable-http,
 * "Security & Endpoint": an `Origin` that is present and not allowed is answered with 403.
 */

import type { HttpRequest } from '../../exchange/http.js'
import { because, errorReply } from '../../exchange/http-reply.js'
import { INVALID_REQUEST } from '../../protocol/errors.js'
import type { HttpGuard } from './host-guard.js'

export interface OriginGuardOptions {
  /** Origins accepted besides the loopback ones: `SCHEME://HOST[:PORT]`, or `*` for all but `null`. */
  readonly allowOrigins?: readonly string[] | undefined
  /** Accepts the pages of the host that the request is for: the host must have been checked before. Default false. */
  readonly sameHost?: boolean | undefined
  /** Accepts what it says true to, besides. */
  readonly alsoAllowed?: ((origin: string) => boolean) | undefined
}

/** Throws `TypeError` for what is not an origin. */
export function originGuard(options: OriginGuardOptions = {}): HttpGuard {
  const origins = new Set<string>()
  const sameHost = options.sameHost === true
  let any = false
  for (const origin of options.allowOrigins ?? []) {
    if (origin === '*') any = true
    else if (ORIGIN.test(origin)) origins.add(origin.toLowerCase())
    else
      throw new TypeError(`allowOrigins: "${origin}" is not an origin (expected SCHEME://HOST[:PORT] or *)`)
  }

  return request => {
    const origin = request.header('origin')
    // Only browsers send the header, and only browsers can be tricked.
    if (origin === undefined) return isPartOfForeignPage(request) ? FOREIGN_PART : undefined
    // `null` stands for sandboxed frames and local files, which anybody can make: it names nobody to trust.
    if (origin !== 'null') {
      const normal = origin.trim().toLowerCase()
      if (any || origins.has(normal) || LOOPBACK_ORIGIN.test(normal)) return undefined
      if (options.alsoAllowed?.(normal)) return undefined
      // Whatever the scheme: TLS often ends before us.
      if (sameHost && normal.replace(/^https?:\/\//, '') === request.header('host')?.toLowerCase())
        return undefined
    }
    const refused = errorReply(403, {
      code: INVALID_REQUEST,
      message:
        origin === 'null'
          ? 'Origin "null" is never allowed. Serve the page from an origin, and allow it with --allow-origin ORIGIN'
          : `Origin "${origin}" is not allowed. If you trust this site, allow it with --allow-origin ${origin}`,
      data: { option: '--allow-origin' },
    })
    return because(refused, 'origin')
  }
}

/**
 * Images, scripts and the like of other sites: their requests have no `Origin`, and although the page cannot read what comes, each opens
 * a stream or a session. Browsers tell where they come from (Fetch Metadata) to addresses of this machine and over HTTPS.
 */
function isPartOfForeignPage(request: HttpRequest): boolean {
  const site = request.header('sec-fetch-site')
  if (site === undefined || site === 'none' || site === 'same-origin') return false
  return request.header('sec-fetch-mode') === 'no-cors'
}

const FOREIGN_PART = errorReply(403, {
  code: INVALID_REQUEST,
  message:
    'This is no part of a page of another site. Scripts of a page may call it with fetch: --allow-origin ORIGIN',
  data: { option: '--allow-origin' },
})
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/i
const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/
