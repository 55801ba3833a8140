/**
 * Gives what reads from others whatever chance makes of good input, and checks what must hold (fuzz/targets/). `--count N` (default 200,000),
 * `--seconds N`, `--seed N` and `--only TARGET` (a part of its name; `--only live` for requests to a running server), `--at N` for one input.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
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

const root = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(import.meta.dirname, '../node_modules/.fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130))

console.log(`seed ${seed}`)
process.exitCode = values.only === 'live' ? await live() : await parsers()

/** The sources are TypeScript: bundled, so that they can run without a build. */
async function bundle(entry) {
  const program = join(folder, `${entry}.mjs`)
  await build({
    entryPoints: [join(root, `fuzz/${entry}.ts`)],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    outfile: program,
    logLevel: 'warning',
  })
  return program
}

async function parsers() {
  const program = await bundle('parsers')
  // A worker cannot be told so alone.
  setFlagsFromString('--expose-gc')
  const at = values.at === undefined ? undefined : Number(values.at)
  const worker = new Worker(program, {
    workerData: { seed, count, seconds, only: values.only ?? '', at },
    env: { ...process.env, ANYPORT_ROOT: root },
    execArgv: ['--enable-source-maps'],
  })
  return new Promise(resolve => {
    let now = { target: '', index: 0 }
    let since = Date.now()
    const watch = setInterval(() => {
      if (Date.now() - since < HANGS_AFTER) return
      console.log(`HANGS, at this input or soon after: --seed ${seed} --only ${now.target} --at ${now.index}`)
      clearInterval(watch)
      resolve(worker.terminate().then(() => 1))
    }, 500)
    worker.on('message', message => {
      if (message.progress !== undefined) now = message.progress
      since = Date.now()
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
  const program = await bundle('live-run')
  const child = spawn(
    process.execPath,
    ['--enable-source-maps', program, seed, count, seconds ?? 'NaN'].map(String),
    {
      stdio: 'inherit',
      env: { ...process.env, ANYPORT_ROOT: root },
    },
  )
  const [code] = await once(child, 'exit')
  return code ?? 1
}
