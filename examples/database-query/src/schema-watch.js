/** Tells when tables come, go or change. */

import { fingerprint } from './catalog.js'

/**
 * Looks every `interval` milliseconds while somebody listens, and when it is told to; 0 is only then.
 * @param {import('./database.js').Database} database
 * @param {number} interval
 */
export function schemaWatch(database, interval) {
  /** @type {Set<() => void>} */
  const listeners = new Set()
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  /** @type {string | undefined} */
  let known
  /** @type {Promise<void> | undefined} */
  let looking

  const look = async () => {
    try {
      const found = await database.read(fingerprint)
      const isNew = known !== undefined && found !== known
      known = found
      if (isNew) for (const listener of listeners) listener()
    } catch {
      // The database is away; whoever asks it for something hears so.
    }
  }
  const lookOnce = () => {
    looking ??= look().finally(() => {
      looking = undefined
    })
    return looking
  }

  return {
    /** Gives the function that ends it. */
    listen(/** @type {() => void} */ listener) {
      listeners.add(listener)
      if (interval > 0) timer ??= setInterval(lookOnce, interval).unref()
      if (known === undefined) void lookOnce()
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
    look: lookOnce,
    close() {
      listeners.clear()
      clearInterval(timer)
    },
  }
}
