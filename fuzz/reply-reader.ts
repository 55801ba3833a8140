/** Replies of HTTP from a socket, one after the other, whatever else is on the connection. */

import type { Socket } from 'node:net'

export interface RawReply {
  readonly status: number
  readonly headers: Headers
  /** Of a stream that has no end, what came until then. */
  readonly text: string
  /** It goes on. */
  readonly open: boolean
}

export interface Expected {
  /** The reply may be an event stream that has no end: it is not waited for. */
  readonly endless: boolean
  /** There is no body, whatever its headers say. */
  readonly headOnly: boolean
  /** Milliseconds. */
  readonly timeout: number
}

const STREAM_PATIENCE = 60

export class ReplyReader {
  #buffer = Buffer.alloc(0)
  #closed = false
  #wake: (() => void) | undefined

  constructor(socket: Socket) {
    socket.on('data', chunk => {
      this.#buffer = Buffer.concat([this.#buffer, chunk])
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#closed = true
      this.#wake?.()
    })
  }

  /** The next reply that is none of the informational ones. */
  async next(expected: Expected): Promise<RawReply | 'closed' | 'late'> {
    const until = Date.now() + expected.timeout
    for (;;) {
      const head = this.#buffer.indexOf('\r\n\r\n')
      if (head < 0) {
        if (this.#closed) return 'closed'
        if (!(await this.#more(until))) return 'late'
        continue
      }
      const [line = '', ...lines] = this.#buffer.subarray(0, head).toString('latin1').split('\r\n')
      const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1])
      if (Number.isNaN(status))
        throw new Error(`no reply: ${JSON.stringify(this.#buffer.toString('latin1', 0, 200))}`)
      this.#buffer = this.#buffer.subarray(head + 4)
      if (status < 200) continue
      const headers = new Headers()
      for (const text of lines)
        headers.append(text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim())
      if (expected.headOnly || status === 204 || status === 304)
        return { status, headers, text: '', open: false }
      return await this.#body(status, headers, expected, until)
    }
  }

  async #body(
    status: number,
    headers: Headers,
    { endless }: Expected,
    until: number,
  ): Promise<RawReply | 'closed' | 'late'> {
    const isStream = headers.get('content-type')?.startsWith('text/event-stream') === true
    const patience = endless && isStream ? Math.min(until, Date.now() + STREAM_PATIENCE) : until
    const isChunked = headers.get('transfer-encoding') === 'chunked'
    const length = headers.get('content-length')
    let text = ''
    for (;;) {
      if (!isChunked && length !== null) {
        if (this.#buffer.length >= Number(length))
          return { status, headers, text: this.#take(Number(length)), open: false }
      } else if (isChunked) {
        const [piece, done] = this.#chunks()
        text += piece
        if (done) return { status, headers, text, open: false }
      } else if (this.#closed) return { status, headers, text: this.#take(this.#buffer.length), open: false }
      if (this.#closed) return 'closed'
      if (!(await this.#more(patience))) return endless ? { status, headers, text, open: true } : 'late'
    }
  }

  /** The chunks that are whole. */
  #chunks(): readonly [text: string, done: boolean] {
    let text = ''
    for (;;) {
      const end = this.#buffer.indexOf('\r\n')
      if (end < 0) return [text, false]
      const size = Number.parseInt(this.#buffer.toString('latin1', 0, end), 16)
      if (this.#buffer.length < end + 2 + size + 2) return [text, false]
      text += this.#buffer.toString('utf8', end + 2, end + 2 + size)
      this.#buffer = this.#buffer.subarray(end + 2 + size + 2)
      if (size === 0) return [text, true]
    }
  }

  #take(length: number): string {
    const text = this.#buffer.toString('utf8', 0, length)
    this.#buffer = this.#buffer.subarray(length)
    return text
  }

  /** False where nothing came in time. */
  #more(until: number): Promise<boolean> {
    if (this.#closed) return Promise.resolve(true)
    return new Promise(resolve => {
      const timer = setTimeout(() => done(false), Math.max(0, until - Date.now()))
      const done = (came: boolean) => {
        clearTimeout(timer)
        this.#wake = undefined
        resolve(came)
      }
      this.#wake = () => done(true)
    })
  }
}
