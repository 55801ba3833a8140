/**
 * What the guards cost: CPU time of our process per call of a small tool over HTTP, with API keys, limits, rules and the audit log, against the
 * same without; in both eras, in front of a function, which costs next to nothing, and of a program. Rounds alternate; the ratio is the
 * median of those of neighbours, since other programs disturb both. Needs a build. CALLS is the number of calls of a round, ROUNDS that of rounds.
 */

import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { apiKeys, connect, govern, newApiKey, serve } from '../dist/index.js'

const CALLS = Number(process.env.CALLS ?? 6_000)
const ROUNDS = Number(process.env.ROUNDS ?? 9)
const CONNECTIONS = 64

async function* answer(request) {
  return { jsonrpc: '2.0', id: request.id, result: { resultType: 'complete', ...resultOf(request) } }
}

function resultOf({ method, params }) {
  switch (method) {
    case 'server/discover':
      return { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } }
    case 'tools/list':
      return { tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
    default:
      return { content: [{ type: 'text', text: params.arguments.text }] }
  }
}

const sha256 = text => createHash('sha256').update(text).digest('hex')

async function serveOne(kind, behind) {
  const folder = mkdtempSync(join(tmpdir(), 'guards-'))
  const governing =
    kind === 'on'
      ? await govern({
          limits: {
            rates: [
              { per: ['principal'], perSecond: 1e9, burst: 1e9 },
              { per: ['address', 'tool'], perSecond: 1e9, burst: 1e9 },
            ],
            maxConcurrent: 1_000,
          },
          rules: [
            { deny: { tools: ['delete_*'] } },
            { allow: { tools: ['read_*', 'echo'] } },
            { allow: {}, claims: { role: 'admin' } },
          ],
          audit: { file: join(folder, 'audit.jsonl') },
        })
      : undefined
  const what =
    behind === 'program'
      ? connect({
          command: process.execPath,
          args: [fileURLToPath(new URL('echo-server.mjs', import.meta.url))],
        })
      : answer
  const { key, record } = await newApiKey('bench')
  const authentication = kind === 'on' ? { methods: [apiKeys({ keys: [record], sha256 })] } : undefined
  const { guards, onRefused } = governing ?? {}
  const server = await serve(what, { port: 0, guards, onRefused, authentication })
  process.on('message', async message => {
    if (message === 'cpu') {
      const { user, system } = process.cpuUsage()
      process.send(user + system)
      return
    }
    await server.close()
    await governing?.close()
    rmSync(folder, { recursive: true, force: true })
    process.disconnect()
  })
  process.send({ url: server.url, key })
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}
const params = { name: 'echo', arguments: { text: 'hello '.repeat(20) } }
const textOf = (method, given) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: given })

/** How a client of an era calls, once it may. */
async function callOf(era, url, key) {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    authorization: `Bearer ${key}`,
  }
  if (era === 'modern') {
    const mirrored = {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    }
    return {
      headers: { ...headers, ...mirrored },
      body: textOf('tools/call', { ...params, _meta: META }),
    }
  }
  const clientInfo = { name: 'bench', version: '1' }
  const body = textOf('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo })
  const reply = await fetch(url, { method: 'POST', headers, body })
  await reply.text()
  const session = {
    'mcp-protocol-version': '2025-06-18',
    'mcp-session-id': reply.headers.get('mcp-session-id'),
  }
  return { headers: { ...headers, ...session }, body: textOf('tools/call', params) }
}

async function started(kind, behind, era) {
  const child = fork(fileURLToPath(import.meta.url), [kind, behind])
  const [{ url, key }] = await once(child, 'message')
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: CONNECTIONS })
  const { headers, body: text } = await callOf(era, url, key)
  const cpu = async () => {
    child.send('cpu')
    return (await once(child, 'message'))[0]
  }
  const call = async () => {
    const { statusCode, body } = await pool.request({ method: 'POST', path: pathname, headers, body: text })
    await body.text()
    if (statusCode !== 200) throw new Error(`status ${statusCode}`)
  }
  return {
    async round() {
      const before = await cpu()
      let left = CALLS
      const worker = async () => {
        while (left-- > 0) await call()
      }
      await Promise.all(Array.from({ length: CONNECTIONS }, worker))
      // Writing what was recorded is a part of the price.
      await new Promise(resolve => setTimeout(resolve, 300))
      return ((await cpu()) - before) / CALLS
    },
    async stop() {
      await pool.close()
      child.send('stop')
      await once(child, 'exit')
    },
  }
}

async function compare(behind, era) {
  const faces = { off: await started('off', behind, era), on: await started('on', behind, era) }
  const times = { off: [], on: [] }
  for (let index = 0; index < ROUNDS; index++)
    for (const name of ['off', 'on']) {
      const time = await faces[name].round()
      // The first two warm up.
      if (index > 1) times[name].push(time)
    }
  const ratios = times.off.map((time, index) => time / times.on[index])
  const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
  const [off, on] = [median(times.off), median(times.on)]
  process.stdout.write(
    `${behind}, ${era}: CPU per call ${off.toFixed(1)} µs without guards, ${on.toFixed(1)} µs with; ratio ${median(ratios).toFixed(2)}\n`,
  )
  for (const face of Object.values(faces)) await face.stop()
}

const [kind, behind] = process.argv.slice(2)
// Its own processes have words and a channel.
if (process.send !== undefined) await serveOne(kind, behind)
else if (kind !== undefined)
  process.stdout.write(
    'node bench/guards.mjs takes no words; CALLS=6000 and ROUNDS=9 can be set in the environment\n',
  )
else
  for (const each of ['function', 'program']) for (const era of ['modern', 'legacy']) await compare(each, era)
