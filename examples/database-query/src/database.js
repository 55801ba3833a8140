/** Transactions that are bounded in time and size, and that end when whoever asked for them does not want them any more. */

import pg from 'pg'
import { Ended, Refused, TooLarge } from './errors.js'

/** Everything stays as PostgreSQL writes it: what it means is `cells.js`. */
const AS_TEXT = { getTypeParser: () => (/** @type {string} */ text) => text }

/** Milliseconds after which a request to cancel is made again, and how many are made before the connection is cut. */
const CANCEL_AGAIN = 300
const CANCELS = 3
/** Milliseconds that our own clock gives PostgreSQL's to end a statement in its own words. */
const GRACE = 300
/** Milliseconds beyond the time limit after which a connection that says nothing is given up. */
const NETWORK_GRACE = 10_000
/** Milliseconds that tidying up may take. */
const CLEAN_LIMIT = 2_000
/** The server looks as often whether we are still there (PostgreSQL 14 and later). */
const CHECK_CONNECTION = '250ms'

/**
 * @typedef {object} Session one transaction
 * @property {(sql: string, values?: readonly unknown[]) => Promise<Answer>} run one statement; the server refuses two
 *
 * @typedef {object} Answer
 * @property {readonly import('pg').FieldDef[]} fields
 * @property {readonly (string | null)[][]} rows
 * @property {string} command
 * @property {number | null} count rows that the statement touched
 *
 * @typedef {object} Limits
 * @property {number} timeout milliseconds that a statement may take
 * @property {number} maxBytes the most that an answer may hold
 */

export class Database {
  #source
  #limits
  #pool
  /** @type {WeakMap<object, number>} bytes since the last statement */
  #received = new WeakMap()
  #checksConnection = true

