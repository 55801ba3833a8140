import { expect, test } from 'vitest'
import { runChaos } from '../fixtures/chaos.mjs'

/** `npm run chaos` goes on for a minute. */
test('servers die in all ways under load, and no call hangs, is mixed up or runs twice', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  const report = await runChaos({ seconds: 8, seed })
  expect(report.violations, JSON.stringify(report, undefined, 2)).toEqual([])
  // That there was something to hold against.
  expect(report.results).toBeGreaterThan(100)
  expect(Object.keys(report.deaths)).toHaveLength(4)
}, 180_000)
