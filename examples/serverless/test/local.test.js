/** The same server on this machine, on the transports that serverless platforms do not have. */

import { test } from 'node:test'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { listening, path } from './program.js'
import { asked, modernClient, useTools } from './session.js'

test('stdio', { timeout: 60_000 }, async test => {
  const client = modernClient()
  test.after(() => client.close())
  await client.connect(new StdioClientTransport({ command: process.execPath, args: [path('local.js')] }))
  await useTools(client)
  await asked(client)
})

test('HTTP, with sessions, and HTTP+SSE', { timeout: 60_000 }, async test => {
  const env = { TRANSPORT: 'http,sse', PORT: '0' }
  const origin = await listening(test, process.execPath, [path('local.js')], env)
  const legacy = new Client({ name: 'test', version: '1.0.0' })
  test.after(() => legacy.close())
  await legacy.connect(new SSEClientTransport(new URL(`${origin}/sse`)))
  await useTools(legacy)
  const modern = modernClient()
  test.after(() => modern.close())
  await modern.connect(new StreamableHTTPClientTransport(new URL(`${origin}/mcp`)))
  await useTools(modern)
  await asked(modern)
})
