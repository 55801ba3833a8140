/** Replies of the HTTP seam written to `node:http`. */

import type { ServerResponse } from 'node:http'
import type { HttpHandler, HttpReply, HttpRequest } from '../../exchange/http.js'
import { because, failureReply, refusal } from '../../exchange/http-reply.js'
import { HttpStream } from './http-stream.js'
import { closeWithConnection } from './queued-replies.js'

export interface HttpWriterOptions {
  /** How long a stream may be silent before its `keepAlive` text is written, in milliseconds. */
  readonly keepAliveInterval: number
  /** How long a client may leave unread what was written to it, in milliseconds. */
  readonly stallTimeout: number
  /** How many header lines a request may have. Default 256. */
  readonly maxHeaders?: number | undefined
  /** Hears of each request that the handler does not see. */
  readonly onRefused?: ((request: HttpRequest, reply: HttpReply) => void) | undefined
  readonly onError: (error: unknown) => void
  /** Connections are not to be used again. */
  readonly closing: () => boolean
}

/** A request as the writer of its reply knows it. */
interface WrittenRequest extends HttpRequest {
  readonly headerCount: number
  /** True where part of the body was left unread, so that the connection cannot be used again. */
  unread: boolean
}

export interface HttpWriter {
  /** Has a request answered. */
  readonly serve: (request: WrittenRequest, outgoing: ServerResponse) => void
  /** Answers one that no handler is to see, and ends its connection. */
  readonly refuse: (request: WrittenRequest, outgoing: ServerResponse, reply: HttpReply) => void
  readonly stop: () => void
}

/** Above this many bytes that a client has not taken, its connection is watched. */
const HIGH_WATER = 64 * 1024
/** Bodies above this length are encoded before their head is written, so that they are measured only once. */
const ENCODE_ABOVE = 64 * 1024

export function httpWriter(handler: HttpHandler, options: HttpWriterOptions): HttpWriter {
  const { keepAliveInterval, stallTimeout, maxHeaders = 256, onRefused, onError, closing } = options
  const streams = new Streams(keepAliveInterval)

  const write = ({ status, headers, body, keepAlive }: HttpReply, outgoing: ServerResponse) => {
    if (body === undefined || typeof body === 'string') {
      writeText(outgoing, status, headers, body)
    } else if (Symbol.asyncIterator in body) {
      outgoing.writeHead(status, headers)
      const onClose = streams.remove
      const stream = new HttpStream(body, outgoing, { keepAlive, stallTimeout, onError, onClose })
      streams.add(stream)
      stream.start()
      return
    } else writeBytes(outgoing, status, headers, body)
    if (outgoing.writableLength > HIGH_WATER) outgoing.setTimeout(stallTimeout)
  }

  /** What writes the reply to a request. */
  const replying = (request: WrittenRequest, outgoing: ServerResponse) => {
    closeWithConnection(outgoing)
    const send = (value: HttpReply) => {
      // A client that stays connected would hold up our end; one whose body we left unread cannot go on.
      if (closing() || request.unread) outgoing.shouldKeepAlive = false
      write(value, outgoing)
    }
    const fail = (error: unknown) => {
      onError(error)
      if (!outgoing.headersSent) send(failureReply(error))
      else outgoing.destroy()
    }
    const reply = (value: HttpReply) => {
      try {
        send(value)
      } catch (error) {
        fail(error)
      }
    }
    return { reply, fail }
  }

  const refuse: HttpWriter['refuse'] = (request, outgoing, reply) => {
    request.unread = true
    onRefused?.(request, reply)
    replying(request, outgoing).reply(reply)
  }

  const serve: HttpWriter['serve'] = (request, outgoing) => {
    if (request.headerCount > maxHeaders) {
      const reply = refusal(431, `More than ${maxHeaders} headers (--max-headers)`)
      refuse(request, outgoing, because(reply, 'headers'))
      return
    }
    const { reply, fail } = replying(request, outgoing)
    try {
      handler(request).then(reply, fail)
    } catch (error) {
      fail(error)
    }
  }
  return { serve, refuse, stop: () => streams.stop() }
}

function writeText(
  outgoing: ServerResponse,
  status: number,
  headers: HttpReply['headers'],
  body: string | undefined,
): void {
  if (body === undefined) {
    const length = status === 204 || status === 304 ? undefined : { 'content-length': 0 }
    outgoing.writeHead(status, { ...headers, ...length }).end()
    return
  }
  const content = body.length > ENCODE_ABOVE ? Buffer.from(body) : body
  const length = Buffer.byteLength(content)
  const { socket } = outgoing
  if (socket === null) {
    outgoing.writeHead(status, { ...headers, 'content-length': length }).end(content)
    return
  }
  // One write for head and body. `end(content)` would add an empty one, and two are gathered at a higher price
  // than the whole rest of a small reply has.
  socket.cork()
  outgoing.writeHead(status, { ...headers, 'content-length': length })
  // As many bytes as characters: all are ASCII, and Latin-1 is written without looking at each.
  outgoing.write(content, length === content.length ? 'latin1' : 'utf8')
  socket.uncork()
  outgoing.end()
}

function writeBytes(
  outgoing: ServerResponse,
  status: number,
  headers: HttpReply['headers'],
  body: readonly Uint8Array[],
): void {
  let length = 0
  for (const chunk of body) length += chunk.byteLength
  outgoing.writeHead(status, { ...headers, 'content-length': length })
  // Node corks the socket until the end of the turn, so that this is one write.
  for (const chunk of body) outgoing.write(chunk)
  outgoing.end()
}

/** The open streams, kept alive by one timer for all. */
class Streams {
  readonly #open = new Set<HttpStream>()
  #timer: NodeJS.Timeout | undefined

  constructor(private readonly keepAliveInterval: number) {}

  add(stream: HttpStream): void {
    this.#open.add(stream)
    // A stream that fell silent right after a tick is noticed two ticks later, which is within the interval.
    this.#timer ??= setInterval(() => {
      for (const open of this.#open) open.tick()
    }, this.keepAliveInterval / 2).unref()
  }

  readonly remove = (stream: HttpStream): void => {
    this.#open.delete(stream)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}
