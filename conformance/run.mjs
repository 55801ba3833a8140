#!/usr/bin/env node
/**
 * Runs the official conformance suite through anyport: against it, cell by cell, and with `anyport connect` as the client. Says how
 * many of the scored scenarios pass in each. Exits with 1 unless all do that can: impossible.mjs has the rest, with reasons.
 *
 *   npm run conformance -- [--cells SETS] [--client SETS] [--filter TEXT] [--scenario NAME] [--json FILE]
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { checkRuntimes } from '../runtimes/runtimes.mjs'
import { cellSets, directoryOf, openCell, runtimeOf } from './cells.mjs'
import { clientSets, clientSetsOf, isTimed } from './client-sets.mjs'
import { bundleFetch, bundleFixtures } from './fixtures/bundle.mjs'
import { impossibleIn } from './impossible.mjs'
import { killAll, processesOf } from './processes.mjs'
import { checkSuite, runClient, runSuite } from './suite.mjs'
import { warmUp } from './warm-up.mjs'

const HELP = `usage: npm run conformance -- [options]

  --cells SETS       sets of cells, separated by commas: ${Object.keys(cellSets).join(', ')} (default: same-era,
                     or none where --client is given)
  --client SETS      scenarios with anyport connect as the client: ${clientSets.join(', ')}
  --filter TEXT      only cells whose line contains TEXT; may be repeated, all must match
  --scenario NAME    only this scenario
  --concurrency N    cells, or clients, at the same time (default: 2)
  --timeout MS       time for one scenario (default: 15000)
  --limit SECONDS    time for one cell, after which its remaining scenarios have failed (default: 180)
  --json FILE        also write how many cells and sets of clients passed whole and how many failed
  --verbose          print the whole messages of failing checks, and the warnings
  --list             print what would run`

const MESSAGE_LENGTH = 200
const results = fileURLToPath(new URL('../results/conformance/', import.meta.url))
const client = fileURLToPath(new URL('client.mjs', import.meta.url))

const { values: options } = parseArgs({
  options: {
    cells: { type: 'string' },
    client: { type: 'string' },
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
const runtimes = [...new Set(cells.map(runtimeOf).filter(Boolean))]
try {
  checkSuite()
  checkRuntimes(runtimes)
} catch (error) {
  refuse(error.message)
}
const sets = chosenClientSets()
if (cells.length === 0 && sets.length === 0) refuse('nothing is left to run')
if (options.list) {
  for (const { name } of cells) console.log(name)
  for (const { name, runs } of sets) for (const { scenario } of runs) console.log(`${name} | ${scenario}`)
  process.exit(0)
}
const fixtures = await bundleFixtures(`${results}fixtures`)
const fetchModule = runtimes.length > 0 ? await bundleFetch(`${results}fixtures`) : undefined
const started = Date.now()
const concurrency = Number(options.concurrency)
const outcomes = await withConcurrency(concurrency, cells, runCell)
for (const set of sets) outcomes.push(await runClientSet(set))
const counted = [
  ...(cells.length > 0 ? [`${wholeOf(outcomes.slice(0, cells.length))} cells`] : []),
  ...(sets.length > 0 ? [`${wholeOf(outcomes.slice(cells.length))} sets of clients`] : []),
]
console.log(`${counted.join(' and ')} pass whole, in ${seconds(started)}; logs in ${relative('.', results)}`)
const whole = outcomes.filter(Boolean).length
if (options.json !== undefined) {
  writeFileSync(options.json, `${JSON.stringify({ passed: whole, failed: outcomes.length - whole })}\n`)
}
process.exit(whole === outcomes.length ? 0 : 1)

function chosenCells() {
  const standard = options.client === undefined ? 'same-era' : undefined
  const names = namesOf('cells', options.cells ?? standard, Object.keys(cellSets))
  const unique = new Map(names.flatMap(name => cellSets[name]).map(cell => [cell.name, cell]))
  return [...unique.values()].filter(({ name }) => options.filter.every(part => name.includes(part)))
}

function chosenClientSets() {
  const names = namesOf('client', options.client, clientSets)
  const chosen = clientSetsOf(names).map(({ name, runs }) => ({
    name,
    runs: runs.filter(
      ({ scenario }) =>
        (options.scenario === undefined || scenario === options.scenario) &&
        options.filter.every(part => `${name} | ${scenario}`.includes(part)),
    ),
  }))
  return chosen.filter(({ runs }) => runs.length > 0)
}

function namesOf(option, given, known) {
  const names = given?.split(',') ?? []
  const unknown = names.find(name => !known.includes(name))
  if (unknown !== undefined)
    refuse(`--${option}: unknown set ${JSON.stringify(unknown)}; known: ${known.join(', ')}`)
  return names
}

function refuse(why) {
  console.error(why)
  process.exit(2)
}

/** Runs one cell and prints its line; true if every scored scenario passed. */
async function runCell(cell) {
  const directory = emptied(directoryOf(cell))
  // Not below the log directory: the path of a Unix socket has some 100 bytes at most.
  const socketPath = `${tmpdir()}/anyport-${process.pid}-${cells.indexOf(cell)}.sock`
  const processes = processesOf(directory)
  const from = Date.now()
  try {
    const url = await openCell(cell, { start: processes.start, fixtures, fetchModule, socketPath })
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
    const impossible = impossibleIn(cell)
    const expected = verdicts.filter(({ name, passed }) => !passed && impossible[name] !== undefined)
    const stale = verdicts.filter(({ name, passed }) => passed && impossible[name] !== undefined)
    const listed = expected.length > 0 ? `, ${expected.length} cannot` : ''
    const lines = [`${cell.name} | ${passed}/${verdicts.length}${listed} | ${seconds(from)}`]
    for (const verdict of verdicts) if (!expected.includes(verdict)) lines.push(...explained(verdict))
    for (const { name } of stale) lines.push(`  ✗ ${name}: passes, and is listed in impossible.mjs`)
    console.log(lines.join('\n'))
    return passed + expected.length === verdicts.length && stale.length === 0
  } catch (error) {
    console.log(`${cell.name} | did not run | ${seconds(from)}\n    ${error.message}`)
    return false
  } finally {
    await processes.stop()
    rmSync(socketPath, { force: true })
  }
}

/** Runs the scenarios of one set and prints its line; true if every one passed. */
async function runClientSet({ name, runs }) {
  const directory = emptied(name.replaceAll(' ', '_'))
  const from = Date.now()
  const run = ({ wire, scenario }) =>
    runClient({
      command: `${process.execPath} ${client}`,
      wire,
      scenario,
      outputDirectory: `${directory}/${wire}`,
      timeout: Number(options.timeout) * 2,
    })
  const verdicts = await withConcurrency(1, runs.filter(isTimed), run)
  const others = runs.filter(one => !isTimed(one))
  verdicts.push(...(await withConcurrency(concurrency, others, run)))
  const passed = verdicts.filter(verdict => verdict.passed).length
  const lines = [`${name} | ${passed}/${verdicts.length} | ${seconds(from)}`]
  for (const verdict of verdicts) lines.push(...explained(verdict))
  console.log(lines.join('\n'))
  return passed === verdicts.length
}

/** A directory for logs, without those of the last time. */
function emptied(name) {
  const directory = `${results}${name}`
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory, { recursive: true })
  return directory
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

function wholeOf(outcomes) {
  return `${outcomes.filter(Boolean).length}/${outcomes.length}`
}

function seconds(from) {
  return `${Math.round((Date.now() - from) / 1000)} s`
}
