import { expect, test } from 'vitest'
import { runSlowloris } from '../fixtures/slowloris.mjs'

/** `npm run slowloris` does it with a thousand, and the numbers that a machine without other work has. */
test('those who send by the byte keep nobody waiting, and are gone in time', async () => {
  const { quiet, attacked, failed, held, ended, longest, answers } = await runSlowloris({
    heads: 100,
    bodies: 100,
    honest: 10,
    seconds: 1.5,
    options: ['--request-timeout', '600ms'],
  })
  expect(failed).toBe(0)
  expect(held).toBe(200)
  // Were they waited for, it would be for a second.
  expect(attacked).toBeLessThan(2 * Math.max(...quiet) + 300)
  expect(ended).toBeGreaterThan(50)
  expect(longest).toBeLessThan(6_000)
  expect(Object.keys(answers)).toEqual(['408'])
})
