/** The sides of a server that speak the stdio framing over a stream of bytes. */

import type { Caller } from '../exchange/context.js'
import { TransportError } from '../exchange/errors.js'
import type { Handler } from '../exchange/exchange.js'
import type { ByteStream, Channel } from '../transport/channel/channel.js'
import type { ServedChannel } from '../transport/channel/serve.js'
import { framed } from './connect.js'
import type { Face, FaceOptions, ServeOptions } from './serve-options.js'
import { formatSocketAddress, listenSocket, type SocketAddress } from './socket.js'

/** Listens on a Unix domain socket or a TCP port. */
export async function socketFace(
  address: SocketAddress,
  handler: Handler,
  options: FaceOptions,
): Promise<Face & { readonly name: string }> {
  // Loaded before the first client comes.
  await import('../transport/channel/serve.js')
  const streams = streamsFace(handler, options)
  const listener = await listenSocket(address, (stream, { address: peer }) => {
    const caller: Caller = { binding: 'socket', ...(peer === undefined ? {} : { address: peer }) }
    // Whoever comes while we close is closed.
    streams.attach(stream, caller).catch(() => stream.close())
  })
  return {
    name: formatSocketAddress(listener.address),
    async drain(timeout) {
      await listener.close()
      await streams.drain(timeout)
    },
  }
}

/** Serves clients, one per stream. */
export function streamsFace(handler: Handler, options: FaceOptions) {
  const open = new Set<ServedChannel>()
  let draining = false
  return {
    async attach(stream: ByteStream, caller: Caller): Promise<ServedChannel> {
      const { serveChannel } = await import('../transport/channel/serve.js')
      if (draining) throw new TransportError('ERR_DRAINING', 'The server is shutting down')
      const served = serveChannel(framedFor(stream, options), handler, caller, channelOptions(options))
      open.add(served)
      void served.closed.then(() => open.delete(served))
      return served
    },
    async drain(timeout: number): Promise<void> {
      draining = true
      await Promise.all([...open].map(served => served.drain(timeout)))
    },
  }
}

/** What a session on a pipe is served with. */
export function channelOptions({ toSession, onSessionEnd }: FaceOptions) {
  return { ...toSession, onSessionEnd }
}

/** The stdio framing of clients, whose text may say one thing only. */
export function framedFor(stream: ByteStream, { maxMessage, maxDepth }: ServeOptions): Channel {
  return framed(stream, {
    unambiguous: true,
    ...(maxMessage === undefined ? {} : { maxMessage }),
    ...(maxDepth === undefined ? {} : { maxDepth }),
  })
}
