/**
 * A client of a product on stdio, with the face of `Client`: its connections share the one pipe, each with ids of its own, so that the
 * measures of HTTP hold for it as well.
 */

import { dialect, messagesOf, textOf } from './dialect.mjs'

/** Ids must differ between connections: each counts in a range of its own. */
const ID_RANGE = 10_000_000

export class PipeClient {
  #dialect
  #pipe
  #opened = false

  constructor(lane, product) {
    const { caller, ...rest } = dialect(lane.era, 0)
    // On a pipe a request is its body, in one line.
    const body = text => `${text.slice(text.indexOf('\r\n\r\n') + 4)}\n`
    this.#dialect = {
      ...rest,
      caller: (tool, session) => {
        const call = caller(tool, session)
        return (...given) => body(call(...given))
      },
      initialize: () => body(rest.initialize()),
      initialized: () => body(rest.initialized()),
    }
    this.#pipe = new Pipe(product)
  }

  get dialect() {
    return this.#dialect
  }

  get echoTool() {
    return 'echo'
  }

  async connect() {
    return this.#pipe.connection()
  }

  session() {
    return undefined
  }

  firstId(index) {
    return index * ID_RANGE + 1
  }

  async openSessions() {
    if (this.#opened || this.#dialect.era === 'modern') return
    const { body } = await this.#pipe.connection().request(this.#dialect.initialize(), 30_000)
    if (messagesOf(body)[0]?.result?.protocolVersion === undefined) throw new Error(`no session: ${body}`)
    this.#pipe.write(this.#dialect.initialized())
    this.#opened = true
  }

  async endSessions() {
    this.#pipe.end()
  }

  /** As `Client.call`: the time until the reply was there, and its messages. */
  async call(connection, tool, given, { id = 1, token, limit } = {}) {
    const text = this.#dialect.caller(tool)(id, JSON.stringify(given), token)
    const before = performance.now()
    const { parts, at } = await connection.request(text, limit)
    return { elapsed: at - before, messages: parts.map(part => JSON.parse(part)) }
  }

  async firstAnswer(product) {
    await this.openSessions()
    const connection = this.#pipe.connection()
    const given = { value: 'first' }
    const { messages } = await this.call(connection, 'echo', given)
    const text = textOf(messages.at(-1), 1)
    if (text !== JSON.stringify(given)) throw new Error(`${product.lastWords}: answered by ${text}`)
  }
}

/** The lines of a product's stdout, given to whoever waits for them, by id and progress token. */
class Pipe {
  #stdin
  #waiting = new Map()
  #parts = []

  constructor({ stdin, stdout }) {
    this.#stdin = stdin
    stdin.on('error', () => {})
    stdout.on('data', chunk => this.#read(chunk))
    stdout.on('close', () => {
      for (const { exchange } of this.#waiting.values())
        exchange.fail(new Error('the product closed its stdout'))
      this.#waiting.clear()
    })
  }

  write(line) {
    this.#stdin.write(line, 'latin1')
  }

  end() {
    this.#stdin.end()
  }

  /** With one request in flight, like those of HTTP. */
  connection() {
    let current
    const send = (line, exchange) => {
      const id = /"id":(\d+)/.exec(line)[1]
      const token = /"progressToken":"([^"]+)"/.exec(line)?.[1]
      current = { exchange, parts: [], id, token }
      this.#waiting.set(id, current)
      if (token !== undefined) this.#waiting.set(token, current)
      this.write(line)
    }
    const request = (line, limit = 30_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no answer within ${limit} ms`)), limit)
        const settled = settle => value => {
          clearTimeout(timer)
          settle(value)
        }
        send(line, {
          done: (_status, _head, body, parts) => settled(resolve)({ body, parts, at: performance.now() }),
          fail: settled(reject),
        })
      })
    const close = () => {
      if (current !== undefined && this.#forget(current))
        current.exchange.fail(new Error('closed by the client'))
    }
    return { send, request, close }
  }

  #forget({ id, token }) {
    this.#waiting.delete(token)
    return this.#waiting.delete(id)
  }

  #read(chunk) {
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#parts.push(chunk.subarray(start, end))
      this.#line(this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts))
      this.#parts = []
      start = end + 1
    }
    if (start < chunk.length) this.#parts.push(chunk.subarray(start))
  }

  /** Looked at where ids and tokens stand, at the begin or the end, since all else costs. */
  #line(line) {
    const head = line.latin1Slice(0, Math.min(200, line.length))
    const token = head.includes('"method"') ? /"progressToken":"([^"]+)"/.exec(head)?.[1] : undefined
    if (token !== undefined) {
      this.#waiting.get(token)?.parts.push(line)
      return
    }
    const id = (/^\{(?:"jsonrpc":"2.0",)?"id":(\d+)/.exec(head) ??
      /"id":(\d+)(?:,"jsonrpc":"2.0")?\}$/.exec(line.latin1Slice(Math.max(0, line.length - 100))))?.[1]
    const waiter = this.#waiting.get(id)
    if (waiter === undefined) return
    this.#forget(waiter)
    waiter.parts.push(line)
    waiter.exchange.done(200, '', line, waiter.parts)
  }
}
