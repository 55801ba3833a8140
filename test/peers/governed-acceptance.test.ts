import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { verifyAudit } from '../../src/node/audit/verify-audit.js'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { modernHeaders, modernMeta } from './raw-clients.js'
import { ANYPORT, startAnyport } from './start-anyport.js'

const ECHO = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]
const folder = mkdtempSync(join(tmpdir(), 'anyport-acceptance-'))
const agent = new Agent({ keepAlive: true, maxSockets: 16 })
afterAll(() => {
  agent.destroy()
  rmSync(folder, { recursive: true, force: true })
})

interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  /** One of this machine's loopback addresses. */
  readonly from?: string
  readonly words?: string
  readonly body?: string
}

async function call(url: string, { headers, from, words = 'hello', body }: Asked = {}) {
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'echo', arguments: { words }, _meta: modernMeta() },
  }
  const sent = request(url, {
    method: 'POST',
    agent,
    ...(from === undefined ? {} : { localAddress: from }),
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...modernHeaders(message),
      ...headers,
    },
  })
  sent.end(body ?? JSON.stringify(message))
  const [reply] = await once(sent, 'response')
  const answer = await text(reply)
  return { status: reply.statusCode as number, retryAfter: reply.headers['retry-after'], answer }
}

function newKey(file: string, name: string): string {
  const { stdout } = spawnSync(process.execPath, [ANYPORT, 'keys', 'create', name, '--file', file], {
    encoding: 'utf8',
  })
  return stdout.trim()
}

const recordsOf = (file: string) =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))

