import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    projects: [
      // Pure and in-process: fast, no build needed.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/architecture.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      // Real servers and real clients against the built package, after the others: they need the machine to themselves.
      {
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
