/**
 * node bench/transports.mjs [--rounds N] [--seconds S] [--clients N] [--markdown]
 *
 * anyport over each of its transports, in front of the same echo server, in rounds that take turns. With --markdown the table is written
 * into docs/transports.md, between its marks. README.md in this folder says how it is done.
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { all, Client } from './client.mjs'
import { measureMemory, measurePayload, measureRequests, median } from './measures.mjs'
import { PipeClient } from './pipe-client.mjs'
import { Product } from './product.mjs'
import { SseClient } from './sse-client.mjs'

const node = process.execPath
const ECHO = fileURLToPath(new URL('echo-server.mjs', import.meta.url))
const ANYPORT = fileURLToPath(new URL('../dist/bin/anyport.js', import.meta.url))
const PAGE = fileURLToPath(new URL('../docs/transports.md', import.meta.url))
const MIB = 1_048_576
/** Samples of each measure per round: short ones, since the machine changes its pace from one second to the next. */
const PASSES = 3
const BEGIN = '<!-- bench:begin -->'
const END = '<!-- bench:end -->'

const LANES = [
  lane('stdio', 'legacy', ['--stdio'], { pipe: true, announces: false }),
  lane('Streamable HTTP, legacy', 'legacy', []),
  lane('Streamable HTTP, modern', 'modern', []),
  lane('without sessions (legacy)', 'plain', ['--sessionless']),
  lane('HTTP+SSE', 'plain', [], { sse: true }),
]

/** `legacy` where the client has a session, `plain` where it sends the same requests without one. */
function lane(name, era, options, more = {}) {
  const serverEra = era === 'modern' ? 'modern' : 'legacy'
  return {
    name,
    era,
    announces: true,
    ...more,
    launch: port => ({
      command: node,
      args: [
        ...[
          ANYPORT,
          'serve',
          ...options,
          ...(more.pipe ? [] : ['--port', `${port}`]),
          '--log-format',
          'json',
        ],
        ...['--', node, ECHO, '--era', serverEra],
      ],
    }),
  }
}

const { rounds, seconds, clients, markdown } = readOptions()
const samples = LANES.map(() => ({ p50: [], p99: [], rps: [], cpu: [], payload: [], memory: [] }))

process.on('exit', () => Product.killAllNow())
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => Product.stopAll().finally(() => process.exit(130)))

await main()

