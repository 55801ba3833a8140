/** Who may come in over HTTP, made of options. */

import type { HttpMiddleware, HttpReply } from '../exchange/http.js'
import { addressGuard } from '../middleware/http/address-guard.js'
import { type AuthenticationMethod, authentication } from '../middleware/http/authentication.js'
import { type CorsOptions, cors, originTest } from '../middleware/http/cors.js'
import { type TrustedProxyOptions, trustedProxy } from '../middleware/http/trusted-proxy.js'
import type { GuardedFace, HttpAccess } from './open-access.js'

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
    approach({ onRefused }) {
      if (guard === undefined) return proxy
      return next =>
        proxy(request => {
          const refused = guard(request)
          if (refused === undefined) return next(request)
          onRefused?.(request, refused)
          return Promise.resolve(refused)
        })
    },
    // Browsers ask before they show a token, and have to see why one was refused.
    entrance({ publicUrl, isEndpoint, onRefused }) {
      if (methods === undefined) return shown
      const known = telling(authentication({ ...methods, publicUrl, isEndpoint }), onRefused)
      return next => shown(known(next))
    },
  }
}

/** Tells of what a guard refuses by itself, and not of what those behind it answer. */
function telling(guard: HttpMiddleware, onRefused: GuardedFace['onRefused']): HttpMiddleware {
  if (onRefused === undefined) return guard
  return next => {
    const passed = new WeakSet<HttpReply>()
    const handler = guard(async request => {
      const reply = await next(request)
      passed.add(reply)
      return reply
    })
    return async request => {
      const reply = await handler(request)
      if (reply.status >= 400 && !passed.has(reply)) onRefused(request, reply)
      return reply
    }
  }
}

const unchanged: HttpMiddleware = next => next
