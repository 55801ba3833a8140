/**
 * What the guards cost: CPU time per call of a small tool through the HTTP face in process, with limits, rules and the audit log, against
 * the same without. Rounds alternate, and the medians are compared. Needs a build.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compose, govern } from '../dist/index.js'
import { httpFace } from '../dist/transport/http-face.js'

const CALLS = Number(process.env.CALLS ?? 10_000)
const ROUNDS = 9

const answer = async function* (request) {
  if (request.method === 'tools/list')
    return {
      jsonrpc: '2.0',
      id: request.id,
      result: { resultType: 'complete', tools: [{ name: 'echo', inputSchema: { type: 'object' } }] },
    }
  return {
    jsonrpc: '2.0',
    id: request.id,
    result: { resultType: 'complete', content: [{ type: 'text', text: request.params.arguments.text }] },
  }
}

const text = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: {
    name: 'echo',
    arguments: { text: 'hello '.repeat(20) },
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})
const headers = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
}
const request = {
  method: 'POST',
  path: '/mcp',
  query: '',
  scheme: 'http',
  address: '127.0.0.1',
  header: name => headers[name],
  text: async () => text,
  onHangup: () => () => {},
}

const folder = mkdtempSync(join(tmpdir(), 'guards-'))
const governing = await govern({
  limits: {
    rates: [
      { per: ['principal'], perSecond: 1e9, burst: 1e9 },
      { per: ['principal', 'tool'], perSecond: 1e9, burst: 1e9 },
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
const faces = { off: httpFace(answer), on: httpFace(compose(answer, ...governing.guards)) }

async function round(face) {
  const before = process.cpuUsage()
  for (let index = 0; index < CALLS; index++) {
    const reply = await face.handler(request)
    if (reply.status !== 200) throw new Error(`status ${reply.status}: ${reply.body}`)
  }
  // Writing what was recorded is a part of the price.
  await new Promise(resolve => setTimeout(resolve, 300))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / CALLS
}

const times = { off: [], on: [] }
for (let index = 0; index < ROUNDS; index++)
  for (const name of ['off', 'on']) {
    const time = await round(faces[name])
    // The first two warm up.
    if (index > 1) times[name].push(time)
  }
const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
const [off, on] = [median(times.off), median(times.on)]
process.stdout.write(
  `off ${off.toFixed(1)} µs, on ${on.toFixed(1)} µs per call; the guards cost ${(on - off).toFixed(1)} µs\n`,
)
for (const face of Object.values(faces)) await face.close()
await governing.close()
rmSync(folder, { recursive: true, force: true })
