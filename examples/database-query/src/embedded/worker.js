/**
 * PostgreSQL itself, in a thread of its own: a query there holds up nobody, and ends when the thread is ended, which is the only way to
 * end it. Takes batches of the wire protocol and gives back what PostgreSQL answers.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { openShop } from './shop.js'

const port = parentPort
if (port === null) throw new TypeError('worker.js is a thread, not a program')

const postgres = await openShop(/** @type {{ folder: string }} */ (workerData).folder)

port.on('message', async (/** @type {import('./embedded-source.js').Batch} */ { session, bytes }) => {
  try {
    if (isStartup(bytes)) await forgetSession()
    await postgres.execProtocolRawStream(bytes, { onRawData: answer => post(session, answer) })
  } catch (error) {
    port.postMessage({ session, failed: error instanceof Error ? error.message : String(error) })
  }
})
port.postMessage('ready')

/** PGlite has one session only; who connects must find nothing of who was there before. */
async function forgetSession() {
  await postgres.exec('ROLLBACK')
  await postgres.exec('DISCARD ALL')
}

/** The first packet of a connection begins with its length, all others with a letter. */
function isStartup(/** @type {Uint8Array} */ bytes) {
  return bytes[0] === 0
}

/**
 * A copy, since the bytes belong to the memory of PostgreSQL.
 * @param {number} session
 * @param {Uint8Array} answer
 */
function post(session, answer) {
  const bytes = new Uint8Array(answer)
  port?.postMessage({ session, bytes }, [bytes.buffer])
}
