/**
 * What the guards cost: CPU time of our process per call of a small tool over HTTP, with limits, rules and the audit log, against the same
 * without; in front of a function, which costs next to nothing, and of a program. Rounds alternate, and the medians are compared. Needs a build.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Pool } from 'undici'
import { connect, govern, serve } from '../dist/index.js'

const CALLS = Number(process.env.CALLS ?? 6_000)
const ROUNDS = 7
const CONNECTIONS = 8

async function* answer(request) {
  const result =
    request.method === 'tools/list'
      ? { resultType: 'complete', tools: [{ name: 'echo', inputSchema: { type: 'object' } }] }
      : { resultType: 'complete', content: [{ type: 'text', text: request.params.arguments.text }] }
  return { jsonrpc: '2.0', id: request.id, result }
}

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
  const server = await serve(what, { port: 0, guards: governing?.guards })
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
  process.send(server.url)
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
async function started(kind, behind) {
  const child = fork(fileURLToPath(import.meta.url), [kind, behind])
  const [url] = await once(child, 'message')
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: CONNECTIONS })
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

async function compare(behind) {
  const faces = { off: await started('off', behind), on: await started('on', behind) }
  const times = { off: [], on: [] }
  for (let index = 0; index < ROUNDS; index++)
    for (const name of ['off', 'on']) {
      const time = await faces[name].round()
      // The first two warm up.
      if (index > 1) times[name].push(time)
    }
  const median = list => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]
  const [off, on] = [median(times.off), median(times.on)]
  process.stdout.write(
    `${behind}: CPU per call ${off.toFixed(1)} µs without guards, ${on.toFixed(1)} µs with; ratio ${(off / on).toFixed(2)}\n`,
  )
  for (const face of Object.values(faces)) await face.stop()
}

const [kind, behind] = process.argv.slice(2)
if (kind === undefined) for (const each of ['function', 'program']) await compare(each)
else await serveOne(kind, behind)
