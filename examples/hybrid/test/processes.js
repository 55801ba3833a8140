/** The two programs of README.md: the hosted database, and the gateway. */

import { execFile, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const ANYPORT = fileURLToPath(new URL('../node_modules/anyport/dist/bin/anyport.js', import.meta.url))
const DATABASE = fileURLToPath(new URL('../../database-query/bin/database-query.js', import.meta.url))
const START_LIMIT = 60_000

/** Makes a key in the file, and gives it. @param {string} file */
export async function newKey(file) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ANYPORT,
    'keys',
    'create',
    'hybrid',
    '--file',
    file,
  ])
  const [key] = /\S{40,}/.exec(stdout) ?? []
  if (key === undefined) throw new Error('No key was made')
  return key
}

/**
 * @param {string} keys
 * @param {number} port
 */
export function startDatabase(keys, port) {
  const args = [DATABASE, '--keys', keys, '--allow-writes']
  return start(args, { TRANSPORT: 'http', PORT: String(port) }, /listening on (\S+) and/)
}

/** @param {Record<string, string>} env */
export function startGateway(env) {
  const args = [
    ANYPORT,
    'serve',
    '--config',
    'mcp.json',
    '--port',
    '0',
    '--log-format',
    'json',
    '--strict-start',
  ]
  return start(args, env, /"event":"listening".*?"url":"([^"]+)"/)
}

/** How a client starts the gateway. @param {Record<string, string>} env */
export function gatewayOnStdio(env) {
  const args = [ANYPORT, 'serve', '--config', 'mcp.json', '--stdio', '--strict-start', '--quiet']
  return { command: process.execPath, args, cwd: HERE, env, stderr: /** @type {const} */ ('ignore') }
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
      server.close(() => resolve(port))
    })
  })
}

/**
 * Resolves once it says where it listens.
 * @param {readonly string[]} args
 * @param {Record<string, string>} env
 * @param {RegExp} listening
 */
async function start(args, env, listening) {
  const { DATABASE_URL: _, ...rest } = process.env
  const child = spawn(process.execPath, args, {
    cwd: HERE,
    env: { ...rest, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  const ended = new Promise(resolve => child.once('exit', resolve))
  /** @type {string} */
  const url = await new Promise((resolve, reject) => {
    const late = () => {
      child.kill()
      reject(new Error(`It does not start: ${said}`))
    }
    const timer = setTimeout(late, START_LIMIT)
    child.once('exit', code => reject(new Error(`It ended with ${code}: ${said}`)))
    child.stderr.on('data', chunk => {
      said += chunk
      const [, found] = listening.exec(said) ?? []
      if (found === undefined) return
      clearTimeout(timer)
      resolve(found)
    })
  })
  return {
    url,
    said: () => said,
    async stop() {
      child.kill()
      await ended
    },
  }
}
