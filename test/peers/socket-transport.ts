import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Json } from './sdk-peers.js'

/** The stdio framing over a Unix socket or TCP, as a transport which the clients of both SDKs accept. */
export function socketTransport(address: string | { readonly host: string; readonly port: number }): Json {
  let socket: Socket | undefined
  let rest = ''
  const transport: Json = {
    async start() {
      socket = typeof address === 'string' ? connect(address) : connect(address.port, address.host)
      await once(socket, 'connect')
      socket.setEncoding('utf8')
      socket.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() as string
        for (const line of lines) transport.onmessage?.(JSON.parse(line))
      })
      socket.on('error', error => transport.onerror?.(error))
      socket.on('close', () => transport.onclose?.())
    },
    async send(message: Json) {
      socket!.write(`${JSON.stringify(message)}\n`)
    },
    async close() {
      socket?.destroy()
    },
  }
  return transport
}
