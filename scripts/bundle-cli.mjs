/**
 * Bundles the command into a few files: loading a hundred small modules would take longer than all else that it does
 * until its first answer.
 */

import { chmodSync, copyFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

const common = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
}

rmSync(`${dist}bin`, { recursive: true, force: true })
await build({
  entryPoints: { anyport: `${dist}cli/main.js` },
  outdir: `${dist}bin`,
  // All beside each other, so that the way to package.json is the same as from the modules.
  chunkNames: '[name]-[hash]',
  ...common,
  splitting: true,
  // For sign-ins, tokens, certificates for development, and files in these formats: loaded only then.
  external: ['jose', 'oauth4webapi', 'selfsigned', 'toml-eslint-parser', 'yaml'],
  plugins: [
    {
      name: 'undici-beside',
      setup(build) {
        build.onResolve({ filter: /^undici\// }, () => ({ path: './undici.js', external: true }))
      },
    },
  ],
})
// Of undici only what the HTTP client needs: a third of it, in a third of the time.
await build({
  stdin: {
    contents: "export { default } from 'undici/lib/dispatcher/client.js'",
    resolveDir: dist,
  },
  outfile: `${dist}bin/undici.js`,
  ...common,
  minifySyntax: true,
  plugins: [
    {
      // We speak HTTP/1.1, and node:http2 takes its time to load.
      name: 'without-http2',
      setup(build) {
        build.onLoad({ filter: /[\\/]client-h2\.js$/ }, () => ({
          contents: "module.exports = () => { throw new Error('HTTP/2 is not spoken here') }",
        }))
      },
    },
  ],
  banner: {
    js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)",
  },
})
// Its licence goes where its code goes.
const licence = createRequire(import.meta.url)
  .resolve('undici')
  .replace(/index\.js$/, 'LICENSE')
copyFileSync(licence, `${dist}bin/undici.LICENSE.txt`)
chmodSync(`${dist}bin/anyport.js`, 0o755)
