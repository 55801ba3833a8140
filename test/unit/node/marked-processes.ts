import { readdirSync, readFileSync } from 'node:fs'

/** The living processes whose environment holds the mark. The dead that nobody has collected do not count. */
export function markedProcesses(mark: string): number[] {
  const marked: number[] = []
  for (const id of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${id}/environ`, 'latin1').includes(mark)) continue
      const stat = readFileSync(`/proc/${id}/stat`, 'latin1')
      if (!/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))) marked.push(Number(id))
    } catch {
      // It ended meanwhile.
    }
  }
  return marked
}

/** Resolves once the condition holds; rejects after five seconds. */
export async function until(condition: () => boolean, what: string | (() => string)): Promise<void> {
  const deadline = performance.now() + 5_000
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`timed out: ${typeof what === 'string' ? what : what()}`)
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}
