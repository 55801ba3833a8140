/**
 * Installs and tests the examples, each a package of its own, one after the other. After a build.
 *   npm run examples                  all of them
 *   npm run examples -- file-search   only these
 */

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url))
const STEP_LIMIT_MS = 10 * 60_000
// Their install scripts would fetch or build what they do not need.
const STEPS = [['ci', '--ignore-scripts', '--no-audit', '--no-fund'], ['test']]

const all = readdirSync(EXAMPLES).filter(name => existsSync(`${EXAMPLES}${name}/package.json`))
const asked = process.argv.slice(2)
for (const name of asked) {
  if (all.includes(name)) continue
  console.error(`No example "${name}"; there are: ${all.join(', ')}`)
  process.exit(2)
}
if (!existsSync(new URL('../dist/index.js', import.meta.url))) {
  console.error('The examples use what is built: first npm run build')
  process.exit(2)
}

const failed = (asked.length > 0 ? asked : all).filter(name => !tested(name))
for (const name of failed) console.error(`FAILED: examples/${name}`)
process.exitCode = failed.length === 0 ? 0 : 1

function tested(name) {
  return STEPS.every(step => {
    console.log(`\nexamples/${name}: npm ${step.join(' ')}`)
    const options = { cwd: `${EXAMPLES}${name}`, stdio: 'inherit', timeout: STEP_LIMIT_MS }
    const { status, error } = spawnSync('npm', step, { ...options, shell: process.platform === 'win32' })
    if (error !== undefined) console.error(error.message)
    return status === 0
  })
}
