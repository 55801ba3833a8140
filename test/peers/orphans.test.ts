import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, test } from 'vitest'
import { until } from '../fixtures/until.js'
import { markedProcesses } from '../unit/node/marked-processes.js'
import { get, post, postModern } from './raw-clients.js'
import type { Json } from './sdk-peers.js'
import { ANYPORT, type Anyport, startAnyport } from './start-anyport.js'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}.mjs`, import.meta.url))
/** A wrapper, a grandchild, and a server: the latter two end by force only, and hold the pipes. */
const FAMILY = [
  'sh',
  '-c',
  `'${process.execPath}' '${fixture('processes/stubborn')}' >&2 & '${process.execPath}' '${fixture('processes/stubborn-server')}'`,
]
/** From the end of the session to the end of all its processes, in milliseconds. */
const LIMIT = 6_000
const KILLED_LIMIT = 10_000

let anyport: Anyport | undefined
const clients: ChildProcess[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) {
    client.kill('SIGCONT')
    client.kill('SIGKILL')
  }
  await anyport?.stop()
  anyport = undefined
})

const gone = (mark: string, limit = LIMIT) =>
  until(() => markedProcesses(mark).length === 0, 'the end of the family', limit)

describe('over stdio', () => {
  /** A client that started anyport and called a tool. */
  async function client(): Promise<{ process: ChildProcess; anyport: number; mark: string }> {
    const mark = randomUUID()
    const serve = ['serve', '--stdio', '--env', `MCP_TEST_MARK=${mark}`, '--', ...FAMILY]
    const child = spawn(process.execPath, [fixture('stdio-client'), process.execPath, ANYPORT, ...serve], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    clients.push(child)
    const [line] = await once(child.stdout!.setEncoding('utf8'), 'data')
    const own = Number(line)
    expect(markedProcesses(mark)).toHaveLength(3)
    return { process: child, anyport: own, mark }
  }

  test('its client closes stdin', async () => {
    const { process: child, mark, anyport: own } = await client()
    child.stdin!.end()
    await gone(mark)
    await until(() => !alive(own), 'the end of anyport', 2_000)
  })

  test('its client is killed', async () => {
    const { process: child, mark, anyport: own } = await client()
    child.kill('SIGKILL')
    await gone(mark)
    await until(() => !alive(own), 'the end of anyport', 2_000)
  })

  test('SIGTERM', async () => {
    const { mark, anyport: own } = await client()
    process.kill(own, 'SIGTERM')
    await gone(mark)
  })

  test('SIGKILL, and the supervisor goes as well', async () => {
    const { mark, anyport: own } = await client()
    const supervisors = childrenOf(own).filter(pid => !markedProcesses(mark).includes(pid))
    expect(supervisors).toHaveLength(1)
    process.kill(own, 'SIGKILL')
    await gone(mark, KILLED_LIMIT)
    await until(() => !alive(supervisors[0]!), 'the end of the supervisor', 3_000)
  })
})

/** Each session has processes of its own, which end with it; and with their idle time, where it does not end. */
describe('over HTTP, where each session has its own', () => {
  const start = (...options: string[]) =>
    startAnyport(FAMILY, { options: ['--isolation', 'session', ...options] })

  async function session(url: string): Promise<Record<string, string>> {
    const { headers } = await post(url, {
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    })
    const own = {
      'mcp-session-id': headers['mcp-session-id'] as string,
      'mcp-protocol-version': '2025-11-25',
    }
    await post(url, { jsonrpc: '2.0', method: 'notifications/initialized' }, own)
    return own
  }

  const call = (url: string, headers: Record<string, string>) =>
    post(
      url,
      { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'pid', arguments: {} } },
      headers,
    )

  test('its client resets the connection: HTTP+SSE', async () => {
    anyport = await start()
    const one = await sseClient(anyport.sseUrl)
    const other = await sseClient(anyport.sseUrl)
    expect(one.pid).not.toBe(other.pid)
    expect(markedProcesses(anyport.mark)).toHaveLength(6)
    await one.reset()
    await until(() => markedProcesses(anyport!.mark).length === 3, 'the end of one family', LIMIT)
    expect(markedProcesses(anyport.mark)).toContain(other.pid)
    await other.reset()
    await gone(anyport.mark)
  })

  test('its client resets the connection: a session, whose time runs out', async () => {
    anyport = await start('--session-ttl', '1s')
    const headers = await session(anyport.url)
    const stream = await open(anyport.url, { ...headers, accept: 'text/event-stream' })
    await call(anyport.url, headers)
    await new Promise(resolve => setTimeout(resolve, 1_500))
    // Somebody listens: it lives.
    expect(markedProcesses(anyport.mark)).toHaveLength(3)
    stream.socket.resetAndDestroy()
    await gone(anyport.mark)
    expect((await call(anyport.url, headers)).status).toBe(404)
  })

  test('its client vanishes without a word: what it does not use is stopped, and there again if it comes back', async () => {
    anyport = await start('--idle-timeout', '1s')
    const child = spawn(process.execPath, [fixture('sse-client'), anyport.sseUrl], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    clients.push(child)
    const [first] = await once(child.stdout!.setEncoding('utf8'), 'data')
    expect(markedProcesses(anyport.mark)).toHaveLength(3)
    child.kill('SIGSTOP')
    await gone(anyport.mark)
    child.kill('SIGCONT')
    child.kill('SIGUSR2')
    const [second] = await once(child.stdout!, 'data')
    const [before, after] = [first, second].map(line => JSON.parse(line).result.content[0].text)
    expect(Number(after)).toBeGreaterThan(0)
    expect(after).not.toBe(before)
  })

  test('its time runs out', async () => {
    anyport = await start('--session-ttl', '1s')
    await call(anyport.url, await session(anyport.url))
    expect(markedProcesses(anyport.mark)).toHaveLength(3)
    await gone(anyport.mark)
  })

  test('its client says so', async () => {
    anyport = await start()
    const headers = await session(anyport.url)
    await call(anyport.url, headers)
    const response = await open(anyport.url, headers, 'DELETE')
    response.resume()
    await gone(anyport.mark)
  })

  test.each([
    ['SIGTERM', LIMIT],
    ['SIGKILL', KILLED_LIMIT],
  ] as const)('%s with several sessions', async (signal, limit) => {
    anyport = await start()
    for (let count = 0; count < 3; count++) await call(anyport.url, await session(anyport.url))
    expect(markedProcesses(anyport.mark)).toHaveLength(9)
    const began = performance.now()
    anyport.process.kill(signal)
    await gone(anyport.mark, limit)
    // Each was asked first, and given its time.
    expect(performance.now() - began).toBeGreaterThan(1_800)
  })
})

test('one for all, stopped when nobody uses it although a client listens', async () => {
  anyport = await startAnyport(FAMILY, { options: ['--idle-timeout', '1s'] })
  const one = await sseClient(anyport.sseUrl)
  const { messages } = await postModern(anyport.url, {
    id: 1,
    method: 'tools/call',
    params: { name: 'pid', arguments: {} },
  })
  expect(messages.at(-1).result.content[0].text).toBe(String(one.pid))
  await gone(anyport.mark)
  expect(anyport.log.some(line => line.event === 'server_stopped' && line.reason === 'idle')).toBe(true)
  expect((await get(new URL('/readyz', anyport.url).href)).status).toBe(200)
  expect(markedProcesses(anyport.mark)).toHaveLength(0)
  await one.reset()
})

test('a crash during initialize is told within a second, and concerns nobody else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-crash-'))
  const file = join(folder, 'crash')
  anyport = await startAnyport([process.execPath, fixture('processes/stubborn-server')], {
    options: ['--isolation', 'session', '--env', `CRASH_FILE=${file}`],
  })
  const healthy = await sseClient(anyport.sseUrl)
  writeFileSync(file, '')
  const began = performance.now()
  const { messages } = await post(anyport.url, {
    jsonrpc: '2.0',
    id: 7,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
  })
  expect(performance.now() - began).toBeLessThan(1_000)
  expect(messages[0]).toMatchObject({ id: 7, error: { data: { code: 'ERR_EXITED', exitCode: 78 } } })
  expect(messages[0].error.message).toContain('stubborn-server.mjs exited with code 78')
  expect(messages[0].error.data.stderr).toEqual([
    'reading the configuration',
    'no API key in the configuration',
  ])
  expect(await healthy.call()).toBe(healthy.pid)
  rmSync(folder, { recursive: true })
  await healthy.reset()
})

interface SseClient {
  /** Of the server behind its session. */
  readonly pid: number
  call(): Promise<number>
  /** Ends the connection with RST. */
  reset(): Promise<void>
}

async function sseClient(url: string): Promise<SseClient> {
  const stream = await open(url, { accept: 'text/event-stream' })
  const heard: string[] = []
  let rest = ''
  stream.setEncoding('utf8').on('data', text => {
    const events = (rest + text).split('\n\n')
    rest = events.pop() as string
    for (const event of events) {
      const data = /^data: ?(.*)$/m.exec(event)?.[1]
      if (data !== undefined) heard.push(data)
    }
  })
  stream.on('error', () => {})
  await until(() => heard.length > 0, 'the endpoint')
  const endpoint = new URL(heard[0]!, url).href
  let id = 0
  const ask = async (method: string, params: Json): Promise<Json> => {
    const own = ++id
    await post(endpoint, { jsonrpc: '2.0', id: own, method, params })
    const answer = () => heard.find(data => data.startsWith('{') && JSON.parse(data).id === own)
    await until(() => answer() !== undefined, `the answer to ${method}`)
    return JSON.parse(answer()!)
  }
  const client = {
    protocolVersion: '2024-11-05',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  }
  await ask('initialize', client)
  await post(endpoint, { jsonrpc: '2.0', method: 'notifications/initialized' })
  const call = async () =>
    Number((await ask('tools/call', { name: 'pid', arguments: {} })).result.content[0].text)
  return {
    pid: await call(),
    call,
    async reset() {
      stream.socket.resetAndDestroy()
    },
  }
}

/** A connection of its own. */
function open(url: string, headers: Record<string, string>, method = 'GET'): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request(url, { method, headers, agent: false }, resolve).on('error', reject).end()
  })
}

function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
  return text.split(' ').filter(Boolean).map(Number).filter(alive)
}
