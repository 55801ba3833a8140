import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '../fixtures/until.js'
import { connectV1, connectV2, type Json, type Peer, type PeerTransport } from './sdk-peers.js'
import { socketTransport } from './socket-transport.js'
import { ANYPORT, type Anyport, processesMarked, startAnyport } from './start-anyport.js'

const EVERYTHING = fileURLToPath(
  new URL('../../node_modules/@modelcontextprotocol/server-everything/dist/index.js', import.meta.url),
)
const ECHO = fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))
const COMMAND = [process.execPath, EVERYTHING, 'stdio']

const SDKS: readonly { readonly name: string; readonly connect: (to: PeerTransport) => Promise<Peer> }[] = [
  { name: 'SDK v1', connect: to => connectV1(to) },
  { name: 'SDK v2, modern', connect: to => connectV2(to, 'modern') },
]

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'anyport-pipes-'))
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe.each(SDKS)('$name', ({ connect }) => {
  test('on stdin and stdout of anyport', async () => {
    const mark = randomUUID()
    const peer = await connect({
      kind: 'stdio',
      command: process.execPath,
      args: [ANYPORT, 'serve', '--stdio', '--env', `MCP_TEST_MARK=${mark}`, '--', ...COMMAND],
    })
    await useEverything(peer)
    expect(processesMarked(mark).length).toBeGreaterThan(0)
    await peer.close()
    await until(() => processesMarked(mark).length === 0, 'the end of the server after the end of its client')
  })

  test('over a Unix socket', async () => {
    const path = join(directory, `${randomUUID().slice(0, 8)}.sock`)
    const anyport = await startAnyport(COMMAND, { options: ['--socket', path] })
    const first = await connect({ kind: 'own', transport: socketTransport(path) })
    const second = await connect({ kind: 'own', transport: socketTransport(path) })
    await Promise.all([useEverything(first), useEverything(second)])
    await first.close()
    await useEverything(second)
    await second.close()
    await anyport.stop()
  })

  test('over TCP', async () => {
    const anyport = await startAnyport(COMMAND, { options: ['--tcp', '127.0.0.1:0'] })
    const peer = await connect({ kind: 'own', transport: socketTransport(await tcpAddress(anyport)) })
    await useEverything(peer)
    await peer.close()
    await anyport.stop()
  })
})

describe('a server that already listens', () => {
  const children: ChildProcess[] = []
  let server: Server

  afterAll(() => {
    for (const child of children) child.kill('SIGKILL')
  })

  async function listen(address: string | number, era: string): Promise<void> {
    server = createServer(socket => {
      const child = spawn(process.execPath, [ECHO, '--era', era], { stdio: ['pipe', 'pipe', 'ignore'] })
      children.push(child)
      socket.pipe(child.stdin!)
      child.stdout!.pipe(socket)
      socket.on('error', () => child.kill())
      child.stdin!.on('error', () => socket.destroy())
    })
    if (typeof address === 'string') server.listen(address)
    else server.listen(address, '127.0.0.1')
    await once(server, 'listening')
  }

  async function check(anyport: Anyport): Promise<void> {
    const http = { kind: 'http', url: anyport.url } as const
    const peers = await Promise.all([
      connectV1(http),
      connectV1({ kind: 'sse', url: anyport.sseUrl }),
      connectV2(http, 'modern'),
    ])
    for (const peer of peers) await useEcho(peer)
    await Promise.all(peers.map(peer => peer.close()))
  }

  test.each(['legacy', 'modern'])('on a Unix socket, %s', async era => {
    const path = join(directory, `${randomUUID().slice(0, 8)}.sock`)
    await listen(path, era)
    const anyport = await startAnyport([], { target: `socket:${path}` })
    await check(anyport)
    await anyport.stop()
    server.close()
  })

  test.each(['legacy', 'modern'])('on TCP, %s', async era => {
    await listen(0, era)
    const anyport = await startAnyport([], {
      target: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    })
    await check(anyport)
    await anyport.stop()
    server.close()
  })

  test('anyport behind anyport', async () => {
    const path = join(directory, `${randomUUID().slice(0, 8)}.sock`)
    const inner = await startAnyport(COMMAND, { options: ['--socket', path] })
    const outer = await startAnyport([], { target: `socket:${path}` })
    const legacy = await connectV1({ kind: 'http', url: outer.url })
    const modern = await connectV2({ kind: 'http', url: outer.url }, 'modern')
    await useEverything(legacy)
    await useEverything(modern)
    await legacy.close()
    await modern.close()
    await outer.stop()
    await inner.stop()
  })
})

async function useEverything(peer: Peer): Promise<void> {
  const { tools } = await peer.listTools()
  expect(tools.map((tool: Json) => tool.name)).toEqual(
    expect.arrayContaining(['echo', 'get-sum', 'trigger-elicitation-request']),
  )
  expect((await peer.callTool('get-sum', { a: 20, b: 22 })).content[0].text).toBe(
    'The sum of 20 and 22 is 42.',
  )
  const asked = await peer.callTool('trigger-elicitation-request')
  expect(asked.content[1].text).toContain('- Name: Ann')
}

async function useEcho(peer: Peer): Promise<void> {
  expect((await peer.listTools()).tools.map((tool: Json) => tool.name)).toContain('echo')
  const progress: Json[] = []
  const result = await peer.callTool(
    'echo',
    { words: 'through a socket', steps: 3 },
    { onProgress: step => void progress.push(step.progress) },
  )
  expect(result.structuredContent).toEqual({ words: 'through a socket' })
  expect(progress).toEqual([1, 2, 3])
}

async function tcpAddress(anyport: Anyport): Promise<{ host: string; port: number }> {
  const line = await anyport.line(entry => JSON.stringify(entry).includes('tcp://'))
  const [, host, port] = /tcp:\/\/([\d.]+):(\d+)/.exec(JSON.stringify(line)) as RegExpExecArray
  return { host: host as string, port: Number(port) }
}
