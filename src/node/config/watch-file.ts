/** Tells when a file has changed, however it was written: in place, or by another file taking its name. */

import { type FSWatcher, type Stats, unwatchFile, watch, watchFile } from 'node:fs'
import { basename, dirname } from 'node:path'

export interface WatchFileOptions {
  /** Milliseconds without a change after which one is told: editors write in several steps. Default 150. */
  readonly quiet?: number | undefined
  /**
   * Milliseconds after which a change is told although more follow. Default 1,000: a file that is written all the time is
   * applied all the same.
   */
  readonly atMost?: number | undefined
  /** Milliseconds between two looks where the system tells nothing (network folders). Default 2,000. */
  readonly interval?: number | undefined
}

/** Returns how to stop. */
export function watchForChanges(
  file: string,
  onChange: () => void,
  { quiet = 150, atMost = 1_000, interval = 2_000 }: WatchFileOptions = {},
): () => void {
  let timer: NodeJS.Timeout | undefined
  let first = 0
  const changed = () => {
    const now = performance.now()
    if (timer === undefined) first = now
    clearTimeout(timer)
    timer = setTimeout(
      () => {
        timer = undefined
        onChange()
      },
      Math.max(0, Math.min(quiet, first + atMost - now)),
    )
    timer.unref()
  }

  // The folder, because a watch on the file itself ends with the file that another one replaces.
  let watcher: FSWatcher | undefined
  try {
    watcher = watch(dirname(file), { persistent: false }, (_event, name) => {
      if (name === null || name === basename(file)) changed()
    })
    // Looking remains.
    watcher.on('error', () => watcher?.close())
  } catch {
    // The same.
  }
  const look = (now: Stats, before: Stats) => {
    if (now.mtimeMs !== before.mtimeMs || now.size !== before.size || now.ino !== before.ino) changed()
  }
  watchFile(file, { persistent: false, interval }, look)

  return () => {
    clearTimeout(timer)
    watcher?.close()
    unwatchFile(file, look)
  }
}
