/**
 * A client of a product on HTTP+SSE (2024-11-05), with the face of `Client`: each of its connections is a session, with a stream for the
 * answers and another connection for the posts.
 */

import { all } from './client.mjs'
import { Connection } from './connection.mjs'
import { dialect, textOf } from './dialect.mjs'

const OPEN_LIMIT = 20_000
const LINE_END = 10
const BLANK = 32

export class SseClient {
  #port
  #dialect

  constructor(port) {
    this.#port = port
    this.#dialect = dialect('plain', port)
  }

  get dialect() {
    return this.#dialect
  }

  get echoTool() {
    return 'echo'
  }

  connect(options) {
    return SseConnection.open(this.#port, this.#dialect, options)
  }

  session() {
    return undefined
  }

  firstId() {
    return 1
  }

  async openSessions() {}

  async endSessions() {}

  async call(connection, tool, given, { id = 1, token, limit } = {}) {
    const text = this.#dialect.caller(tool)(id, JSON.stringify(given), token)
    const before = performance.now()
    const { body } = await connection.request(text, limit)
    return { elapsed: performance.now() - before, messages: [JSON.parse(body)] }
  }

  async firstAnswer() {
    const connection = await this.connect()
    const given = { value: 'first' }
    const { messages } = await this.call(connection, 'echo', given)
    connection.close()
    if (textOf(messages[0], 1) !== JSON.stringify(given)) throw new Error('a wrong first answer')
  }
}

class SseConnection {
  #posts
  #stream
  #endpoint
  #pieces = []
  #exchange
  /** The answer, which may come on the stream before the post has its own. */
  #answer
  #posted = true

  static async open(port, { initialize, initialized }, { readSize = 64 * 1024 } = {}) {
    const connection = new SseConnection()
    const [stream, posts] = await all([
      Connection.open(port, { readSize }),
      Connection.open(port, { readSize: 4096 }),
    ])
    connection.#stream = stream
    connection.#posts = posts
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no endpoint within 20 s')), OPEN_LIMIT)
      const request = `GET /sse HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: text/event-stream\r\n\r\n`
      stream.send(request, {
        data: bytes =>
          connection.#read(bytes, () => {
            clearTimeout(timer)
            resolve()
          }),
        done: () => connection.#failed(new Error('the stream ended')),
        fail: error => {
          reject(error)
          connection.#failed(error)
        },
      })
    })
    const { body } = await connection.request(initialize())
    if (JSON.parse(body).result?.protocolVersion === undefined) throw new Error(`no session: ${body}`)
    const { status } = await posts.request(connection.#addressed(initialized()))
    if (status !== 202) throw new Error(`notifications/initialized answered ${status}`)
    return connection
  }

  get open() {
    return this.#stream.open
  }

  send(text, exchange) {
    this.#exchange = exchange
    this.#answer = undefined
    this.#posted = false
    this.#posts.send(this.#addressed(text), {
      done: (status, _head, body) => {
        if (status !== 202) return this.#failed(new Error(`a post was answered ${status}: ${body}`))
        this.#posted = true
        this.#settle()
      },
      fail: error => this.#failed(error),
    })
  }

  request(text, limit = 30_000) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer within ${limit} ms`)), limit)
      const settled = settle => value => {
        clearTimeout(timer)
        settle(value)
      }
      const resolved = settled(resolve)
      this.send(text, {
        done: (status, head, body) => resolved({ status, head, body }),
        fail: settled(reject),
      })
    })
  }

  close() {
    this.#exchange = undefined
    this.#stream.close()
    this.#posts.close()
  }

  #addressed(text) {
    return text.replace('POST /mcp ', `POST ${this.#endpoint} `)
  }

  /** Events are put together once, from pieces of bytes: looking for their end in a growing text would be what is measured. */
  #read(bytes, onEndpoint) {
    let rest = bytes
    while (rest.length > 0) {
      const last = this.#pieces.at(-1)
      const isSplit = last !== undefined && last[last.length - 1] === LINE_END && rest[0] === LINE_END
      const found = isSplit ? -1 : rest.indexOf('\n\n')
      const end = isSplit ? 1 : found === -1 ? rest.length : found + 2
      // The buffer that is read into is used again.
      this.#pieces.push(Buffer.from(rest.subarray(0, end)))
      if (!isSplit && found === -1) return
      rest = rest.subarray(end)
      const event = this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat(this.#pieces)
      this.#pieces = []
      this.#take(event, onEndpoint)
    }
  }

  /** An event has its data last, in one line. */
  #take(event, onEndpoint) {
    const at = event.indexOf('data:')
    if (at === -1) return
    const data = event.subarray(at + (event[at + 5] === BLANK ? 6 : 5), event.length - 2)
    if (event.latin1Slice(0, at).includes('event: endpoint')) {
      this.#endpoint = data.latin1Slice().replace(/^https?:\/\/[^/]*/, '')
      onEndpoint()
    } else if (!data.latin1Slice(0, 60).includes('"method":"notifications/')) {
      this.#answer = data
      this.#settle()
    }
  }

  #settle() {
    const exchange = this.#exchange
    const answer = this.#answer
    if (exchange === undefined || answer === undefined || !this.#posted) return
    this.#exchange = undefined
    exchange.done(200, '', answer)
  }

  #failed(error) {
    const exchange = this.#exchange
    this.#exchange = undefined
    exchange?.fail(error)
  }
}
