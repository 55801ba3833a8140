/** Requests that no client sends: of shapes that parsers disagree about, too large, too slow, or for another path than they seem. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rawConnection, sendRaw as sendBytes } from '../fixtures/raw-http.js'
import { until } from '../fixtures/until.js'
import { type Anyport, startAnyport } from './start-anyport.js'

const SERVER = fileURLToPath(new URL('../fixtures/processes/era-server.mjs', import.meta.url))
const VERSION = '2026-07-28'
const SPECIAL = 'Größe & co'

let folder: string
let counter: string
let audit: string
/** Requests and connections that were refused so far, as whoever sent them saw it. */
let refusals = 0
let anyport: Anyport
let port: number
let honest: { stop(): Promise<number> }

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'anyport-crooked-'))
  counter = join(folder, 'counter')
  await writeFile(counter, '')
  const program = {
    command: process.execPath,
    args: [SERVER, 'modern-only', counter],
    env: { MCP_TEST_MARK: `\${MCP_TEST_MARK}` },
  }
  const config = join(folder, 'servers.json')
  await writeFile(config, JSON.stringify({ mcpServers: { one: program, [SPECIAL]: program } }))
  audit = join(folder, 'audit.jsonl')
  anyport = await startAnyport([], {
    config,
    options: ['--config-client', 'claude-code', '--audit', audit, '--audit-refusals', 'all'],
  })
  port = Number(new URL(anyport.url).port)
  honest = honestClient()
})

