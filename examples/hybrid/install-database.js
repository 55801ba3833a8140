/** examples/database-query is a package of its own; its test needs what it needs. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const DATABASE = fileURLToPath(new URL('../database-query', import.meta.url))

if (!existsSync(`${DATABASE}/node_modules`)) {
  const options = {
    cwd: DATABASE,
    stdio: /** @type {const} */ ('inherit'),
    shell: process.platform === 'win32',
  }
  const { status } = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], options)
  process.exitCode = status ?? 1
}
