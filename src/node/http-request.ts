/** One request of `node:http` as the seam sees it. */

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TransportError } from '../exchange/errors.js'
import type { HttpRequest } from '../exchange/http.js'
import { PARSE_ERROR, RpcError, TOO_LARGE } from '../protocol/errors.js'

/**
 * A body over the limit is read on for so long and so far, and dropped: a client that is cut off while it sends
 * sees a broken connection instead of our refusal.
 */
const DROP_TIME = 2_000
const DROP_BYTES = 64 * 1024 * 1024

const noop = () => {}

export class NodeHttpRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  /** True where part of the body was left unread, so that the connection cannot be used again. */
  unread = false

  constructor(
    private readonly incoming: IncomingMessage,
    private readonly outgoing: ServerResponse,
    private readonly expectsContinue: boolean,
  ) {
    this.method = incoming.method as string
    let url = incoming.url as string
    // RFC 9112 section 3.2.2: a server accepts the absolute form as well.
    if (url.charCodeAt(0) !== 47 /* / */) url = url.replace(/^https?:\/\/[^/?#]*(?=([/?#]|$))/i, '') || '/'
    const mark = url.indexOf('?')
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = mark < 0 ? '' : url.slice(mark + 1)
  }

  get scheme(): 'http' | 'https' {
    return 'encrypted' in this.incoming.socket ? 'https' : 'http'
  }

  get address(): string | undefined {
    return this.incoming.socket.remoteAddress
  }

  /** A search costs less than the object with all headers that Node would make, and drops no duplicates. */
  header(name: string): string | undefined {
    const raw = this.incoming.rawHeaders
    let value: string | undefined
    for (let index = 0; index < raw.length; index += 2) {
      const key = raw[index] as string
      if (key.length !== name.length || (key !== name && key.toLowerCase() !== name)) continue
      value = value === undefined ? (raw[index + 1] as string) : `${value}, ${raw[index + 1]}`
    }
    return value
  }

  text(limit: number): Promise<string> {
    const { incoming } = this
    if (incoming.destroyed) return Promise.reject(hangup())
    const declared = Number(this.header('content-length') ?? 0)
    if (declared > limit && (this.expectsContinue || declared > limit + DROP_BYTES)) {
      this.unread = true
      return Promise.reject(tooLarge(limit))
    }
    if (this.expectsContinue) this.outgoing.writeContinue()
    return new Promise((resolve, reject) => {
      let first: Buffer | undefined
      let more: Buffer[] | undefined
      let length = 0
      let timer: NodeJS.Timeout | undefined

      const giveUp = () => {
        clearTimeout(timer)
        this.unread = true
        incoming.pause()
        reject(tooLarge(limit))
      }
      incoming.on('data', (chunk: Buffer) => {
        length += chunk.byteLength
        if (length > limit) {
          first = more = undefined
          timer ??= setTimeout(giveUp, DROP_TIME)
          if (length > limit + DROP_BYTES) giveUp()
        } else if (first === undefined) first = chunk
        else if (more === undefined) more = [first, chunk]
        else more.push(chunk)
      })
      incoming.on('end', () => {
        if (timer !== undefined || length > limit) {
          clearTimeout(timer)
          reject(tooLarge(limit))
        } else if (first === undefined) resolve('')
        else {
          const bytes = more === undefined ? first : Buffer.concat(more, length)
          if (isUtf8(bytes)) resolve(bytes.toString())
          else reject(new RpcError(PARSE_ERROR, 'Parse error: the body is not valid UTF-8'))
        }
      })
      incoming.on('error', () => {
        clearTimeout(timer)
        reject(hangup())
      })
    })
  }

  onHangup(listener: () => void): () => void {
    const { outgoing } = this
    if (outgoing.destroyed) {
      listener()
      return noop
    }
    const onClose = () => {
      if (!outgoing.writableFinished) listener()
    }
    outgoing.on('close', onClose)
    return () => void outgoing.off('close', onClose)
  }
}

function tooLarge(limit: number): RpcError {
  return new RpcError(TOO_LARGE, `The request body is larger than the limit of ${limit} bytes (--max-body)`, {
    limit,
    option: '--max-body',
  })
}

function hangup(): TransportError {
  return new TransportError('ERR_CLOSED', 'The client left before its request was complete')
}
