/**
 * What the bench of the gateway measures: `--servers 0` is a bridge to one echo server, else a gateway over so many, each with
 * `--tools` tools. `--bare` leaves the names of the first as they are. Says where it listens.
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { connect, gateway, serve } from '../dist/index.js'

const ECHO = fileURLToPath(new URL('echo-server.mjs', import.meta.url))
const { values } = parseArgs({
  options: { servers: { type: 'string' }, tools: { type: 'string' }, bare: { type: 'boolean' } },
})
const echo = () => connect({ command: process.execPath, args: [ECHO, '--tools', values.tools] })
const count = Number(values.servers)
const servers = Object.fromEntries(
  Array.from({ length: count }, (_, index) => [
    `server${index}`,
    values.bare && index === 0 ? { target: echo(), prefix: '' } : echo(),
  ]),
)
const server = await serve(count === 0 ? echo() : gateway({ servers }), { port: 0 })
console.error(JSON.stringify({ event: 'listening', url: server.url }))
process.once('SIGTERM', () => server.close({ drainTimeout: 0 }).then(() => process.exit()))
