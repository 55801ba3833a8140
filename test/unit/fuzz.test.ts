import { describe, expect, it } from 'vitest'
import { runTargets } from '../../fuzz/run.js'
import { TARGETS } from '../../fuzz/targets.js'

/** `npm run fuzz` goes on for as long as it is told. */
describe.each([
  ['the same as ever', 1],
  ['others each time', Math.floor(Math.random() * 2 ** 32)],
])('inputs made of good ones, %s (seed %i)', (_which, seed) => {
  it.each(TARGETS.map(target => [target.name, target] as const))(
    '%s',
    async (name, target) => {
      // Other tests run at the same time: what takes the square of its time shows all the same.
      const count = Math.max(20, Math.round(200 * target.weight))
      const [result] = await runTargets([target], { seed, count, patience: 10, maxFindings: 1 })
      const found = result?.findings.map(({ index, input, error }) => ({
        again: `npm run fuzz -- --only ${name} --seed ${seed} --at ${index}`,
        input: typeof input === 'string' ? input : Buffer.from(input).toString('latin1'),
        error: error.stack,
      }))
      expect(found).toEqual([])
      expect(result?.inputs).toBe(count)
    },
    120_000,
  )
})
