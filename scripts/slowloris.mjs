/**
 * 500 connections that send their headers by the byte, and 500 that send their bodies so, beside 50 clients: whose p99 must stay below twice
 * what it is without them. `--seconds N` for each of the three phases, default 20: longer than a slow head is waited for.
 */

import { parseArgs } from 'node:util'
import { runSlowloris } from '../test/fixtures/slowloris.mjs'

const { values } = parseArgs({ options: { seconds: { type: 'string' } } })
const outcome = await runSlowloris({
  heads: 500,
  bodies: 500,
  honest: 50,
  seconds: Number(values.seconds ?? 20),
})
const { quiet, attacked, calls, failed, held, ended, longest, answers } = outcome
const ms = number => `${number.toFixed(1)} ms`
console.log(
  `p99 of ${calls.join(', ')} calls: quiet ${ms(quiet[0])}, under attack ${ms(attacked)}, quiet again ${ms(quiet[1])}`,
)
console.log(
  `slow connections: ${held} at once, ${ended} ended by the server, the longest after ${ms(longest)}, answers ${JSON.stringify(answers)}`,
)
// A machine with other work is never as quiet as in its best moment.
const ok = attacked < 2 * Math.max(...quiet) && failed === 0 && held >= 1_000
console.log(ok ? 'ok' : `FAIL (${failed} calls failed)`)
process.exitCode = ok ? 0 : 1
