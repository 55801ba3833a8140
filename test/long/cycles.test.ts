import { expect, test } from 'vitest'
import { CYCLE_WAYS, runCycles } from '../fixtures/cycles.mjs'

/** `npm run cycles` does a thousand. */
test.each(CYCLE_WAYS.map(way => [way, way.startsWith('stdio') ? 20 : 100] as const))(
  'nothing is left behind: %s, %i times',
  async (way, count) => {
    const { before, after } = await runCycles(way, count)
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
    expect(after.processes).toBeLessThanOrEqual(before.processes)
    expect(after.rss - before.rss).toBeLessThan(20)
  },
)
