import type { Log } from '../node/log.js'
import type { ServeEvent } from '../node/serve.js'

type RefusedEvent = Extract<ServeEvent, { type: 'connection-refused' }>

/** Milliseconds between two records: refusals come in floods. */
const INTERVAL = 60_000
const OPTIONS = { maxClients: '--max-clients', maxClientsPerAddress: '--max-clients-per-address' } as const

/** Tells of connections over a limit: of the first at once, then how many there were, once a minute at most. */
export function refusedConnectionsLog(log: Log): (event: RefusedEvent) => void {
  let total = 0
  let told = 0
  let waiting = false
  const tellTotal = () => {
    waiting = false
    if (total === told) return
    told = total
    wait()
    log.warn('connections_refused', `${total} connections over a limit were refused by now`, { count: total })
  }
  const wait = () => {
    waiting = true
    setTimeout(tellTotal, INTERVAL).unref()
  }
  return ({ limit, allowed, address }) => {
    total += 1
    if (waiting) return
    told = total
    const option = OPTIONS[limit]
    log.warn('connections_refused', `A connection was refused: ${allowed} are open already (${option})`, {
      count: total,
      option,
      address,
    })
    wait()
  }
}
