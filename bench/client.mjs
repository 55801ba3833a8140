/** A client of one running product: opens sessions, makes single calls, and ends what it opened. */

import { setTimeout as sleep } from 'node:timers/promises'
import { Connection } from './connection.mjs'
import { dialect, messagesOf, textOf } from './dialect.mjs'

/** Ids of a shared session must differ between connections: each connection counts in a range of its own. */
const ID_RANGE = 10_000_000

export class Client {
  #dialect
  #sessions = []
  #lane
  #port

  constructor(lane, port) {
    this.#lane = lane
    this.#port = port
    this.#dialect = dialect(lane.era, port, lane.headers?.())
  }

  get dialect() {
    return this.#dialect
  }

  /** What the tool that returns its arguments is called there. */
  get echoTool() {
    return this.#lane.tool ?? 'echo'
  }

  connect(options) {
    return Connection.open(this.#port, options)
  }

  /** The session that connection number `index` uses; none where the era has none. */
  session(index) {
    return this.#sessions[this.#lane.sharedSession ? 0 : index]
  }

  firstId(index) {
    return this.#lane.sharedSession ? index * ID_RANGE + 1 : 1
  }

  /** Sees to it that connections 0 to count-1 each have their session. */
  async openSessions(count) {
    if (this.#lane.era !== 'legacy') return
    const missing = (this.#lane.sharedSession ? 1 : count) - this.#sessions.length
    if (missing > 0) this.#sessions.push(...(await this.createSessions(missing)))
  }

  /** Opens `count` sessions over a few connections and returns their ids, which must all differ. */
  async createSessions(count, concurrency = 16) {
    const ids = []
    let started = 0
    const work = async () => {
      const connection = await this.connect({ readSize: 16 * 1024 })
      try {
        while (started < count) {
          started++
          ids.push(await this.#createSession(connection))
        }
      } finally {
        connection.close()
      }
    }
    await all(Array.from({ length: Math.min(concurrency, count) }, work))
    if (new Set(ids).size !== count)
      throw new Error(`${count} sessions got ${new Set(ids).size} different ids`)
    return ids
  }

  async #createSession(connection) {
    const opened = await connection.request(this.#dialect.initialize())
    const session = /\r\nmcp-session-id: *(\S+)/i.exec(opened.head)?.[1]
    const result = messagesOf(opened.body).find(({ id }) => id === 0)?.result
    if (session === undefined || result?.protocolVersion === undefined) {
      throw new Error(`no session: ${opened.status} ${opened.body.toString().slice(0, 200)}`)
    }
    const { status } = await connection.request(this.#dialect.initialized(session))
    if (status !== 202) throw new Error(`notifications/initialized answered ${status}`)
    return session
  }

  /** Ends the given sessions, or those that `openSessions` opened. A session that is gone already is no error. */
  async endSessions(sessions = this.#sessions.splice(0)) {
    const left = [...sessions]
    const work = async () => {
      const connection = await this.connect({ readSize: 4096 })
      while (left.length > 0 && connection.open)
        await connection.request(this.#dialect.end(left.pop()), 5000).catch(() => {})
      connection.close()
    }
    await all(Array.from({ length: Math.min(8, left.length) }, work)).catch(() => {})
  }

  /** One call on an open connection: the time to the end of the reply in ms, and its messages, read after that. */
  async call(connection, tool, given, { id = 1, token, session = this.session(0), limit } = {}) {
    const text = this.#dialect.caller(tool, session)(id, JSON.stringify(given), token)
    const before = performance.now()
    const { status, body } = await connection.request(text, limit)
    const elapsed = performance.now() - before
    if (status !== 200) throw new Error(`${tool} answered ${status}: ${body.toString().slice(0, 200)}`)
    return { elapsed, messages: messagesOf(body) }
  }

  async echo(connection, value, session) {
    const given = { value }
    const { messages } = await this.call(connection, this.echoTool, given, { session })
    const text = textOf(messages.at(-1), 1)
    if (text !== JSON.stringify(given)) throw new Error(`${value} was answered by ${text}`)
  }

  /** Tries every 5 ms until a first call has been answered rightly. */
  async firstAnswer(product, limit = 10_000) {
    const deadline = performance.now() + limit
    for (;;) {
      try {
        await this.openSessions(1)
        const connection = await this.connect()
        await this.echo(connection, 'first', this.session(0)).finally(() => connection.close())
        return
      } catch (error) {
        if (!product.alive) throw new Error(`it ended before the first answer: ${product.lastWords}`)
        if (performance.now() > deadline) throw new Error(`no answer within ${limit} ms: ${error.message}`)
        await sleep(5)
      }
    }
  }
}

/** Waits for all of them even when one fails, then throws the first error. */
export async function all(promises) {
  const results = await Promise.allSettled(promises)
  const failed = results.find(({ status }) => status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return results.map(({ value }) => value)
}
