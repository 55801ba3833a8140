/** The processes of one cell: started, awaited until they listen, and stopped all together. */
import { spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { createInterface } from 'node:readline'

const READY_LIMIT = 20_000
const STOP_LIMIT = 3_000
const LINES_KEPT = 15

/** Every process that runs now, for an interrupt to end. */
const running = new Set()

/** Starts processes whose standard error goes to a log file each; `stop` ends those that it started. */
export function processesOf(logDirectory) {
  const own = []
  return {
    /** Starts a process and resolves with the URL or socket path that it says it listens on. */
    start: async (name, [command, ...argv]) => {
      const child = spawn(command, argv, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
      own.push(child)
      running.add(child)
      child.once('exit', () => running.delete(child))
      return await announced(name, child, createWriteStream(`${logDirectory}/${name}.log`))
    },
    stop: async () => {
      await Promise.all(own.map(stopProcess))
    },
  }
}

/** Ends everything at once: for an interrupt, after which nothing is awaited. */
export function killAll() {
  for (const child of running) signalGroup(child, 'SIGKILL')
}

function announced(name, child, log) {
  return new Promise((resolve, reject) => {
    const lastLines = []
    const fail = why => reject(new Error([`${name} ${why}`, ...lastLines].join('\n    ')))
    const timer = setTimeout(() => fail(`did not listen within ${READY_LIMIT / 1000} s`), READY_LIMIT)
    child.once('error', error => fail(`did not start: ${error.message}`))
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      fail(`ended with ${signal ?? `exit code ${code}`}`)
    })
    createInterface({ input: child.stderr }).on('line', line => {
      log.write(`${line}\n`)
      if (lastLines.push(line) > LINES_KEPT) lastLines.shift()
      const place = placeIn(line)
      if (place === undefined) return
      clearTimeout(timer)
      resolve(place)
    })
  })
}

/** Anyport says it as JSON, `{"event":"listening","url":...}`; a fixture as `listening on PLACE`. */
function placeIn(line) {
  const said = /^listening on (.+)$/.exec(line)
  if (said) return said[1]
  if (!line.startsWith('{')) return undefined
  try {
    const record = JSON.parse(line)
    return record.event === 'listening' ? (record.url ?? record.socket ?? record.path ?? '') : undefined
  } catch {
    return undefined
  }
}

async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  // Not 'close': a grandchild may hold the pipe of standard error longer.
  const ended = new Promise(resolve => child.once('exit', resolve))
  signalGroup(child, 'SIGTERM')
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), STOP_LIMIT)
  await ended
  clearTimeout(timer)
}

/** The process leads a group of its own, so what it started ends with it. */
function signalGroup(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
