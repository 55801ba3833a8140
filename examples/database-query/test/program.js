/** The program as it is installed. */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../bin/database-query.js', import.meta.url))
const START_LIMIT = 60_000

/**
 * What a client needs to start it.
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 */
export function command(args, env = {}) {
  return {
    kind: /** @type {const} */ ('stdio'),
    command: process.execPath,
    args: [PROGRAM, ...args],
    env: environment(env),
  }
}

/**
 * Served over HTTP, on a free port.
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 */
export async function startProgram(args, env = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: environment({ TRANSPORT: 'http,sse', PORT: '0', ...env }),
  })
  let said = ''
  const ended = new Promise(resolve => child.once('exit', resolve))
  /** @type {[string, string]} */
  const [url, sseUrl] = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`It does not start: ${said}`)), START_LIMIT)
    child.once('exit', code => reject(new Error(`It ended with ${code}: ${said}`)))
    child.stderr.on('data', chunk => {
      said += chunk
      const found = /listening on (\S+) and (\S+)\n/.exec(said)
      if (found === null) return
      clearTimeout(timer)
      resolve([String(found[1]), String(found[2])])
    })
  })
  return {
    url,
    sseUrl,
    said: () => said,
    async stop(/** @type {NodeJS.Signals} */ signal = 'SIGTERM') {
      child.kill(signal)
      return await ended
    },
  }
}

/**
 * Runs it to its end.
 * @param {readonly string[]} args
 * @param {Record<string, string>} [env]
 * @returns {Promise<{ code: number | null, stdout: string, stderr: string }>}
 */
export function runProgram(args, env = {}) {
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(env),
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', chunk => {
    stdout += chunk
  })
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  return new Promise(resolve => child.once('close', code => resolve({ code, stdout, stderr })))
}

/** @param {Record<string, string>} env */
function environment(env) {
  const { DATABASE_URL: _, TRANSPORT: __, PORT: ___, ...rest } = process.env
  return /** @type {Record<string, string>} */ ({ ...rest, ...env })
}
