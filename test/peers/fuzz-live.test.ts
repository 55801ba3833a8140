import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { runLive } from '../../fuzz/live.js'

/** `npm run fuzz -- --only live` sends as many as it is told. */
test.each([
  ['the same as ever, to a gateway', 2],
  ['others each time', Math.floor(Math.random() * 2 ** 32)],
])(
  'requests made of good ones do no harm, %s (seed %i)',
  async (_which, seed) => {
    const root = fileURLToPath(new URL('../..', import.meta.url))
    const report = await runLive({ seed, count: 4_000, seconds: 20, root })
    expect(report.violations).toEqual([])
    // That something got through, and something was refused.
    for (const status of [200, 202, 400, 404]) expect(report.statuses[status]).toBeGreaterThan(0)
    expect(report.answered).toBeGreaterThan(10)
  },
  120_000,
)
