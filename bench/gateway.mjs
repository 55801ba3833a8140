#!/usr/bin/env node
/**
 * What a gateway costs beside a bridge to one server: the CPU time of a call, and a list of 500 tools that was asked for
 * before. Exits with 1 where `--check` is given and a target is missed.
 *
 *   node bench/gateway.mjs [--era modern|legacy] [--rounds 5] [--seconds 1] [--check]
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Client } from './client.mjs'
import { messagesOf } from './dialect.mjs'
import { measureRequests } from './measures.mjs'
import { Product } from './product.mjs'

const MANY = fileURLToPath(new URL('serve-many.mjs', import.meta.url))
const SERVERS = 20
const TOOLS = 500
/** What may be added to a call, and to a list: ratios to the bridge. */
const TARGETS = { cpu: 1.1, list: 1.5 }
const LISTS = 100
/** Until then a call costs up to five times what it costs later, since its code is not compiled yet. */
const WARM_CALLS = 20_000
const WARM_LIMIT = 30_000

const { values: options } = parseArgs({
  options: {
    era: { type: 'string', default: 'modern' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    check: { type: 'boolean', default: false },
  },
})

const lane = (name, tool, args) => ({
  name,
  tool,
  era: options.era,
  announces: true,
  launch: () => ({ command: process.execPath, args: [MANY, ...args] }),
})
const lanes = [
  lane('bridge', 'echo', ['--servers', '0', '--tools', `${TOOLS}`]),
  lane('gateway', 'server0__echo', ['--servers', `${SERVERS}`, '--tools', `${TOOLS / SERVERS}`]),
  lane('gateway, bare names', 'echo', [
    ...['--servers', `${SERVERS}`, '--tools', `${TOOLS / SERVERS}`, '--bare'],
  ]),
]

process.once('exit', () => Product.killAllNow())
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130))
console.log(
  `Node ${process.versions.node}, ${options.era}; ${SERVERS} servers with ${TOOLS / SERVERS} tools each`,
)
const running = []
for (const one of lanes) {
  const product = await Product.start(one)
  await product.listening()
  const client = new Client(one, product.port)
  await client.firstAnswer(product, 30_000)
  await warmLists(client)
  const entry = { lane: one, product, client, cpu: [], rps: [], list: [] }
  await warmCalls(entry)
  running.push(entry)
}
for (let round = 0; round < Number(options.rounds); round++) {
  for (let index = 0; index < running.length; index++) {
    const entry = running[(round + index) % running.length]
    const { cpu, rps } = await measureRequests(entry, 16, Number(options.seconds))
    entry.cpu.push(cpu)
    entry.rps.push(rps)
    entry.list.push(await measureLists(entry.client))
  }
}
const bridge = running[0]
const rows = running.map(entry => ({
  lane: entry.lane.name,
  'CPU ms per 1,000 calls': median(entry.cpu).toFixed(1),
  'to the bridge': ratio(entry, 'cpu').toFixed(2),
  'calls/s': Math.round(median(entry.rps)),
  'list, ms': median(entry.list).toFixed(2),
  'list, to the bridge': ratio(entry, 'list').toFixed(2),
}))
console.table(rows)
for (const { product, client } of running) {
  await client.endSessions()
  await product.stop()
}
const missed = running
  .slice(1)
  .some(entry => ratio(entry, 'cpu') > TARGETS.cpu || ratio(entry, 'list') > TARGETS.list)
process.exit(options.check && missed ? 1 : 0)

/** The median of the ratios of each round. */
function ratio(entry, key) {
  return median(entry[key].map((value, round) => value / bridge[key][round]))
}

/** The first lists start what later ones are spared by. */
async function warmLists(client) {
  for (let time = 0; time < 5; time++) {
    await measureLists(client, 1)
    await new Promise(resolve => setTimeout(resolve, 200))
  }
}

/** By count, not by time: on a busy machine a second is too short, and the lanes would be warm in different degrees. */
async function warmCalls(entry) {
  const end = performance.now() + WARM_LIMIT
  for (let calls = 0; calls < WARM_CALLS && performance.now() < end; )
    calls += (await measureRequests(entry, 16, 0.5)).rps / 2
}

/** The median time of a list in milliseconds. Each answer is looked at. */
async function measureLists(client, count = LISTS) {
  await client.openSessions(1)
  const connection = await client.connect()
  const times = []
  try {
    const request = client.dialect.list(client.session(0))
    for (let index = 0; index < count; index++) {
      const before = performance.now()
      const { status, body } = await connection.request(request)
      times.push(performance.now() - before)
      const tools = messagesOf(body).at(-1)?.result?.tools
      const names = new Set(tools?.map(({ name }) => name))
      if (status !== 200 || names.size !== TOOLS) throw new Error(`${status}: ${names.size} tools`)
    }
  } finally {
    connection.close()
  }
  return median(times)
}

function median(values) {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}
