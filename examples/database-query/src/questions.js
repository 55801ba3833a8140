/** Questions that were asked: sealed, so that an answer belongs to the statement that was shown, and good for one answer. */

import { randomBytes } from 'node:crypto'
import { createRequestStateCodec } from '@modelcontextprotocol/server'

const SECONDS = 600
const MOST = 10_000

/** @typedef {{ statement: string, id: string }} Question what was shown, and which showing of it */

export function newQuestions() {
  const codec = /** @type {import('@modelcontextprotocol/server').RequestStateCodec<Question>} */ (
    createRequestStateCodec({ key: randomBytes(32), ttlSeconds: SECONDS })
  )
  /** @type {Map<string, number>} used ones, with the time from which on the seal itself has run out */
  const used = new Map()
  return {
    mint: codec.mint,
    verify: codec.verify,
    /** Whether the answer is the first; a repeated request must not write twice. @param {string} id */
    take(id) {
      for (const [old, end] of used) {
        if (end > Date.now()) break
        used.delete(old)
      }
      if (used.has(id) || used.size >= MOST) return false
      used.set(id, Date.now() + (SECONDS + 1) * 1000)
      return true
    },
  }
}
