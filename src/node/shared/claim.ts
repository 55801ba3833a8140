/**
 * One background for all, whoever starts at the same time. Each listens first and looks around afterwards, so that of two at least one
 * sees the other; then the one that serves already stays, or else the first. A lock file would have to be broken when its holder
 * has died, and breaking it is the same race again.
 */

import type { ByteStream } from '../../transport/channel/channel.js'
import { ask, type BackgroundState, isGone } from './greeting.js'
import type { OwnPlace, Place, Places } from './places.js'

export interface ClaimOptions {
  readonly version: string
  readonly onConnection: (stream: ByteStream) => void
}

/** Milliseconds for an answer of another one; it counts as living without. */
const ANSWER_LIMIT = 2_000
/** Milliseconds for one that comes after us to leave. */
const LEAVE_LIMIT = 5_000

/** Resolves with the place from which to serve; with undefined where another one serves, or is about to. */
export async function claim(places: Places, options: ClaimOptions): Promise<OwnPlace | undefined> {
  const before = places.list()
  for (const other of before) {
    if (!other.retired && (await stateOf(other, places, options)) !== 'dead') return undefined
  }
  const number = 1 + Math.max(0, ...places.list().map(place => place.number))
  const own = await places.open(number, options.onConnection)
  try {
    const dead: Place[] = []
    for (const other of places.list()) {
      if (other.number === own.number && other.pid === own.pid) continue
      if (await mustYield(own, other, places, options, dead)) {
        await own.close()
        return undefined
      }
    }
    for (const place of dead) places.remove(place)
    return own
  } catch (error) {
    await own.close()
    throw error
  }
}

async function mustYield(
  own: OwnPlace,
  other: Place,
  places: Places,
  options: ClaimOptions,
  dead: Place[],
): Promise<boolean> {
  const isFirst = own.number < other.number || (own.number === other.number && own.pid < other.pid)
  const deadline = performance.now() + LEAVE_LIMIT
  for (;;) {
    const state = await stateOf(other, places, options)
    if (state === 'dead') dead.push(other)
    if (state === 'dead' || state === 'retired') return false
    // Two that are about to serve: the later one leaves, and the first waits for that.
    if (state !== 'starting' || !isFirst || performance.now() > deadline) return true
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function stateOf(
  place: Place,
  places: Places,
  { version }: ClaimOptions,
): Promise<BackgroundState | 'dead' | 'silent'> {
  const address = places.addressOf(place)
  if (address === undefined) return 'dead'
  try {
    const answer = await ask(address, { want: 'status', version }, { timeout: ANSWER_LIMIT })
    return (answer.ok ? answer.status?.state : undefined) ?? 'silent'
  } catch (error) {
    return isGone(error) ? 'dead' : 'silent'
  }
}
