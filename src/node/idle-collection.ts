/** Gives the memory of large messages back to the system once nothing is done with it any more. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes outside the heap that are worth a collection. */
const WORTH = 32 * 1024 * 1024
const INTERVAL = 2_000
/** Looks that are let pass at most, where a collection has freed nothing. */
const LONGEST_PAUSE = 32

/**
 * V8 collects when it needs room, and a process that has carried one large message and then rests needs none: it would keep
 * those bytes for hours. This looks every two seconds, and collects where much is held and it has not become more; less
 * often where that did not help, because the bytes are in use.
 * For the command only, since it belongs to the whole process.
 */
export function collectWhenIdle(): void {
  let before = 0
  let pause = 1
  let left = 0
  setInterval(() => {
    const held = process.memoryUsage().arrayBuffers
    const quiet = held <= before
    before = held
    if (held < WORTH) pause = 1
    if (!quiet || held < WORTH || --left > 0) return
    collect()
    before = process.memoryUsage().arrayBuffers
    pause = before < held / 2 ? 1 : Math.min(LONGEST_PAUSE, pause * 2)
    left = pause
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
