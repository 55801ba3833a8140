/**
 * Bundles `anyport/fetch` and `anyport/lambda` as a serverless platform would, and fails where a bundle needs Node: an import
 * of a Node module, or a Node global; where it weighs more than a small function may; and where its first answer
 * comes too late. Prints what it weighs, and how long a new process takes from its import to its first answer.
 */

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

/** What some platforms load anew for each of many requests: what serves, since guards weigh only where they are used. */
const MODULES = [
  { name: 'anyport/fetch', file: 'dist/fetch.js', serves: 'fetchHandler, fromSdk', most: 40 * 1024 },
  {
    name: 'anyport/lambda',
    file: 'dist/lambda.js',
    serves: 'lambdaHandler, streamedLambdaHandler, fromSdk',
    most: 42 * 1024,
  },
]

/** Milliseconds from import to first answer, at the best of so many starts: the machine may be busy. */
const MAX_COLD_START = 200
const STARTS = 5

/** esbuild replaces a name only where it means the global, so that the mark finds exactly those. */
const mark = name => `__node_global_${name}`
const define = Object.fromEntries(
  NODE_GLOBALS.flatMap(name => [
    [name, mark(name)],
    [`globalThis.${name}`, mark(name)],
  ]),
)

/** A function with one tool, written by hand, and one call of it. */
const COLD_START = `
const began = performance.now()
const { fetchHandler } = await import('./bundle.mjs')
const handler = fetchHandler(async function* ({ id }) {
  return { jsonrpc: '2.0', id, result: { resultType: 'complete', content: [{ type: 'text', text: 'hello' }] } }
})
const response = await handler(
  new Request('https://mcp.example.com/mcp', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'hello',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'hello',
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    }),
  }),
)
if (!(await response.text()).includes('hello')) throw new Error('It answered ' + response.status)
console.log(performance.now() - began)
`

const complaints = []
const lines = []
for (const module of MODULES) await check(module)
for (const complaint of complaints) console.error(complaint)
if (complaints.length > 0) process.exit(1)
for (const line of lines) console.log(line)

async function check({ name, file, serves, most }) {
  const complain = what => complaints.push(`${name} ${what}`)
  for (const platform of ['neutral', 'browser']) {
    const { text, errors } = await bundle({ entryPoints: [file], platform, define })
    for (const error of errors) complain(`${platform}: ${error}`)
    for (const global of NODE_GLOBALS)
      if (text.includes(mark(global))) complain(`${platform}: uses ${global}`)
  }
  const contents = `export { ${serves} } from './${file}'`
  const stdin = { contents, resolveDir: process.cwd() }
  const { text } = await bundle({ platform: 'neutral', minify: true, stdin })
  const gzipped = gzipSync(text).length
  if (gzipped > most) complain(`weighs ${kibibytes(gzipped)} gzipped, more than ${kibibytes(most)}`)
  const coldStart = file === 'dist/fetch.js' ? coldStartOf(text) : undefined
  if (coldStart > MAX_COLD_START)
    complain(`answers ${coldStart.toFixed(0)} ms after its import at the earliest`)
  const answers = coldStart === undefined ? '' : `, first answer ${coldStart.toFixed(0)} ms after its import`
  lines.push(`${name}: ${kibibytes(text.length)} minified, ${kibibytes(gzipped)} gzipped, no Node${answers}`)
}

/** The least milliseconds that new processes take from importing the bundle to having answered a call. */
function coldStartOf(text) {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-cold-start-'))
  try {
    writeFileSync(join(folder, 'bundle.mjs'), text)
    writeFileSync(join(folder, 'start.mjs'), COLD_START)
    const start = () =>
      Number(execFileSync(process.execPath, [join(folder, 'start.mjs')], { timeout: 30_000 }))
    return Math.min(...Array.from({ length: STARTS }, start))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function bundle(options) {
  try {
    const { outputFiles } = await build({
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
