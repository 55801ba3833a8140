/** Pinned definitions of a file, which may become others while servers are served. */

import type { PinSource } from '../middleware/exchange/pinned.js'
import { watchForChanges } from './config/watch-file.js'
import { type PinnedServers, readPinFile } from './storage/pin-file.js'

export interface FollowedPinsOptions {
  /** It was read again, or cannot be: then what it said before holds. */
  readonly onChange?: ((error: Error | undefined) => void) | undefined
}

/** The pinned definitions of a file, which is followed until it is closed. */
export interface FollowedPins {
  of(server: string): PinSource
  close(): void
}

/** Rejects with `TypeError` for a file that is not there, or cannot be used. */
export async function followPins(
  file: string,
  { onChange }: FollowedPinsOptions = {},
): Promise<FollowedPins> {
  const read = async (): Promise<PinnedServers> => {
    const servers = await readPinFile(file)
    if (servers === undefined) throw new TypeError(`There is no file ${file}; "anyport pin" writes it`)
    return servers
  }
  let servers = await read()
  const listeners = new Set<() => void>()
  const stop = watchForChanges(file, () => {
    read()
      .then(
        next => {
          servers = next
          for (const listener of listeners) listener()
          return undefined
        },
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      )
      .then(error => onChange?.(error))
      .catch(() => {})
  })
  return {
    of: server => ({
      current: () => servers.get(server),
      onChange(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    }),
    close: stop,
  }
}
