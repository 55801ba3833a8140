/** Servers that no official SDK made, but with its interface to transports: FastMCP, and one of a few lines. */

import { FastMCP } from 'fastmcp'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { instances } from '../../../src/client/instances.js'
import { fromSdk, type SdkServerFactory } from '../../../src/sdk/from-sdk.js'
import type { SdkTransport } from '../../../src/sdk/sdk-transport.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

interface FastMcpWithLog {
  readonly server: FastMCP
  readonly warnings: string[]
}

function fastMcp(): FastMcpWithLog {
  const warnings: string[] = []
  const warn = (...words: unknown[]) => void warnings.push(words.join(' '))
  const silent = () => {}
  const logger = { debug: silent, error: silent, info: silent, log: silent, warn }
  const server = new FastMCP({ name: 'shop', version: '1.0.0', logger })
  server.addTool({
    name: 'echo',
    parameters: z.object({ words: z.string() }),
    execute: async ({ words }, { reportProgress }) => {
      await reportProgress({ progress: 1, total: 2 })
      return words
    },
  })
  return { server, warnings }
}

describe('FastMCP', () => {
  const ways: Readonly<Record<string, (made: FastMcpWithLog) => SdkServerFactory>> = {
    'one for each connection': made => () => made.server,
    'one for all connections':
      ({ server }) =>
      transport =>
        server.connect(transport),
  }

  it.each(Object.keys(ways))('%s', async way => {
    const made = fastMcp()
    const handler = instances(fromSdk(ways[way]!(made)))
    const listed = await modernRequest(handler, 'tools/list')
    expect(listed.result?.tools).toMatchObject([{ name: 'echo' }])
    const progress: unknown[] = []
    const call = { name: 'echo', arguments: { words: 'hällo' }, _meta: { progressToken: 'mine' } }
    const { result } = await modernRequest(handler, 'tools/call', call, {
      onNotification: ({ params }) => void progress.push(params),
    })
    expect(result).toMatchObject({ resultType: 'complete', content: [{ type: 'text', text: 'hällo' }] })
    expect(progress).toEqual([{ progressToken: 'mine', progress: 1, total: 2 }])
    // It looks for its client for a second, and would complain if that had to wait for it to be done.
    expect(made.warnings).toEqual([])
  })

  it('what it made for a connection is closed with it', async () => {
    const { server } = fastMcp()
    const closed: string[] = []
    const target = fromSdk(async (transport: Parameters<FastMCP['connect']>[0]) => {
      const session = await server.connect(transport)
      const close = session.close.bind(session)
      session.close = async () => {
        closed.push('session')
        await close()
      }
      return session
    })
    const channel = await target.open()
    await channel.close()
    expect(closed).toEqual(['session'])
  })
})

/** A server of a few lines: what a client says is answered by `answer`. */
function plainServer(answer: (message: Message, transport: SdkTransport) => void) {
  return {
    async connect(transport: SdkTransport) {
      transport.onmessage = (message: Message) => {
        const { id, method } = message
        const reply = (result: object) => void transport.send({ jsonrpc: '2.0', id, result })
        if (method === 'initialize') {
          reply({
            protocolVersion: '2025-11-25',
            capabilities: { tools: {} },
            serverInfo: { name: 'plain', version: '1' },
          })
        } else if (method === 'server/discover') {
          void transport.send({ jsonrpc: '2.0', id, error: { code: -32601, message: 'unknown' } })
        } else if (method === 'tools/list') {
          reply({ tools: [{ name: 'do', inputSchema: { type: 'object' } }] })
        } else answer(message, transport)
      }
      await transport.start()
    },
  }
}

interface Message {
  readonly id?: string | number
  readonly method?: string
  readonly result?: unknown
}

describe('anything with the interface to transports', () => {
  const call = { name: 'do', arguments: {} }

  it('is served', async () => {
    const server = plainServer(({ id, method }, transport) => {
      if (method === 'tools/call') void transport.send({ jsonrpc: '2.0', id, result: { content: [] } })
    })
    const { result } = await modernRequest(instances(fromSdk(() => server)), 'tools/call', call)
    expect(result).toMatchObject({ resultType: 'complete', content: [] })
  })

  it('that throws where it is called: the caller hears of it, and the next one is served', async () => {
    let broken = true
    const server = plainServer(({ id, method }, transport) => {
      if (method !== 'tools/call') return
      if (broken) throw new Error('out of order')
      void transport.send({ jsonrpc: '2.0', id, result: { content: [] } })
    })
    const handler = instances(fromSdk(() => server, { name: 'shop' }))
    expect((await modernRequest(handler, 'tools/call', call)).error?.message).toBe(
      'shop could not take what it was sent: out of order',
    )
    broken = false
    expect((await modernRequest(handler, 'tools/call', call)).result?.content).toEqual([])
  })

  it('that cannot take an answer: nobody waits for what cannot come', async () => {
    const server = plainServer(({ method, result }, transport) => {
      if (result !== undefined) throw new Error('no answers here')
      const params = { message: 'Who?', requestedSchema: { type: 'object', properties: {} } }
      if (method === 'tools/call')
        void transport.send({ jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params })
    })
    const handler = instances(fromSdk(() => server, { name: 'shop' }))
    const capabilities = { elicitation: { form: {} } }
    const asked = await modernRequest(handler, 'tools/call', call, { capabilities })
    expect(asked.result?.resultType).toBe('input_required')
    const { requestState } = asked.result as { requestState: string }
    const retry = { ...call, requestState, inputResponses: { q: { action: 'accept', content: {} } } }
    const answered = await modernRequest(handler, 'tools/call', retry, { capabilities })
    expect(answered.error?.message).toContain('no answers here')
  })

  it('that fails once it listens: its callers are told why', async () => {
    const server = {
      async connect(transport: SdkTransport) {
        transport.onmessage = () => {}
        await transport.start()
        await new Promise(resolve => setTimeout(resolve, 20))
        throw new Error('no database')
      },
    }
    const handler = instances(fromSdk(() => server, { name: 'shop' }))
    const { error } = await modernRequest(handler, 'tools/call', call)
    expect(error?.message).toContain('no database')
  })

  it('that is closed before it was connected is closed all the same', async () => {
    let closed = 0
    const target = fromSdk(async (transport: SdkTransport) => {
      await transport.start()
      await new Promise(resolve => setTimeout(resolve, 30))
      return { close: () => void closed++ }
    })
    const channel = await target.open()
    await channel.close()
    await until(() => closed === 1, 'the close')
  })
})
