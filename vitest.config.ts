import { defineConfig } from 'vitest/config'

const real = {
  testTimeout: 60_000,
  hookTimeout: 60_000,
  // Real processes, networks and clocks on a shared machine. What fails twice is broken; what needed a second try says so.
  retry: process.env.CI === undefined ? 0 : 1,
  // They wait more than they work.
  maxWorkers: 3,
  sequence: { groupOrder: 1 },
}

export default defineConfig({
  test: {
    // Nothing can be remembered there: what one test finds out about a server must not help the next.
    env: { XDG_CACHE_HOME: '/dev/null/none', XDG_STATE_HOME: '/dev/null/none' },
    projects: [
      // Pure and in-process: fast, no build needed.
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          // Many wait for clocks.
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      // Real servers and real clients against the built package, after the others: they need the machine to themselves.
      { extends: true, test: { ...real, name: 'peers', include: ['test/peers/**/*.test.ts'] } },
      // The same, where every combination takes its time: `npm run test:long`.
      { extends: true, test: { ...real, name: 'long', include: ['test/long/**/*.test.ts'] } },
    ],
  },
})
