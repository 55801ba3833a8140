import type { Log } from '../node/log.js'
import type { ServeEvent } from '../node/serve-options.js'

type NoiseEvent = Extract<ServeEvent, { type: 'noise' }>

/** Lines shown as they are; of the others, only how many there are. */
const SHOWN = 3
/** Milliseconds between two records of the count; doubled each time up to the longest. */
const FIRST_INTERVAL = 1_000
const LONGEST_INTERVAL = 60_000

/** Tells of what a server writes to its stdout beside the protocol: the first lines, with advice, then how many there are. */
export function noiseLog(log: Log): (event: NoiseEvent) => void {
  let total = 0
  let interval = FIRST_INTERVAL
  let waiting = false
  const tellTotal = () => {
    waiting = false
    interval = Math.min(LONGEST_INTERVAL, interval * 2)
    log.info('server_noise', `${total} lines on its stdout were skipped by now`, { count: total })
  }
  return ({ noise, count }) => {
    const fields = { ...noise, count }
    if (noise.kind === 'too-large') {
      log.warn('server_noise', 'A message of the server has more bytes than --max-message allows', fields)
      return
    }
    total = count
    if (count === 1) {
      log.warn(
        'server_noise',
        `The server wrote to its stdout what is no message: ${JSON.stringify(noise.text)}. It was skipped; programs that speak MCP should log to stderr`,
        fields,
      )
    } else if (count <= SHOWN) {
      log.info('server_noise', `Skipped on its stdout: ${JSON.stringify(noise.text)}`, fields)
    } else {
      log.debug('server_noise', `Skipped on its stdout: ${JSON.stringify(noise.text)}`, fields)
      if (waiting) return
      waiting = true
      setTimeout(tellTotal, interval).unref()
    }
  }
}
