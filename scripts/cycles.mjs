/** Connects, calls and disconnects a thousand times (or as often as told) in each way. Fails where anything is left behind. */

import { CYCLE_WAYS, runCycles } from '../test/fixtures/cycles.mjs'

const count = Number(process.argv[2] ?? 1_000)
let failed = false
for (const way of CYCLE_WAYS) {
  const began = Date.now()
  const { before, after } = await runCycles(way, count)
  const ok =
    after.rss - before.rss < 20 &&
    after.descriptors <= before.descriptors &&
    after.processes <= before.processes
  failed ||= !ok
  const change = key => `${key} ${before[key]} -> ${after[key]}`
  const seconds = Math.round((Date.now() - began) / 1000)
  console.log(
    `${ok ? 'ok  ' : 'FAIL'} ${way.padEnd(28)} ${count} cycles in ${seconds} s: ${change('rss')} MB, ${change('descriptors')}, ${change('processes')}`,
  )
}
process.exitCode = failed ? 1 : 0