describe('governed by default, and on record', () => {
  it('listens on loopback alone, and for other machines only where callers authenticate', async () => {
    const server = await startAnyport(ECHO)
    expect(new URL(server.url).hostname).toBe('127.0.0.1')
    const outside = Object.values(networkInterfaces())
      .flat()
      .find(found => found?.family === 'IPv4' && !found.internal)
    if (outside !== undefined)
      await expect(call(server.url.replace('127.0.0.1', outside.address))).rejects.toThrow(/ECONNREFUSED/)
    await server.stop()
    const { code, stderr } = await ranAnyport('serve', '--host', '0.0.0.0', '--port', '0', '--', ...ECHO)
    expect([code, stderr]).toEqual([2, expect.stringContaining('--allow-unauthenticated')])
  }, 30_000)

  it('one key over its limit is told to wait, another one does not notice, and each call has its line', async () => {
    const keys = join(folder, 'keys.json')
    const audit = join(folder, 'limits.jsonl')
    const [a, b] = [newKey(keys, 'a'), newKey(keys, 'b')]
    const options = ['--keys', keys, '--rate-limit', 'key=50/s,50', '--audit', audit]
    const server = await startAnyport(ECHO, { options })
    // Before the time counts: the list of tools, which headers are checked against, is asked for once per key.
    for (const key of [a, b])
      expect((await call(server.url, { headers: { 'x-api-key': key } })).status).toBe(200)
    const began = performance.now()
    const calls = Array.from({ length: 200 }, async (_, index) => {
      await new Promise(resolve => setTimeout(resolve, index * 5))
      const other = index % 8 === 0 ? [call(server.url, { headers: { 'x-api-key': b } })] : []
      return Promise.all([call(server.url, { headers: { 'x-api-key': a } }), ...other])
    })
    const answers = await Promise.all(calls)
    const seconds = (performance.now() - began) / 1_000
    const ofA = answers.map(([first]) => first)
    const passed = ofA.filter(({ status }) => status === 200)
    const refused = ofA.filter(({ status }) => status === 429)
    expect(passed.length + refused.length).toBe(200)
    expect(passed.length).toBeGreaterThanOrEqual(48)
    expect(passed.length).toBeLessThanOrEqual(51 + 50 * seconds)
    if (seconds < 2.5) expect(refused.length).toBeGreaterThan(0)
    for (const { retryAfter, answer } of refused) {
      expect(Number(retryAfter)).toBeGreaterThanOrEqual(1)
      expect(JSON.parse(answer).error).toMatchObject({ code: -31006, data: { code: 'ERR_LIMITED' } })
    }
    const ofB = answers.flatMap(([, second]) => (second === undefined ? [] : [second.status]))
    expect(ofB).toEqual(Array(25).fill(200))

    // What has no valid key, no valid message, or no valid origin is there as well.
    const wrong = a.replace(/.$/, last => (last === '0' ? '1' : '0'))
    expect((await call(server.url)).status).toBe(401)
    expect((await call(server.url, { headers: { authorization: `Bearer ${wrong}` } })).status).toBe(401)
    expect((await call(server.url, { headers: { 'x-api-key': b }, body: '{"jsonrpc"' })).status).toBe(400)
    const foreign = { 'x-api-key': b, origin: 'https://evil.example' }
    expect((await call(server.url, { headers: foreign })).status).toBe(403)
    await server.stop()

    const records = recordsOf(audit)
    const lines = (test: (record: Record<string, unknown>) => boolean) => records.filter(test).length
    const isCall = ({ binding, method }: Record<string, unknown>) =>
      binding === 'streamable-http' && method === 'tools/call'
    expect(lines(one => isCall(one) && one.principal === 'a' && one.outcome === 'ok')).toBe(passed.length + 1)
    expect(lines(one => isCall(one) && one.principal === 'a' && one.reason === 'rate')).toBe(refused.length)
    expect(lines(one => isCall(one) && one.principal === 'b' && one.outcome === 'ok')).toBe(26)
    expect(records.filter(({ refusedBy }) => refusedBy === 'http')).toMatchObject([
      { reason: 'no-credential', status: 401 },
      { reason: 'credential', status: 401 },
      { reason: 'malformed', status: 400, principal: 'b' },
      { reason: 'origin', status: 403 },
    ])
    const all = readFileSync(audit, 'utf8')
    for (const secret of [a, b, wrong]) expect(all).not.toContain(secret.slice(-64))
    // Arguments are off by default.
    expect(all).not.toContain('hello')
    expect(await verifyAudit(audit)).toMatchObject({ records: records.length, broken: undefined })
  }, 60_000)

  it.runIf(process.platform === 'linux')(
    'addresses are let in by lists, and proxies are believed only where they are trusted',
    async () => {
      const audit = join(folder, 'addresses.jsonl')
      const allowed = ['--allow-address', '127.0.0.0/30', '--allow-address', '192.0.2.0/24']
      const options = [...allowed, '--trust-proxy', '127.0.0.2', '--audit', audit]
      const server = await startAnyport(ECHO, { options })
      const status = async (from: string, forwarded?: string) => {
        const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
        return (await call(server.url, { from, headers })).status
      }
      expect(await status('127.0.0.1')).toBe(200)
      expect(await status('127.0.0.9')).toBe(403)
      // Nobody believes what these say.
      expect(await status('127.0.0.1', '203.0.113.9')).toBe(200)
      expect(await status('127.0.0.9', '192.0.2.1')).toBe(403)
      // The proxy is believed, but not what its client made up.
      expect(await status('127.0.0.2', '192.0.2.1')).toBe(200)
      expect(await status('127.0.0.2', '203.0.113.9')).toBe(403)
      expect(await status('127.0.0.2', '192.0.2.1, 203.0.113.9')).toBe(403)
      await server.stop()
      const seen = recordsOf(audit).map(({ address, reason }) => [address, reason])
      expect(seen.filter(([, reason]) => reason !== undefined)).toEqual([
        ['127.0.0.9', 'address'],
        ['127.0.0.9', 'address'],
        ['203.0.113.9', 'address'],
        ['203.0.113.9', 'address'],
      ])
      expect(seen.map(([address]) => address)).toContain('192.0.2.1')
    },
    60_000,
  )

  it('all guards together add less than 5 ms to a call', async () => {
    const keys = join(folder, 'latency.json')
    const key = newKey(keys, 'a')
    const guards = ['--keys', keys, '--rate-limit', 'key=100000/s', '--audit', join(folder, 'latency.jsonl')]
    const guarded = await startAnyport(ECHO, { options: guards })
    const plain = await startAnyport(ECHO)
    const timed = async (url: string, headers: Readonly<Record<string, string>>) => {
      const began = performance.now()
      expect((await call(url, { headers })).status).toBe(200)
      return performance.now() - began
    }
    const added = async () => {
      const times: [number[], number[]] = [[], []]
      for (let index = 0; index < 125; index++) {
        times[0].push(await timed(plain.url, {}))
        times[1].push(await timed(guarded.url, { 'x-api-key': key }))
      }
      const [without, with_] = times.map(
        list => list.sort((one, other) => one - other)[Math.floor(list.length * 0.95)] as number,
      )
      return (with_ as number) - (without as number)
    }
    // Other programs share the machine: what counts is what it adds when they let us.
    const rounds = []
    while (rounds.length < 4 && !(Math.min(...rounds) < 5)) rounds.push(await added())
    await Promise.all([guarded.stop(), plain.stop()])
    expect(Math.min(...rounds)).toBeLessThan(5)
  }, 60_000)
})
