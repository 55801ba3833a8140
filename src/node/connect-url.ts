/** Targets elsewhere: servers at an HTTP address. */

import { isUtf8 } from 'node:buffer'
import { createHash } from 'node:crypto'
import { callerCredentials } from '../client/caller-credentials.js'
import { fetchOver } from '../client/oauth/fetch-over.js'
import { tokenExchange } from '../client/oauth/token-exchange.js'
import type { TokenExchangeOptions } from '../client/oauth/token-exchange-options.js'
import type { RemoteTarget, RemoteTransport } from '../client/remote.js'
import { nameOfUrl } from '../exchange/http-address.js'
import type { Authorizer, HttpClient } from '../exchange/http-client.js'
import type { ConnectOptions } from './connect.js'
import { resolveCallerHeaders } from './http/header-values.js'
import { type HttpClientOptions, httpClient } from './http/http-client.js'
import { proxyOfEnvironment } from './http/http-proxy.js'
import { routeOf } from './http/http-route.js'

export interface UrlTarget extends HttpClientOptions {
  /**
   * `http:`, `https:`, or `http+unix:` with the encoded path of a socket in place of the host (`http+unix://%2Frun%2Fserver.sock/mcp`).
   * A user name and password in it are sent as Basic authentication.
   */
  readonly url: string | URL
  /** Default `auto`: found out, and remembered. */
  readonly transport?: RemoteTransport | undefined
  /**
   * Sent with each request. `${NAME}` in a value stands for a variable of the environment, `${NAME:-text}` for the text where there
   * is none, `$${` for `${` itself; `${principal}` for who calls, and `${claim:NAME}` for a claim about him: then each caller has
   * connections of his own, and one who lacks it is refused.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Signs the requests; or makes what does, from the client that carries them, with its proxies and certificates. */
  readonly authorizer?: Authorizer | ((client: HttpClient) => Authorizer) | undefined
  /**
   * Exchanges the token of each caller for one that the server takes (RFC 8693), in place of `authorizer`: the caller's own goes to that
   * authorization server only.
   */
  readonly exchange?: TokenExchangeOptions | undefined
}

/** Connects to nothing yet. Throws `TypeError` for what cannot work, without the secrets in it. */
export function connectUrl(target: UrlTarget, options: ConnectOptions = {}): RemoteTarget {
  const { transport = 'auto', headers = {}, authorizer, exchange, ...clientOptions } = target
  const url = String(target.url)
  const route = routeOf(url, () => undefined)
  // Complaints about the environment are due now as well, not with the first request.
  if (target.proxy === undefined) proxyOfEnvironment(route.url, target.environment)
  if (!TRANSPORTS.includes(transport))
    throw new TypeError(`transport: ${JSON.stringify(transport)} is none of ${TRANSPORTS.join(', ')}`)
  const { fixed, perCaller } = resolveCallerHeaders(headers, target.environment)
  if (exchange !== undefined) {
    if (authorizer !== undefined) throw new TypeError('exchange: give either this or an authorizer')
    if (route.url.username !== '') throw new TypeError('exchange: the address must not hold credentials')
    if ('authorization' in fixed || perCaller.some(({ name }) => name === 'authorization'))
      throw new TypeError('exchange: it sets the header Authorization; leave it out of headers')
  }
  const client = httpClient(clientOptions)
  const name = options.name ?? nameOfUrl(url)
  return {
    name,
    identity: identityOf(route.url, transport, {
      ...fixed,
      ...Object.fromEntries(perCaller.map(header => [header.name, JSON.stringify(header.parts)])),
    }),
    remote: {
      url,
      client,
      transport,
      headers: fixed,
      authorizer: typeof authorizer === 'function' ? authorizer(client) : authorizer,
      ...(exchange === undefined && perCaller.length === 0
        ? {}
        : {
            credentials: callerCredentials({
              name,
              headers: perCaller,
              exchange: exchange && tokenExchange(new URL(route.url), exchange, fetchOver(client)),
            }),
          }),
      maxMessage: options.maxMessage,
      maxDepth: options.maxDepth,
      isUtf8,
    },
  }
}

const TRANSPORTS: readonly RemoteTransport[] = ['auto', 'modern', 'streamable-http', 'sse']

/** Servers offer by who asks, which headers say. Hashed, for the secrets in it. */
function identityOf(url: URL, transport: RemoteTransport, headers: Readonly<Record<string, string>>): string {
  const sorted = Object.entries(headers).sort(([one], [other]) => (one < other ? -1 : 1))
  return createHash('sha256')
    .update(JSON.stringify([url.href, transport, sorted]))
    .digest('base64url')
}
