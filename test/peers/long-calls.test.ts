/** Calls that outlast every timeout on their way, over four hops of anyport: stdio or HTTP, socket, TCP, socket, stdio. */

import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JSONObject, RequestId } from '../../src/protocol/message.js'
import { type AnyportProcess, anyportServe } from '../fixtures/anyport-process.js'
import { httpLink, pipeLink } from '../fixtures/links.js'
import { RawClient } from '../fixtures/raw-client.js'

const TIMEOUT = 2_000
const DURATION = 6_000
const EVERY = 500
/** How late a timer of a busy machine may be, and the sweep that looks for silent calls. */
const SLACK = 1_500

interface Chain {
  /** The processes, from the server's on. */
  readonly hops: AnyportProcess[]
  readonly url: string
}

async function startChain(era: 'legacy' | 'modern', protocol: string): Promise<Chain> {
  const fixture = fileURLToPath(new URL(`../fixtures/everything-${era}.mjs`, import.meta.url))
  const folder = mkdtempSync(join(tmpdir(), 'anyport-'))
  const options = ['--timeout', `${TIMEOUT}ms`, '--protocol', protocol]
  const hops: AnyportProcess[] = []
  const add = async (...argv: string[]) => {
    const hop = anyportServe(...options, ...argv)
    hops.push(hop)
    return hop.address()
  }
  const first = await add('--socket', join(folder, '1'), '--', process.execPath, fixture)
  const second = await add('--tcp', '127.0.0.1:0', first)
  const third = await add('--socket', join(folder, '2'), second)
  const url = await add('--stdio', '--port', '0', third)
  return { hops, url }
}

describe.each([
  ['legacy', 'legacy'],
  ['modern', 'auto'],
] as const)('four hops to a %s server, which speak %s', (era, protocol) => {
  let chain: Chain
  const clients: RawClient[] = []
  let calls = 0

  beforeAll(async () => {
    chain = await startChain(era, protocol)
  })
  afterAll(async () => {
    await Promise.all(clients.map(client => client.close()))
    await Promise.all(chain.hops.map(hop => hop.stop()))
  })

  async function connect(face: 'stdio' | 'HTTP', version: string): Promise<RawClient> {
    const front = chain.hops.at(-1) as AnyportProcess
    // A pipe serves one client: each gets its own last hop.
    let channel = httpLink(chain.url, version)
    if (face === 'stdio') {
      const third = (front.child.spawnargs.at(-1) as string) ?? ''
      const last = anyportServe('--stdio', '--timeout', `${TIMEOUT}ms`, '--protocol', protocol, third)
      chain.hops.push(last)
      channel = pipeLink(last.child)
    }
    const client = new RawClient(channel, { version, capabilities: {} })
    clients.push(client)
    expect(await client.open()).toMatchObject({ result: {} })
    return client
  }

  const long = (client: RawClient, id: RequestId, args: JSONObject, meta: JSONObject = {}) =>
    client.request(id, 'tools/call', {
      name: 'long',
      arguments: { every: EVERY, duration: DURATION, ...args },
      _meta: meta,
    })
  /** When the server said so. */
  const heard = async (message: string) => {
    const deadline = performance.now() + 5_000
    for (;;) {
      const found = chain.hops[0]?.records.find(({ record }) => record.message === message)
      if (found !== undefined) return found.at
      if (performance.now() > deadline) throw new Error(`The server did not say ${message}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  describe.concurrent.each([
    ['stdio', '2025-11-25', -32001],
    ['HTTP', '2025-11-25', -32001],
    ['stdio', '2026-07-28', -31002],
    ['HTTP', '2026-07-28', -31002],
  ] as const)('from a client on %s of %s', (face, version, timeoutCode) => {
    let client: RawClient
    beforeAll(async () => {
      client = await connect(face, version)
    })

    it('a call lives as long as it shows progress, which its caller gets in order', async () => {
      const id = `with ${++calls}`
      const response = await long(client, id, { label: id }, { progressToken: id })
      expect(response).toMatchObject({ id, result: { content: [{ text: '{"long":12}' }] } })
      const own = client.notifications.filter(({ params }) => params?.progressToken === id)
      expect(own.map(({ params }) => params?.progress)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    })

    it('a call of a client that asked for no progress lives too, and brings it none', async () => {
      const id = 1_000 + ++calls
      const response = await long(client, id, { label: id })
      expect(response).toMatchObject({ id, result: { content: [{ text: '{"long":12}' }] } })
      const tokens = client.notifications
        .filter(({ method }) => method === 'notifications/progress')
        .map(({ params }) => params?.progressToken)
      expect(tokens.filter(token => !String(token).startsWith('with '))).toEqual([])
    })

    it('a silent call ends after the timeout, with an error that says where and why', async () => {
      const id = 2_000 + ++calls
      const label = `silent ${id}`
      const began = performance.now()
      const response = await long(client, id, { silent: true, label }, { progressToken: label })
      const took = performance.now() - began
      expect(response).toMatchObject({
        id,
        error: {
          code: timeoutCode,
          message: expect.stringMatching(/did not answer tools\/call within 2000 ms/),
          data: {
            code: 'ERR_TIMEOUT',
            hop: expect.stringMatching(/everything|socket:|tcp:/),
            option: '--timeout',
          },
        },
      })
      expect(took).toBeGreaterThanOrEqual(TIMEOUT - 50)
      expect(took).toBeLessThan(TIMEOUT + SLACK)
      await heard(`cancelled ${label}`)
    })

    it('a cancelled call is cancelled at the server within 500 ms', async () => {
      const id = 3_000 + ++calls
      const label = `cancel ${id}`
      void long(client, id, { label })
      await heard(`started ${label}`)
      const began = performance.now()
      client.cancel(id)
      expect((await heard(`cancelled ${label}`)) - began).toBeLessThan(500)
    })
  })
})
