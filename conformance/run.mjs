#!/usr/bin/env node
/**
 * Runs the official conformance suite through anyport, cell by cell, and says how many of the scored scenarios
 * pass in each. Exits with 1 unless all do. There is no file of expected failures.
 *
 *   npm run conformance -- [--cells direct|same-era|stdio|http|all] [--filter TEXT] [--scenario NAME] [--json FILE]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cellSets, directoryOf, openCell } from './cells.mjs'
import { bundleFixtures } from './fixtures/bundle.mjs'
import { killAll, processesOf } from './processes.mjs'
import { checkSuite, runSuite } from './suite.mjs'
import { warmUp } from './warm-up.mjs'

const HELP = `usage: npm run conformance -- [options]

  --cells SETS       sets of cells, separated by commas: ${Object.keys(cellSets).join(', ')} (default: same-era)
  --filter TEXT      only cells whose line contains TEXT; may be repeated, all must match
  --scenario NAME    only this scenario
  --concurrency N    cells at the same time (default: 2)
  --timeout MS       time for one scenario (default: 15000)
  --limit SECONDS    time for one cell, after which its remaining scenarios have failed (default: 180)
  --json FILE        also write how many cells passed whole and how many failed
  --verbose          print the whole messages of failing checks, and the warnings
  --list             print the cells and run none`

const MESSAGE_LENGTH = 200
const results = fileURLToPath(new URL('../results/conformance/', import.meta.url))

const { values: options } = parseArgs({
  options: {
    cells: { type: 'string', default: 'same-era' },
    filter: { type: 'string', multiple: true, default: [] },
    scenario: { type: 'string' },
    concurrency: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '15000' },
    limit: { type: 'string', default: '180' },
    json: { type: 'string' },
    verbose: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (options.help) {
  console.log(HELP)
  process.exit(0)
}
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    killAll()
    process.exit(130)
  })
}

const cells = chosenCells()
if (options.list) {
  for (const { name } of cells) console.log(name)
  process.exit(0)
}
try {
  checkSuite()
} catch (error) {
  refuse(error.message)
}
const fixtures = await bundleFixtures(`${results}fixtures`)
const started = Date.now()
const outcomes = await withConcurrency(Number(options.concurrency), cells, runCell)
const whole = outcomes.filter(Boolean).length
console.log(
  `${whole}/${cells.length} cells pass whole, in ${seconds(started)}; logs in ${relative('.', results)}`,
)
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ passed: whole, failed: cells.length - whole })}\n`)
}
process.exit(whole === cells.length ? 0 : 1)

function chosenCells() {
  const sets = options.cells.split(',')
  const unknown = sets.find(name => !Object.hasOwn(cellSets, name))
  if (unknown !== undefined) {
    refuse(`unknown set of cells ${JSON.stringify(unknown)}; known: ${Object.keys(cellSets).join(', ')}`)
  }
  const unique = new Map(sets.flatMap(name => cellSets[name]).map(cell => [cell.name, cell]))
  const chosen = [...unique.values()].filter(({ name }) => options.filter.every(part => name.includes(part)))
  if (chosen.length === 0) refuse(`no cell contains ${options.filter.join(' and ')}`)
  return chosen
}

function refuse(why) {
  console.error(why)
  process.exit(2)
}

/** Runs one cell and prints its line; true if every scored scenario passed. */
async function runCell(cell) {
  const directory = `${results}${directoryOf(cell)}`
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  // Not below the log directory: the path of a Unix socket has some 100 bytes at most.
  const socketPath = `${tmpdir()}/anyport-${process.pid}-${cells.indexOf(cell)}.sock`
  const processes = processesOf(directory)
  const from = Date.now()
  try {
    const url = await openCell(cell, { start: processes.start, fixtures, socketPath })
    await warmUp(url, cell.wire)
    const verdicts = await runSuite({
      url,
      wire: cell.wire,
      scenario: options.scenario,
      outputDirectory: directory,
      timeout: Number(options.timeout),
      limit: Number(options.limit) * 1000,
    })
    const passed = verdicts.filter(verdict => verdict.passed).length
    const lines = [`${cell.name} | ${passed}/${verdicts.length} | ${seconds(from)}`]
    for (const verdict of verdicts) lines.push(...explained(verdict))
    console.log(lines.join('\n'))
    return passed === verdicts.length
  } catch (error) {
    console.log(`${cell.name} | did not run | ${seconds(from)}\n    ${error.message}`)
    return false
  } finally {
    await processes.stop()
    rmSync(socketPath, { force: true })
  }
}

function explained({ name, failures, warnings }) {
  const mark = (sign, messages) => messages.map(message => `  ${sign} ${name}: ${shortened(message)}`)
  return [...mark('✗', failures), ...(options.verbose ? mark('!', warnings) : [])]
}

function shortened(message) {
  const line = message.replaceAll(/\s+/g, ' ')
  return options.verbose || line.length <= MESSAGE_LENGTH ? line : `${line.slice(0, MESSAGE_LENGTH)}…`
}

async function withConcurrency(limit, items, work) {
  const outcomes = new Array(items.length)
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const index = next++
      outcomes[index] = await work(items[index])
    }
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return outcomes
}

function seconds(from) {
  return `${Math.round((Date.now() - from) / 1000)} s`
}
