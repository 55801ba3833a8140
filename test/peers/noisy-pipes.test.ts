import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../fixtures/until.js'
import { modernHeaders, modernMeta, post, postModern } from './raw-clients.js'
import type { Json } from './sdk-peers.js'
import { ANYPORT, type Anyport, startAnyport } from './start-anyport.js'

const NOISY = fileURLToPath(new URL('../fixtures/processes/noisy-server.mjs', import.meta.url))
const noisy = (...parameters: string[]) => [process.execPath, NOISY, ...parameters]
const MESS = noisy('500', '5000000')
const MIB = 1024 * 1024

let anyport: Anyport

afterEach(() => anyport?.stop())

const callOf = (name: string, parameters: Json, meta: Json = {}): Json => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: parameters, _meta: modernMeta(meta) },
})

describe('what is on stdout beside the protocol', () => {
  test('does not disturb it; is shown with advice, then counted', async () => {
    anyport = await startAnyport(MESS)
    const { messages } = await postModern(anyport.url, callOf('echo', { words: 'süß 😀' }))
    expect(messages.at(-1).result.content[0].text).toBe('süß 😀')

    const noise = () => anyport.log.filter(line => line.event === 'server_noise')
    await until(() => noise().at(-1)?.count === 501, 'the count of all lines')
    expect(noise()[0]).toMatchObject({ level: 'warn', text: 'Server v1.2.3 is starting, step 0' })
    expect(noise()[0]?.message).toContain('should log to stderr')
    expect(noise().length).toBeLessThanOrEqual(6)
  })
})

/** Calls the tool `large` and returns what came back, over each way out. */
const WAYS: Readonly<Record<string, (call: Json) => Promise<Json>>> = {
  'modern HTTP': async call => messageOf(await open(anyport.url, call, modernHeaders(call))),
  'legacy HTTP': async call => messageOf(await open(anyport.url, call, await legacySession(anyport.url))),
  stdio: call => overStdio(call),
}

describe('a result of 64 MB', () => {
  test.each(Object.keys(WAYS))('arrives byte for byte: %s', async way => {
    if (way !== 'stdio') anyport = await startAnyport(MESS, { options: ['--max-message', '128MiB'] })
    const { result } = await WAYS[way]!(callOf('large', { bytes: 64_000_000 }))
    const [{ text }] = result.content
    expect(text.length).toBeGreaterThan(20 * MIB)
    expect(createHash('sha256').update(text).digest('hex')).toBe(result._meta['test/hash'])
  })

  test('is there once while its reader rests, and not at all afterwards', async () => {
    anyport = await startAnyport(noisy(), { options: ['--max-message', '128MiB'] })
    await postModern(anyport.url, callOf('echo', {}))
    const before = rss(anyport)
    const call = callOf('large', { bytes: 64_000_000 })
    const response = await open(anyport.url, call, modernHeaders(call))
    await new Promise(resolve => setTimeout(resolve, 6_000))
    expect(rss(anyport) - before).toBeGreaterThan(55)
    expect(rss(anyport) - before).toBeLessThan(96)
    expect((await messageOf(response)).result.content[0].text.length).toBeGreaterThan(20_000_000)
    // Given back once it is quiet; what was read in small pieces stays with the allocator, and is used again.
    await expect.poll(() => rss(anyport) - before, { timeout: 10_000, interval: 200 }).toBeLessThan(50)
  })
})

test('a reader that rests holds up the server, not our memory', async () => {
  anyport = await startAnyport(noisy())
  await postModern(anyport.url, callOf('echo', {}))
  const before = rss(anyport)
  // 200 MB in all
  const call = callOf('flood', { messages: 100_000, bytes: 2_000 }, { progressToken: 'p' })
  const response = await open(anyport.url, call, modernHeaders(call))
  const sent = () => anyport.log.filter(line => String(line.message).startsWith('sent ')).length
  // Until all that lies between is full.
  for (let before = -1; sent() !== before; ) {
    before = sent()
    await new Promise(resolve => setTimeout(resolve, 1_000))
  }
  const [soon, early] = [rss(anyport), sent()]
  await new Promise(resolve => setTimeout(resolve, 1_500))
  expect(sent()).toBe(early)
  expect(early).toBeLessThan(50)
  expect(rss(anyport) - soon).toBeLessThan(8)
  expect(rss(anyport) - before).toBeLessThan(96)

  let received = 0
  for await (const chunk of response) received += (chunk as Buffer).length
  expect(received).toBeGreaterThan(200_000_000)
  await until(() => rss(anyport) - before < 96, 'The memory was not given back')
})

