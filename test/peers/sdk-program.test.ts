/** A program of three lines is a local tool and a hosted service. */

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { Client as SdkV2Client } from '@modelcontextprotocol/client'
import { StdioClientTransport as SdkV2Stdio } from '@modelcontextprotocol/client/stdio'
import { Client as SdkV1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as SdkV1Stdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, expect, it } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../fixtures/sdk-program.mjs', import.meta.url))
const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

async function greeted(client: SdkV1Client | SdkV2Client, transport: unknown): Promise<unknown> {
  await client.connect(transport as never)
  const result = await client.callTool({ name: 'greet', arguments: {} })
  await client.close()
  return result.content
}

const HELLO = [{ type: 'text', text: 'hello' }]

it.each(['function', 'single'])('a %s: stdio, where a client starts it', async kind => {
  const command = { command: process.execPath, args: [PROGRAM, kind] }
  const v1 = new SdkV1Client({ name: 'test', version: '1' })
  expect(await greeted(v1, new SdkV1Stdio(command))).toEqual(HELLO)
  const modern = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const
  const v2 = new SdkV2Client({ name: 'test', version: '1' }, modern)
  expect(await greeted(v2, new SdkV2Stdio(command))).toEqual(HELLO)
})

it.each([
  ['nothing', {}, 'ignore'],
  ['TRANSPORT=http', { TRANSPORT: 'http,sse' }, 'pipe'],
] as const)('HTTP, where the environment says %s', async (_, environment, stdin) => {
  const child = spawn(process.execPath, [PROGRAM, 'function'], {
    stdio: [stdin, 'ignore', 'pipe'],
    env: { ...process.env, PORT: '0', ...environment },
  })
  closing.push(() => child.kill())
  let stderr = ''
  const [url, sseUrl] = await new Promise<string[]>((resolve, reject) => {
    child.on('exit', code => reject(new Error(`It ended with ${code}: ${stderr}`)))
    child.stderr?.on('data', chunk => {
      stderr += chunk
      const found = /listening (\S+) (\S+)\n/.exec(stderr)
      if (found !== null) resolve(found.slice(1))
    })
  })
  const client = () => new SdkV1Client({ name: 'test', version: '1' })
  expect(await greeted(client(), new StreamableHTTPClientTransport(new URL(url!)))).toEqual(HELLO)
  expect(await greeted(client(), new SSEClientTransport(new URL(sseUrl!)))).toEqual(HELLO)
})
