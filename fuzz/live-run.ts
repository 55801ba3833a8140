/** A run of requests to a live server: `scripts/fuzz.mjs --only live`. */

import { runLive } from './live.js'

const [seed, count, seconds] = process.argv.slice(2).map(Number)
const { requests, milliseconds, statuses, answered, slowest, before, after, violations } = await runLive({
  seed: seed as number,
  count: count as number,
  seconds: Number.isNaN(seconds) ? undefined : seconds,
  root: process.env.ANYPORT_ROOT as string,
})
const seen = Object.entries(statuses).map(([status, times]) => `${times} x ${status}`)
console.log(`${requests} requests in ${Math.round(milliseconds / 1000)} s: ${seen.join(', ')}`)
console.log(`honest clients: ${answered} calls answered, the slowest after ${slowest} ms`)
console.log(
  `rss ${before.rss} -> ${after.rss} MB, descriptors ${before.descriptors} -> ${after.descriptors}, processes ${before.processes} -> ${after.processes}`,
)
for (const violation of violations) console.log(`VIOLATED: ${violation}`)
console.log(violations.length === 0 ? 'ok' : 'FAIL')
process.exitCode = violations.length === 0 ? 0 : 1
