import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { RefusedConnection } from '../../../../src/exchange/refused-connection.js'
import type { AuditRecord } from '../../../../src/middleware/exchange/audit.js'
import { type Governing, govern } from '../../../../src/node/govern.js'
import { mount } from '../../../../src/node/http/mount.js'
import { serve } from '../../../../src/node/serve.js'
import type { ServeOptions, Server } from '../../../../src/node/serve-options.js'
import { authority } from '../../../fixtures/certificates.js'
import { modernServer } from '../../../fixtures/modern-server.js'
import { sendRaw } from '../../../fixtures/raw-http.js'
import { until } from '../../../fixtures/until.js'

const folder = mkdtempSync(join(tmpdir(), 'anyport-unreadable-'))
const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close()
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A server whose refusals are told in the order in which they come. */
async function start(options: ServeOptions = {}) {
  const told: (Pick<AuditRecord, 'reason' | 'status'> & { readonly address: string | undefined })[] = []
  const server: Server = await serve(modernServer().handler, {
    port: 0,
    onRefused: ({ address }, { refusal, status }) => told.push({ reason: refusal?.reason, status, address }),
    onRefusedConnection: ({ reason, address, ...more }: RefusedConnection) =>
      told.push({ reason, status: 'status' in more ? more.status : undefined, address }),
    ...options,
  })
  opened.push({ close: () => server.close({ drainTimeout: 0 }) })
  return { told, port: Number(new URL(server.url as string).port) }
}

const head = (headers: string, path = '/mcp', verb = 'POST') =>
  `${verb} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n`
const planted = 'planted-secret'

describe('what the parser refuses is told once', () => {
  it.each<readonly [string, string, string | undefined, number | undefined]>([
    ['no HTTP', `${planted}\r\n\r\n`, 'malformed', 400],
    ['an unknown method', head('', '/mcp', 'FOO'), 'malformed', 400],
    ['another version', head('').replace('HTTP/1.1', 'HTTP/7.3'), 'malformed', 400],
    ['a header with a zero byte', head(`X: ${planted}\0\r\n`), 'malformed', 400],
    ['two lengths', head('Content-Length: 5\r\nContent-Length: 6\r\n'), 'framing', 400],
    ['a length and a coding', head('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n'), 'framing', 400],
    ['a length that is no number', head('Content-Length: 0x5\r\n'), 'framing', 400],
    ['a head of 40 KiB', head(`X: ${'y'.repeat(40_000)}\r\n`), 'headers', 431],
    ['300 headers', head(Array.from({ length: 300 }, (_, n) => `a${n}: b\r\n`).join('')), 'headers', 431],
    ['no host', head('').replace('Host: 127.0.0.1\r\n', ''), 'host', 400],
    ['an expectation', head('Expect: 200-ok\r\nContent-Length: 5\r\n'), 'expectation', 417],
    ['a tunnel', head('', 'evil.test:443', 'CONNECT'), 'verb', undefined],
  ])('%s', async (_, bytes, reason, status) => {
    const { told, port } = await start()
    const { replies, closed } = await sendRaw(port, bytes, { replies: 2 })
    expect(replies.map(reply => reply.status)).toEqual(status === undefined ? [] : [status])
    expect(closed).toBe(true)
    expect(told).toEqual([{ reason, status, address: '127.0.0.1' }])
  })

  it('too many headers, where a server of others mounts us', async () => {
    const told: unknown[] = []
    const mounted = mount(modernServer().handler, {
      onRefused: (_request, { refusal, status }) => told.push([refusal?.reason, status]),
    })
    const server = createServer(mounted).listen(0, '127.0.0.1')
    await once(server, 'listening')
    opened.push({ close: async () => void server.close() }, mounted)
    const headers = Array.from({ length: 300 }, (_, n) => `a${n}: b\r\n`).join('')
    const { replies } = await sendRaw((server.address() as AddressInfo).port, head(headers))
    expect([replies[0]?.status, told]).toEqual([431, [['headers', 431]]])
  })

  it('a body that breaks off, or is no body, by the request that it belongs to', async () => {
    const { told, port } = await start()
    const chunked = head('Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n')
    expect((await sendRaw(port, `${chunked}zz\r\n`)).replies.map(({ status }) => status)).toEqual([400])
    await until(() => told.length > 0, 'the refusal')
    const half = connect(port, '127.0.0.1')
    half.resume().end(`${head('Content-Type: application/json\r\nContent-Length: 50\r\n')}{"a"`)
    await once(half, 'close')
    await until(() => told.length > 1, 'the second refusal')
    expect(told.map(({ reason }) => reason)).toEqual([undefined, undefined])
  })

  it('what follows a request that was answered, without touching the answer', async () => {
    const { told, port } = await start()
    const health = head('', '/healthz', 'GET')
    const after = await sendRaw(port, `${health}\r\n${planted}\r\n\r\n`, { replies: 3 })
    expect(after.closed).toBe(true)
    expect(after.replies.map(({ status }) => status)).toEqual([400])
    expect(told).toEqual([{ reason: 'malformed', status: 400, address: '127.0.0.1' }])
  })

  it('on a connection on which a stream is open, the stream is cut and nothing is written into it', async () => {
    const { told, port } = await start()
    const stream = head('Accept: text/event-stream\r\n', '/sse', 'GET')
    const connection = connect(port, '127.0.0.1')
    let text = ''
    connection.on('data', chunk => {
      text += chunk
    })
    connection.on('error', () => {})
    connection.write(stream)
    await until(() => text.includes('sessionId='), 'the first event')
    connection.write(`${planted}\r\n\r\n`)
    await once(connection, 'close')
    expect(text).not.toContain('400')
    expect(told).toEqual([{ reason: 'malformed', status: undefined, address: '127.0.0.1' }])
  })

  it('who says nothing, or too little, within the time', async () => {
    const { told, port } = await start({ requestTimeout: 200 })
    const [silent, slow] = await Promise.all([
      sendRaw(port, '', { replies: 2 }),
      sendRaw(port, 'POST /mcp HT', { replies: 2 }),
    ])
    for (const { replies, closed } of [silent, slow])
      expect([replies.map(({ status }) => status), closed]).toEqual([[408], true])
    expect(told).toEqual(Array(2).fill({ reason: 'slow', status: 408, address: '127.0.0.1' }))
  })

  it('who connects while there are too many', async () => {
    const { told, port } = await start({ maxClients: 1 })
    const first = connect(port, '127.0.0.1')
    await once(first, 'connect')
    first.write(head('', '/healthz', 'GET'))
    await once(first, 'data')
    expect((await sendRaw(port, head(''))).closed).toBe(true)
    first.destroy()
    expect(told).toEqual([{ reason: 'connections', status: undefined, address: '127.0.0.1' }])
  })

  it('who leaves with nothing begun is not refused; who breaks a request off is', async () => {
    const { told, port } = await start()
    for (const sent of ['', '', `${head('', '/healthz', 'GET')}`, 'POST /mc']) {
      const leaving = connect(port, '127.0.0.1')
      await once(leaving, 'connect')
      if (sent !== '') leaving.write(sent)
      if (sent.includes('Host')) await once(leaving, 'data')
      leaving.resetAndDestroy()
      await once(leaving, 'close')
    }
    await until(() => told.length > 0, 'the refusal')
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(told).toMatchObject([{ reason: 'malformed' }])
  })

  it('who does not speak TLS where that is asked for, and who does but no HTTP', async () => {
    const ours = authority()
    const { cert, key } = ours.issue('DNS:localhost,IP:127.0.0.1')
    const tls = { cert: join(folder, 'tls.pem'), key: join(folder, 'tls.key') }
    writeFileSync(tls.cert, cert)
    writeFileSync(tls.key, key)
    ours.remove()
    const { told, port } = await start({ tls })
    expect((await sendRaw(port, head(''))).closed).toBe(true)
    await until(() => told.length > 0, 'the refusal')
    const secure = connectTls(port, '127.0.0.1', { rejectUnauthorized: false })
    secure.on('error', () => {})
    await once(secure, 'secureConnect')
    let text = ''
    secure.on('data', chunk => {
      text += chunk
    })
    secure.write(`${planted}\r\n\r\n`)
    await once(secure, 'close')
    expect(text).toContain('400 Bad Request')
    expect(told).toEqual([
      { reason: 'tls', status: undefined, address: '127.0.0.1' },
      { reason: 'malformed', status: 400, address: '127.0.0.1' },
    ])
  })
})

