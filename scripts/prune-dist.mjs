/**
 * Removes from `dist/` what no source stands for any more. The compiler leaves it there, and it would be tested
 * against and packed; deleting all of `dist/` instead would cost each build what the compiler remembers.
 */

import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

const MADE = /\.(?:js|d\.ts)(?:\.map)?$/

const stale = readdirSync('dist', { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && MADE.test(entry.name))
  .map(entry => join(entry.parentPath, entry.name))
  // The bundled command is made anew by each build.
  .filter(file => !file.startsWith(join('dist', 'bin')))
  .filter(file => !existsSync(file.replace(/^dist/, 'src').replace(MADE, '.ts')))
for (const file of stale) {
  rmSync(file)
  console.log(`removed ${file}, which has no source any more`)
}
