import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { anyportServe, type RunningCommand, runAnyport } from '../fixtures/run-anyport.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'

const echo = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]

let folder = ''
let anyport: RunningCommand | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'governed-'))
})
afterEach(async () => {
  await anyport?.stop()
  anyport = undefined
  rmSync(folder, { recursive: true, force: true })
})

const namesOf = async (peer: Peer): Promise<string[]> =>
  (await peer.listTools()).tools.map((tool: Json) => tool.name)

describe.each<readonly [string, (url: string) => Promise<Peer>]>([
  ['a legacy client', url => connectV1({ kind: 'http', url })],
  ['a modern client', url => connectV2({ kind: 'http', url }, 'modern')],
])('the command, with %s', (_name, connect) => {
  test('limits, rules and the audit log of one server', async () => {
    const rules = join(folder, 'rules.json')
    const audit = join(folder, 'audit.jsonl')
    writeFileSync(rules, JSON.stringify({ rules: [{ allow: { tools: ['echo'] } }] }))
    anyport = anyportServe(
      ...['--port', '0', '--rules', rules, '--audit', audit, '--audit-arguments'],
      ...['--rate-limit', 'tool:echo=1/h,3', '--', ...echo],
    )
    const peer = await connect(await anyport.address())
    expect(await namesOf(peer)).toEqual(['echo'])
    const outcomes = []
    for (let index = 0; index < 5; index++)
      outcomes.push(
        await peer.callTool('echo', { words: 'hello', token: 'planted-secret' }).then(
          () => 'ok',
          (error: Error) => (/Too many calls|429/.test(error.message) ? 'limited' : error.message),
        ),
      )
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'limited', 'limited'])
    await peer.close()
    await anyport.stop()
    const text = readFileSync(audit, 'utf8')
    expect(text).not.toContain('planted-secret')
    const calls = text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line))
      .filter(({ method }) => method === 'tools/call')
    expect(calls.map(({ outcome }) => outcome)).toEqual(['ok', 'ok', 'ok', 'refused', 'refused'])
    expect(calls[0]).toMatchObject({
      target: 'echo',
      binding: 'streamable-http',
      arguments: { token: '[redacted]' },
    })

    const good = runAnyport('audit', 'verify', audit)
    expect([await good.exited, good.stdout()]).toEqual([0, expect.stringMatching(/^\d+ records fit\n/)])
    writeFileSync(audit, text.replace('"outcome":"refused"', '"outcome":"ok"'))
    const changed = runAnyport('audit', 'verify', audit)
    expect([await changed.exited, changed.stdout()]).toEqual([1, expect.stringContaining('was changed')])
  }, 60_000)
})

test('rules of a configuration hold for each server, and refused pages are on record', async () => {
  const rules = join(folder, 'rules.json')
  const config = join(folder, 'mcp.json')
  const audit = join(folder, 'audit.jsonl')
  const [command, ...args] = echo
  writeFileSync(config, JSON.stringify({ mcpServers: { one: { command, args }, two: { command, args } } }))
  writeFileSync(rules, JSON.stringify({ rules: [{ allow: { servers: ['one'], tools: ['echo'] } }] }))
  anyport = anyportServe('--port', '0', '--config', config, '--rules', rules, '--audit', audit)
  const url = await anyport.address()
  const peer = await connectV2({ kind: 'http', url }, 'modern')
  const [name, ...others] = await namesOf(peer)
  expect(others).toEqual([])
  await peer.callTool(name as string, { words: 'hello' })
  await peer.close()
  const alone = await connectV1({ kind: 'http', url: url.replace('/mcp', '/servers/two/mcp') })
  expect(await namesOf(alone)).toEqual([])
  await expect(alone.callTool('echo', { words: 'x' })).rejects.toThrow(/Unknown tool: echo/)
  await alone.close()
  expect((await fetch(url, { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(403)
  await anyport.stop()
  const records = readFileSync(audit, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(records.filter(({ method }) => method === 'tools/call')).toMatchObject([
    { server: 'one', target: name, outcome: 'ok' },
    { server: 'two', target: 'echo', outcome: 'refused', refusedBy: 'authorization' },
  ])
  expect(records.find(({ status }) => status === 403)).toMatchObject({
    outcome: 'refused',
    refusedBy: 'http',
    path: '/mcp',
  })
}, 60_000)

test('what cannot work is a mistake of the command line', async () => {
  const wrong = [
    [['--rate-limit', 'nobody=1/s'], 'expected all, principal'],
    [['--rate-limit', 'all=fast'], 'is no limit'],
    [['--audit-durable'], '--audit-durable is for --audit'],
    [['--rules', join(folder, 'none.json')], 'cannot be read'],
  ] as const
  await Promise.all(
    wrong.map(async ([words, message]) => {
      const run = runAnyport('serve', '--port', '0', ...words, '--', ...echo)
      expect([await run.exited, run.stderr()]).toEqual([2, expect.stringContaining(message)])
    }),
  )
}, 60_000)
