/**
 * Bundles the command into a few files: loading a hundred small modules would take longer than all else that it does
 * until its first answer.
 */

import { chmodSync, copyFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { rolldown } from 'rolldown'

const dist = fileURLToPath(new URL('../dist/', import.meta.url))

/**
 * What is loaded together is one file: each costs a start a third of a millisecond, and so do thirty kilobytes that it does not
 * need. Of each part the modules that these import, without those of the parts before.
 */
const PARTS = {
  // By every command.
  command: [['cli/main.js']],
  // By `serve` and by what leads to a server that others share.
  opening: [['cli/serve.js'], ['cli/shared.js']],
  // Before the server is started, for which people wait.
  serve: [['cli/serve.js']],
  // While it starts.
  faces: [
    [
      'client/upstream.js',
      'middleware/exchange/pinned.js',
      'node/http/http-server.js',
      'transport/channel/serve.js',
      'transport/http-face.js',
    ],
  ],
}

rmSync(`${dist}bin`, { recursive: true, force: true })
const command = await rolldown({
  input: { anyport: `${dist}cli/main.js` },
  platform: 'node',
  preserveEntrySignatures: 'allow-extension',
  // For sign-ins, tokens, certificates for development, and files in these formats: loaded only then.
  external: [/^node:/, 'jose', 'oauth4webapi', 'selfsigned', 'toml-eslint-parser', 'yaml'],
  plugins: [
    {
      name: 'undici-beside',
      resolveId: id => (id.startsWith('undici/') ? { id: './undici.js', external: true } : undefined),
    },
  ],
  // A module that one command needs at once and another later is where the first one is.
  checks: { ineffectiveDynamicImport: false },
})
let parts
const { output } = await command.write({
  dir: `${dist}bin`,
  format: 'esm',
  entryFileNames: '[name].js',
  // All beside each other, so that the way to package.json is the same as from the modules.
  chunkFileNames: '[name]-[hash].js',
  comments: { legal: false },
  // Without it, V8 checks at each use of a constant or class of another scope whether it is there yet: a tenth of a call's CPU time.
  topLevelVar: true,
  codeSplitting: {
    // Each module is where its part says, not where the first that needs it is.
    includeDependenciesRecursively: false,
    groups: [
      {
        debugName: 'parts',
        name(id, context) {
          parts ??= partsOf(id => context.getModuleInfo(id))
          return parts.get(id)
        },
      },
    ],
  },
})
await command.close()
refuseCircles(output)

/** In a circle of files, one would run before what it needs. */
function refuseCircles(files) {
  const imports = new Map(files.map(({ fileName, imports }) => [fileName, imports]))
  const done = new Set()
  const visit = (file, way) => {
    if (way.includes(file)) throw new Error(`A circle of files: ${[...way, file].join(' -> ')}`)
    if (done.has(file)) return
    for (const inner of imports.get(file) ?? []) visit(inner, [...way, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
}

/** The part that each module belongs to, if any. */
function partsOf(moduleInfo) {
  const importedBy = names => {
    const found = new Set()
    const visit = id => {
      if (found.has(id)) return
      found.add(id)
      for (const inner of moduleInfo(id)?.importedIds ?? []) visit(inner)
    }
    for (const name of names) visit(`${dist}${name}`)
    return found
  }
  const parts = new Map()
  for (const [part, entries] of Object.entries(PARTS)) {
    const [first, ...others] = entries.map(importedBy)
    for (const id of first)
      if (!id.endsWith('main.js') && !parts.has(id) && others.every(other => other.has(id)))
        parts.set(id, part)
  }
  return parts
}

// Of undici only what the HTTP client needs: a third of it, in a third of the time.
await build({
  stdin: {
    contents: "export { default } from 'undici/lib/dispatcher/client.js'",
    resolveDir: dist,
  },
  outfile: `${dist}bin/undici.js`,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
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
