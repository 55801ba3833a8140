import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { eachEvent, exchange, get, modernHeaders, modernMeta, post, postModern } from './raw-clients.js'
import { connectV1, connectV2, type Json } from './sdk-peers.js'
import { type Anyport, processesMarked, startAnyport } from './start-anyport.js'

const ECHO = fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))
const COMMAND = [process.execPath, ECHO]

let anyport: Anyport

describe('the end', () => {
  beforeEach(async () => {
    anyport = await startAnyport(COMMAND)
  })

  afterEach(() => anyport.stop())

  test('SIGTERM: a call under way finishes, a new one is refused, no child is left', async () => {
    const running = callTool('echo', { words: 'slow', delay: 1_500, steps: 1 }, { progressToken: 't' })
    await until(() => running.progress.length > 0, 'the start of the call')
    const ended = once(anyport.process, 'exit')
    anyport.process.kill('SIGTERM')
    await expect.poll(refused, { timeout: 1_000, interval: 50 }).toBe(true)

    expect((await running.reply).messages.at(-1).result.structuredContent).toEqual({ words: 'slow' })
    expect(await ended).toEqual([0, null])
    await until(() => processesMarked(anyport.mark).length === 0, 'the end of the child', 2_000)
  })

  test('SIGTERM: calls of legacy clients finish as well', async () => {
    const peers = await Promise.all([
      connectV1({ kind: 'http', url: anyport.url }),
      connectV1({ kind: 'sse', url: anyport.sseUrl }),
    ])
    const calls = peers.map(peer => {
      const steps: Json[] = []
      const done = peer.callTool(
        'echo',
        { words: 'slow', delay: 1_500, steps: 1 },
        { onProgress: s => void steps.push(s) },
      )
      return { steps, done }
    })
    await until(() => calls.every(call => call.steps.length > 0), 'the start of the calls')
    anyport.process.kill('SIGTERM')
    for (const call of calls) expect((await call.done).structuredContent).toEqual({ words: 'slow' })
    await Promise.all(peers.map(peer => peer.close()))
  })

  test('SIGTERM: a listen gets its graceful result', async () => {
    const messages: Json[] = []
    const listen = {
      id: 'listen',
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    }
    const done = postModern(anyport.url, listen, message => void messages.push(message))
    await until(() => messages.length > 0, 'the acknowledgement')
    expect(messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      params: { notifications: { toolsListChanged: true } },
    })
    anyport.process.kill('SIGTERM')
    expect((await done).messages.at(-1)).toMatchObject({ id: 'listen', result: { resultType: 'complete' } })
  })

  test('a second signal stops at once', async () => {
    const running = callTool('echo', { words: 'very slow', delay: 30_000, steps: 1 }, { progressToken: 1 })
    running.reply.catch(() => {})
    await until(() => running.progress.length > 0, 'the start of the call')
    const ended = once(anyport.process, 'exit')
    anyport.process.kill('SIGINT')
    await expect.poll(refused, { timeout: 1_000, interval: 50 }).toBe(true)
    const began = Date.now()
    anyport.process.kill('SIGINT')
    await ended
    expect(Date.now() - began).toBeLessThan(2_000)
    await until(() => processesMarked(anyport.mark).length === 0, 'the end of the child', 2_000)
  })

  test('--drain-timeout bounds the wait', async () => {
    await anyport.stop()
    anyport = await startAnyport(COMMAND, { options: ['--drain-timeout', '300ms'] })
    const running = callTool('echo', { words: 'very slow', delay: 30_000, steps: 1 }, { progressToken: 1 })
    running.reply.catch(() => {})
    await until(() => running.progress.length > 0, 'the start of the call')
    const began = Date.now()
    await anyport.stop()
    expect(Date.now() - began).toBeLessThan(3_000)
  })
})

