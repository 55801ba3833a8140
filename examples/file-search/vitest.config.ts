import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'tests',
          include: ['test/*.test.ts'],
          exclude: ['test/speed.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      // By itself, after the others: it measures.
      {
        extends: true,
        test: { name: 'speed', include: ['test/speed.test.ts'], sequence: { groupOrder: 1 } },
      },
    ],
  },
})
