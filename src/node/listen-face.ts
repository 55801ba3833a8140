/** The HTTP side of a server: what is loaded for it, who may come in, and the port. */

import type { Upstream } from '../client/upstream.js'
import { compose, type Handler, type Middleware } from '../exchange/exchange.js'
import type { AddressSet } from '../middleware/http/address-rules.js'
import type { HttpAccessOptions } from '../transport/http-access.js'
import type { HttpBeside } from '../transport/http-beside.js'
import type { HttpAccess } from '../transport/open-access.js'
import type { ServerGateway } from './gateway.js'
import { isLoopback } from './loopback.js'
import type { Face, FaceOptions, ServeOptions } from './serve-options.js'
import type { TlsIdentity } from './tls/tls-identity.js'

/** What of a server or gateway HTTP asks for beside its handler. */
type Listened = Pick<Upstream, 'ready'> & Partial<Pick<ServerGateway, 'server'>>

/** Listens for HTTP, in all its bindings. Rejects with `TransportError` ERR_LISTEN for an address that cannot be had. */
export async function listenFace(
  handler: Handler,
  up: Listened | undefined,
  options: FaceOptions & {
    readonly guards: readonly Middleware[]
    readonly host: string
    readonly port: number
    readonly beside: HttpBeside | undefined
  },
): Promise<Face & { readonly url: string; readonly fingerprint: string | undefined }> {
  const { host, port, onEvent } = options
  const [{ httpFace }, { listenHttp }] = await Promise.all([
    import('../transport/http-face.js'),
    import('./http/http-server.js'),
  ])
  const face = httpFace(handler, {
    ...options,
    access: await accessOf(options, options.beside),
    boundHost: isLoopback(host) ? undefined : host,
    // Its page calls the endpoints beside it.
    sameHost: options.dashboard !== undefined,
    servers: guardedServers(up?.server, options.guards),
    ready: up === undefined ? undefined : () => up.ready(),
  })
  const tls = await tlsIdentity(options)
  const trusted = await trustedAddresses(options)
  const listener = await listenHttp(face.handler, {
    host,
    port,
    tls,
    keepAliveInterval: options.keepAliveInterval,
    requestTimeout: options.requestTimeout,
    maxHeaderSize: options.maxHeaderSize,
    maxHeaders: options.maxHeaders,
    maxClients: options.maxClients,
    maxClientsPerAddress: options.maxClientsPerAddress,
    // Behind a proxy, one address is all clients.
    ...(trusted === undefined ? {} : { uncounted: address => isLoopback(address) || trusted(address) }),
    onRefused: options.onRefused,
    onRefusedConnection: refused => {
      options.onRefusedConnection?.(refused)
      onEvent?.({ type: 'connection-refused', ...refused })
    },
    onError: error => onEvent?.({ type: 'error', error }),
  })
  return {
    url: listener.url,
    fingerprint: tls?.fingerprint,
    async drain(timeout) {
      options.dashboard?.close()
      // The face ends what it can within the time; the rest is a client that does not take its reply.
      const gone = listener.close({ drainTimeout: timeout + 500 })
      await face.drain(timeout)
      await face.close()
      await gone
    },
  }
}

/** Most faces need no guards of their own: nothing is loaded for them. */
async function accessOf(
  options: HttpAccessOptions,
  beside: HttpBeside | undefined,
): Promise<HttpAccess | undefined> {
  const { authentication, cors, trustProxy, allowAddresses = [], denyAddresses = [] } = options
  const isOpen = authentication === undefined && cors === undefined && trustProxy === undefined
  const own =
    isOpen && allowAddresses.length + denyAddresses.length === 0
      ? undefined
      : (await import('../transport/http-access.js')).httpAccess(options)
  if (beside === undefined) return own
  const [{ accessBeside }, { OPEN }] = await Promise.all([
    import('../transport/http-beside.js'),
    import('../transport/open-access.js'),
  ])
  return accessBeside(own ?? OPEN, beside)
}

async function trustedAddresses({ trustProxy }: HttpAccessOptions): Promise<AddressSet | undefined> {
  if (trustProxy === undefined) return undefined
  const { addressSet } = await import('../middleware/http/address-rules.js')
  return addressSet('trustProxy', trustProxy.addresses)
}

async function tlsIdentity({
  tls,
  host,
  publicUrl,
  onEvent,
}: ServeOptions): Promise<TlsIdentity | undefined> {
  if (tls === undefined) return undefined
  const { selfSigned, tlsFiles } = await import('./tls/tls-identity.js')
  if (!('selfSigned' in tls))
    return tlsFiles({ ...tls, onChange: change => onEvent?.({ type: 'certificate', ...change }) })
  const outside = publicUrl === undefined ? [] : [new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')]
  const bound = host === undefined || host === '0.0.0.0' || host === '::' ? [] : [host]
  return selfSigned([...new Set([...outside, ...bound, 'localhost', '127.0.0.1', '::1'])], tls)
}

/** The servers of a gateway that are served each alone. */
function guardedServers(
  server: ServerGateway['server'] | undefined,
  guards: readonly Middleware[],
): ServerGateway['server'] | undefined {
  if (server === undefined || guards.length === 0) return server
  return name => {
    const own = server(name)
    return own === undefined ? undefined : compose(own, ...guards)
  }
}
