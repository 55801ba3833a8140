/**
 * Programs of others as clients of ours: bridges that are a client on one side and a server on the other, so that a client of an official
 * SDK sees what got through them. `remote-products.test.ts` has the same programs as servers.
 */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../src/node/connect.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { freePorts, listening } from '../fixtures/free-ports.mjs'
import { type HttpServerProcess, startHttpServer } from '../peers/sdk-http-servers.js'
import { connectV1, connectV2, type Json, type Peer } from '../peers/sdk-peers.js'
import { ANYPORT } from '../peers/start-anyport.js'

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url))
const EVERYTHING = {
  legacy: path('test/fixtures/everything-legacy.mjs'),
  modern: path('test/fixtures/everything-modern.mjs'),
} as const
const MCP_REMOTE = path('node_modules/mcp-remote/dist/proxy.js')
const SUPERGATEWAY = path('node_modules/supergateway/dist/index.js')
const MCP_PROXY = path('node_modules/mcp-proxy/dist/bin/mcp-proxy.mjs')

type Era = keyof typeof EVERYTHING

let folder: string
const servers = {} as Record<Era, Server>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-clients-'))
  for (const era of ['legacy', 'modern'] as const)
    servers[era] = await serve(connect({ command: process.execPath, args: [EVERYTHING[era]] }), { port: 0 })
})

afterAll(async () => {
  for (const server of Object.values(servers)) await server.close({ drainTimeout: 0 })
  rmSync(folder, { recursive: true, force: true })
})

const echoes = async (peer: Peer): Promise<void> => {
  const { tools } = await peer.listTools()
  expect(tools.map(({ name }: Json) => name)).toContain('echo')
  const words = Array.from({ length: 10 }, (_, index) => `ü ${index}`)
  const answers = await Promise.all(words.map(text => peer.callTool('echo', { text })))
  expect(answers.map((answer: Json) => answer.structuredContent.arguments.text)).toEqual(words)
}

/** Bridges to stdio, which call our HTTP faces. */
const CALLERS: readonly (readonly [string, (server: Server) => readonly string[]])[] = [
  ['mcp-remote to Streamable HTTP', ({ url }) => [MCP_REMOTE, url as string, '--transport', 'http-only']],
  ['mcp-remote to HTTP+SSE', ({ sseUrl }) => [MCP_REMOTE, sseUrl as string, '--transport', 'sse-only']],
  ['mcp-remote, as it likes', ({ url }) => [MCP_REMOTE, url as string, '--protocol', 'auto']],
  ['supergateway to Streamable HTTP', ({ url }) => [SUPERGATEWAY, '--streamableHttp', url as string]],
  ['supergateway to HTTP+SSE', ({ sseUrl }) => [SUPERGATEWAY, '--sse', sseUrl as string]],
]

describe.each(CALLERS)('%s', (name, argv) => {
  test.each(['legacy', 'modern'] as const)('calls a %s server of ours', async era => {
    const env = { MCP_REMOTE_CONFIG_DIR: folder }
    const to = { kind: 'stdio' as const, command: process.execPath, args: [...argv(servers[era])], env }
    const peer = await connectV1(to)
    try {
      await echoes(peer)
      // What others do with questions is their own: this one passes on all that comes.
      if (name.startsWith('mcp-remote')) {
        await peer.callTool('form')
        expect(peer.questions.map(({ method }) => method)).toEqual(['elicitation/create'])
      }
    } finally {
      await peer.close()
    }
  })

  test('is a server to us', async () => {
    const to = {
      command: process.execPath,
      args: argv(servers.legacy),
      env: { MCP_REMOTE_CONFIG_DIR: folder },
    }
    const again = await serve(connect(to), { port: 0 })
    const peer = await connectV2({ kind: 'http', url: again.url as string }, 'modern')
    try {
      await echoes(peer)
    } finally {
      await peer.close()
      await again.close({ drainTimeout: 0 })
    }
  })
})

/** Bridges to HTTP, which start our stdio face. */
const STARTERS: readonly (readonly [
  string,
  (port: string, command: readonly string[]) => readonly string[],
])[] = [
  [
    'supergateway',
    (port, command) => [
      ...[SUPERGATEWAY, '--stdio', command.map(word => `'${word}'`).join(' '), '--port', port],
      ...['--outputTransport', 'streamableHttp', '--stateful'],
    ],
  ],
  [
    'mcp-proxy',
    (port, command) => [
      MCP_PROXY,
      '--host',
      '127.0.0.1',
      '--port',
      port,
      '--server',
      'stream',
      '--',
      ...command,
    ],
  ],
]

describe.each(STARTERS)('%s', (_name, argv) => {
  const OURS: readonly (readonly [string, () => readonly string[]])[] = [
    ['serve --stdio, legacy', () => ['serve', '--stdio', '--', process.execPath, EVERYTHING.legacy]],
    ['serve --stdio, modern', () => ['serve', '--stdio', '--', process.execPath, EVERYTHING.modern]],
    ['connect, Streamable HTTP', () => ['connect', servers.modern.url as string]],
    ['connect, HTTP+SSE', () => ['connect', servers.legacy.sseUrl as string]],
  ]

  test.each(OURS)('starts %s', async (_what, words) => {
    const port = String((await freePorts(1))[0])
    const url = `http://127.0.0.1:${port}/mcp`
    const there: HttpServerProcess = await startHttpServer(
      argv(port, [process.execPath, ANYPORT, ...words()]),
      line => (line === '' ? undefined : url),
    )
    try {
      await listening(url)
      const peer = await connectV1({ kind: 'http', url })
      await echoes(peer).finally(() => peer.close())
    } finally {
      await there.kill()
    }
  })
})
