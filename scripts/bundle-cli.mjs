/**
 * Bundles the command into a few files: loading a hundred small modules would take longer than all else that it does
 * until its first answer.
 */

import { chmodSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

rmSync(`${dist}bin`, { recursive: true, force: true })
await build({
  entryPoints: { anyport: `${dist}cli/main.js` },
  outdir: `${dist}bin`,
  // All beside each other, so that the way to package.json is the same as from the modules.
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
})
chmodSync(`${dist}bin/anyport.js`, 0o755)
