/**
 * Kills servers at random under load, through all faces, and checks that no call hangs, none gets another's answer, none runs twice and nothing is left
 * behind. `--seconds N` (default 60), `--seed N` to repeat a run as far as timing allows.
 */

import { parseArgs } from 'node:util'
import { runChaos } from '../test/fixtures/chaos.mjs'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } })
const seconds = Number(values.seconds ?? 60)
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
// An exit ends the servers; a signal alone would leave those that listen.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
console.log(`${seconds} s of chaos, seed ${seed}`)
const { violations, before, after, errors, deaths, calls, results, slowest } = await runChaos({
  seconds,
  seed,
})
const counted = counts =>
  Object.entries(counts)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')
console.log(
  `${calls} calls, ${results} with a result; errors: ${counted(errors)}; the slowest outcome after ${slowest} ms`,
)
console.log(`deaths: ${counted(deaths)}`)
for (const [name, { rss, descriptors, processes }] of Object.entries(before ?? {})) {
  const then = after?.[name]
  console.log(
    `${name}: rss ${rss} -> ${then?.rss} MB, descriptors ${descriptors} -> ${then?.descriptors}, processes ${processes} -> ${then?.processes}`,
  )
}
for (const violation of violations) console.log(`VIOLATED: ${violation}`)
console.log(violations.length === 0 ? 'ok' : 'FAIL')
process.exitCode = violations.length === 0 ? 0 : 1
// A call that never has an outcome would keep us.
process.exit()