  /**
   * @param {import('./source.js').Source} source
   * @param {Limits} limits
   */
  constructor(source, limits) {
    this.#source = source
    this.#limits = limits
    this.#pool = new pg.Pool({
      ...source.config,
      max: source.connections,
      // Our own clock ends statements long before; this is for a network that swallows everything.
      query_timeout: limits.timeout + NETWORK_GRACE,
      onConnect: client => this.#meet(client),
    })
    // A connection that breaks while nobody uses it is replaced by the next one.
    this.#pool.on('error', () => {})
  }

  get name() {
    return this.#source.name
  }

  get secrets() {
    return this.#source.secrets
  }

  /**
   * Nothing that `work` runs is kept: the transaction is read-only and rolled back.
   * @template T
   * @param {(session: Session) => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  read(work, signal) {
    return this.#transaction('read', work, signal)
  }

  /**
   * The same, with the rights of who writes: for plans of what would be written.
   * @template T
   * @param {(session: Session) => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  plan(work, signal) {
    return this.#transaction('plan', work, signal)
  }

  /**
   * What `work` runs is kept when it resolves, all or nothing.
   * @template T
   * @param {(session: Session) => Promise<T>} work
   * @param {AbortSignal} [signal]
   * @returns {Promise<T>}
   */
  write(work, signal) {
    return this.#transaction('write', work, signal)
  }

  async close() {
    await Promise.race([this.#pool.end(), new Promise(resolve => setTimeout(resolve, CANCEL_AGAIN).unref())])
    await this.#source.close()
  }

  /**
   * @template T
   * @param {'read' | 'plan' | 'write'} mode
   * @param {(session: Session) => Promise<T>} work
   * @param {AbortSignal} [asker]
   * @returns {Promise<T>}
   */
  async #transaction(mode, work, asker) {
    for (let broken = 0; ; broken++) {
      const client = await this.#connected(asker)
      try {
        return await this.#attempt(client, mode, work, asker)
      } catch (error) {
        if (!(error instanceof NotBegun)) throw error
        // Connections that nobody used may all have broken, when the database was started again.
        if (broken === this.#source.connections) throw error.cause
      }
    }
  }

  /**
   * @template T
   * @param {import('pg').PoolClient} client
   * @param {'read' | 'plan' | 'write'} mode
   * @param {(session: Session) => Promise<T>} work
   * @param {AbortSignal} [asker]
   * @returns {Promise<T>}
   */
  async #attempt(client, mode, work, asker) {
    const ending = this.#ending(client, asker)
    let isClean = false
    try {
      await this.#begin(client, mode)
      const result = await work({ run: (sql, values) => this.#run(client, sql, values) })
      const status = client.getTransactionStatus()
      // What only read may have failed and gone on: nothing of it is kept.
      if (status === 'I' || (mode === 'write' && status !== 'T'))
        throw new Refused('The statement ended its transaction itself, which is not for it to do.')
      const unwanted = ending.why()
      if (unwanted !== undefined) throw unwanted
      // From here on it is too late to end it.
      ending.tooLate()
      if (mode === 'write') await this.#commit(client)
      isClean = (await this.#cleaned(client)) === true
      return result
    } catch (error) {
      const why = ending.why()
      isClean = why === undefined && !(error instanceof TooLarge) && (await this.#cleaned(client)) === true
      throw why ?? error
    } finally {
      ending.tooLate()
      await ending.settled()
      if (!isClean) await this.#source.abandon()
      client.release(!isClean)
    }
  }

  /** Waits for a connection no longer than who asked does; one that comes later goes back. */
  async #connected(/** @type {AbortSignal | undefined} */ asker) {
    if (asker?.aborted) throw new Ended('Cancelled before it began.')
    const connecting = this.#pool.connect()
    if (asker === undefined) return await connecting
    /** @type {() => void} */
    let stop = () => {}
    const aborted = new Promise((_, reject) => {
      stop = () => reject(new Ended('Cancelled before it began.'))
    })
    asker.addEventListener('abort', stop)
    try {
      return await /** @type {Promise<import('pg').PoolClient>} */ (Promise.race([connecting, aborted]))
    } catch (error) {
      if (asker.aborted) connecting.then(client => client.release()).catch(() => {})
      throw error
    } finally {
      asker.removeEventListener('abort', stop)
    }
  }

  /** A new connection: nothing has been run on it. */
  async #meet(/** @type {import('pg').ClientBase} */ client) {
    // What fails is told to whoever runs something; without a listener it would end the process.
    client.on('error', () => {})
    const { stream } = /** @type {any} */ (client).connection
    const most = mostBytes(this.#limits)
    stream.on('data', (/** @type {Buffer} */ chunk) => {
      const bytes = (this.#received.get(client) ?? 0) + chunk.length
      this.#received.set(client, bytes)
      if (bytes > most) stream.destroy(new TooLarge(most))
    })
    await this.#source.prepare(/** @type {import('pg').PoolClient} */ (client))
    if (!this.#source.keepsTime) this.#checksConnection = false
    // Not before PostgreSQL 14, and not on every system.
    await client.query(`SET client_connection_check_interval = '${CHECK_CONNECTION}'`).catch(() => {
      this.#checksConnection = false
    })
  }

  /**
   * After the first SELECT a transaction that only reads cannot become one that writes. The role comes last: it may not be allowed to
   * set anything.
   * @param {import('pg').PoolClient} client
   * @param {'read' | 'plan' | 'write'} mode
   */
  async #begin(client, mode) {
    const { timeout } = this.#limits
    const role = mode === 'read' ? this.#source.readRole : this.#source.writeRole
    const statements = [
      mode === 'write' ? 'BEGIN READ WRITE' : 'BEGIN READ ONLY',
      `SET LOCAL statement_timeout = ${timeout}`,
      `SET LOCAL idle_in_transaction_session_timeout = ${2 * timeout}`,
      ...(this.#checksConnection
        ? [`SET LOCAL client_connection_check_interval = '${CHECK_CONNECTION}'`]
        : []),
      ...(role === undefined ? [] : [`SET LOCAL ROLE ${pg.escapeIdentifier(role)}`]),
      'SELECT',
    ]
    try {
      await client.query(statements.join('; '))
    } catch (error) {
      throw isAnswer(error) ? error : new NotBegun(error)
    }
  }

  /** @param {import('pg').PoolClient} client */
  async #commit(client) {
    try {
      await client.query('COMMIT')
    } catch (error) {
      // What PostgreSQL says itself, such as a constraint that is checked at the end, means that nothing was written.
      if (isAnswer(error)) throw error
      throw new Refused(
        'The connection broke while the statement was committed: look whether it was written.',
      )
    }
  }

  /**
   * By the extended protocol, where a statement is one statement.
   * @param {import('pg').PoolClient} client
   * @param {string} sql
   * @param {readonly unknown[]} [values]
   * @returns {Promise<Answer>}
   */
  async #run(client, sql, values = []) {
    this.#received.set(client, 0)
    const query = { text: sql, values: [...values], rowMode: 'array', queryMode: 'extended', types: AS_TEXT }
    const { fields, rows, command, rowCount } = await client.query(/** @type {any} */ (query))
    return { fields, rows: /** @type {any} */ (rows), command, count: rowCount }
  }

  /**
   * Without what a transaction does not take back: locks and prepared statements of the session, settings.
   * @param {import('pg').PoolClient} client
   */
  async #cleaned(client) {
    const clean = async () => {
      if (client.getTransactionStatus() !== 'I') await client.query('ROLLBACK')
      await client.query('DISCARD ALL')
      return client.getTransactionStatus() === 'I'
    }
    /** @type {NodeJS.Timeout | undefined} */
    let timer
    const late = new Promise(resolve => {
      timer = setTimeout(resolve, CLEAN_LIMIT, false)
    })
    try {
      return await Promise.race([clean(), late])
    } catch {
      return false
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Ends what runs when its time is up or when whoever asked leaves.
   * @param {import('pg').PoolClient} client
   * @param {AbortSignal} [asker]
   */
  #ending(client, asker) {
    /** @type {Ended | undefined} */
    let why
    let isOver = false
    /** @type {Promise<void>} */
    let ending = Promise.resolve()
    const end = (/** @type {string} */ words) => {
      if (isOver || why !== undefined) return
      why = new Ended(words)
      ending = this.#cancel(client, () => isOver)
    }
    const { timeout } = this.#limits
    const onTime = () => end(`It took longer than ${timeout / 1000} s and was ended.`)
    const timer = setTimeout(onTime, timeout + (this.#source.keepsTime ? GRACE : 0))
    const onAbort = () => end('Cancelled.')
    asker?.addEventListener('abort', onAbort)
    if (asker?.aborted) onAbort()
    return {
      why: () => why,
      /** Until then a request that is on its way could end what runs next on the connection. */
      settled: () => ending,
      tooLate() {
        isOver = true
        clearTimeout(timer)
        asker?.removeEventListener('abort', onAbort)
      },
    }
  }

  /**
   * @param {import('pg').PoolClient} client
   * @param {() => boolean} isOver
   */
  async #cancel(client, isOver) {
    for (let cancels = 0; cancels < CANCELS && !isOver(); cancels++) {
      await this.#source.cancel(client)
      await quiet(CANCEL_AGAIN, isOver)
    }
    if (!isOver()) /** @type {any} */ (client).connection.stream.destroy()
  }
}

/** The connection was of no use: nothing has been run, so that another one may do. */
class NotBegun extends Error {
  /** @param {unknown} cause */
  constructor(cause) {
    super('The transaction did not begin', { cause })
  }
}

/** Words with which PostgreSQL ends a connection: shutdown, broken connections, transactions that were idle or open for too long. */
const FAREWELL = /^(57P|08|25P0[34])/

/** Whether PostgreSQL has refused something, rather than gone. @param {unknown} error */
function isAnswer(error) {
  // By its code: the severity is in the server's language.
  return error instanceof pg.DatabaseError && !FAREWELL.test(error.code ?? '')
}

/** The most bytes of one answer of the server. Rows are fetched so that they stay far below, unless a single one is larger. */
function mostBytes(/** @type {Limits} */ { maxBytes }) {
  return 4 * maxBytes + 1_000_000
}

/**
 * @param {number} milliseconds
 * @param {() => boolean} isOver
 */
async function quiet(milliseconds, isOver) {
  const until = Date.now() + milliseconds
  while (Date.now() < until && !isOver()) await new Promise(resolve => setTimeout(resolve, 10))
}