describe('the server behind', () => {
  beforeEach(async () => {
    anyport = await startAnyport(COMMAND)
  })

  afterEach(() => anyport.stop())

  test('its death is told to each caller, and the next call starts it again', async () => {
    const before = await counts()
    const waiting = callTool('echo', { words: 'never', delay: 30_000, steps: 1 }, { progressToken: 1 })
    await until(() => waiting.progress.length > 0, 'the start of the call')
    const crash = await callTool('crash', { code: 23, words: 'out of cheese' }).reply

    for (const { messages } of [crash, await waiting.reply]) {
      const { error } = messages.at(-1)
      const told = JSON.stringify(error)
      expect(error.code).toEqual(expect.any(Number))
      expect(told).toContain('echo-server.mjs')
      expect(told).toMatch(/\b23\b/)
      expect(told).toContain('out of cheese')
    }
    const after = await counts()
    expect(after.pid).not.toBe(before.pid)
    expect(after.calls).toBe(1)
  })

  test('a modern hang-up cancels the call', async () => {
    const stream = await open(
      { name: 'echo', arguments: { words: 'gone', delay: 30_000, steps: 1 } },
      { progressToken: 1 },
    )
    await new Promise<void>(resolve => eachEvent(stream, () => resolve()))
    stream.destroy()
    await expect.poll(async () => (await counts()).cancelled, { timeout: 3_000 }).toBe(1)
  })

  test('a legacy cancellation cancels the call', async () => {
    const peer = await connectV1({ kind: 'http', url: anyport.url }, { asked: false })
    const controller = new AbortController()
    await expect(
      peer.callTool(
        'echo',
        { words: 'gone', delay: 30_000, steps: 1 },
        { signal: controller.signal, onProgress: () => controller.abort(new Error('enough')) },
      ),
    ).rejects.toThrow()
    await expect
      .poll(async () => (await peer.callTool('counts')).structuredContent.cancelled, { timeout: 3_000 })
      .toBe(1)
    await peer.close()
  })

  test('a change of its list of tools reaches listeners of both eras', async () => {
    const legacy = await connectV1({ kind: 'http', url: anyport.url }, { asked: false })
    const sse = await connectV1({ kind: 'sse', url: anyport.sseUrl }, { asked: false })
    const modern = await connectV2({ kind: 'http', url: anyport.url }, 'modern', { asked: false })
    const messages: Json[] = []
    const listen = {
      id: 1,
      method: 'subscriptions/listen',
      params: { notifications: { toolsListChanged: true } },
    }
    const done = postModern(anyport.url, listen, message => void messages.push(message))
    await until(() => messages.length > 0, 'the acknowledgement')
    await modern.callTool('changed')
    await until(
      () => messages.length > 1 && legacy.changes() > 0 && sse.changes() > 0,
      'the change at all three',
    )
    expect(messages[1].method).toBe('notifications/tools/list_changed')
    expect(modern.changes()).toBe(0)
    await Promise.all([legacy, sse, modern].map(peer => peer.close()))
    await anyport.stop()
    await done
  })
})

describe('health', () => {
  test('up and ready', async () => {
    anyport = await startAnyport(COMMAND)
    expect((await get(new URL('/healthz', anyport.url).href)).status).toBe(200)
    await expect
      .poll(async () => (await get(new URL('/readyz', anyport.url).href)).status, { timeout: 5_000 })
      .toBe(200)
    const page = await get(anyport.url, { accept: 'text/html' })
    expect(page.headers['content-type']).toContain('text/html')
    expect(page.text).toContain(anyport.url)
    await anyport.stop()
  })

  test('up, but not ready, and why', async () => {
    anyport = await startAnyport([], { target: 'socket:/no/such/anyport.sock' })
    expect((await get(new URL('/healthz', anyport.url).href)).status).toBe(200)
    const ready = await get(new URL('/readyz', anyport.url).href)
    expect(ready.status).toBe(503)
    expect(ready.text).toContain('/no/such/anyport.sock')
    const { messages } = await callTool('echo', {}).reply
    expect(JSON.stringify(messages.at(-1).error)).toContain('/no/such/anyport.sock')
    await anyport.stop()
  })

  test('a command that can never start ends anyport, and is named', async () => {
    const { code, stderr } = await ranAnyport('serve', '--port', '0', '--', 'anyport-no-such-command')
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('anyport-no-such-command')
  })
})

