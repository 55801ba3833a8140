import { describe, expect, it } from 'vitest'
import { LatencyHistogram } from '../../../src/middleware/exchange/latency-histogram.js'
import { Traffic } from '../../../src/middleware/exchange/traffic.js'

/** Numbers that are the same each time. */
function randoms(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

describe('latencies', () => {
  it.each([
    ['short ones', (random: number) => random * 0.05],
    ['spread over all sizes', (random: number) => 10 ** (random * 8 - 3)],
    ['like those of servers', (random: number) => 3 + 200 * random ** 8],
    ['all the same', () => 12.345],
  ])('are off by 1.6 percent at most: %s', (_name, shape) => {
    const next = randoms(7)
    const samples = Array.from({ length: 20_000 }, () => shape(next()))
    const histogram = new LatencyHistogram()
    for (const sample of samples) histogram.add(sample)
    const sorted = [...samples].sort((a, b) => a - b)
    for (const share of [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) {
      const exact = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number
      const read = histogram.quantile(share) as number
      // Half a microsecond is what they are rounded by.
      expect(Math.abs(read - exact)).toBeLessThanOrEqual(exact / 60 + 0.000_6)
    }
    expect(histogram.count).toBe(20_000)
    expect(histogram.highest).toBe(sorted.at(-1))
  })

  it('have no quantile where there are none, and take what no clock should give', () => {
    const histogram = new LatencyHistogram()
    expect(histogram.quantile(0.5)).toBeUndefined()
    for (const odd of [0, -1, 1e12, Number.POSITIVE_INFINITY]) histogram.add(odd)
    expect(histogram.count).toBe(4)
    expect(histogram.quantile(0.25)).toBe(0)
    expect(histogram.quantile(1)).toBeGreaterThan(2_000_000)
    histogram.clear()
    expect([histogram.count, histogram.quantile(0.5)]).toEqual([0, undefined])
  })
})

describe('traffic', () => {
  it('counts outcomes; what is refused or given up says nothing of how fast a server is', () => {
    const traffic = new Traffic()
    for (const outcome of ['ok', 'ok', 'tool-error', 'error', 'question'] as const)
      traffic.add(outcome, 10, 1_000)
    traffic.add('refused', 0.01, 1_000)
    traffic.add('cancelled', 60_000, 1_000)
    const { latency, perSecond: _, ...counts } = traffic.report(1_500)
    expect(counts).toEqual({ calls: 7, errors: 1, toolErrors: 1, refused: 1, cancelled: 1, questions: 1 })
    expect(latency).toMatchObject({ calls: 5, highest: 10, of: 'recent' })
    expect(latency?.p50).toBeCloseTo(10, 0)
    expect(new Traffic().report(5)).not.toHaveProperty('latency')
  })

  it('shows the latency of late, and of all time where nothing was called of late', () => {
    const traffic = new Traffic()
    const minute = 60_000
    for (let call = 0; call < 100; call++) traffic.add('ok', 1_000, minute)
    for (let call = 0; call < 100; call++) traffic.add('ok', 1, 12 * minute)
    expect(traffic.report(12 * minute).latency).toMatchObject({ calls: 100, of: 'recent', highest: 1 })
    // The window before stands in until the new one has as many.
    traffic.add('ok', 500, 18 * minute)
    expect(traffic.report(18 * minute).latency).toMatchObject({ calls: 100, highest: 1 })
    expect(traffic.report(60 * minute).latency).toMatchObject({ calls: 201, of: 'all', highest: 1_000 })
  })

  it('knows the last 60 seconds, one by one', () => {
    const traffic = new Traffic()
    for (const second of [100, 100, 130, 159]) traffic.add('ok', 1, second * 1_000 + 500)
    const at = (second: number) => traffic.report(second * 1_000).perSecond
    expect(at(159)).toHaveLength(60)
    expect([at(159)[0], at(159)[30], at(159)[59]]).toEqual([2, 1, 1])
    expect([at(160)[0], at(160)[29], at(160)[58], at(160)[59]]).toEqual([0, 1, 1, 0])
    expect(at(500).every(count => count === 0)).toBe(true)
    traffic.add('ok', 1, 500_000)
    expect(at(500).reduce((sum, count) => sum + count)).toBe(1)
  })
})
