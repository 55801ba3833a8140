/**
 * One kept-alive HTTP/1.1 client connection on a bare socket, one request at a time. `node:http` as a client costs more
 * than the servers measured here; this costs a write, a read and a scan for the end of the head.
 */

import { connect } from 'node:net'

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const NOTHING = Buffer.alloc(0)
/** More than any product here sends as a head or as a chunk's size line. */
const MAX_HEAD = 64 * 1024

export class Connection {
  #socket
  #exchange
  #state = 'idle'
  /** Bytes of a head or of a chunk's size line that arrived in pieces. */
  #held = NOTHING
  #remaining = 0
  #status = 0
  #head = ''
  /** Where a body is put together that does not arrive in one piece: kept, as fresh memory costs more than the copying. */
  #store = NOTHING
  #filled = 0
  #timer

  /** Connects, or rejects with the socket's error. `readSize` is the size in bytes of the one read buffer. */
  static open(port, { host = '127.0.0.1', readSize = 64 * 1024, timeout = 10_000 } = {}) {
    return new Promise((resolve, reject) => {
      const connection = new Connection()
      const buffer = Buffer.allocUnsafeSlow(readSize)
      const onread = { buffer, callback: (length, data) => connection.#read(length, data) }
      const socket = connect({ port, host, noDelay: true, onread })
      connection.#socket = socket
      const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeout} ms`)), timeout)
      socket.once('error', reject)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', reject)
        socket.on('error', error => connection.#fail(error))
        socket.on('close', () => connection.#closed())
        resolve(connection)
      })
      socket.once('close', () => clearTimeout(timer))
    })
  }

  /**
   * Sends a request, given as ASCII text, head and body. `exchange.done(status, head, body)` gets the whole body, which is
   * valid until the next request; `exchange.fail(error)` ends it otherwise. With `exchange.data(bytes)` the body is handed
   * over as it arrives and `done` gets an empty one; `exchange.head(status, head)` announces it.
   */
  send(text, exchange) {
    if (this.#state !== 'idle') throw new Error(`the connection is ${this.#state}`)
    this.#exchange = exchange
    this.#state = 'head'
    this.#socket.write(text, 'latin1')
  }

  /** The same as a promise of `{ status, head, body }`, with a limit in ms. */
  request(text, limit = 30_000) {
    return new Promise((resolve, reject) => {
      this.#timer = setTimeout(() => this.#fail(new Error(`no answer within ${limit} ms`)), limit)
      this.send(text, {
        done: (status, head, body) => resolve({ status, head, body }),
        fail: reject,
      })
    })
  }

  get open() {
    return this.#state !== 'closed'
  }

  close() {
    this.#fail(new Error('closed by the client'))
  }

  #read(length, buffer) {
    let bytes = buffer.subarray(0, length)
    try {
      while (bytes.length > 0) bytes = this.#take(bytes)
    } catch (error) {
      this.#fail(error)
    }
    return true
  }

  /** Consumes a prefix of `bytes` by the state, and returns what is left. */
  #take(bytes) {
    switch (this.#state) {
      case 'head':
        return this.#takeHead(bytes)
      case 'length':
      case 'chunk':
        return this.#takeBody(bytes)
      case 'size':
        return this.#takeSize(bytes)
      case 'chunk-end':
      case 'trailer':
        return this.#takeLine(bytes)
      case 'close':
        this.#append(bytes)
        return NOTHING
      case 'closed':
        return NOTHING
      default:
        throw new Error(`${bytes.length} bytes that answer no request`)
    }
  }

  #takeHead(bytes) {
    const [head, rest] = this.#until(HEAD_END, bytes)
    if (head === undefined) return rest
    this.#head = head
    this.#status = Number(head.slice(9, 12))
    if (this.#status === 100) return rest
    const { head: onHead, data } = this.#exchange
    onHead?.(this.#status, head)
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)
    if (length !== null) {
      const size = Number(length[1])
      if (data === undefined && rest.length >= size) {
        const after = rest.subarray(size)
        this.#finish(rest.subarray(0, size))
        return after
      }
      this.#state = 'length'
      this.#remaining = size
      this.#filled = 0
      if (size === 0) this.#finish(NOTHING)
      return rest
    }
    this.#filled = 0
    if (/\r\ntransfer-encoding: *chunked/i.test(head)) this.#state = 'size'
    else if (this.#status === 202 || this.#status === 204) this.#finish(NOTHING)
    else this.#state = 'close'
    return rest
  }

  #takeSize(bytes) {
    const [line, rest] = this.#until(LINE_END, bytes)
    if (line === undefined) return rest
    this.#remaining = Number.parseInt(line, 16)
    if (!(this.#remaining >= 0)) throw new Error(`not a chunk size: ${line.slice(0, 40)}`)
    this.#state = this.#remaining === 0 ? 'trailer' : 'chunk'
    return rest
  }

  #takeBody(bytes) {
    const piece = bytes.length > this.#remaining ? bytes.subarray(0, this.#remaining) : bytes
    this.#append(piece)
    this.#remaining -= piece.length
    if (this.#remaining === 0) {
      if (this.#state === 'chunk') this.#state = 'chunk-end'
      else this.#finish(this.#collected())
    }
    return bytes.subarray(piece.length)
  }

  /** The line end after a chunk, or a trailer; an empty trailer line ends the reply. */
  #takeLine(bytes) {
    const [line, rest] = this.#until(LINE_END, bytes)
    if (line === undefined) return rest
    if (this.#state === 'chunk-end') {
      if (line !== '') throw new Error('a chunk is longer than its size')
      this.#state = 'size'
    } else if (line === '') this.#finish(this.#collected())
    return rest
  }

  /** Text up to `mark` and the bytes after it; no text when the mark has not arrived. */
  #until(mark, bytes) {
    const all = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes])
    const at = all.indexOf(mark)
    if (at === -1) {
      if (all.length > MAX_HEAD) throw new Error('the head of the reply is too long')
      this.#held = Buffer.from(all)
      return [undefined, NOTHING]
    }
    this.#held = NOTHING
    return [all.latin1Slice(0, at), all.subarray(at + mark.length)]
  }

  #append(piece) {
    if (this.#exchange.data !== undefined) return this.#exchange.data(piece)
    if (this.#filled + piece.length > this.#store.length) {
      const larger = Buffer.allocUnsafeSlow(
        Math.max(this.#store.length * 2, this.#filled + piece.length, 4096),
      )
      this.#store.copy(larger, 0, 0, this.#filled)
      this.#store = larger
    }
    piece.copy(this.#store, this.#filled)
    this.#filled += piece.length
  }

  #collected() {
    return this.#store.subarray(0, this.#filled)
  }

  #finish(body) {
    clearTimeout(this.#timer)
    const exchange = this.#exchange
    this.#exchange = undefined
    if (this.#state !== 'closed') this.#state = 'idle'
    exchange.done(this.#status, this.#head, body)
  }

  #closed() {
    if (this.#state === 'close') {
      this.#state = 'closed'
      this.#finish(this.#collected())
    } else this.#fail(new Error('the server closed the connection'))
  }

  #fail(error) {
    clearTimeout(this.#timer)
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#state = 'closed'
    this.#socket.destroy()
    exchange?.fail(error)
  }
}
