/** A PostgreSQL that comes with the program (PGlite), with a small shop in it. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ProtocolStream } from './protocol-stream.js'

/** Milliseconds to wait for the one connection; the very first start may take a while. */
const CONNECT_LIMIT = 60_000

/**
 * Starts at once, so that it is up when the first query comes. Its data is a temporary folder, which goes with `close`, or with the
 * process.
 * @param {{ warn: (text: string) => void }} options
 * @returns {import('../source.js').Source}
 */
export function embeddedSource({ warn }) {
  const folder = mkdtempSync(join(tmpdir(), 'database-query-'))
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  process.once('exit', remove)

  /** @type {ReturnType<typeof startThread> | undefined} */
  let thread = startThread(folder, warn)
  /** @type {ProtocolStream | undefined} */
  let stream
  let sessions = 0
  let isClosed = false

  const open = () => {
    const session = ++sessions
    const mine = new ProtocolStream(
      async () => {
        if (isClosed) throw new Error('The embedded PostgreSQL is closed')
        if (thread === undefined || thread.hasEnded()) thread = startThread(folder, warn)
        thread.receive(session, mine)
        await thread.ready
      },
      bytes => thread?.worker.postMessage({ session, bytes }),
    )
    stream = mine
    return mine
  }

  // There is no way to ask a query to end, so the thread ends, and the data folder is opened again, as after a crash.
  const restart = async () => {
    const old = thread
    thread = undefined
    await old?.worker.terminate()
    stream?.destroy(new Error('The query was ended'))
  }

  return {
    name: 'shop',
    config: {
      stream: open,
      user: 'reader',
      database: 'postgres',
      ssl: false,
      connectionTimeoutMillis: CONNECT_LIMIT,
      idleTimeoutMillis: 0,
    },
    // It has one session.
    connections: 1,
    readRole: 'reader',
    writeRole: 'keeper',
    // Its clock does not run while a query does.
    keepsTime: false,
    secrets: [],
    async prepare() {},
    cancel: restart,
    abandon: restart,
    async close() {
      isClosed = true
      await restart()
      remove()
      process.off('exit', remove)
    },
  }
}

/**
 * @typedef {{ session: number, bytes: Uint8Array }} Batch to the thread, and back
 *
 * @param {string} folder
 * @param {(text: string) => void} warn
 */
function startThread(folder, warn) {
  const worker = new Worker(new URL('worker.js', import.meta.url), { workerData: { folder } })
  // What keeps the process alive is who asks, not what could answer.
  worker.unref()
  let ended = false
  let current = 0
  /** @type {ProtocolStream | undefined} */
  let receiver
  const ready = /** @type {Promise<void>} */ (
    new Promise((resolve, reject) => {
      worker.on('message', (/** @type {'ready' | Batch | { session: number, failed: string }} */ message) => {
        if (message === 'ready') return resolve()
        // What was meant for a connection that is no more, such as the rest of an answer that was too large.
        if (message.session !== current) return
        if ('failed' in message) receiver?.destroy(new Error(message.failed))
        else receiver?.push(message.bytes)
      })
      const end = (/** @type {Error} */ error) => {
        ended = true
        reject(error)
        receiver?.destroy(error)
      }
      worker.once('error', error => {
        warn(`the embedded PostgreSQL has failed: ${error.message}`)
        end(error)
      })
      worker.once('exit', () => end(new Error('The embedded PostgreSQL has ended')))
    })
  )
  ready.catch(() => {})
  return {
    worker,
    ready,
    hasEnded: () => ended,
    /**
     * @param {number} session
     * @param {ProtocolStream} stream
     */
    receive(session, stream) {
      current = session
      receiver = stream
    },
  }
}
