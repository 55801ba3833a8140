/**
 * npm run bench -- [--only anyport,forwarder] [--measures rps,payload,events,memory,start] [--rounds N] [--seconds S]
 *                  [--cells crossing,modern-peers] [--json FILE] [--quick] [--check]
 *
 * README.md in this folder says what is measured and how to read it.
 */

import { writeFileSync } from 'node:fs'
import { arch, cpus, platform } from 'node:os'
import { parseArgs } from 'node:util'
import { Client } from './client.mjs'
import { CELLS, chooseLanes, REMOTE_SERVER } from './lanes.mjs'
import { measureEvents, measureMemory, measurePayload, measureRequests } from './measures.mjs'
import { PipeClient } from './pipe-client.mjs'
import { Product } from './product.mjs'
import { judge, printAside, printReport, printVerdicts, summarise } from './report.mjs'

const MEASURES = ['rps', 'payload', 'events', 'memory', 'start']
/** Samples of each measure per round. */
const PASSES = 3
const EVENTS = 10_000
const HELP = `npm run bench -- [options]
  --only NAMES      products or lanes, by comma: raw, forwarder, anyport, anyport-legacy, anyport-modern, supergateway, mcp-proxy
  --measures NAMES  of ${MEASURES.join(', ')}
  --rounds N        interleaved rounds (4; quick: 1)
  --seconds S       length of one measure of requests (1.5; quick: 0.6)
  --cells NAMES     crossing: also anyport between two eras, a legacy client of a modern server and the reverse;
                    guards: also anyport with API keys, limits, rules and the audit log, compared to itself without;
                    modern-peers: also the other products with modern requests;
                    remote: products that lead to a server over HTTP, from HTTP and from stdio, with mcp-remote and supergateway;
                    sdk: servers written with the SDKs, served by the SDK and by anyport in the same process
  --json FILE       all samples (rounds: one entry per pass), medians, verdicts and errors
  --quick           one short round, about two minutes with all products
  --check           exit with 1 if a target is missed or could not be measured`

const options = readOptions()
const { chosen, skipped } = chooseLanes(options.only, options.cells)
const rows = []
const errors = []
let stopping = false
/** The address of the server that remote lanes lead to. */
let remote

process.on('exit', () => Product.killAllNow())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    stopping = true
    process.stderr.write(`\n${signal}: stopping the products\n`)
    Product.stopAll().finally(() => process.exit(130))
  })
}

await main()