describe('a message over --max-message', () => {
  test.each(['modern', 'legacy'])('fails its call by name; the rest goes on: %s', async era => {
    anyport = await startAnyport(noisy(), { options: ['--max-message', '1MiB'] })
    const session = era === 'legacy' ? await legacySession(anyport.url) : undefined
    const send = async (call: Json) =>
      messageOf(await open(anyport.url, call, session ?? modernHeaders(call)))
    const { error } = await send(callOf('large', { bytes: 3 * MIB }))
    expect(error.message).toContain('--max-message')
    expect(error.data).toMatchObject({ option: '--max-message' })
    const { result } = await send(callOf('echo', { words: 'still here' }))
    expect(result.content[0].text).toBe('still here')
    expect(anyport.log.filter(line => line.kind === 'too-large')).toHaveLength(1)
    expect(anyport.log.filter(line => line.event === 'server_ready')).toHaveLength(1)
  })
})

describe('a request that comes byte by byte', () => {
  test.each(['modern', 'legacy'])('is read as a whole: %s', async era => {
    anyport = await startAnyport(noisy())
    const call = callOf('echo', { words: 'é漢😀'.repeat(20) })
    const headers = era === 'modern' ? modernHeaders(call) : await legacySession(anyport.url)
    const { result } = await messageOf(await openByByte(anyport.url, call, headers))
    expect(result.content[0].text).toBe('é漢😀'.repeat(20))
  })
})

/** Posts a message; resolves once the head of the response is there. Nothing of its body is read. */
function open(url: string, message: Json, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const accept = 'application/json, text/event-stream'
    request(
      url,
      { method: 'POST', headers: { 'content-type': 'application/json', accept, ...headers } },
      resolve,
    )
      .on('error', reject)
      .end(JSON.stringify(message))
  })
}

function openByByte(url: string, message: Json, headers: Record<string, string>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const accept = 'application/json, text/event-stream'
    const call = request(
      url,
      { method: 'POST', headers: { 'content-type': 'application/json', accept, ...headers } },
      resolve,
    )
    call.on('error', reject).setNoDelay(true)
    void (async () => {
      for (const byte of Buffer.from(JSON.stringify(message))) {
        await new Promise<unknown>(written => call.write(Buffer.of(byte), written))
      }
      call.end()
    })()
  })
}

/** The response in a body, be it JSON or an event stream. */
async function messageOf(response: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  if (response.headers['content-type']?.startsWith('application/json')) return JSON.parse(text)
  const data = text.split('\n').findLast(line => line.startsWith('data: {'))
  return JSON.parse(data!.slice(6))
}

async function legacySession(url: string): Promise<Record<string, string>> {
  const { headers } = await post(url, INITIALIZE)
  const session = {
    'mcp-session-id': headers['mcp-session-id'] as string,
    'mcp-protocol-version': '2025-11-25',
  }
  await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, session)
  return session
}

const INITIALIZE = {
  jsonrpc: '2.0',
  id: 'open',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
}

/** A legacy client that starts anyport; what it reads it keeps in pieces. */
async function overStdio(call: Json): Promise<Json> {
  const child = spawn(
    process.execPath,
    [ANYPORT, 'serve', '--stdio', '--quiet', '--max-message', '128MiB', '--', ...MESS],
    { stdio: ['pipe', 'pipe', 'ignore'] },
  )
  const lines: string[] = []
  let pieces: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      lines.push(Buffer.concat([...pieces, chunk.subarray(start, end)]).toString())
      pieces = []
      start = end + 1
    }
    pieces.push(chunk.subarray(start))
  })
  try {
    child.stdin.write(`${JSON.stringify(INITIALIZE)}\n`)
    await until(() => lines.length > 0, 'the handshake')
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
    const { _meta, ...params } = call.params
    child.stdin.write(`${JSON.stringify({ ...call, params })}\n`)
    await until(() => lines.length > 1, 'the result', 30_000)
    return JSON.parse(lines[1]!)
  } finally {
    child.stdin.end()
    await new Promise(resolve => child.once('exit', resolve))
  }
}

/** Resident memory in MB. */
function rss({ process: child }: Anyport): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))!
  return Number(kilobytes) / 1024
}
