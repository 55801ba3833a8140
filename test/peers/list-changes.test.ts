/** A change of one server's list, seen through a gateway: only that server is asked again, and clients hear of it only if their list is another one. */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import type { JSONObject } from '../../src/protocol/message.js'
import { httpLink, pipeLink } from '../fixtures/links.js'
import { RawClient } from '../fixtures/raw-client.js'
import { anyport, anyportServe, type RunningCommand } from '../fixtures/run-anyport.js'

const SERVER = fileURLToPath(new URL('../fixtures/processes/changing-lists.mjs', import.meta.url))
const CHANGED = 'notifications/tools/list_changed'

const hops: RunningCommand[] = []
const clients: RawClient[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map(client => client.close()))
  await Promise.all(hops.splice(0).map(hop => hop.stop()))
})

function kept(hop: RunningCommand): RunningCommand {
  hops.push(hop)
  return hop
}

function startGateway(): RunningCommand {
  const config = join(mkdtempSync(join(tmpdir(), 'anyport-')), 'mcp.json')
  const server = { command: process.execPath, args: [SERVER] }
  writeFileSync(config, JSON.stringify({ mcpServers: { one: server, other: server } }))
  return kept(anyportServe('--port', '0', '--config', config))
}

/** How often a server was asked for its list. */
function asked(gateway: RunningCommand, server: string): number {
  return gateway.log.filter(
    ({ record }) => record.message === 'asked for its tools' && record.server === server,
  ).length
}

function changesOf(client: RawClient): number {
  return client.notifications.filter(({ method }) => method === CHANGED).length
}

async function namesOf(client: RawClient): Promise<string[]> {
  const response = await client.request(crypto.randomUUID(), 'tools/list')
  const { tools } = (response as unknown as { result: { tools: { name: string }[] } }).result
  return tools.map(({ name }) => name)
}

async function call(client: RawClient, name: string): Promise<void> {
  const response = await client.request(crypto.randomUUID(), 'tools/call', {
    name,
    arguments: {},
  } as JSONObject)
  expect(response).toMatchObject({ result: { content: [] } })
}

async function listen(client: RawClient): Promise<void> {
  expect(await client.open()).toMatchObject({ result: {} })
  if (!client.isModern) return
  void client.request('listen', 'subscriptions/listen', { notifications: { toolsListChanged: true } })
  await expect
    .poll(() => client.notifications.some(({ method }) => method.endsWith('acknowledged')), {
      timeout: 10_000,
    })
    .toBe(true)
}

/** Long enough for what should not come. */
const settled = () => new Promise(resolve => setTimeout(resolve, 300))

/** Resolves once nobody has been asked for anything for a while: all who listen are heard from then on. */
async function quiet(gateway: RunningCommand): Promise<void> {
  let seen = -1
  let still = 0
  while (still < 3) {
    const count = asked(gateway, 'one') + asked(gateway, 'other')
    still = count === seen ? still + 1 : 0
    seen = count
    await settled()
  }
}

describe.each(['2025-11-25', '2026-07-28'])('a client of %s', version => {
  it.each([
    ['HTTP', undefined],
    ['a bridge that speaks legacy', 'legacy'],
    ['a bridge that speaks modern', 'modern'],
  ])('over %s hears of the change once, and of no change never', async (_way, protocol) => {
    const gateway = startGateway()
    const url = await gateway.address()
    const link =
      protocol === undefined
        ? httpLink(url, version)
        : pipeLink(kept(anyport('connect', '--protocol', protocol, url)).process)
    const client = new RawClient(link, { version, capabilities: {} })
    clients.push(client)
    await listen(client)
    await expect.poll(() => namesOf(client), { timeout: 10_000 }).toHaveLength(4)
    await quiet(gateway)
    const before = changesOf(client)
    const [one, other] = [asked(gateway, 'one'), asked(gateway, 'other')]

    await call(client, 'one__announce')
    await expect.poll(() => asked(gateway, 'one'), { timeout: 10_000 }).toBe(one + 1)
    await settled()
    expect(changesOf(client)).toBe(before)

    await call(client, 'one__add')
    await expect.poll(() => changesOf(client), { timeout: 10_000 }).toBe(before + 1)
    expect(await namesOf(client)).toEqual([
      'one__add',
      'one__announce',
      'one__added-2',
      'other__add',
      'other__announce',
    ])
    await settled()
    expect(changesOf(client)).toBe(before + 1)
    expect(asked(gateway, 'one')).toBe(one + 2)
    expect(asked(gateway, 'other')).toBe(other)
  })
})
