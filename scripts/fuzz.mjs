/**
 * Gives what reads from others whatever chance makes of good input, and checks what must hold (fuzz/targets/). `--count N` (default 200,000),
 * `--seconds N`, `--seed N` and `--only TARGET` (a part of its name; `--only live` for requests to a running server), `--at N` for one input.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'

/** One input may take this long before it is said to hang. */
const HANGS_AFTER = 20_000

const { values } = parseArgs({
  options: {
    count: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    at: { type: 'string' },
  },
})
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 32))
const count = Number(values.count ?? 200_000)
const seconds = values.seconds === undefined ? undefined : Number(values.seconds)

const folder = mkdtempSync(join(import.meta.dirname, '../node_modules/.fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130))

console.log(`seed ${seed}`)
process.exitCode = values.only === 'live' ? await live() : await parsers()

async function parsers() {
  const program = join(folder, 'parsers.mjs')
  const root = join(import.meta.dirname, '..')
  await build({
    entryPoints: [join(root, 'fuzz/parsers.ts')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    outfile: program,
    logLevel: 'warning',
  })
  const only = values.only ?? ''
  // A worker cannot be told so alone.
  setFlagsFromString('--expose-gc')
  const at = values.at === undefined ? undefined : Number(values.at)
  const worker = new Worker(program, {
    workerData: { seed, count, seconds, only, at },
    env: { ...process.env, ANYPORT_ROOT: root },
    execArgv: ['--enable-source-maps'],
  })
  return new Promise(resolve => {
    let now = { target: '', index: 0 }
    let since = Date.now()
    const watch = setInterval(() => {
      if (Date.now() - since < HANGS_AFTER) return
      console.log(`HANGS: --seed ${seed} --only ${now.target} --at ${now.index}`)
      void worker.terminate()
      resolve(1)
    }, 500)
    worker.on('message', message => {
      if (message.progress !== undefined) {
        now = message.progress
        since = Date.now()
      }
    })
    worker.on('error', error => {
      console.log(error)
      clearInterval(watch)
      resolve(1)
    })
    worker.on('exit', code => {
      clearInterval(watch)
      resolve(code)
    })
  })
}

async function live() {
  const { runLive } = await import('../fuzz/live.mjs')
  return runLive({ seed, count, seconds })
}
