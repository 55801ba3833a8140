/** The program as people start it, and clients of both generations of the official SDK on each transport. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Client as V2, StreamableHTTPClientTransport as V2Http } from '@modelcontextprotocol/client'
import { StdioClientTransport as V2Stdio } from '@modelcontextprotocol/client/stdio'
import { Client as V1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as V1Sse } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as V1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as V1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ListRootsRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterAll } from 'vitest'

export const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))

export interface Program {
  readonly child: ChildProcess
  readonly url: URL
  readonly sseUrl: URL
}

/** On HTTP, at a free port; ended after the tests of the file. */
export async function program(folders: readonly string[], options: readonly string[] = []): Promise<Program> {
  const child = spawn(process.execPath, [MAIN, ...options, ...folders], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, TRANSPORT: 'http,sse', PORT: '0' },
  })
  ending.push(async () => {
    child.kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  let stderr = ''
  const [url, sseUrl] = await new Promise<string[]>((resolve, reject) => {
    child.on('exit', code => reject(new Error(`It ended with ${code}: ${stderr}`)))
    child.stderr.on('data', chunk => {
      stderr += chunk
      const found = /file-search on (\S+) and (\S+)\n/.exec(stderr)
      if (found !== null) resolve(found.slice(1))
    })
  })
  return { child, url: new URL(url as string), sseUrl: new URL(sseUrl as string) }
}

/** What both generations of clients can do, as far as these tests go. */
export interface AnyClient {
  call(name: string, args: object, options?: CallOptions): Promise<Answer>
  readResource(uri: string): Promise<unknown>
  listTools(): Promise<readonly string[]>
  close(): Promise<void>
}
export interface CallOptions {
  readonly signal?: AbortSignal
  readonly onprogress?: (progress: {
    readonly progress: number
    readonly message?: string | undefined
  }) => void
}
export interface Answer {
  readonly content: readonly { readonly type: string; readonly text?: string; readonly uri?: string }[]
  // biome-ignore lint/suspicious/noExplicitAny: each tool has a schema of its own, which the client has checked it with
  readonly structuredContent?: any
  readonly isError?: boolean
}

export const WAYS = [
  'v1 stdio',
  'v1 http',
  'v1 sse',
  'v2 stdio',
  'v2 http',
  'v2 stdio modern',
  'v2 http modern',
] as const
export type Way = (typeof WAYS)[number]

/** Connects; with roots, the client lists these. */
export async function connect(
  way: Way,
  folders: readonly string[],
  over: Program,
  roots?: readonly string[],
): Promise<AnyClient> {
  const [generation, transport, era] = way.split(' ')
  const command = { command: process.execPath, args: [MAIN, ...folders], stderr: 'inherit' as const }
  const capabilities = roots === undefined ? {} : { roots: {} }
  const listed = { roots: (roots ?? []).map(uri => ({ uri })) }
  const client =
    generation === 'v1'
      ? new V1({ name: 'test', version: '1' }, { capabilities })
      : new V2(
          { name: 'test', version: '1' },
          {
            capabilities,
            ...(era === 'modern' ? { versionNegotiation: { mode: { pin: '2026-07-28' } } } : {}),
          },
        )
  if (roots !== undefined) {
    if (client instanceof V1) client.setRequestHandler(ListRootsRequestSchema, () => listed)
    else client.setRequestHandler('roots/list', () => listed)
  }
  const wire =
    generation === 'v1'
      ? transport === 'stdio'
        ? new V1Stdio(command)
        : transport === 'sse'
          ? new V1Sse(over.sseUrl)
          : new V1Http(over.url)
      : transport === 'stdio'
        ? new V2Stdio(command)
        : new V2Http(over.url)
  await client.connect(wire as never)
  ending.push(() => client.close())
  return {
    call: async (name, args, options = {}) =>
      (client instanceof V1
        ? await client.callTool({ name, arguments: { ...args } }, undefined, options as never)
        : await client.callTool({ name, arguments: { ...args } }, options as never)) as unknown as Answer,
    readResource: async uri => ((await client.readResource({ uri })) as { contents: unknown }).contents,
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    close: () => client.close(),
  }
}

const ending: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})
