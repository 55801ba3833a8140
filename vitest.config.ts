import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      // Pure and in-process: fast, no build needed.
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'] } },
      // Real servers and real clients against the built package.
      {
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
        },
      },
    ],
  },
})
