import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RemoteTarget } from '../../src/client/remote.js'
import { httpClient } from '../../src/node/http/http-client.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { everythingTranscript, normalise } from './everything-transcript.js'
import {
  type HttpServerProcess,
  type ServerKind,
  startHttpServer,
  startSdkServer,
} from './sdk-http-servers.js'
import { connectV1, connectV2, type Json } from './sdk-peers.js'

/** Servers of others on HTTP, to clients of others, on every face. */

const FACES = [
  ['SDK v1 over HTTP+SSE', (server: Server) => connectV1({ kind: 'sse', url: server.sseUrl as string })],
  ['SDK v1 over Streamable HTTP', (server: Server) => connectV1({ kind: 'http', url: server.url as string })],
  [
    'SDK v2, modern, over Streamable HTTP',
    (server: Server) => connectV2({ kind: 'http', url: server.url as string }, 'modern'),
  ],
] as const

const KINDS: readonly ServerKind[] = ['v1-stateful', 'v1-stateless', 'v1-sse', 'v2-modern', 'v2-dual']

function remote(url: string): { readonly target: RemoteTarget; close(): Promise<void> } {
  const client = httpClient()
  return { target: { name: url, remote: { url, client } }, close: () => client.close() }
}

describe.each(KINDS)('a server of the SDK: %s', kind => {
  let there: HttpServerProcess
  let anyport: Server
  let closeClient: () => Promise<void>

  beforeAll(async () => {
    there = await startSdkServer(kind)
    const { target, close } = remote(there.url)
    closeClient = close
    anyport = await serve(target, { port: 0 })
  })

  afterAll(async () => {
    await anyport?.close({ drainTimeout: 0 })
    await closeClient?.()
    await there?.kill()
  })

  test.each(FACES)('to %s', async (_, connect) => {
    const peer = await connect(anyport)
    try {
      const { tools } = await peer.listTools()
      expect(tools.map((tool: Json) => tool.name)).toContain('echo')
      await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const { content } = await peer.callTool('echo', { text: `ü ${index}` })
          expect(content).toEqual([{ type: 'text', text: `ü ${index}` }])
        }),
      )
      const progress: number[] = []
      await peer.callTool('progress', { steps: 4 }, { onProgress: step => void progress.push(step.progress) })
      expect(progress).toEqual([1, 2, 3, 4])
      await expect(peer.callTool('echo', {})).resolves.toMatchObject({ isError: true })
    } finally {
      await peer.close()
    }
  })

  // Without a session there is nobody who could answer.
  test.skipIf(kind === 'v1-stateless').each(FACES)('asks %s', async (_, connect) => {
    const peer = await connect(anyport)
    try {
      const answers = await Promise.all([peer.callTool('ask'), peer.callTool('ask')])
      for (const { content } of answers)
        expect(JSON.parse(content[0].text)).toMatchObject({ action: 'accept', content: { name: 'Ann' } })
      expect(peer.questions.map(({ method }) => method)).toEqual(['elicitation/create', 'elicitation/create'])
    } finally {
      await peer.close()
    }
  })

  test.runIf(kind === 'v1-stateful' || kind === 'v1-sse').each(FACES)(
    'asks %s outside of its calls',
    async (_, connect) => {
      const peer = await connect(anyport)
      try {
        for (let round = 0; round < 2; round++) {
          const { content } = await peer.callTool('ask-aside')
          expect(JSON.parse(content[0].text)).toMatchObject({ action: 'accept' })
        }
        expect(peer.questions.length).toBe(2)
      } finally {
        await peer.close()
      }
    },
  )

  test.skipIf(kind === 'v1-stateless').each(FACES.slice(0, 2))('tells %s of changes', async (_, connect) => {
    const peer = await connect(anyport)
    try {
      await peer.listTools()
      // Until its subscription stands.
      for (let attempt = 0; attempt < 50 && peer.changes() === 0; attempt++) {
        await peer.callTool('change')
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      expect(peer.changes()).toBeGreaterThan(0)
    } finally {
      await peer.close()
    }
  })
})

describe.each(['streamableHttp', 'sse'])('server-everything on %s', mode => {
  let there: HttpServerProcess
  let anyport: Server
  let closeClient: () => Promise<void>

  beforeAll(async () => {
    const program = fileURLToPath(
      new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
    )
    const port = String(20_000 + Math.floor(Math.random() * 20_000))
    const url = `http://127.0.0.1:${port}/${mode === 'sse' ? 'sse' : 'mcp'}`
    there = await startHttpServer(
      [program, mode],
      line => (/(listening|running) on port/i.test(line) ? url : undefined),
      { PORT: port },
    )
    const { target, close } = remote(url)
    closeClient = close
    anyport = await serve(target, { port: 0 })
  })

  afterAll(async () => {
    await anyport?.close({ drainTimeout: 0 })
    await closeClient?.()
    await there?.kill()
  })

  test.each(FACES)('is to %s what it is directly', async (_, connect) => {
    const peer = await connect(anyport)
    const straight = await connectV1({ kind: mode === 'sse' ? 'sse' : 'http', url: there.url })
    const expected = await everythingTranscript(straight)
    await straight.close()
    const actual = await everythingTranscript(peer)
    await peer.close()
    expect(comparable(actual)).toEqual(comparable(expected))
  })
})

/** Without what only one of the eras has. */
function comparable(transcript: Record<string, Json>): Json {
  // SDK v1 says a code twice that it gets in words as well.
  const words = JSON.stringify(transcript).replaceAll(/(MCP error -\d+: )+/g, '')
  const dropped = new Set([
    'execution',
    'ttlMs',
    'cacheScope',
    'resultType',
    'io.modelcontextprotocol/serverInfo',
  ])
  const { capabilities, ...rest } = JSON.parse(words)
  return { ...normalise(rest, dropped), capabilities: normalise(capabilities, new Set(['tasks'])) }
}
