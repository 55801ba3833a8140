/** Gives the memory of large messages back to the system once nothing is done with it any more. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes outside the heap that are worth a collection. */
const WORTH = 32 * 1024 * 1024
const INTERVAL = 2_000

/**
 * V8 collects when it needs room, and a process that has carried one large message and then rests needs none: it would keep
 * those bytes for hours. This looks every two seconds, and collects where much is held, and no more than two seconds before.
 * For the command only, since it belongs to the whole process.
 */
export function collectWhenIdle(): void {
  let floor = WORTH
  let before = 0
  setInterval(() => {
    const { arrayBuffers } = process.memoryUsage()
    const quiet = arrayBuffers <= before
    before = arrayBuffers
    if (!quiet || arrayBuffers < floor) return
    collect()
    before = process.memoryUsage().arrayBuffers
    // What is in use is not looked at again until it has grown.
    floor = before + WORTH
  }, INTERVAL).unref()
}

let collector: (() => void) | undefined

function collect(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as () => void
  }
  collector()
}