describe('in the audit log', () => {
  const governed = async (options: { readonly refusals?: 'all' | 'bounded' } = {}) => {
    const file = join(folder, `${Math.random()}.jsonl`)
    const governing: Governing = await govern({ audit: { file, ...options } })
    opened.push(governing)
    const { onRefused, onRefusedConnection, guards } = governing
    const { port } = await start({ guards, onRefused, onRefusedConnection })
    const lines = async () => {
      await governing.close()
      return readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    }
    return { port, lines }
  }

  it('each has a record, and what was sent is not in it', async () => {
    const { port, lines } = await governed()
    await sendRaw(port, `${planted}\r\n\r\n`)
    await sendRaw(port, head(`X: ${planted}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n`))
    await sendRaw(port, head(`X: ${planted}\r\n`).replace('Host: 127.0.0.1\r\n', ''))
    const records = await lines()
    const common = { binding: 'http', address: '127.0.0.1', outcome: 'refused', refusedBy: 'http' }
    expect(records).toMatchObject([
      { ...common, reason: 'malformed', status: 400 },
      { ...common, reason: 'framing', status: 400 },
      { ...common, reason: 'host', status: 400, path: '/mcp', verb: 'POST' },
    ])
    expect(JSON.stringify(records)).not.toContain(planted)
  })

  it('a flood has some, and the others are counted', async () => {
    const { port, lines } = await governed()
    for (let index = 0; index < 15; index++)
      await Promise.all(Array.from({ length: 10 }, () => sendRaw(port, 'nonsense\r\n\r\n')))
    const records = await lines()
    const summaries = records.filter(({ event }) => event === 'refused')
    const single = records.filter(({ reason }) => reason === 'malformed')
    expect(single.length).toBeGreaterThanOrEqual(100)
    expect(summaries.length).toBeGreaterThan(0)
    expect(summaries.reduce((sum, { reasons }) => sum + reasons.malformed, single.length)).toBe(150)
    expect(summaries[0]).toMatchObject({ addresses: { '127.0.0.1': expect.any(Number) } })
  })
})
