/** Gives the memory of large messages back to the system once nothing is done with it any more. */

import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Bytes more than at the start that are worth a collection. */
const WORTH = 32 * 1024 * 1024
const INTERVAL = 2_000
/** How busy we may have been since the last look, from 0 to 1. */
const IDLE = 0.1
/** Looks that are let pass at most, where a collection has freed little: five minutes. */
const LONGEST_PAUSE = 150

/**
 * V8 collects when it needs room, and a process that has carried much and then rests needs none: it would keep what it does not
 * use for hours. This looks every two seconds, and collects where much is held and little was done; less and less often where that
 * did not help, because what is held is in use. For the command only, since it belongs to the whole process.
 */
export function collectWhenIdle(): void {
  const start = held()
  let since = performance.eventLoopUtilization()
  let pause = 1
  let left = 0
  setInterval(() => {
    const { utilization } = performance.eventLoopUtilization(since)
    since = performance.eventLoopUtilization()
    const before = held()
    if (before < start + WORTH) pause = 1
    if (before < start + WORTH || utilization > IDLE || --left > 0) return
    collect()
    pause = before - held() >= WORTH / 2 ? 1 : Math.min(LONGEST_PAUSE, pause * 2)
    left = pause
  }, INTERVAL).unref()
}

function held(): number {
  const { heapTotal, arrayBuffers } = process.memoryUsage()
  return heapTotal + arrayBuffers
}

let collector: (() => void) | undefined

function collect(): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc')
    collector = runInNewContext('gc') as () => void
  }
  collector()
}