describe('refusals name the option', () => {
  test('a taken port', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const { code, stderr } = await ranAnyport('serve', '--port', String(port), '--', ...COMMAND)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('--port')
    expect(stderr).toContain(String(port))
    other.close()
  })

  test('an open bind', async () => {
    const { code, stderr } = await ranAnyport('serve', '--host', '0.0.0.0', '--port', '0', '--', ...COMMAND)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toContain('--allow-unauthenticated')
  })

  test('a wrong option, and none at all', async () => {
    const wrong = await ranAnyport('serve', '--drain-timeout', 'soon', '--', ...COMMAND)
    expect(wrong.code).toBeGreaterThan(0)
    expect(wrong.stderr).toContain('--drain-timeout')
    const nothing = await ranAnyport('serve', '--port', '0')
    expect(nothing.code).toBeGreaterThan(0)
    expect(nothing.stderr).not.toBe('')
  })

  test('Origin, Host and the size of a body', async () => {
    anyport = await startAnyport(COMMAND, { options: ['--max-body', '64KiB'] })
    const ping = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: modernMeta() } }
    const headers = modernHeaders(ping)
    expect((await post(anyport.url, ping, headers)).status).toBe(200)

    const origin = await post(anyport.url, ping, { ...headers, origin: 'https://evil.example' })
    expect(origin.status).toBe(403)
    expect(origin.text).toContain('--allow-origin')
    const host = await post(anyport.url, ping, { ...headers, host: 'evil.example' })
    expect(host.status).toBe(403)
    expect(host.text).toContain('--allow-host')
    const stream = await get(anyport.sseUrl, { origin: 'https://evil.example' })
    expect(stream.status).toBe(403)

    const large = { ...ping, params: { ...ping.params, padding: 'x'.repeat(65 * 1024) } }
    const body = await post(anyport.url, large, headers)
    expect(body.status).toBe(413)
    expect(body.text).toContain('--max-body')
    await anyport.stop()
  })

  test('what an option allows is allowed', async () => {
    anyport = await startAnyport(COMMAND, {
      options: ['--allow-origin', 'https://good.example', '--allow-host', 'good.example'],
    })
    const ping = { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta: modernMeta() } }
    const headers = { ...modernHeaders(ping), host: 'good.example', origin: 'https://good.example' }
    expect((await post(anyport.url, ping, headers)).status).toBe(200)
    await anyport.stop()
  })
})

/** A modern call under way: its progress so far, and its reply. */
function callTool(name: string, parameters: Json, meta: Json = {}) {
  const progress: Json[] = []
  const reply = postModern(
    anyport.url,
    { id: 1, method: 'tools/call', params: { name, arguments: parameters, _meta: meta } },
    message => void (message.method === 'notifications/progress' && progress.push(message)),
  )
  return { progress, reply }
}

async function counts(): Promise<Json> {
  return (await callTool('counts', {}).reply).messages.at(-1).result.structuredContent
}

/** A modern call whose reply is left to the caller to read. */
function open(params: Json, meta: Json) {
  const message = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { ...params, _meta: modernMeta(meta) },
  }
  return exchange(anyport.url, 'POST', Buffer.from(JSON.stringify(message)), {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...modernHeaders(message),
  })
}

/** Whether new work is refused: with 503 by an open listener, or because nothing listens any more. */
async function refused(): Promise<boolean> {
  try {
    return (await callTool('counts', {}).reply).status === 503
  } catch (error) {
    return (error as { code?: string }).code === 'ECONNREFUSED'
  }
}
