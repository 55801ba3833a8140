import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Both halves of a young generation of 8 MiB, as V8 counts them. */
const ENOUGH = 16 * 1024 * 1024
/** Collections within as many milliseconds that only lasting load causes: some 20,000 requests, and not a few thousand new streams. */
const MANY = 100
const WITHIN = 10_000

/**
 * Keeps a burst from growing V8's young generation beyond 8 MiB. By default it doubles to 16 MiB after a burst of new streams
 * and never shrinks, so that a process with a few thousand idle streams holds 17 MiB for nothing. Lasting load gets the
 * larger one: it is collected half as often, for a twentieth of the time that a request takes.
 * For a command that owns its process only: the setting is the whole process's. See decisions/0006.
 */
export function limitYoungGeneration(): void {
  let limited = false
  let collections = 0
  let since = 0
  const collected = ({ startTime }: PerformanceEntry) => {
    if (startTime - since > WITHIN) {
      collections = 0
      since = startTime
    }
    if (++collections < MANY) return
    setFlagsFromString('--semi-space-growth-factor=2')
    observer.disconnect()
  }
  const observer = new PerformanceObserver(list => {
    if (limited) {
      for (const entry of list.getEntries()) collected(entry)
      return
    }
    const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    if (young === undefined || young.space_size < ENOUGH) return
    setFlagsFromString('--semi-space-growth-factor=1')
    limited = true
  })
  observer.observe({ entryTypes: ['gc'] })
}
