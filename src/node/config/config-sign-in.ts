/** How the servers of a configuration are signed in to. */

import { redirectPlace } from '../../config/gateway-problems.js'
import type { RemoteServer } from '../../config/server-entry.js'
import type { SignInOptions } from '../oauth/authorizer-for.js'

/**
 * Undefined where nobody signs in: the entry forbids it, or says already who calls, or the address is none that tokens are sent to. What
 * the entry says wins over what is `common`.
 */
export function signInOf(
  { url, headers, callerHeaders, auth, exchange }: RemoteServer,
  common: SignInOptions,
): SignInOptions | undefined {
  if (auth === false || exchange !== undefined) return undefined
  const address = URL.canParse(url) ? new URL(url) : undefined
  if (address?.protocol !== 'https:' && address?.protocol !== 'http:') return undefined
  if (
    address.username !== '' ||
    Object.keys({ ...headers, ...callerHeaders }).some(name => name.toLowerCase() === 'authorization')
  )
    return undefined
  const { clientId, clientSecret, scopes, callbackPort, redirectUri } = auth ?? {}
  const redirect = redirectUri === undefined ? undefined : redirectPlace(redirectUri)
  return {
    ...common,
    ...(redirect === undefined
      ? {}
      : { callbackHost: redirect.host, callbackPort: redirect.port, callbackPath: redirect.path }),
    ...(callbackPort === undefined ? {} : { callbackPort }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(scopes === undefined ? {} : { scopes }),
  }
}