async function main() {
  for (let round = 0; round < rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${rounds}\n`)
    await visit(round)
    for (const [index, lane] of LANES.entries()) samples[index].memory.push(await memoryOf(lane))
  }
  const table = tableOf()
  process.stdout.write(`${table}\n`)
  if (markdown) write(table)
}

/** All run at once and are measured in turn, so that what is compared was measured within seconds. */
async function visit(round) {
  const benches = []
  try {
    for (const lane of LANES) benches.push(await start(lane))
    for (const bench of benches) await measureRequests(bench, 16, seconds / 2)
    const inTurn = async (passes, work) => {
      for (let pass = 0; pass < passes; pass++)
        for (let turn = 0; turn < benches.length; turn++) {
          const index = (turn + pass + round) % benches.length
          await work(benches[index], samples[index])
        }
    }
    await inTurn(PASSES, async (bench, { p50, p99 }) => {
      const measured = await measureRequests(bench, 1, seconds)
      p50.push(measured.p50)
      p99.push(measured.p99)
    })
    await inTurn(PASSES, async (bench, { rps, cpu }) => {
      const measured = await measureRequests(bench, 64, seconds)
      rps.push(measured.rps)
      cpu.push(measured.cpu)
    })
    await inTurn(PASSES, async (bench, { payload }) => {
      payload.push(1000 / (await measurePayload(bench, MIB, seconds / 2)).mibps)
    })
  } finally {
    for (const bench of benches) await stop(bench)
  }
}

/** KiB that an idle client takes. On stdio it has an anyport of its own. */
async function memoryOf(lane) {
  const fresh = async work => {
    const bench = await start(lane, { collectable: true })
    try {
      return await work(bench)
    } finally {
      await stop(bench)
    }
  }
  if (lane.pipe) return await fresh(async ({ product }) => (await product.settledMemory()).product)
  if (lane.era !== 'plain') {
    const { stream } = await measureMemory(
      { ...lane, sessions: 0, streams: clients, broadcasts: true },
      fresh,
    )
    return stream
  }
  return await fresh(async ({ client, product }) => {
    const open = []
    const add = async count => {
      for (let done = 0; done < count; done += 50) {
        const batch = await all(
          Array.from({ length: Math.min(50, count - done) }, () => client.connect({ readSize: 4096 })),
        )
        // One without a session is a client once it has called.
        await all(batch.map(connection => client.call(connection, 'echo', { value: 'here' })))
        open.push(...batch)
      }
    }
    try {
      await add(Math.min(100, clients >> 2))
      const before = await product.settledMemory()
      await add(clients)
      const after = await product.settledMemory()
      const dead = open.filter(connection => !connection.open).length
      if (dead > 0) throw new Error(`${lane.name}: ${dead} of ${open.length} idle clients were cut off`)
      return (after.product - before.product) / clients
    } finally {
      for (const connection of open) connection.close()
    }
  })
}

async function start(lane, how) {
  const product = await Product.start(lane, how)
  try {
    await product.listening()
    const client = clientOf(lane, product)
    await client.firstAnswer(product)
    return { lane, product, client }
  } catch (error) {
    await product.stop(1000)
    throw error
  }
}

function clientOf(lane, product) {
  if (lane.pipe) return new PipeClient(lane, product)
  return lane.sse ? new SseClient(product.port) : new Client(lane, product.port)
}

async function stop({ product, client }) {
  if (product.alive) await client.endSessions()
  await product.stop()
}

function tableOf() {
  const rows = [
    ['', ...LANES.map(({ name }) => name)],
    ['p50 / p99 ms, one at a time', ...samples.map(({ p50, p99 }) => `${shown(p50, 2)} / ${shown(p99, 2)}`)],
    ['requests/s, 64 at once', ...samples.map(({ rps }) => Math.round(median(rps)).toLocaleString('en-US'))],
    ['CPU ms per 1,000 of them', ...samples.map(({ cpu }) => shown(cpu, 1))],
    ['a result of 1 MiB, ms', ...samples.map(({ payload }) => shown(payload, 1))],
    ['memory of an idle client, KiB', ...samples.map(({ memory }) => shown(memory, 1))],
  ]
  const widths = rows[0].map((_, column) => Math.max(...rows.map(row => row[column].length)))
  const lines = rows.map(row => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`)
  lines.splice(1, 0, `| ${widths.map(width => '-'.repeat(width)).join(' | ')} |`)
  const told = `${rounds === 1 ? 'One round' : `Medians of ${rounds} rounds`} on ${cpus().length} shared cores with Node ${process.versions.node}; ${clients} idle clients.`
  return `${told}\n\n${lines.join('\n')}`
}

function shown(values, digits) {
  const value = median(values)
  return value < 1000 ? value.toFixed(digits) : Math.round(value).toLocaleString('en-US')
}

function write(table) {
  const page = readFileSync(PAGE, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${PAGE} has no ${BEGIN} before its ${END}`)
  writeFileSync(PAGE, `${page.slice(0, begin + BEGIN.length)}\n${table}\n${page.slice(end)}`)
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '0.6' },
      clients: { type: 'string', default: '500' },
      markdown: { type: 'boolean', default: false },
    },
  })
  return {
    rounds: bounded('--rounds', values.rounds, 1, 50),
    seconds: bounded('--seconds', values.seconds, 0.1, 30),
    clients: bounded('--clients', values.clients, 10, 5000),
    markdown: values.markdown,
  }
}

function bounded(name, text, least, most) {
  const value = Number(text)
  if (!(value >= least && value <= most))
    throw new TypeError(`${name}: a number from ${least} to ${most}, not ${text}`)
  return value
}
