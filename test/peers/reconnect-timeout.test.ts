import { expect, it } from 'vitest'
import { serve } from '../../src/node/serve.js'
import { everythingHandler } from '../fixtures/everything-handler.js'
import { startAnyport } from './start-anyport.js'

it('--reconnect-timeout says how long a call waits for a remote server that has gone', async () => {
  const server = await serve(everythingHandler().handler, { port: 0 })
  const anyport = await startAnyport([], {
    target: server.url as string,
    early: true,
    options: ['--reconnect-timeout', '300ms'],
  })
  const list = async () => {
    const response = await fetch(anyport.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'prompts/get',
        'mcp-name': 'none',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'prompts/get',
        params: {
          name: 'none',
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1.0.0' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    })
    return (await response.json()) as { error?: { code: number; message: string } }
  }
  const there = await list()
  expect(there.error?.message ?? '').not.toContain('ECONNREFUSED')
  await server.close({ drainTimeout: 0 })
  const began = performance.now()
  const gone = await list()
  expect(gone.error?.message).toMatch(/connect|reach|refused/i)
  // The standard is ten seconds.
  expect(performance.now() - began).toBeLessThan(9_000)
  await anyport.stop()
})
