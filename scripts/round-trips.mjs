/** Writes 10,000 generated configurations (or as many as told) for every client together, reads them back, and edits as many texts. */

import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const count = Number(process.argv[2] ?? 10_000)
const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')
const tests = [
  'test/unit/config/round-trip.test.ts',
  'test/unit/config/edit-in-place.test.ts',
  'test/unit/config/inputs.test.ts',
]
const { status } = spawnSync(process.execPath, [vitest, 'run', '--project', 'unit', ...tests], {
  stdio: 'inherit',
  env: { ...process.env, CONFIG_RUNS: String(count) },
})
process.exitCode = status ?? 1
