import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, it } from 'vitest'
import type { DashboardStatus } from '../../src/dashboard/status.js'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { postModern, sessionClient } from './raw-clients.js'
import { processesMarked, startAnyport } from './start-anyport.js'

const ECHO = fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))
const EVERYTHING = createRequire(import.meta.url).resolve(
  '@modelcontextprotocol/server-everything/dist/index.js',
)
const folder = mkdtempSync(join(tmpdir(), 'anyport-dashboard-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const env = { MCP_TEST_MARK: `\${MCP_TEST_MARK}` }

it('shows each server of a gateway: era, transport, process, restarts, latencies and the last error', async () => {
  const config = join(folder, 'mcp.json')
  const program = (...args: string[]) => ({ command: process.execPath, args, env })
  writeFileSync(
    config,
    JSON.stringify({
      mcpServers: {
        echo: program(ECHO, '--era', 'modern'),
        everything: program(EVERYTHING),
      },
      anyport: { dashboard: true },
    }),
  )
  const server = await startAnyport([], { config })
  const base = server.url.replace('/mcp', '/dashboard')
  expect((await server.line(({ event }) => event === 'listening')).dashboard).toBe(base)
  const status = async (): Promise<DashboardStatus> => (await fetch(`${base}/status`)).json()

  const call = (name: string, args: object = {}) =>
    postModern(server.url, { id: 1, method: 'tools/call', params: { name, arguments: args } })
  for (let round = 0; round < 5; round++) await call('echo__echo', { words: 'x' })
  await call('everything__get-sum', { a: 1, b: 2 })
  const legacy = await sessionClient(server.url, () => {})
  await legacy.send({
    jsonrpc: '2.0',
    id: 2,
    method: 'tools/call',
    params: { name: 'everything__echo', arguments: { message: 'x' } },
  })
  const before = await status()
  const pidOf = ({ servers }: DashboardStatus, wanted: string) =>
    servers.find(({ name }) => name === wanted)?.status?.pids[0] as number
  expect(processesMarked(server.mark)).toEqual(
    expect.arrayContaining([pidOf(before, 'echo'), pidOf(before, 'everything')]),
  )
  await call('echo__crash')
  await call('echo__echo', { words: 'x' })
  const { serving, servers, clients, traffic } = await status()
  expect(serving).toMatchObject({ pid: server.process.pid, gateway: true })
  const latency = { p50: expect.any(Number), p95: expect.any(Number) }
  expect(servers).toEqual([
    expect.objectContaining({
      name: 'echo',
      path: '/servers/echo',
      status: expect.objectContaining({
        state: 'running',
        era: 'modern',
        transport: 'stdio',
        restarts: 1,
        lastError: expect.objectContaining({
          code: 'ERR_EXITED',
          message: expect.stringContaining('exited'),
        }),
      }),
      traffic: expect.objectContaining({
        calls: 7,
        errors: 1,
        latency: expect.objectContaining({ ...latency, calls: 7 }),
        lastError: expect.objectContaining({
          target: 'echo__crash',
          message: expect.stringContaining('exited'),
        }),
      }),
    }),
    expect.objectContaining({
      name: 'everything',
      status: expect.objectContaining({
        state: 'running',
        era: 'legacy',
        revision: expect.stringMatching(/^\d{4}-/),
        restarts: 0,
        stderr: expect.any(Array),
      }),
      traffic: expect.objectContaining({ calls: 2, errors: 0, latency: expect.objectContaining(latency) }),
    }),
  ])
  expect(pidOf({ servers } as DashboardStatus, 'echo')).not.toBe(pidOf(before, 'echo'))
  expect(traffic.calls).toBeGreaterThan(8)
  expect(clients).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ binding: 'streamable-http', era: 'modern', sessions: 0 }),
      expect.objectContaining({ binding: 'streamable-http', era: '2025-11-25', sessions: 1 }),
    ]),
  )
  await legacy.close()
  expect((await status()).clients.find(({ era }) => era !== 'modern')?.sessions).toBe(0)
  const { hostname, port } = new URL(base)
  const crooked = connectSocket(Number(port), hostname)
  crooked.end('GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nno header at all\r\n\r\n')
  await once(crooked.resume(), 'close')
  expect((await status()).httpRefusals.reasons).toMatchObject({ malformed: 1 })
  await server.stop()
})

it.each([
  [['--dashboard-allow', 'ann'], /--dashboard-allow is for --dashboard/],
  [['--dashboard', '--keys', join(folder, 'keys.json')], /--dashboard-allow PRINCIPAL/],
  [['--dashboard', '--dashboard-allow', 'scope:'], /--dashboard-allow/],
  [['--dashboard', '--stdio'], /HTTP/],
])('refuses %j', async (options, why) => {
  writeFileSync(join(folder, 'keys.json'), '{"version":1,"keys":[]}', { mode: 0o600 })
  const argv = ['serve', ...(options.includes('--stdio') ? [] : ['--port', '0']), ...options]
  const { code, stderr } = await ranAnyport(...argv, '--', process.execPath, ECHO)
  expect([code, stderr]).toEqual([2, expect.stringMatching(why)])
})
