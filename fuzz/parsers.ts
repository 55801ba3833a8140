/** A run of the parsers' targets in a worker of its own: `scripts/fuzz.mjs` watches from outside whether it goes on. */

import { parentPort, workerData } from 'node:worker_threads'
import { runTargets } from './run.js'
import { TARGETS } from './targets.js'

interface Order {
  readonly seed: number
  readonly count: number
  readonly seconds: number | undefined
  readonly only: string
  /** One input alone. */
  readonly at: number | undefined
}

const { seed, count, seconds, only, at } = workerData as Order
const exact = TARGETS.filter(({ name }) => name === only)
const targets = exact.length > 0 ? exact : TARGETS.filter(({ name }) => name.includes(only))
if (targets.length === 0)
  throw new Error(`No target is called ${only}; there are ${TARGETS.map(({ name }) => name).join(', ')}`)

const began = performance.now()
let told = 0
const results = await runTargets(targets, {
  seed,
  count: at === undefined ? count : targets.length,
  first: at,
  until: seconds === undefined ? undefined : Date.now() + seconds * 1_000,
  collect: globalThis.gc === undefined ? undefined : () => globalThis.gc?.(),
  onInput(target, index) {
    const now = performance.now()
    if (now - told < 200) return
    told = now
    parentPort?.postMessage({ progress: { target, index } })
  },
  onTarget({ target, inputs, milliseconds, growth, findings }) {
    const grown = growth === undefined ? '' : `, heap ${growth < 0 ? '' : '+'}${(growth / 1e6).toFixed(1)} MB`
    console.log(
      `${findings.length === 0 ? 'ok  ' : 'FAIL'} ${target.padEnd(20)} ${inputs} inputs in ${(milliseconds / 1000).toFixed(1)} s${grown}`,
    )
    for (const { index, input, error } of findings) {
      const shown =
        typeof input === 'string'
          ? JSON.stringify(input)
          : `bytes ${JSON.stringify(Buffer.from(input).toString('latin1'))}`
      console.log(`     --seed ${seed} --only ${target} --at ${index}`)
      console.log(
        `     made small: ${shown.length > 2_000 ? `${shown.slice(0, 2_000)}... (${input.length})` : shown}`,
      )
      console.log(`     ${error.stack ?? error}`.slice(0, 3_000))
    }
  },
})
const inputs = results.reduce((sum, result) => sum + result.inputs, 0)
const failed = results.some(({ findings }) => findings.length > 0)
console.log(
  `${failed ? 'FAIL' : 'ok'}: ${inputs} inputs in ${Math.round((performance.now() - began) / 1000)} s`,
)
process.exitCode = failed ? 1 : 0
