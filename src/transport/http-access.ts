/** Who may come in over HTTP, made of options. */

import type { HttpHandler, HttpMiddleware } from '../exchange/http.js'
import { addressGuard } from '../middleware/http/address-guard.js'
import { type AuthenticationMethod, authentication } from '../middleware/http/authentication.js'
import { type CorsOptions, cors, originTest } from '../middleware/http/cors.js'
import { type TrustedProxyOptions, trustedProxy } from '../middleware/http/trusted-proxy.js'
import type { HttpAccess } from './open-access.js'

/** Who may come in over HTTP. Health and readiness are told to everybody whose address is allowed. */
export interface HttpAccessOptions {
  /** Where requests may come from: `ADDRESS`, `ADDRESS/BITS`, `loopback` or `private`. Default: anywhere. */
  readonly allowAddresses?: readonly string[] | undefined
  /** Where they may not come from, whatever is allowed. Default: nowhere. */
  readonly denyAddresses?: readonly string[] | undefined
  /** Reverse proxies whose word for their clients' address, scheme and host is taken. Default: none. */
  readonly trustProxy?: TrustedProxyOptions | undefined
  /** Web pages of other origins that may call: they are accepted, and their browsers told so. Default: none. */
  readonly cors?: CorsOptions | undefined
  /** Whoever shows none of these credentials stays outside. Default: nobody has to. */
  readonly authentication?: FaceAuthentication | undefined
}

export interface FaceAuthentication {
  /** Asked in this order; the first that knows the credential decides. */
  readonly methods: readonly AuthenticationMethod[]
  /** Scopes that everybody needs. Default: none. */
  readonly requiredScopes?: readonly string[] | undefined
  /** Scopes that there are, for clients that look for them. Default: `requiredScopes`. */
  readonly scopes?: readonly string[] | undefined
  /** A name for people. */
  readonly resourceName?: string | undefined
}

/** The guards that options ask for. Throws `TypeError` for options that cannot work. */
export function httpAccess(options: HttpAccessOptions): HttpAccess {
  const {
    cors: given,
    authentication: methods,
    trustProxy,
    allowAddresses = [],
    denyAddresses = [],
  } = options
  const proxy = trustProxy === undefined ? unchanged : trustedProxy(trustProxy)
  const isGuarded = allowAddresses.length + denyAddresses.length > 0
  const guard = isGuarded ? addressGuard({ allowAddresses, denyAddresses }) : undefined
  const shown = given === undefined ? unchanged : cors(given)
  return {
    isAllowedOrigin: given === undefined ? undefined : originTest('cors', given.origins),
    approach(watch) {
      return next => {
        const handler: HttpHandler = request => {
          const refused = guard?.(request)
          return refused === undefined ? next(request) : Promise.resolve(refused)
        }
        const inside = watch(guard === undefined ? next : handler)
        // Outside as well, for a proxy whose own words cannot be read.
        return trustProxy === undefined ? inside : watch(proxy(inside))
      }
    },
    // Browsers ask before they show a token, and have to see why one was refused.
    entrance({ publicUrl, isEndpoint }) {
      if (methods === undefined) return shown
      const known = authentication({ ...methods, publicUrl, isEndpoint })
      return next => shown(known(next))
    },
  }
}

const unchanged: HttpMiddleware = next => next
