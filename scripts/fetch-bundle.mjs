/**
 * Bundles `anyport/fetch` as a serverless platform would, and fails where the bundle needs Node: an import
 * of a Node module, or a Node global, or weighs more than a small function may. Prints what it weighs.
 */

import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const NODE_GLOBALS = [
  'Buffer',
  'process',
  'setImmediate',
  'clearImmediate',
  'global',
  'require',
  '__dirname',
  '__filename',
]

/** What some platforms load anew for each of many requests. */
const MAX_GZIPPED = 40 * 1024

/** esbuild replaces a name only where it means the global, so that the mark finds exactly those. */
const mark = name => `__node_global_${name}`
const define = Object.fromEntries(
  NODE_GLOBALS.flatMap(name => [
    [name, mark(name)],
    [`globalThis.${name}`, mark(name)],
  ]),
)

const complaints = []
for (const platform of ['neutral', 'browser']) {
  const { text, errors } = await bundle({ platform, define })
  complaints.push(...errors.map(error => `${platform}: ${error}`))
  for (const name of NODE_GLOBALS) if (text.includes(mark(name))) complaints.push(`${platform}: uses ${name}`)
}

// What serves; guards weigh only where they are used.
const contents = `export { fetchHandler, fromSdk } from './dist/fetch.js'`
const stdin = { contents, resolveDir: process.cwd() }
const { text: small } = await bundle({ platform: 'neutral', minify: true, entryPoints: [], stdin })
const gzipped = gzipSync(small).length
if (gzipped > MAX_GZIPPED)
  complaints.push(`weighs ${kibibytes(gzipped)} gzipped, more than ${kibibytes(MAX_GZIPPED)}`)
for (const complaint of complaints) console.error(`anyport/fetch ${complaint}`)
if (complaints.length > 0) process.exit(1)
console.log(`anyport/fetch: ${kibibytes(small.length)} minified, ${kibibytes(gzipped)} gzipped, no Node`)

async function bundle(options) {
  try {
    const { outputFiles } = await build({
      entryPoints: ['dist/fetch.js'],
      bundle: true,
      write: false,
      format: 'esm',
      target: 'es2022',
      logLevel: 'silent',
      ...options,
    })
    return { text: outputFiles[0].text, errors: [] }
  } catch (error) {
    const errors = (error.errors ?? [{ text: String(error) }]).map(
      ({ text, location }) => `${text}${location ? ` (${location.file}:${location.line})` : ''}`,
    )
    return { text: '', errors }
  }
}

function kibibytes(bytes) {
  return `${(bytes / 1024).toFixed(1)} KiB`
}
