/**
 * Calls that outlast every timeout on their way, over four hops: of anyport alone (stdio or HTTP, socket, TCP, socket, stdio), and
 * as people have them (a bridge that a client starts, HTTP, a gateway, stdio).
 */

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JSONObject, RequestId } from '../../src/protocol/message.js'
import type { Channel } from '../../src/transport/channel/channel.js'
import { httpLink, pipeLink } from '../fixtures/links.js'
import { RawClient } from '../fixtures/raw-client.js'
import { anyport, anyportServe, type RunningCommand } from '../fixtures/run-anyport.js'

const TIMEOUT = 2_000
const DURATION = 6_000
const EVERY = 500
/** How late a timer of a busy machine may be, and the sweep that looks for silent calls. */
const SLACK = 1_500

type Era = 'legacy' | 'modern'
type Face = 'stdio' | 'HTTP'

interface Chain {
  /** The processes, the server's own first. */
  readonly hops: RunningCommand[]
  /** How the server's tool is called at its end. */
  readonly tool: string
  /** The names of the hops that may give up. */
  readonly givesUp: RegExp
  /** A way in at the other end. */
  connect(face: Face, version: string): Promise<Channel>
}

const program = (era: Era) => fileURLToPath(new URL(`../fixtures/everything-${era}.mjs`, import.meta.url))
const newFolder = () => mkdtempSync(join(tmpdir(), 'anyport-'))

async function socketChain(era: Era, protocol: string): Promise<Chain> {
  const folder = newFolder()
  const options = ['--timeout', `${TIMEOUT}ms`, '--protocol', protocol]
  const hops: RunningCommand[] = []
  const add = async (...argv: string[]) => {
    const hop = anyportServe(...options, ...argv)
    hops.push(hop)
    return hop.address()
  }
  const first = await add('--socket', join(folder, '1'), '--', process.execPath, program(era))
  const second = await add('--tcp', '127.0.0.1:0', first)
  const third = await add('--socket', join(folder, '2'), second)
  const url = await add('--port', '0', third)
  return {
    hops,
    tool: 'long',
    givesUp: /everything|socket:|tcp:/,
    async connect(face, version) {
      if (face === 'HTTP') return httpLink(url, version)
      // A pipe serves one client: each gets its own last hop.
      const last = anyportServe('--stdio', ...options, third)
      hops.push(last)
      return pipeLink(last.process)
    },
  }
}

async function gatewayChain(era: Era, protocol: string): Promise<Chain> {
  const config = join(newFolder(), 'mcp.json')
  const server = { command: process.execPath, args: [program(era)] }
  writeFileSync(config, JSON.stringify({ mcpServers: { slow: server } }))
  const timeout = ['--timeout', `${TIMEOUT}ms`]
  const gateway = anyportServe(...timeout, '--port', '0', '--config', config)
  const hops = [gateway]
  const url = await gateway.address()
  const bridge = (command: string, ...argv: string[]) => {
    const hop = anyport(command, ...timeout, '--protocol', protocol, ...argv)
    hops.push(hop)
    return hop
  }
  let front: Promise<string> | undefined
  return {
    hops,
    tool: 'slow__long',
    givesUp: /slow|http:/,
    async connect(face, version) {
      if (face === 'stdio') return pipeLink(bridge('connect', url).process)
      front ??= bridge('serve', '--port', '0', url).address()
      return httpLink(await front, version)
    },
  }
}

describe.each([
  ['over sockets', 'legacy', 'legacy', socketChain],
  ['over sockets', 'modern', 'auto', socketChain],
  ['with HTTP and a gateway', 'legacy', 'legacy', gatewayChain],
  ['with HTTP and a gateway', 'legacy', 'auto', gatewayChain],
  ['with HTTP and a gateway', 'modern', 'auto', gatewayChain],
] as const)('four hops %s to a %s server, which speak %s', (_way, era, protocol, startChain) => {
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

  async function connect(face: Face, version: string): Promise<RawClient> {
    const client = new RawClient(await chain.connect(face, version), { version, capabilities: {} })
    clients.push(client)
    expect(await client.open()).toMatchObject({ result: {} })
    return client
  }

  const long = (client: RawClient, id: RequestId, args: JSONObject, meta: JSONObject = {}) =>
    client.request(id, 'tools/call', {
      name: chain.tool,
      arguments: { every: EVERY, duration: DURATION, ...args },
      _meta: meta,
    })
  /** When the server said so. */
  const heard = async (message: string) => {
    const deadline = performance.now() + 5_000
    for (;;) {
      const found = chain.hops[0]?.log.find(({ record }) => record.message === message)
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
            hop: expect.stringMatching(chain.givesUp),
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

describe.concurrent.each([
  ['2025-11-25', 'legacy', -32001],
  ['2025-11-25', 'auto', -32001],
  ['2026-07-28', 'legacy', -31002],
  ['2026-07-28', 'auto', -31002],
] as const)(
  'a bridge that waits longer than the gateway behind it, for a client of %s, speaking %s',
  (version, protocol, code) => {
    it.each(['legacy', 'modern'] as const)('passes on which server was silent, a %s one', async era => {
      const config = join(newFolder(), 'mcp.json')
      const server = {
        command: process.execPath,
        args: [program(era)],
        anyport: { timeout: `${TIMEOUT}ms` },
      }
      writeFileSync(config, JSON.stringify({ mcpServers: { slow: server } }))
      const gateway = anyportServe('--port', '0', '--config', config)
      const bridge = anyport('connect', '--protocol', protocol, await gateway.address())
      const client = new RawClient(pipeLink(bridge.process), { version, capabilities: {} })
      try {
        expect(await client.open()).toMatchObject({ result: {} })
        const response = await client.request('silent', 'tools/call', {
          name: 'slow__long',
          arguments: { silent: true, label: 'silent', every: EVERY, duration: 60_000 },
        })
        expect(response).toMatchObject({
          id: 'silent',
          error: {
            code,
            message: expect.stringMatching(/did not answer tools\/call within 2000 ms/),
            data: { code: 'ERR_TIMEOUT', hop: 'slow', option: '--timeout' },
          },
        })
      } finally {
        await client.close()
        await Promise.all([bridge.stop(), gateway.stop()])
      }
    })
  },
)
