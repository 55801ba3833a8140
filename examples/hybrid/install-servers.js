/** The two servers are packages of their own; the test needs what they need, and one of them has to be built. */

import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const INSTALL = ['ci', '--ignore-scripts', '--no-audit', '--no-fund']

install('../database-query/')
install('../file-search/')
if (!existsSync(folderOf('../file-search/dist'))) npm('../file-search/', ['run', 'build'])

/** @param {string} name */
function install(name) {
  if (!existsSync(folderOf(`${name}node_modules`))) npm(name, INSTALL)
}

/**
 * @param {string} name
 * @param {string[]} args
 */
function npm(name, args) {
  const options = {
    cwd: folderOf(name),
    stdio: /** @type {const} */ ('inherit'),
    shell: process.platform === 'win32',
  }
  const { status } = spawnSync('npm', args, options)
  if (status !== 0) process.exit(status ?? 1)
}

/** @param {string} name */
function folderOf(name) {
  return fileURLToPath(new URL(name, import.meta.url))
}
