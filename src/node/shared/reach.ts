import { TransportError } from '../../exchange/errors.js'
import type { ByteStream } from '../../transport/channel/channel.js'
import type { SharedEntry } from './entry.js'
import { greet, isGone } from './greeting.js'
import type { Places } from './places.js'

export interface ReachOptions {
  readonly places: Places
  readonly version: string
  /** Starts a background; called again and again until one serves. */
  readonly start: () => Promise<void>
  /** Where the background says why it does not start. */
  readonly log: string
  /** Milliseconds until somebody must serve. Default 20 seconds. */
  readonly timeout?: number
}

export interface Reached {
  /** The stdio framing, to and from the shared server. */
  readonly stream: ByteStream
  readonly pid: number
  readonly version: string
}

/** Milliseconds for the reply of a background. One that ends a server of the same kind first takes a while. */
const REPLY_TIMEOUT = 10_000

/** Finds the background anyport, starts it if need be, and asks for a server. Rejects with `TransportError`. */
export async function reachBackground(entry: SharedEntry, options: ReachOptions): Promise<Reached> {
  const { timeout = 20_000 } = options
  const deadline = performance.now() + timeout
  for (let wait = 10; ; wait = Math.min(100, wait * 1.5)) {
    const found = await askAll(entry, options)
    if (found === 'nobody') await options.start()
    else if (found !== 'busy') return found
    if (performance.now() > deadline) {
      throw new TransportError(
        'ERR_TIMEOUT',
        `The background anyport did not start within ${timeout} ms; ${options.log} may say why`,
        { hop: 'the background anyport', knob: '--shared', retryable: true },
      )
    }
    await new Promise(resolve => setTimeout(resolve, wait))
  }
}

async function askAll(entry: SharedEntry, options: ReachOptions): Promise<Reached | 'nobody' | 'busy'> {
  const { places, version } = options
  let busy = false
  for (const place of places.list()) {
    const address = place.retired ? undefined : places.addressOf(place)
    if (address === undefined) continue
    try {
      const { reply, rest } = await greet(
        address,
        { want: 'serve', version, entry },
        { timeout: REPLY_TIMEOUT },
      )
      if (reply.ok) return { stream: rest, pid: reply.pid, version: reply.version }
      await rest.close()
      if (reply.reason === 'refused') throw new TypeError(reply.message)
    } catch (error) {
      if (!(error instanceof TransportError) || error.code === 'ERR_PROTOCOL') throw error
      if (error.code === 'ERR_TIMEOUT') throw silent(place.pid)
      if (!isGone(error)) busy = true
    }
  }
  return busy ? 'busy' : 'nobody'
}

function silent(pid: number): TransportError {
  return new TransportError(
    'ERR_TIMEOUT',
    `The background anyport (process ${pid}) does not answer within ${REPLY_TIMEOUT} ms. End that process, and the next client starts another one`,
    { hop: 'the background anyport', knob: '--shared', retryable: true },
  )
}
