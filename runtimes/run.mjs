/**
 * One server on every runtime and behind every adapter: what clients see must be the same, byte for byte, but for
 * the order in which a message has its `jsonrpc`, `id` and `result`.
 *
 *   npm run build && npm ci --prefix runtimes --ignore-scripts
 *   npm run runtimes -- [--only node,bun] [--json FILE]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { build } from 'esbuild'
import { killAll, processesOf } from '../conformance/processes.mjs'
import { ask, requests, subscribed } from './requests.mjs'
import { adaptersCommand, checkRuntimes, hostCommand, isNode, runtimes } from './runtimes.mjs'

/** Milliseconds. */
const SILENCE = 14_000
const results = fileURLToPath(new URL('../results/runtimes', import.meta.url))
const { values: options } = parseArgs({
  options: { only: { type: 'string' }, json: { type: 'string' } },
})
const chosen = options.only?.split(',') ?? runtimes
const unknown = chosen.find(name => !runtimes.includes(name))
if (unknown !== undefined) refuse(`--only: no runtime ${unknown}; there are ${runtimes.join(', ')}`)
try {
  checkRuntimes(chosen)
} catch (error) {
  refuse(error.message)
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    killAll()
    process.exit(130)
  })
}

rmSync(results, { recursive: true, force: true })
mkdirSync(results, { recursive: true })
const module = await bundled()
/** The first transcript, which all others must equal. */
let expected
const counted = { passed: 0, failed: 0 }
const began = Date.now()

for (const runtime of chosen) {
  const processes = processesOf(results)
  try {
    const started = Date.now()
    const origin = await processes.start(runtime, hostCommand(runtime, module))
    const ready = Date.now() - started
    await compare(runtime, 'fetch handler', `${origin}/mcp`)
    console.log(`  listened after ${ready} ms`)
    await compare(runtime, 'Hono', `${origin}/hono/tools/mcp`)
    if (!isNode(runtime)) continue
    const addresses = JSON.parse(
      await processes.start(`${runtime}-adapters`, adaptersCommand(runtime, module)),
    )
    for (const [adapter, url] of Object.entries(addresses)) await compare(runtime, adapter, url)
  } catch (error) {
    counted.failed += 1
    console.log(`${runtime} | did not run\n    ${error.message}`)
  } finally {
    await processes.stop()
  }
}
await Promise.all(chosen.map(keepStream))
const { passed, failed } = counted
console.log(
  `${passed} of ${passed + failed} are as they should be, in ${Math.round((Date.now() - began) / 1000)} s`,
)
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(counted)}\n`)
process.exit(failed === 0 ? 0 : 1)

async function compare(runtime, adapter, url) {
  const transcript = new Map()
  for (const request of requests) transcript.set(request, ordered(await ask(url, request)))
  expected ??= transcript
  const differences = requests.filter(
    request =>
      isComparable(request, adapter) && !isDeepStrictEqual(transcript.get(request), expected.get(request)),
  )
  const compared = requests.filter(request => isComparable(request, adapter)).length
  console.log(`${runtime} | ${adapter} | ${compared - differences.length}/${compared}`)
  for (const request of differences) {
    console.log(`  ✗ ${request.name}`)
    console.log(
      `    expected ${shown(expected.get(request))}\n    seen     ${shown(transcript.get(request))}`,
    )
  }
  counted[differences.length === 0 ? 'passed' : 'failed'] += 1
}

/** A stream that is silent for longer than the most impatient of them allows, which is Bun with 10 seconds. */
async function keepStream(runtime) {
  const processes = processesOf(results)
  try {
    const origin = await processes.start(`${runtime}-stream`, hostCommand(runtime, module))
    const ended = await subscribed(`${origin}/mcp`, SILENCE)
    console.log(`${runtime} | a stream that is silent | ${ended ?? 'stays open'}`)
    counted[ended === undefined ? 'passed' : 'failed'] += 1
  } catch (error) {
    counted.failed += 1
    console.log(`${runtime} | a stream that is silent | did not run\n    ${error.message}`)
  } finally {
    await processes.stop()
  }
}

/** Each message with its members in one order: a result that is remembered is put into a message anew. */
function ordered({ body, ...seen }) {
  const inOrder = text => {
    const message = JSON.parse(text)
    if (Array.isArray(message) || typeof message !== 'object' || message === null) return text
    const { jsonrpc, id, ...rest } = message
    return JSON.stringify({ jsonrpc, id, ...rest })
  }
  if (body.startsWith('{')) return { ...seen, body: inOrder(body) }
  return { ...seen, body: body.replaceAll(/^data: (.+)$/gm, (_, text) => `data: ${inOrder(text)}`) }
}

/** What a framework says of a body that it cannot parse is its own matter, and one piece is no stream. */
function isComparable({ unparsed, streamed }, adapter) {
  if (unparsed && /json|Fastify/.test(adapter)) return false
  return !(streamed && adapter.startsWith('Lambda') && !adapter.endsWith('streamed'))
}

function shown(seen) {
  const line = JSON.stringify(seen)
  return line.length > 600 ? `${line.slice(0, 600)}…` : line
}

/** One module for all, with nothing in it that only one of them has. */
async function bundled() {
  const outfile = `${results}/module.mjs`
  await build({
    entryPoints: [fileURLToPath(new URL('module.mjs', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'browser', 'import'],
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  })
  return outfile
}

function refuse(why) {
  console.error(why)
  process.exit(2)
}
