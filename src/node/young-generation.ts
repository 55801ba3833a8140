import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Both halves of a young generation of 8 MiB, as V8 counts them. */
const ENOUGH = 16 * 1024 * 1024

/**
 * Keeps V8 from growing its young generation beyond 8 MiB. By default it doubles to 16 MiB after a burst of
 * new streams and never shrinks, so that a process with a few thousand idle streams holds 17 MiB for nothing.
 * For a command that owns its process only: the setting is the whole process's. See decisions/0006.
 */
export function limitYoungGeneration(): void {
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    if (young === undefined || young.space_size < ENOUGH) return
    setFlagsFromString('--semi-space-growth-factor=1')
    observer.disconnect()
  })
  observer.observe({ entryTypes: ['gc'] })
}
