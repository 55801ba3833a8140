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
import { CELLS, chooseLanes } from './lanes.mjs'
import { measureEvents, measureMemory, measurePayload, measureRequests } from './measures.mjs'
import { Product } from './product.mjs'
import { judge, printReport, printVerdicts, summarise } from './report.mjs'

const MEASURES = ['rps', 'payload', 'events', 'memory', 'start']
const HELP = `npm run bench -- [options]
  --only NAMES      products or lanes, by comma: raw, forwarder, anyport, anyport-legacy, anyport-modern, supergateway, mcp-proxy
  --measures NAMES  of ${MEASURES.join(', ')}
  --rounds N        interleaved rounds (5; quick: 1)
  --seconds S       length of one measure of requests (1.5; quick: 0.6)
  --cells NAMES     crossing: also anyport between two eras, a legacy client of a modern server and the reverse;
                    modern-peers: also the other products with modern requests
  --json FILE       all samples and medians
  --quick           about one minute, and fewer sessions and streams
  --check           exit with 1 if a target is missed or could not be measured`

const options = readOptions()
const { chosen, skipped } = chooseLanes(options.only, options.cells)
const rounds = []
const errors = []

process.on('exit', () => Product.killAllNow())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
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
    for (let round = 0; round < options.rounds; round++) {
      process.stderr.write(`round ${round + 1} of ${options.rounds}\n`)
      rounds.push(await runRound(round))
    }
  } finally {
    await Product.stopAll()
  }
  printReport(
    rounds,
    chosen.map(({ name }) => name),
    print,
  )
  if (errors.length > 0) print('\nerrors')
  for (const { round, lane, measure, message } of errors)
    print(`round ${round + 1}, ${lane}, ${measure}: ${message}`)
  const judged = MEASURES.filter(measure => options.measures.includes(measure))
  const wanted = options.only.length === 0 || options.only.some(name => name.startsWith('anyport'))
  const verdicts = wanted ? judge(rounds, judged) : []
  printVerdicts(verdicts, print)
  if (options.json !== undefined) {
    const told = {
      node: process.version,
      cpus: cpus().map(({ model }) => model),
      options,
      rounds,
      summary: summarise(rounds),
      verdicts,
      errors,
      skipped,
    }
    writeFileSync(options.json, `${JSON.stringify(told, undefined, 2)}\n`)
  }
  print(`\n${Math.round((performance.now() - began) / 1000)} s`)
  const ours = errors.some(({ lane }) => !['supergateway', 'mcp-proxy'].includes(lane))
  const missed = options.check && (verdicts.length === 0 || verdicts.some(({ met }) => met !== true))
  process.exitCode = ours || missed ? 1 : 0
}

/**
 * All products are started one after the other, then each measure visits all of them in turn, so that what is compared
 * was measured within seconds. The order moves on by one from round to round.
 */
async function runRound(round) {
  const results = {}
  const benches = []
  const order = chosen.map((_, index) => chosen[(index + round) % chosen.length])
  const attempt = async (lane, measure, work) => {
    try {
      const result = await work()
      if (result !== undefined) {
        results[lane.name] ??= {}
        results[lane.name][measure] = result
      }
      return true
    } catch (error) {
      errors.push({ round, lane: lane.name, measure, message: error.message })
      process.stderr.write(`${lane.name}, ${measure}: ${error.message}\n`)
      return false
    }
  }
  const has = measure => options.measures.includes(measure)

  if (['rps', 'payload', 'events', 'start'].some(has)) {
    for (const lane of order) {
      await attempt(lane, 'start', async () => {
        const bench = await start(lane)
        benches.push(bench)
        return has('start') ? { ms: bench.firstAnswer } : undefined
      })
    }
    const visit = async (measure, work) => {
      for (const bench of benches) {
        if (!bench.product.alive) {
          errors.push({
            round,
            lane: bench.lane.name,
            measure,
            message: `the product has ended: ${bench.product.lastWords}`,
          })
        } else await attempt(bench.lane, measure, () => work(bench))
      }
    }
    if (has('rps')) {
      // Compile the hot paths first.
      await visit('warm-up', async bench => void (await measureRequests(bench, 16, options.seconds * 0.7)))
      for (const connections of [1, 16, 64]) {
        await visit(`rps${connections}`, bench => measureRequests(bench, connections, options.seconds))
      }
    }
    if (has('payload')) {
      for (const mib of [1, 8]) {
        await visit(`payload${mib}`, bench => measurePayload(bench, mib * 1048576, options.seconds * 0.6))
      }
    }
    if (has('events')) {
      const count = 10_000
      await visit('events', async bench => ({
        ...(await measureEvents(bench, count, options.seconds * 0.6)),
        count,
      }))
    }
    for (const bench of benches) await stop(bench, round)
  }

  if (has('memory') && round < options.memoryRounds) {
    for (const lane of order) {
      await attempt(lane, 'memory', async () => {
        const bench = await start(lane)
        try {
          return await measureMemory({ ...bench, scale: options.scale })
        } finally {
          await stop(bench, round)
        }
      })
    }
  }
  return results
}

async function start(lane) {
  const product = await Product.start(lane)
  try {
    await product.listening()
    const client = new Client(lane, product.port)
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
    rounds: bounded('--rounds', values.rounds ?? (values.quick ? '1' : '5'), 1, 50),
    seconds: bounded('--seconds', values.seconds ?? (values.quick ? '0.6' : '1.5'), 0.2, 30),
    cells,
    json: values.json,
    check: values.check,
    memoryRounds: values.quick ? 1 : 2,
    scale: values.quick ? 0.25 : 1,
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
