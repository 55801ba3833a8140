/** Servers of others behind a guard that wants tokens, to clients of others, through `anyport connect`. */

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { authorizationFixture, type Fixture, type FixtureOptions } from '../fixtures/authorization-server.js'
import { type ServerKind, startSdkServer } from './sdk-http-servers.js'
import { connectV1, connectV2, type Peer } from './sdk-peers.js'

const MAIN = fileURLToPath(new URL('../../dist/bin/anyport.js', import.meta.url))
const BROWSER = fileURLToPath(new URL('../fixtures/browser.mjs', import.meta.url))

let folder: string
let log: string
const closing: (() => unknown)[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  log = join(folder, 'browser.log')
  writeFileSync(log, '')
})

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function start(kind: ServerKind, options: FixtureOptions = {}): Promise<Fixture> {
  const there = await startSdkServer(kind)
  closing.push(() => there.kill())
  const fixture = await authorizationFixture({ behind: there.url, ...options })
  closing.push(() => fixture.close())
  return fixture
}

/** What starts `anyport connect`, with a person at a browser. */
function connecting({ url }: Fixture, ...options: string[]) {
  return {
    kind: 'stdio' as const,
    command: process.execPath,
    args: [MAIN, 'connect', '--quiet', ...options, url.href],
    env: {
      XDG_STATE_HOME: folder,
      XDG_CACHE_HOME: '/dev/null/none',
      BROWSER: `${process.execPath} ${BROWSER} ${log}`,
    },
  }
}

function visits(): number {
  return readFileSync(log, 'utf8').split('\n').filter(Boolean).length
}

async function use(peer: Peer): Promise<void> {
  closing.push(() => peer.close())
  const { tools } = await peer.listTools()
  expect(tools.map(({ name }: { readonly name: string }) => name)).toContain('echo')
  const { content } = await peer.callTool('echo', { text: 'hello' })
  expect(content).toEqual([{ type: 'text', text: 'hello' }])
}

describe.each<ServerKind>(['v1-stateful', 'v2-modern'])('%s', kind => {
  it('is signed in to by the first client, and used by the next', async () => {
    const fixture = await start(kind)
    await use(await connectV1(connecting(fixture)))
    await use(await connectV2(connecting(fixture), 'modern'))
    expect(visits()).toBe(1)
  })

  it('stays usable while tokens expire', async () => {
    const fixture = await start(kind, { lifetime: 1_000 })
    const peer = await connectV1(connecting(fixture))
    for (let i = 0; i < 6; i++) {
      await new Promise(resolve => setTimeout(resolve, 500))
      const { content } = await peer.callTool('echo', { text: `${i}` })
      expect(content).toEqual([{ type: 'text', text: `${i}` }])
    }
    await peer.close()
    expect(visits()).toBe(1)
    expect(fixture.log.reuses).toBe(0)
    expect(fixture.log.ages.length).toBeGreaterThan(1)
  })
})

it('says what has to be done where nobody signs in', async () => {
  const fixture = await start('v2-modern')
  const outcome = connectV1(connecting(fixture, '--no-browser', '--sign-in-timeout', '1s')).then(
    async peer => {
      closing.push(() => peer.close())
      return await peer.listTools()
    },
  )
  await expect(outcome).rejects.toThrow(`anyport login ${fixture.url.href}`)
})

it('does not sign in where it is told not to, or where it is said already who calls', async () => {
  const fixture = await start('v2-modern')
  for (const options of [['--no-sign-in'], ['--header', 'Authorization: Bearer wrong']]) {
    await expect(connectV1(connecting(fixture, ...options)).then(peer => peer.listTools())).rejects.toThrow(
      '401',
    )
  }
  expect(fixture.log.metadata).toEqual([])
  expect(visits()).toBe(0)
})
