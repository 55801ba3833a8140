import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectUrl } from '../../src/node/connect-url.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { freePorts, listening } from '../fixtures/free-ports.mjs'
import { type HttpServerProcess, startHttpServer } from './sdk-http-servers.js'
import { connectV1, connectV2, type Json } from './sdk-peers.js'

/** Products of others as remote servers: gateways in front of a program, and a framework. */

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const ECHO = path('test/fixtures/echo-server.mjs')
const SUPERGATEWAY = path('node_modules/supergateway/dist/index.js')
const MCP_PROXY = path('node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs')
const FASTMCP = path('test/fixtures/fastmcp-server.mjs')

const supergateway = (port: string, ...options: string[]) => [
  SUPERGATEWAY,
  ...['--stdio', `'${process.execPath}' '${ECHO}'`, '--port', port],
  ...options,
]
const mcpProxy = (port: string, era: string, ...options: string[]) => [
  MCP_PROXY,
  ...['--host', '127.0.0.1', '--port', port, ...options, '--', process.execPath, ECHO, '--era', era],
]

type Product = readonly [name: string, argv: (port: string) => readonly string[], path: '/mcp' | '/sse']

const PRODUCTS: readonly Product[] = [
  [
    'supergateway, sessions',
    port => supergateway(port, '--outputTransport', 'streamableHttp', '--stateful'),
    '/mcp',
  ],
  ['supergateway, stateless', port => supergateway(port, '--outputTransport', 'streamableHttp'), '/mcp'],
  ['supergateway, HTTP+SSE', port => supergateway(port, '--outputTransport', 'sse'), '/sse'],
  ['mcp-proxy, sessions', port => mcpProxy(port, 'legacy', '--server', 'stream'), '/mcp'],
  ['mcp-proxy, HTTP+SSE', port => mcpProxy(port, 'legacy', '--server', 'sse'), '/sse'],
  [
    'mcp-proxy, modern',
    port => mcpProxy(port, 'modern', '--server', 'stream', '--upstreamProtocol', 'modern'),
    '/mcp',
  ],
  ['FastMCP, sessions', port => [FASTMCP, port], '/mcp'],
  ['FastMCP, stateless', port => [FASTMCP, port, 'stateless'], '/mcp'],
]

const FACES = [
  ['SDK v1 over HTTP+SSE', (server: Server) => connectV1({ kind: 'sse', url: server.sseUrl as string })],
  ['SDK v1 over Streamable HTTP', (server: Server) => connectV1({ kind: 'http', url: server.url as string })],
  [
    'SDK v2, modern, over Streamable HTTP',
    (server: Server) => connectV2({ kind: 'http', url: server.url as string }, 'modern'),
  ],
] as const

describe.each(PRODUCTS)('%s', (_, argv, endpoint) => {
  let there: HttpServerProcess
  let anyport: Server

  beforeAll(async () => {
    const port = String((await freePorts(1))[0])
    const url = `http://127.0.0.1:${port}${endpoint}`
    there = await startHttpServer(argv(port), line => (line === '' ? undefined : url))
    await listening(url)
    anyport = await serve(connectUrl({ url }), { port: 0 })
  })

  afterAll(async () => {
    await anyport?.close({ drainTimeout: 0 })
    await there?.kill()
  })

  test.each(FACES)('to %s', async (_, open) => {
    const peer = await open(anyport)
    try {
      expect((await peer.listTools()).tools.map((tool: Json) => tool.name)).toContain('echo')
      const answers = await Promise.all(
        Array.from({ length: 10 }, (_, index) => peer.callTool('echo', { words: `ü ${index}` })),
      )
      expect(answers.map((answer: Json) => answer.content[0].text)).toEqual(
        Array.from({ length: 10 }, (_, index) => `ü ${index}`),
      )
    } finally {
      await peer.close()
    }
  })
})
