/** One request of `node:http` as the seam sees it. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { HttpIdentity, HttpRequest } from '../../exchange/http.js'
import { bodyCut, bodyTooLarge } from '../../exchange/http-body-errors.js'
import { certificateSubject } from '../tls/certificate-subject.js'
import { DROP_BYTES, readText } from './body-reader.js'

/** Headers of which `node:http` drops all values but the first, or keeps a list, as far as anybody here asks for them. */
const FIRST_ONLY = new Set([
  'host',
  'authorization',
  'content-type',
  'content-length',
  'set-cookie',
  'user-agent',
  'referer',
  'from',
  'proxy-authorization',
  'age',
  'etag',
  'expires',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'retry-after',
  'server',
])

const noop = () => {}

export class NodeHttpRequest implements HttpRequest {
  readonly method: string
  readonly path: string
  readonly query: string
  /** True where part of the body was left unread, so that the connection cannot be used again. */
  unread = false
  identity: HttpIdentity | undefined = undefined
  called = false
  /** The authority of a target in absolute form. */
  readonly #host: string | undefined = undefined

  constructor(
    private readonly incoming: IncomingMessage,
    private readonly outgoing: ServerResponse,
    private readonly expectsContinue: boolean,
    url = incoming.url as string,
  ) {
    this.method = incoming.method as string
    // RFC 9112 section 3.2.2: a server accepts the absolute form as well, whose host counts in place of `Host`.
    if (url.charCodeAt(0) !== 47 /* / */) {
      const [whole, host] = /^https?:\/\/([^/?#]*)(?=[/?#]|$)/i.exec(url) ?? []
      this.#host = host
      if (whole !== undefined) url = url.slice(whole.length) || '/'
    }
    const mark = url.indexOf('?')
    this.path = mark < 0 ? url : url.slice(0, mark)
    this.query = mark < 0 ? '' : url.slice(mark + 1)
  }

  get scheme(): 'http' | 'https' {
    return 'encrypted' in this.incoming.socket ? 'https' : 'http'
  }

  /** Of lines, also where `node:http` shows fewer. */
  get headerCount(): number {
    return this.incoming.rawHeaders.length / 2
  }

  /** Of HTTP/1.1, and without the header that all those have. */
  get lacksHost(): boolean {
    const { headers, httpVersionMajor, httpVersionMinor } = this.incoming
    return headers.host === undefined && httpVersionMajor === 1 && httpVersionMinor === 1
  }

  get address(): string | undefined {
    return this.incoming.socket.remoteAddress
  }

  get certificate(): string | undefined {
    return certificateSubject(this.incoming.socket)
  }

  /** Of most headers Node joins the values when there are several, and of some it keeps the first: those are searched for. */
  header(name: string): string | undefined {
    if (this.#host !== undefined && name === 'host') return this.#host
    if (!FIRST_ONLY.has(name)) return this.incoming.headers[name] as string | undefined
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
    if (incoming.destroyed) return Promise.reject(bodyCut())
    const declared = Number(this.header('content-length') ?? 0)
    if (declared > limit && (this.expectsContinue || declared > limit + DROP_BYTES)) {
      this.unread = true
      return Promise.reject(bodyTooLarge(limit))
    }
    if (this.expectsContinue) this.outgoing.writeContinue()
    return readText(incoming, limit, () => {
      this.unread = true
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
