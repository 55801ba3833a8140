import { ask, type BackgroundStatus, isGone } from './greeting.js'
import type { Place, Places } from './places.js'

export interface Listed {
  readonly place: Place
  /** Undefined for a process that lives but does not answer. */
  readonly status: BackgroundStatus | undefined
}

const ANSWER_LIMIT = 3_000
/** Milliseconds that the end of servers may take beyond the drain timeout: they are asked, told and then forced to. */
const END_LIMIT = 10_000

/** The living background processes: the one that serves, if any, and those that it has replaced. */
export async function listBackgrounds(places: Places, version: string): Promise<readonly Listed[]> {
  const listed = await Promise.all(
    places.list().map(async (place): Promise<Listed | undefined> => {
      const address = places.addressOf(place)
      if (address === undefined) return undefined
      try {
        const reply = await ask(address, { want: 'status', version }, { timeout: ANSWER_LIMIT })
        return { place, status: reply.ok ? reply.status : undefined }
      } catch (error) {
        return isGone(error) ? undefined : { place, status: undefined }
      }
    }),
  )
  return listed.filter(one => one !== undefined)
}

/** Resolves once it and its servers have ended; with false where that could not be seen in time. */
export async function stopBackground(
  { place }: Listed,
  places: Places,
  { version, drainTimeout }: { readonly version: string; readonly drainTimeout: number },
): Promise<boolean> {
  const address = places.addressOf(place)
  if (address === undefined) return true
  try {
    await ask(address, { want: 'stop', version, drainTimeout }, { timeout: drainTimeout + END_LIMIT })
    return true
  } catch (error) {
    return isGone(error)
  }
}