async function main() {
  const began = performance.now()
  print(
    `Node ${process.version}, ${platform()} ${arch()}, ${cpus().length} x ${cpus()[0]?.model ?? 'CPU'}; every product runs on this Node`,
  )
  print(`${options.rounds} round(s); ${chosen.map(({ name }) => name).join(', ')}`)
  for (const { name, missing } of skipped)
    print(`skipped ${name}: ${missing} is missing${name.startsWith('anyport') ? ' (npm run build)' : ''}`)
  try {
    if (chosen.some(lane => lane.remote)) {
      const server = await Product.start(REMOTE_SERVER)
      await server.listening()
      remote = `http://127.0.0.1:${server.port}/mcp`
    }
    for (let round = 0; round < options.rounds && !stopping; round++) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}\n`)
      rows.push(...(await runRound(round)))
    }
  } finally {
    await Product.stopAll()
  }
  printReport(
    rows,
    chosen.map(({ name }) => name),
    print,
  )
  if (errors.length > 0) print('\nerrors')
  for (const { round, lane, measure, message } of errors)
    print(`round ${round + 1}, ${lane}, ${measure}: ${message}`)
  const judged = MEASURES.filter(measure => options.measures.includes(measure))
  const wanted = options.only.length === 0 || options.only.some(name => name.startsWith('anyport'))
  const verdicts = wanted
    ? judge(
        rows,
        [...chosen, ...skipped].map(({ name }) => name),
        judged,
      )
    : []
  printVerdicts(verdicts, print)
  printAside(
    rows,
    chosen.map(({ name }) => name),
    judged,
    print,
  )
  if (options.json !== undefined) {
    const told = {
      node: process.version,
      cpus: cpus().map(({ model }) => model),
      options,
      rounds: rows,
      summary: summarise(rows),
      verdicts,
      errors,
      skipped,
    }
    writeFileSync(options.json, `${JSON.stringify(told, undefined, 2)}\n`)
  }
  print(`\n${Math.round((performance.now() - began) / 1000)} s`)
  const ours = errors.some(({ lane }) => !/^(supergateway|mcp-proxy|mcp-remote)/.test(lane))
  const missed = options.check && (verdicts.length === 0 || verdicts.some(({ met }) => met !== true))
  process.exitCode = ours || missed ? 1 : 0
}

/**
 * All products are started one after the other. Then each measure visits all of them in turn, in several short passes, so
 * that what is compared was measured within seconds: the machine changes its pace from one second to the next. The order
 * moves on by one with each pass. Returns one row of samples per pass.
 */
async function runRound(round) {
  const rows = Array.from({ length: PASSES }, () => ({}))
  const benches = []
  const has = measure => options.measures.includes(measure)

  const attempt = async (pass, lane, measure, work) => {
    if (stopping) return
    try {
      const result = await work()
      if (result === undefined) return
      rows[pass][lane.name] ??= {}
      rows[pass][lane.name][measure] = result
    } catch (error) {
      if (stopping) return
      errors.push({ round, lane: lane.name, measure, message: error.message })
      process.stderr.write(`${lane.name}, ${measure}: ${error.message}\n`)
    }
  }
  const visit = async (measure, passes, work) => {
    for (let pass = 0; pass < passes; pass++) {
      for (const bench of rotated(benches, round + pass)) {
        await attempt(pass, bench.lane, measure, () => {
          if (!bench.product.alive) throw new Error(`the product has ended: ${bench.product.lastWords}`)
          return work(bench)
        })
      }
    }
  }

  if (['rps', 'payload', 'events', 'start'].some(has)) {
    for (const lane of rotated(chosen, round)) {
      await attempt(0, lane, 'start', async () => {
        const bench = await start(lane)
        benches.push(bench)
        return has('start') ? { ms: bench.firstAnswer } : undefined
      })
    }
    if (has('rps')) {
      // Compile the hot paths first.
      await visit('warm-up', 1, async bench => void (await measureRequests(bench, 16, options.seconds / 2)))
      for (const connections of [1, 16, 64]) {
        await visit(`rps${connections}`, PASSES, bench =>
          measureRequests(bench, connections, options.seconds / PASSES),
        )
      }
    }
    if (has('payload')) {
      for (const mib of [1, 8]) {
        await visit(`payload${mib}`, PASSES, bench =>
          measurePayload(bench, mib * 1048576, options.seconds / PASSES / 2),
        )
      }
    }
    if (has('events'))
      await visit('events', PASSES, bench => measureEvents(bench, EVENTS, options.seconds / PASSES / 2))
    for (const bench of benches) await stop(bench, round)
  }

  if (has('memory') && round < options.memoryRounds) {
    for (const lane of rotated(chosen, round)) {
      if (lane.streams === 0) continue
      await attempt(0, lane, 'memory', () =>
        measureMemory(lane, async work => {
          const bench = await start(lane, { collectable: true })
          try {
            return await work(bench)
          } finally {
            await stop(bench, round)
          }
        }),
      )
    }
  }
  return rows
}

function rotated(list, by) {
  return list.map((_, index) => list[(index + by) % list.length])
}

async function start(lane, how) {
  const product = await Product.start(lane, { ...how, remote })
  try {
    await product.listening()
    const client = lane.pipe ? new PipeClient(lane, product) : new Client(lane, product.port)
    await client.firstAnswer(product)
    return { lane, product, client, firstAnswer: performance.now() - product.spawnedAt }
  } catch (error) {
    await product.stop(1000)
    throw error
  }
}

async function stop({ lane, product, client }, round) {
  if (product.alive) await client.endSessions()
  const obeyed = await product.stop()
  if (!obeyed)
    errors.push({
      round,
      lane: lane.name,
      measure: 'stop',
      message: 'did not end within 6 s of SIGTERM and was killed',
    })
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      only: { type: 'string', default: '' },
      measures: { type: 'string', default: MEASURES.join(',') },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      cells: { type: 'string', default: '' },
      json: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    print(HELP)
    process.exit(0)
  }
  const cells = listed('--cells', values.cells, CELLS)
  const measures = listed('--measures', values.measures, MEASURES)
  return {
    only: values.only.split(',').filter(Boolean),
    measures,
    rounds: bounded('--rounds', values.rounds ?? (values.quick ? '1' : '4'), 1, 50),
    seconds: bounded('--seconds', values.seconds ?? (values.quick ? '0.6' : '1.5'), 0.2, 30),
    cells,
    json: values.json,
    check: values.check,
    memoryRounds: values.quick ? 1 : 2,
  }
}

function listed(name, text, known) {
  const names = text.split(',').filter(Boolean)
  for (const each of names) {
    if (!known.includes(each)) throw new TypeError(`${name}: no ${each}; there are ${known.join(', ')}`)
  }
  return names
}

function bounded(name, text, least, most) {
  const value = Number(text)
  if (!(value >= least && value <= most))
    throw new TypeError(`${name}: a number from ${least} to ${most}, not ${text}`)
  return value
}

function print(line) {
  process.stdout.write(`${line}\n`)
}
