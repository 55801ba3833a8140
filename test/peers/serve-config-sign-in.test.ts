/** A gateway over servers that want to know who calls. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { authorizationFixture } from '../fixtures/authorization-server.js'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { startSdkServer } from './sdk-http-servers.js'
import { connectV2, type Json, type Peer } from './sdk-peers.js'
import { startAnyport } from './start-anyport.js'

const BROWSER = fileURLToPath(new URL('../fixtures/browser.mjs', import.meta.url))

let folder: string
const ends: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-config-sign-in-'))
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  rmSync(folder, { recursive: true, force: true })
})

async function guarded(): Promise<string> {
  const there = await startSdkServer('v2-modern')
  ends.push(() => there.kill())
  const fixture = await authorizationFixture({ behind: there.url })
  ends.push(() => fixture.close())
  return fixture.url.href
}

const namesOf = async (peer: Peer): Promise<string[]> =>
  (await peer.listTools()).tools.map((tool: Json) => tool.name)

test('signs in where a server wants it, with headers of the file, and not where the file forbids it', async () => {
  const file = join(folder, 'mcp.json')
  const log = join(folder, 'browser.log')
  writeFileSync(log, '')
  const [url, other] = [await guarded(), await guarded()]
  const headers = { Accept: 'application/json', 'content-type': 'application/json', 'X-Own': '1' }
  const servers = {
    wanted: { type: 'http', url, headers },
    forbidden: { type: 'http', url: other, oauth: false },
  }
  writeFileSync(file, JSON.stringify({ mcpServers: servers, anyport: { listTimeout: '20s' } }, null, 1))
  const anyport = await startAnyport([], {
    config: file,
    environment: { XDG_STATE_HOME: folder, BROWSER: `${process.execPath} ${BROWSER} ${log}` },
  })
  ends.push(() => anyport.stop())
  const peer = await connectV2({ kind: 'http', url: anyport.url }, 'modern', { asked: false })
  ends.push(() => peer.close())
  await expect.poll(() => namesOf(peer), { timeout: 30_000 }).toContain('wanted__echo')
  expect((await peer.callTool('wanted__echo', { text: 'hello' })).content[0].text).toBe('hello')
  expect((await namesOf(peer)).filter(name => name.startsWith('forbidden'))).toEqual([])
  expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(1)
  const warnings = anyport.log.filter(({ event }) => event === 'config_warning').map(({ message }) => message)
  expect(warnings).toEqual([
    expect.stringMatching(/:3:\d+: server "wanted": the header Accept is left out/),
    expect.stringMatching(/:3:\d+: server "wanted": the header content-type is left out/),
  ])
  expect((await ranAnyport('serve', '--config', file, '--client-id', 'x')).stderr).toContain(
    '--client-id is for one server',
  )
})