afterAll(async () => {
  await anyport?.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Counts what is refused by the first server. */
async function sendRaw(...given: Parameters<typeof sendBytes>) {
  const outcome = await sendBytes(...given)
  if (given[0] !== port) return outcome
  const { replies, closed } = outcome
  refusals += replies.length === 0 && closed ? 1 : replies.filter(({ status }) => status >= 400).length
  return outcome
}

/** The words that the tool was called with. */
const ran = async () => (await readFile(counter, 'utf8')).split('\n').filter(word => word !== '')

/** A call that leaves a word behind where it runs. */
function callOf(word: string, { path = '/mcp', name = 'one__count' } = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const body = JSON.stringify({
    jsonrpc: '2.0',
    id: word,
    method: 'tools/call',
    params: { name, arguments: { word }, _meta },
  })
  const head = (headers: string) =>
    `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n` +
    `MCP-Protocol-Version: ${VERSION}\r\nMcp-Method: tools/call\r\nMcp-Name: ${name}\r\n${headers}\r\n`
  const whole = (headers = '') => `${head(`${headers}Content-Length: ${body.length}\r\n`)}${body}`
  return { body, head, whole }
}

/** Calls on one connection all the time; what it gets must be its own. */
function honestClient() {
  let stopped = false
  let calls = 0
  const running = (async () => {
    const connection = await rawConnection(port)
    while (!stopped) {
      const word = `honest-${calls++}`
      connection.socket.write(callOf(word).whole())
      const { replies, closed } = await connection.outcome(calls)
      expect(closed).toBe(false)
      expect(replies.length).toBe(calls)
      const reply = replies.at(-1)
      expect(reply?.status).toBe(200)
      expect(JSON.parse(reply?.body ?? '')).toMatchObject({
        id: word,
        result: { content: [{ text: `counted ${word}` }] },
      })
      await new Promise(resolve => setTimeout(resolve, 10))
    }
    connection.socket.destroy()
    return calls
  })()
  // Whoever stops it hears of it.
  running.catch(() => {})
  return {
    stop() {
      stopped = true
      return running
    },
  }
}

const OUTER = callOf('outer')
const FIRST = callOf('first')
const SMUGGLED = callOf('smuggled').whole()
const chunk = (content: string, extension = '') =>
  `${content.length.toString(16)}${extension}\r\n${content}\r\n`

/** An empty chunked body to those who read the coding, and the beginning of another request to those who do not. */
const framedBy = (headers: string) => `${OUTER.head(`${headers}\r\n`)}0\r\n\r\n${SMUGGLED}`
const withLength = (headers: string) =>
  `${OUTER.head(`${headers}\r\nContent-Length: 5\r\n`)}0\r\n\r\n${SMUGGLED}`
const chunked = (body: string) => `${OUTER.head('Transfer-Encoding: chunked\r\n')}${body}`
const lengths = (headers: string) => `${OUTER.head(headers)}${OUTER.body}${SMUGGLED}`
const LENGTH = OUTER.body.length

describe('a request whose end can be read in two ways is refused, and ends its connection', () => {
  it.each([
    ['length and coding', withLength('Transfer-Encoding: chunked')],
    ['coding and length', framedBy('Transfer-Encoding: chunked\r\nContent-Length: 4')],
    ['two lengths', lengths(`Content-Length: ${LENGTH}\r\nContent-Length: 0\r\n`)],
    ['the same length twice', lengths(`Content-Length: ${LENGTH}\r\nContent-Length: ${LENGTH}\r\n`)],
    ['a list of lengths', lengths(`Content-Length: ${LENGTH}, ${LENGTH}\r\n`)],
    ['a length with a sign', lengths(`Content-Length: +${LENGTH}\r\n`)],
    ['a length below zero', lengths('Content-Length: -1\r\n')],
    ['a hexadecimal length', lengths('Content-Length: 0x10\r\n')],
    ['a length with an exponent', lengths('Content-Length: 1e2\r\n')],
    ['a length beyond all numbers', lengths('Content-Length: 99999999999999999999999\r\n')],
    ['an empty length', lengths('Content-Length: \r\n')],
    ['a space before the colon of the length', lengths(`Content-Length : ${LENGTH}\r\n`)],
    ['an unknown coding', framedBy('Transfer-Encoding: xchunked')],
    ['an unknown coding and a length', withLength('Transfer-Encoding: xchunked')],
    ['a space before the colon of the coding', framedBy('Transfer-Encoding : chunked')],
    ['the same and a length', withLength('Transfer-Encoding : chunked')],
    ['two codings', framedBy('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity')],
    ['two codings and a length', withLength('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked')],
    ['a coding that is not the last', framedBy('Transfer-Encoding: chunked, identity')],
    ['a coding with a vertical tab', framedBy('Transfer-Encoding: \x0bchunked')],
    ['a coding with a zero byte', framedBy('Transfer-Encoding: chunked\0')],
    ['a coding in quotes', framedBy('Transfer-Encoding: "chunked"')],
    ['a folded coding', framedBy('Transfer-Encoding:\r\n chunked')],
    ['a coding behind a bare line feed', withLength('X: y\nTransfer-Encoding: chunked')],
    ['a coding behind a bare carriage return', withLength('X: y\rTransfer-Encoding: chunked')],
    ['a folded header', framedBy(' X: y')],
    ['a header without a name', framedBy(': y')],
    ['a line that is no header', framedBy('garbage')],
    ['lines that end with a line feed', OUTER.whole().replaceAll('\r\n', '\n') + SMUGGLED],
    [
      'an extension of a chunk that ends with a line feed',
      chunked(`${LENGTH.toString(16)};a\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`),
    ],
    ['chunks that end with line feeds', chunked(`${LENGTH.toString(16)}\n${OUTER.body}\n0\n\n${SMUGGLED}`)],
    ['a chunk whose size overflows', chunked(`ffffffffffffffff1\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    [
      'a chunk whose size wraps around',
      chunked(`1000000000000000${LENGTH.toString(16)}\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`),
    ],
    ['a chunk below zero', chunked(`-1\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    ['a chunk with a prefix', chunked(`0x${LENGTH.toString(16)}\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    [
      'a space behind the size of a chunk',
      chunked(`${LENGTH.toString(16)} \r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`),
    ],
    ['a chunk without a size', chunked(`\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    ['a size that is no number', chunked(`zz\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    ['a chunk longer than its size', chunked(`5\r\n${OUTER.body}\r\n0\r\n\r\n${SMUGGLED}`)],
    ['a trailer that is no header', chunked(`${chunk(OUTER.body)}0\r\ngarbage\r\n\r\n${SMUGGLED}`)],
  ])('%s', async (_, bytes) => {
    const { replies, closed, text } = await sendRaw(port, bytes, { replies: 2 })
    expect([replies.map(({ status }) => status), closed], text).toEqual([[400], true])
  })
})

describe('a request that is too much is refused, and ends its connection', () => {
  it.each([
    ['a header of 40 KiB', OUTER.whole(`X: ${'y'.repeat(40_000)}\r\n`), 431],
    ['headers of 40 KiB together', OUTER.whole(`X: ${'y'.repeat(400)}\r\n`.repeat(100)), 431],
    ['300 headers', OUTER.whole(headersOf(300)), 431],
    ['a target of 40 KiB', callOf('outer', { path: `/mcp?${'x'.repeat(40_000)}` }).whole(), 431],
    ['a name of a header of 40 KiB', OUTER.whole(`${'y'.repeat(40_000)}: z\r\n`), 431],
    ['an extension of a chunk of 20 KiB', chunked(chunk(OUTER.body, `;${'a'.repeat(20_000)}`)), 413],
    ['a body of a declared gigabyte', `${OUTER.head('Content-Length: 1073741824\r\n')} `, 413],
  ])('%s', async (_, bytes, status) => {
    const { replies, closed, took } = await sendRaw(port, bytes, { replies: 2 })
    expect([replies.map(reply => reply.status), closed]).toEqual([[status], true])
    expect(took).toBeLessThan(5_000)
  })

  it('a body without an end, in chunks', async () => {
    const connection = await rawConnection(port)
    connection.socket.write(OUTER.head('Transfer-Encoding: chunked\r\n'))
    const piece = chunk(' '.repeat(1024 * 1024))
    const pouring = setInterval(() => connection.socket.write(piece), 5)
    const { replies, took } = await connection.outcome(1)
    clearInterval(pouring)
    connection.socket.destroy()
    refusals += 1
    expect(replies.map(({ status }) => status)).toEqual([413])
    expect(replies[0]?.headers).toMatch(/connection: close/i)
    expect(took).toBeLessThan(8_000)
  })

  it('headers of guards that stand where a server stops counting', async () => {
    const late = `${headersOf(2_100)}Origin: http://evil.test\r\n`
    const { replies, closed } = await sendRaw(port, OUTER.whole(late), { replies: 2 })
    expect([replies.map(({ status }) => status), closed]).toEqual([[431], true])
  })
})

describe('a request that is no request of ours', () => {
  const target = (line: string) => OUTER.whole().replace(/^[^\r]*/, () => line)
  it.each([
    ['an authority as the target', target('POST 127.0.0.1:80 HTTP/1.1'), [400]],
    ['a target without a slash', target('POST mcp HTTP/1.1'), [400]],
    ['another scheme', target('POST ftp://127.0.0.1/mcp HTTP/1.1'), [404]],
    ['another host in the target', target('POST http://evil.test/mcp HTTP/1.1'), [403]],
    ['a user in the target', target('POST http://127.0.0.1@evil.test/mcp HTTP/1.1'), [403]],
    ['an empty host in the target', target('POST http:///mcp HTTP/1.1'), [403]],
    ['an asterisk', target('OPTIONS * HTTP/1.1'), [404]],
    ['an asterisk with POST', target('POST * HTTP/1.1'), [404]],
    ['a tunnel', target('CONNECT evil.test:443 HTTP/1.1'), []],
    ['a tunnel to a path', target('CONNECT /mcp HTTP/1.1'), []],
    ['a space in the target', target('POST /m cp HTTP/1.1'), [400]],
    ['tabs around the target', target('POST\t/mcp\tHTTP/1.1'), [400]],
    ['a zero byte in the target', target('POST /mcp\0 HTTP/1.1'), [400]],
    ['bytes beyond ASCII in the target', target('POST /mcp\xc3\xa9 HTTP/1.1'), [400]],
    ['a fragment', target('POST /mcp#x HTTP/1.1'), [404]],
    ['a small method', target('post /mcp HTTP/1.1'), [400]],
    ['an unknown method', target('FOO /mcp HTTP/1.1'), [400]],
    ['TRACE', target('TRACE /mcp HTTP/1.1'), [405]],
    ['HTTP/1.2', target('POST /mcp HTTP/1.2'), [400]],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    ['the beginning of TLS', `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${'x'.repeat(200)}\r\n\r\n`, [400]],
    ['no host', OUTER.whole().replace('Host: 127.0.0.1\r\n', ''), [400]],
    ['two hosts', OUTER.whole('Host: 127.0.0.1\r\n'), [403]],
    ['a host of somebody else', OUTER.whole().replace('Host: 127.0.0.1', 'Host: evil.test'), [403]],
    ['an origin of somebody else', OUTER.whole('Origin: http://evil.test\r\n'), [403]],
    ['two origins', OUTER.whole('Origin: http://127.0.0.1\r\nOrigin: http://evil.test\r\n'), [403]],
    ['a header with a zero byte', OUTER.whole('X: a\0b\r\n'), [400]],
    ['a header with a bare carriage return', OUTER.whole('X: a\rb\r\n'), [400]],
    [
      'an expectation that we have not',
      `${OUTER.head(`Content-Length: ${LENGTH}\r\nExpect: 200-ok\r\n`)}`,
      [417],
    ],
    ['a WebSocket', upgrade('websocket'), [400]],
    ['HTTP/2 by upgrade, without a body', upgrade('h2c'), [400]],
  ] as const)('%s', async (_, bytes, statuses) => {
    const { replies, text, closed } = await sendRaw(port, bytes)
    expect([replies.map(({ status }) => status), text.includes(' 101 ')]).toEqual([statuses, false])
    if (statuses.length === 0) expect(closed).toBe(true)
  })
})

describe('what comes on the same connection after a request', () => {
  it.each([
    [
      'that was refused by its headers',
      OUTER.whole().replace('Mcp-Method: tools/call', 'Mcp-Method: other'),
      [400, 200],
    ],
    ['that was refused by its host', OUTER.whole().replace('Host: 127.0.0.1', 'Host: evil.test'), [403, 200]],
    [
      'whose body was too large',
      `${OUTER.head('Content-Length: 5000000\r\n')}${' '.repeat(5_000_000)}`,
      [413, 200],
    ],
    ['whose body nobody wanted', OUTER.whole().replace('POST', 'GET'), [405, 200]],
    [
      'with extensions of its chunks',
      `${FIRST.head('Transfer-Encoding: chunked\r\n')}${chunk(FIRST.body, ';a=b')}0\r\n\r\n`,
      [200, 200],
    ],
    ['in absolute form', FIRST.whole().replace('/mcp', 'http://127.0.0.1/mcp'), [200, 200]],
  ] as const)('%s is answered as itself', async (name, before, statuses) => {
    const word = `after-${name.replaceAll(' ', '-')}`
    const { replies } = await sendRaw(port, before + callOf(word).whole(), { replies: 2 })
    expect(replies.map(({ status }) => status)).toEqual(statuses)
    expect(replies[1]?.body).toContain(`counted ${word}`)
    expect((await ran()).filter(other => other === word)).toHaveLength(1)
  })

  it('is not read where it is no request', async () => {
    const { replies, closed } = await sendRaw(port, `${FIRST.whole()}and then garbage\r\n\r\n`, {
      replies: 3,
    })
    expect(closed).toBe(true)
    expect(replies.filter(({ status }) => status >= 500)).toEqual([])
  })

  it('headers behind a chunked body change nothing of it', async () => {
    const word = 'with-trailers'
    const { body, head } = callOf(word)
    const trailers = 'Mcp-Name: other\r\nOrigin: http://evil.test\r\nHost: evil.test\r\n'
    const { replies } = await sendRaw(
      port,
      `${head('Transfer-Encoding: chunked\r\nTrailer: Mcp-Name\r\n')}${chunk(body)}0\r\n${trailers}\r\n`,
    )
    expect(replies[0]?.body).toContain(`counted ${word}`)
  })

  it('whose upgrade was not taken up is answered as itself', async () => {
    const connection = await rawConnection(port)
    const headers = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n'
    connection.socket.write(FIRST.whole(headers))
    expect((await connection.outcome(1)).replies[0]?.body).toContain('counted first')
    connection.socket.write(callOf('after-upgrade').whole())
    expect((await connection.outcome(2)).replies[1]?.body).toContain('counted after-upgrade')
    connection.socket.destroy()
  })

  it('waits for the go-ahead where the client asked for it', async () => {
    const { body, head } = callOf('expected')
    const connection = await rawConnection(port)
    connection.socket.write(head(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`))
    expect((await connection.outcome(1)).replies.map(({ status }) => status)).toEqual([100])
    connection.socket.write(body)
    expect((await connection.outcome(2)).replies.map(({ status }) => status)).toEqual([100, 200])
    connection.socket.destroy()
  })
})

describe('the paths of servers that are served alone', () => {
  it('have one spelling', async () => {
    for (const [segment, word] of [
      ['one', 'alone-one'],
      [encodeURIComponent(SPECIAL), 'alone-special'],
    ] as const) {
      const call = callOf(word, { path: `/servers/${segment}/mcp`, name: 'count' })
      const { replies } = await sendRaw(port, call.whole())
      expect(replies[0]?.body, segment).toContain(`counted ${word}`)
    }
  })

  it.each([
    '/servers/../servers/one/mcp',
    '/servers/one/../one/mcp',
    '/servers/one/mcp/../mcp',
    '/servers/./one/mcp',
    '/servers/one/./mcp',
    '/servers//one/mcp',
    '/servers/one//mcp',
    '//servers/one/mcp',
    '/servers/%2e%2e/mcp',
    '/servers/%2e%2e/servers/one/mcp',
    '/servers/one/%2e%2e/one/mcp',
    '/servers/one%2fmcp',
    '/servers/one%2Fmcp/mcp',
    '/servers%2fone/mcp',
    '/servers/one%5cmcp',
    '/servers\\one\\mcp',
    '/servers/%6fne/mcp',
    '/servers/%6Fne/mcp',
    '/servers/%256fne/mcp',
    '/servers/%25%36%66ne/mcp',
    '/servers/one%00/mcp',
    '/servers/one%0d%0aX:%20y/mcp',
    '/servers/one;x=y/mcp',
    '/servers/one/mcp;x=y',
    '/servers/one./mcp',
    '/servers/one%20/mcp',
    '/servers/ONE/mcp',
    '/SERVERS/one/mcp',
    '/servers/one/mcp/',
    '/servers/one/MCP',
    '/servers/%/mcp',
    '/servers/%zz/mcp',
    '/servers/%c0%ae%c0%ae/mcp',
    // Full-width letters, and the same letters in two normal forms.
    '/servers/%EF%BD%8Fne/mcp',
    `/servers/${encodeURIComponent(SPECIAL.normalize('NFD'))}/mcp`,
    '/servers/Gr%c3%b6%c3%9fe%20%26%20co/mcp',
    '/servers/__proto__/mcp',
    '/servers/constructor/mcp',
    '/servers/toString/mcp',
    `/servers/${'x'.repeat(20_000)}/mcp`,
    `/servers/${'../'.repeat(5_000)}one/mcp`,
    `/servers/${'%2e'.repeat(5_000)}/mcp`,
  ])('%.60s is none of them', async path => {
    const { replies, text } = await sendRaw(port, callOf('trick', { path, name: 'count' }).whole())
    expect(replies.map(({ status }) => status)).toEqual([404])
    expect(text).not.toMatch(/evil|\r\nx: y/i)
  })
})

describe('in the end', () => {
  it('nothing has run that was not asked for, nobody got what was for somebody else, and nothing failed', async () => {
    const calls = await honest.stop()
    expect(calls).toBeGreaterThan(5)
    const words = await ran()
    expect(words.filter(word => /smuggled|trick|outer/.test(word))).toEqual([])
    expect(words.filter(word => word.startsWith('honest'))).toHaveLength(calls)
    expect(anyport.log.filter(({ level }) => level === 'error')).toEqual([])
    expect((await fetch(new URL('/readyz', anyport.url))).status).toBe(200)
  })

  it('each refusal is on record once, whoever refused it, without what was sent', async () => {
    const refused = async () =>
      (await readFile(audit, 'utf8'))
        .split('\n')
        .filter(line => line.includes('"outcome":"refused"'))
        .map(line => JSON.parse(line))
    const end = performance.now() + 5_000
    while ((await refused()).length < refusals && performance.now() < end)
      await new Promise(resolve => setTimeout(resolve, 50))
    const records = await refused()
    expect(records).toHaveLength(refusals)
    expect(new Set(records.map(({ reason }) => reason))).toEqual(
      new Set(
        'malformed framing headers host verb expectation origin not-found too-large header-mismatch no-session'.split(
          ' ',
        ),
      ),
    )
    expect(JSON.stringify(records)).not.toMatch(/smuggled|garbage/)
  })
})

describe('who is slow', () => {
  let slow: Anyport
  beforeAll(async () => {
    slow = await startAnyport([process.execPath, SERVER, 'modern-only', counter], {
      options: ['--request-timeout', '2s', '--max-clients', '12'],
    })
  })

  const { body, head } = callOf('slow', { name: 'count' })
  const drip = (text: string) => (send: (bytes: string) => void) => {
    let at = 0
    const timer = setInterval(() => send(text[at++] ?? ' '), 100)
    return () => clearInterval(timer)
  }
  it.concurrent.each([
    ['says nothing', () => () => {}, 408],
    ['sends its head by the byte', drip(head('')), 408],
    [
      'sends headers without an end',
      (send: (bytes: string) => void) => {
        send(head('').slice(0, -2))
        return drip('X: y\r\n'.repeat(1_000))(send)
      },
      408,
    ],
    [
      'sends its body by the byte',
      (send: (bytes: string) => void) => {
        send(head(`Content-Length: ${body.length}\r\n`))
        return drip(body)(send)
      },
      408,
    ],
    [
      'sends chunks of one byte',
      (send: (bytes: string) => void) => {
        send(head('Transfer-Encoding: chunked\r\n'))
        return drip('1\r\n \r\n'.repeat(1_000))(send)
      },
      408,
    ],
    [
      'announces the largest of all chunks',
      (send: (bytes: string) => void) => {
        send(`${head('Transfer-Encoding: chunked\r\n')}ffffffffffffffff\r\n${body}`)
        return () => {}
      },
      408,
    ],
    [
      'waits for a go-ahead and then sends nothing',
      (send: (bytes: string) => void) => {
        send(head(`Content-Length: ${body.length}\r\nExpect: 100-continue\r\n`))
        return () => {}
      },
      408,
    ],
    [
      'sends a body that nobody wants',
      (send: (bytes: string) => void) => {
        send(head(`Content-Length: ${body.length}\r\n`).replace('POST', 'GET'))
        return drip(body)(send)
      },
      405,
    ],
  ] as const)('and %s is gone in time', async (_, begin, status) => {
    const connection = await rawConnection(Number(new URL(slow.url).port))
    const end = begin(bytes => {
      if (!connection.socket.destroyed) connection.socket.write(Buffer.from(bytes, 'latin1'))
    })
    const { replies, closed, took } = await connection.outcome(100, 12_000)
    end()
    expect(closed).toBe(true)
    // Half the time for the head, all of it for the whole, and as long again until it is looked at.
    expect(took).toBeLessThan(8_000)
    expect(replies.filter(reply => reply.status >= 200).map(reply => reply.status)[0]).toBe(status)
  })

  it('over the limit of connections is turned away unread, and the log names the option', async () => {
    const slowPort = Number(new URL(slow.url).port)
    const stream = 'GET /sse HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n'
    const open = await Promise.all(
      Array.from({ length: 12 }, async () => {
        const connection = await rawConnection(slowPort)
        connection.socket.write(stream)
        await until(() => connection.text().includes('sessionId='), 'the first event')
        return connection
      }),
    )
    const over = await rawConnection(slowPort)
    over.socket.write(callOf('over', { name: 'count' }).whole())
    expect(await over.outcome(1)).toMatchObject({ replies: [], closed: true })
    expect(open.map(({ closed }) => closed())).not.toContain(true)
    const line = await slow.line(({ event }) => event === 'connections_refused')
    expect(line).toMatchObject({ option: '--max-clients', level: 'warn' })
    open[0]?.socket.destroy()
    let text = ''
    const end = performance.now() + 5_000
    while (text === '' && performance.now() < end) {
      const { replies } = await sendRaw(slowPort, callOf('room', { name: 'count' }).whole())
      text = replies[0]?.body ?? ''
    }
    expect(text).toContain('counted room')
    expect(await ran()).not.toContain('over')
    for (const { socket } of open) socket.destroy()
  })
})

function headersOf(count: number): string {
  return Array.from({ length: count }, (_, index) => `a${index}:b\r\n`).join('')
}

function upgrade(protocol: string): string {
  return (
    `GET /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
  )
}
