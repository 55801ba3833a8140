import type { Log } from '../node/log.js'
import type { ServeEvent } from '../node/serve-options.js'

type RefusedEvent = Extract<ServeEvent, { type: 'connection-refused' }>

/** Milliseconds between two records: refusals come in floods. */
const INTERVAL = 60_000
const LIMITS = { maxClients: '--max-clients', maxClientsPerAddress: '--max-clients-per-address' } as const
/** What gives more room to those who need it. */
const OPTIONS: Readonly<Record<string, string>> = { headers: '--max-header-size', slow: '--request-timeout' }

/**
 * Tells of connections over a limit, and of those on which no request could be read: of the first at once, then how many there were, once a
 * minute at most.
 */
export function refusedConnectionsLog(log: Log): (event: RefusedEvent) => void {
  const overLimit = tally((total, event) => {
    const count = { count: total }
    if (event?.reason !== 'connections') {
      log.warn('connections_refused', `${total} connections over a limit were refused by now`, count)
      return
    }
    const { allowed, limit, address } = event
    const option = LIMITS[limit]
    log.warn('connections_refused', `A connection was refused: ${allowed} are open already (${option})`, {
      ...count,
      option,
      address,
    })
  })
  const unreadable = tally((total, event) => {
    if (event === undefined) {
      const text = `${total} connections were closed by now, since what came on them was no request`
      log.info('requests_unreadable', text, { count: total })
      return
    }
    const { reason, address } = event
    const option = OPTIONS[reason]
    const text = `A connection was closed, since what came on it was no request: ${reason}${option === undefined ? '' : ` (${option})`}`
    log.info('requests_unreadable', text, { count: total, reason, option, address })
  })
  return event => (event.reason === 'connections' ? overLimit : unreadable)(event)
}

/** Counts, and tells of the first at once and then of how many, in intervals. */
function tally(
  tell: (total: number, event: RefusedEvent | undefined) => void,
): (event: RefusedEvent) => void {
  let total = 0
  let told = 0
  let waiting = false
  const tellTotal = () => {
    waiting = false
    if (total === told) return
    told = total
    wait()
    tell(total, undefined)
  }
  const wait = () => {
    waiting = true
    setTimeout(tellTotal, INTERVAL).unref()
  }
  return event => {
    total += 1
    if (waiting) return
    told = total
    tell(total, event)
    wait()
  }
}
