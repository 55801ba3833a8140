/** What the parser of `node:http` refuses by itself, so that no handler sees it: answered as Node would, and told. */

import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { UnreadableConnection } from '../../exchange/refused-connection.js'

const LATEST = Symbol('latest')

/** The last request of a connection whose head was read, by its reply. */
type Connection = Socket & { [LATEST]?: ServerResponse | undefined }

/** To be called for each request, so that what is told already is not told again. */
export function hasRequest(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const connection: Connection = incoming.socket
  connection[LATEST] = outgoing
}

/** Tells of connections that end because what came on them was no request. */
export function refuseUnreadable(server: Server, onRefused: (refused: UnreadableConnection) => void): void {
  server.on('clientError', (error: NodeJS.ErrnoException, connection: Connection) => {
    const latest = connection[LATEST]
    const found = reasonOf(error.code)
    // It is a connection that broke, which refuses nobody.
    if (found === undefined) {
      connection.destroy(error)
      return
    }
    const { reason, status } = found
    const address = addressOf(connection)
    const answered = status !== undefined && connection.writable && isNext(latest, connection)
    if (answered)
      connection.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`, 'latin1')
    if (!isToldOf(latest)) onRefused({ reason, ...(answered ? { status } : {}), address })
    connection.destroy(error)
  })
  // Without a listener Node closes it as well.
  server.on('connect', (_incoming: IncomingMessage, connection: Socket) => {
    onRefused({ reason: 'verb', address: addressOf(connection) })
    connection.destroy()
  })
}

/** As IPv4 where it is one. */
export function addressOf(connection: Socket): string | undefined {
  return connection.remoteAddress?.replace(/^::ffff:(?=\d+\.)/, '')
}

/** Nothing else is being written, nor waits to be: an answer in between would be taken for another's. */
function isNext(latest: ServerResponse | undefined, connection: Socket): boolean {
  if (latest === undefined || latest.writableFinished) return true
  return latest.socket === connection && !latest.headersSent
}

/** It is the body of a request that is broken: whoever reads that hears of it and refuses the request, or has refused it already. */
function isToldOf(latest: ServerResponse | undefined): boolean {
  if (latest === undefined || latest.req.complete) return false
  return !latest.headersSent || latest.statusCode >= 400
}

function reasonOf(code: string | undefined): Omit<UnreadableConnection, 'address'> | undefined {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return { reason: 'slow', status: 408 }
    case 'HPE_HEADER_OVERFLOW':
      return { reason: 'headers', status: 431 }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return { reason: 'malformed', status: 413 }
    case 'HPE_UNEXPECTED_CONTENT_LENGTH':
    case 'HPE_INVALID_CONTENT_LENGTH':
    case 'HPE_INVALID_TRANSFER_ENCODING':
    case 'HPE_INVALID_CHUNK_SIZE':
      return { reason: 'framing', status: 400 }
    case undefined:
      return undefined
  }
  if (code.startsWith('HPE_')) return { reason: 'malformed', status: 400 }
  if (code.startsWith('ERR_SSL_') || code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return { reason: 'tls' }
  return undefined
}
