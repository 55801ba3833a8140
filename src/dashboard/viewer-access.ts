import type { DashboardSource } from '../client/serving-status.js'
import { globTest } from '../exchange/glob.js'
import type { HttpReply, HttpRequest } from '../exchange/http.js'
import { because, errorReply } from '../exchange/http-reply.js'
import { addressSet } from '../middleware/http/address-rules.js'
import { scopesOf } from '../middleware/http/authentication.js'
import { hostGuard } from '../middleware/http/host-guard.js'
import { INVALID_REQUEST } from '../protocol/errors.js'

const SCOPE = 'scope:'
/** What proxies say of those behind them. */
const FORWARDING = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via']

type Trust = Pick<DashboardSource, 'authenticated' | 'trustsProxy'>

/**
 * Who may look. Where somebody authenticates, those whom a pattern names, or who have a scope; else whoever is at this machine, or everybody with
 * `*`. Throws `TypeError` for patterns that name nobody.
 */
export function viewerAccess(allow: readonly string[]) {
  for (const pattern of allow)
    if (pattern === '' || pattern === SCOPE)
      throw new TypeError(
        `allow: expected a principal with * and ?, or scope:NAME, got ${JSON.stringify(pattern)}`,
      )
  const scopes = allow.filter(each => each.startsWith(SCOPE)).map(each => each.slice(SCOPE.length))
  const isNamed = globTest(allow.filter(each => !each.startsWith(SCOPE)))
  const isLoopback = addressSet('loopback', ['loopback'])
  const isForeignName = hostGuard()
  /** A proxy on this machine has an address of this machine, whoever is behind it. */
  const isHere = (request: HttpRequest, trustsProxy: boolean) =>
    request.address !== undefined &&
    isLoopback(request.address) &&
    (trustsProxy ||
      (isForeignName(request) === undefined &&
        FORWARDING.every(header => request.header(header) === undefined)))

  return (request: HttpRequest, { authenticated, trustsProxy }: Trust): HttpReply | undefined => {
    const { identity } = request
    if (!authenticated) {
      if (allow.includes('*') || isHere(request, trustsProxy)) return undefined
      return refused(
        'Where nobody has to authenticate, the dashboard is for this machine only (--dashboard-allow "*" shows it to everybody; behind a proxy, --trust-proxy says who is where)',
      )
    }
    if (identity !== undefined) {
      if (isNamed(identity.principal)) return undefined
      if (scopes.length > 0) {
        const has = scopesOf(identity)
        if (scopes.some(scope => has.has(scope))) return undefined
      }
    }
    return refused('The dashboard is not for this caller (--dashboard-allow)')
  }
}

function refused(message: string): HttpReply {
  return because(errorReply(403, { code: INVALID_REQUEST, message }), 'dashboard')
}
