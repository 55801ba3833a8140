import { afterEach, describe, expect, test } from 'vitest'
import { httpClient } from '../../src/node/http/http-client.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { until } from '../fixtures/until.js'
import { type HttpServerProcess, startSdkServer } from './sdk-http-servers.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'
import { ANYPORT } from './start-anyport.js'

/** A remote server that is killed and started again knows nothing any more, and no client notices. */

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

interface There {
  readonly anyport: Server
  server: HttpServerProcess
  restart(environment?: Record<string, string>): Promise<void>
}

async function reached(kind: 'v1-stateful' | 'v1-sse' | 'v2-modern', lost = '404'): Promise<There> {
  const environment = { LOST_SESSION: lost }
  const server = await startSdkServer(kind, { environment })
  const client = httpClient()
  const anyport = await serve({ name: server.url, remote: { url: server.url, client } }, { port: 0 })
  const there: There = {
    anyport,
    server,
    async restart(more = {}) {
      await there.server.kill()
      const port = Number(new URL(server.url).port)
      there.server = await startSdkServer(kind, { port, environment: { ...environment, ...more } })
    },
  }
  ending.push(
    () => there.server.kill(),
    () => client.close(),
    () => anyport.close({ drainTimeout: 0 }),
  )
  return there
}

async function client({ anyport, server }: There, way: Way, asked = true): Promise<Peer> {
  const url = anyport.url as string
  const peer = await connected(way, url, server.url, asked)
  ending.push(() => peer.close())
  return peer
}

type Way = 'stdio' | 'legacy' | 'modern'

function connected(way: Way, url: string, address: string, asked: boolean): Promise<Peer> {
  if (way === 'modern') return connectV2({ kind: 'http', url }, 'modern', { asked })
  if (way === 'legacy') return connectV1({ kind: 'http', url }, { asked })
  const args = [ANYPORT, 'connect', address, '--era-cache', 'off']
  return connectV1({ kind: 'stdio', command: process.execPath, args }, { asked })
}

describe.each(['404', '400', '503', '200'])(
  'a server that says %s of sessions that it does not know',
  lost => {
    test.each(['stdio', 'legacy', 'modern'] as const)('is restarted under a client: %s', async way => {
      const there = await reached('v1-stateful', lost)
      const peer = await client(there, way)
      for (let round = 0; round < 2; round++) {
        const text = `round ${round}`
        expect(await peer.callTool('echo', { text })).toMatchObject({ content: [{ text }] })
        // Once each: the server has lost the count as well.
        expect(there.server.ran).toEqual(['echo'])
        await there.restart()
      }
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => peer.callTool('echo', { text: String(index) })),
      )
      expect(answers.map((answer: Json) => answer.content[0].text)).toEqual(
        Array.from({ length: 10 }, (_, index) => String(index)),
      )
      expect(there.server.ran.length).toBe(10)
    })
  },
)

describe.each(['v1-stateful', 'v1-sse', 'v2-modern'] as const)('a server of kind %s', kind => {
  test('is called while it restarts', async () => {
    const there = await reached(kind)
    const peer = await client(there, 'legacy')
    await peer.callTool('echo', { text: 'before' })
    await there.server.kill()
    const calling = peer.callTool('echo', { text: 'during' })
    await there.restart()
    expect(await calling).toMatchObject({ content: [{ text: 'during' }] })
    expect(there.server.ran).toEqual(['echo'])
  })

  test('is killed during a call that must not run twice, and one that may', async () => {
    const there = await reached(kind)
    // On HTTP+SSE the calls of a client that can be asked would wait for each other.
    const peer = await client(there, 'legacy', false)
    const outcomes = Promise.allSettled([
      peer.callTool('sleep', { ms: 2_000 }),
      peer.callTool('sleep-safely', { ms: 2_000 }),
    ])
    await until(() => there.server.ran.length === 2, 'both calls')
    await there.restart()
    const [once, twice] = await outcomes
    expect(once).toMatchObject({
      status: 'rejected',
      reason: { message: expect.stringContaining('The outcome of the call of "sleep" is unknown') },
    })
    expect(twice).toMatchObject({ status: 'fulfilled', value: { content: [{ text: 'slept' }] } })
    expect(there.server.ran).toEqual(['sleep-safely'])
  })
})

test.each(['stdio', 'legacy'] as const)('a changed list of tools is announced once: %s', async way => {
  const there = await reached('v1-stateful')
  const peer = await client(there, way)
  const before = (await peer.listTools()).tools.map((tool: Json) => tool.name)
  await there.restart({ EXTRA_TOOL: 'brand-new' })
  await peer.callTool('echo', { text: 'x' })
  await until(() => peer.changes() > 0, 'the change')
  const after = (await peer.listTools()).tools.map((tool: Json) => tool.name)
  expect(after).toEqual([...before, 'brand-new'])
  await new Promise(resolve => setTimeout(resolve, 1_500))
  expect(peer.changes()).toBe(1)
})
