import { once } from 'node:events'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import type { TransportError } from '../../../../src/exchange/errors.js'
import type { HttpHandler, HttpReply } from '../../../../src/exchange/http.js'
import { Queue } from '../../../../src/exchange/queue.js'
import {
  type HttpListener,
  type ListenHttpOptions,
  listenHttp,
} from '../../../../src/node/http/http-server.js'
import { RpcError } from '../../../../src/protocol/errors.js'
import { until } from '../../../fixtures/until.js'

const TEXT = { 'content-type': 'text/plain' }
const open: HttpListener[] = []

afterEach(async () => {
  await Promise.all(open.splice(0).map(server => server.close({ drainTimeout: 0 })))
})

async function serve(handler: HttpHandler, options: ListenHttpOptions = {}): Promise<HttpListener> {
  const server = await listenHttp(handler, options)
  open.push(server)
  return server
}

/** What the handler's `text` threw, or the text, as the reply. */
const echo: HttpHandler = async request => {
  try {
    return { status: 200, headers: TEXT, body: await request.text(1_000) }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error
    return { status: 413, headers: TEXT, body: `${error.code} ${error.message}` }
  }
}

async function* stream(queue: Queue<string | Uint8Array>): AsyncGenerator<string | Uint8Array> {
  for (;;) {
    const step = await queue.next()
    if (step.done) return
    yield step.value
  }
}

const streaming =
  (queue: Queue<string | Uint8Array>, extra: Partial<HttpReply> = {}): HttpHandler =>
  async () => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: stream(queue),
    ...extra,
  })

async function get(server: HttpListener, path = '/'): Promise<IncomingMessage> {
  const request = httpRequest(server.url + path).end()
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  return response
}

/** A raw connection: what it received so far, whether it ended. */
async function raw(server: HttpListener): Promise<{ socket: Socket; received(): string; ended(): boolean }> {
  const socket = connect(server.port, '127.0.0.1')
  await once(socket, 'connect')
  let received = ''
  let ended = false
  socket.on('data', chunk => {
    received += chunk.toString('latin1')
  })
  socket.on('close', () => {
    ended = true
  })
  socket.on('error', () => {})
  return { socket, received: () => received, ended: () => ended }
}

describe('a request', () => {
  it('is seen as it was sent', async () => {
    const server = await serve(async request => ({
      status: 200,
      headers: TEXT,
      body: JSON.stringify([
        request.method,
        request.path,
        request.query,
        request.scheme,
        request.address,
        request.header('x-one'),
        request.header('x-two'),
        request.header('nothing'),
      ]),
    }))
    const { socket, received } = await raw(server)
    socket.write(
      'GET /a%20b?c=d?e HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-TWO: 2\r\nX-Two: 3\r\nConnection: close\r\n\r\n',
    )
    await once(socket, 'close')
    const body = received().split('\r\n\r\n')[1] as string
    expect(JSON.parse(body)).toEqual(['GET', '/a%20b', 'c=d?e', 'http', '127.0.0.1', '1', '2, 3', null])
  })

  it.each([
    ['http://example.org/mcp?x', ['/mcp', 'x']],
    ['http://example.org', ['/', '']],
    ['//mcp', ['//mcp', '']],
  ])('of the form %s', async (target, expected) => {
    const server = await serve(async ({ path, query }) => ({
      status: 200,
      headers: TEXT,
      body: JSON.stringify([path, query]),
    }))
    const { socket, received } = await raw(server)
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await once(socket, 'close')
    expect(JSON.parse(received().split('\r\n\r\n')[1] as string)).toEqual(expected)
  })

  it('in absolute form is for the host of its target', async () => {
    const server = await serve(async request => ({
      status: 200,
      headers: TEXT,
      body: String(request.header('host')),
    }))
    for (const [target, host] of [
      ['/mcp', 'x'],
      ['http://example.org:81/mcp', 'example.org:81'],
      ['HTTP://a@b?x', 'a@b'],
      ['http:///mcp', ''],
      ['ftp://example.org/', 'x'],
    ]) {
      const { socket, received } = await raw(server)
      socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
      await once(socket, 'close')
      expect(received().split('\r\n\r\n')[1], target).toBe(host)
    }
  })

  it('with a body in many pieces, cut through characters', async () => {
    const server = await serve(echo)
    const { socket, received } = await raw(server)
    const body = Buffer.from('grüße €')
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`)
    for (const byte of body) {
      await new Promise(resolve => setTimeout(resolve, 2))
      socket.write(Uint8Array.of(byte))
    }
    await once(socket, 'close')
    expect(Buffer.from(received(), 'latin1').toString()).toContain('\r\n\r\ngrüße €')
  })

  it('with a body that is not UTF-8 is a parse error', async () => {
    const server = await serve(echo)
    const response = await fetch(server.url, { method: 'POST', body: Uint8Array.of(0x22, 0xc3, 0x28, 0x22) })
    expect(await response.text()).toContain('-32700 Parse error: the body is not valid UTF-8')
  })

  it('over the limit is refused, and says which option allows it; the client can read that', async () => {
    const server = await serve(echo)
    const declared = await fetch(server.url, { method: 'POST', body: 'x'.repeat(5_000_000) })
    expect(await declared.text()).toBe(
      '-31004 The request body is larger than the limit of 1000 bytes (--max-body)',
    )
    const chunked = await fetch(server.url, {
      method: 'POST',
      body: new Blob(['x'.repeat(100_000)]).stream(),
      duplex: 'half',
    } as RequestInit)
    expect(chunked.status).toBe(413)
    const exact = await fetch(server.url, { method: 'POST', body: 'x'.repeat(1_000) })
    expect(exact.status).toBe(200)
  })

  it('that asks before it sends a body over the limit is told at once', async () => {
    const server = await serve(echo)
    const { socket, received } = await raw(server)
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\nExpect: 100-continue\r\n\r\n')
    await once(socket, 'close')
    expect(received()).toMatch(/^HTTP\/1\.1 413 /)
    const polite = await raw(server)
    polite.socket.write(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n',
    )
    await until(() => polite.received().startsWith('HTTP/1.1 100 Continue'), 'the go-ahead')
    polite.socket.write('ok')
    await once(polite.socket, 'close')
    expect(polite.received()).toMatch(/200 OK[\s\S]*\r\n\r\nok$/)
  })

  it('that is sent too slowly is ended; a slow answer is not', async () => {
    const queue = new Queue<string>()
    const server = await serve(
      async request => (request.method === 'GET' ? streaming(queue)(request) : echo(request)),
      { requestTimeout: 200 },
    )
    const slow = await raw(server)
    slow.socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc')
    const patient = await get(server)
    await once(slow.socket, 'close')
    await new Promise(resolve => setTimeout(resolve, 500))
    queue.push('still here')
    queue.close()
    expect(await text(patient)).toBe('still here')
  })

  it('whose client leaves is told once; one that was answered is not', async () => {
    let hangups = 0
    const left = new Queue<string>()
    const server = await serve(async request => {
      request.onHangup(() => hangups++)
      request.onHangup(() => hangups++)()
      if (request.path === '/answered') return { status: 200, headers: TEXT, body: 'ok' }
      return streaming(left)(request)
    })
    await (await fetch(`${server.url}/answered`)).text()
    const response = await get(server, '/left')
    expect(hangups).toBe(0)
    response.destroy()
    await until(() => hangups > 0, 'the hang-up')
    await new Promise(resolve => setTimeout(resolve, 20))
    // The second listener stopped listening at once.
    expect(hangups).toBe(1)
  })
})

describe('limits', () => {
  const ok: HttpHandler = async request => ({
    status: 200,
    headers: TEXT,
    body: request.header('x-last') ?? '',
  })
  const hold: HttpHandler = async () => streaming(new Queue<string>())(undefined as never)

  it('of headers are answered with 431, by lines and by bytes', async () => {
    const server = await serve(ok, { maxHeaders: 20, maxHeaderSize: 2_000 })
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'y']))
    expect((await fetch(server.url, { headers: { ...headers(10), 'x-last': 'z' } })).status).toBe(200)
    const many = await fetch(server.url, { headers: headers(25) })
    expect([many.status, await many.text()]).toEqual([431, expect.stringContaining('--max-headers')])
    expect((await fetch(server.url, { headers: { 'x-large': 'y'.repeat(3_000) } })).status).toBe(431)
  })

  it('of connections count those of one address, and forget those that have left', async () => {
    const refused: unknown[] = []
    const server = await serve(hold, {
      maxClientsPerAddress: 2,
      uncounted: () => false,
      onRefusedConnection: event => refused.push(event),
    })
    const first = await get(server)
    const second = await get(server)
    const third = await raw(server)
    await until(third.ended, 'the end of the third')
    expect(refused).toEqual([
      { reason: 'connections', limit: 'maxClientsPerAddress', allowed: 2, address: '127.0.0.1' },
    ])
    first.destroy()
    await until(() => first.closed, 'the end of the first')
    await new Promise(resolve => setTimeout(resolve, 50))
    const fourth = await get(server)
    expect(fourth.statusCode).toBe(200)
    for (const response of [second, fourth]) response.destroy()
  })

  it('of connections per address are not for this machine, where one address is everybody', async () => {
    const server = await serve(hold, { maxClientsPerAddress: 1, maxClients: 3 })
    const open = [await get(server), await get(server), await get(server)]
    const fourth = await raw(server)
    await until(fourth.ended, 'the end of the fourth')
    for (const response of open) response.destroy()
  })

  it.each([
    [{ requestTimeout: 0 }, 'requestTimeout'],
    [{ maxHeaderSize: 0 }, 'maxHeaderSize'],
    [{ maxHeaders: 2_001 }, 'maxHeaders'],
    [{ maxClients: -1 }, 'maxClients'],
    [{ maxClientsPerAddress: 1.5 }, 'maxClientsPerAddress'],
  ])('that are none are refused: %j', async (options, name) => {
    await expect(listenHttp(ok, options)).rejects.toThrow(new RegExp(`^${name}: expected`))
  })
})

describe('a reply', () => {
  it('of text has a length in bytes; of bytes, too; of nothing, none', async () => {
    const big = '€'.repeat(100_000)
    const server = await serve(async ({ path }) => {
      if (path === '/text') return { status: 200, headers: TEXT, body: 'grüße' }
      if (path === '/big') return { status: 200, headers: TEXT, body: big }
      if (path === '/bytes') {
        return { status: 200, headers: TEXT, body: [Buffer.from('one '), Buffer.from('two')] }
      }
      return { status: path === '/none' ? 204 : 202, headers: {} }
    })
    const texts = await fetch(`${server.url}/text`)
    expect([texts.headers.get('content-length'), await texts.text()]).toEqual(['7', 'grüße'])
    const bigs = await fetch(`${server.url}/big`)
    expect(bigs.headers.get('content-length')).toBe('300000')
    expect((await bigs.text()) === big).toBe(true)
    const bytes = await fetch(`${server.url}/bytes`)
    expect([bytes.headers.get('content-length'), await bytes.text()]).toEqual(['7', 'one two'])
    expect((await fetch(`${server.url}/accepted`)).headers.get('content-length')).toBe('0')
    expect((await fetch(`${server.url}/none`)).headers.get('content-length')).toBeNull()
  })

  it.each([
    ['rejects', () => Promise.reject(new Error('secret'))],
    [
      'throws',
      () => {
        throw new Error('secret')
      },
    ],
    ['gives a header that cannot be', async () => ({ status: 200, headers: { 'x-y': 'a\r\nb' }, body: '' })],
  ] as [string, HttpHandler][])('of a handler that %s is an internal error', async (_, handler) => {
    const errors: unknown[] = []
    const server = await serve(handler, { onError: error => errors.push(error) })
    const response = await fetch(server.url)
    expect(response.status).toBe(500)
    expect(await response.json()).toEqual({
      jsonrpc: '2.0',
      id: null,
      error: { code: -32603, message: 'Internal error' },
    })
    expect(errors).toHaveLength(1)
  })
})

describe('a streamed reply', () => {
  it('sends its head at once, then each part as it comes', async () => {
    const queue = new Queue<string>()
    const server = await serve(streaming(queue))
    const response = await get(server)
    expect(response.headers['content-type']).toBe('text/event-stream')
    const chunks: string[] = []
    response.setEncoding('utf8').on('data', chunk => chunks.push(chunk))
    queue.push('one')
    await until(() => chunks.length === 1, 'the first part')
    queue.push('two')
    await until(() => chunks.length === 2, 'the second part')
    queue.close()
    await once(response, 'end')
    expect(chunks).toEqual(['one', 'two'])
  })

  it('joins what is ready in one turn, and loses nothing', async () => {
    const queue = new Queue<string>()
    const server = await serve(streaming(queue))
    const { socket, received } = await raw(server)
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await until(() => received().includes('\r\n\r\n'), 'the head')
    let expected = ''
    for (let event = 0; event < 10_000; event++) {
      expected += `data: ${event}\n\n`
      queue.push(`data: ${event}\n\n`)
    }
    queue.close()
    await once(socket, 'close')
    const chunks = received()
      .slice(received().indexOf('\r\n\r\n') + 4)
      .split('\r\n')
    // Chunked coding: lengths and contents in turn, then 0 and two empty lines.
    const contents = chunks.filter((_, index) => index % 2 === 1)
    expect(contents.join('')).toBe(expected)
    expect(contents.length).toBeLessThan(10)
  })

  it('mixes text and bytes in order', async () => {
    const queue = new Queue<string | Uint8Array>()
    for (const part of ['a', Buffer.from('b'), Buffer.from('c'), 'd', 'e']) queue.push(part)
    queue.close()
    const server = await serve(streaming(queue))
    expect(await text(await get(server))).toBe('abcde')
  })

  it('waits for a slow reader, and goes on with it', async () => {
    let produced = 0
    const part = 'x'.repeat(64 * 1024)
    const server = await serve(async () => ({
      status: 200,
      headers: TEXT,
      body: (async function* () {
        for (; produced < 500; produced++) yield part
      })(),
    }))
    const response = await get(server)
    await new Promise(resolve => setTimeout(resolve, 200))
    const before = produced
    // Far below the 32 MB in all: what the system's buffers hold, and ours.
    expect(before).toBeLessThan(200)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(produced).toBe(before)
    expect((await text(response)).length).toBe(500 * part.length)
  })

  it('cuts a reader that takes nothing for too long', async () => {
    const part = 'x'.repeat(64 * 1024)
    let returned = false
    const server = await serve(
      async () => ({
        status: 200,
        headers: TEXT,
        body: (async function* () {
          try {
            for (;;) yield part
          } finally {
            returned = true
          }
        })(),
      }),
      { stallTimeout: 200 },
    )
    const { socket } = await raw(server)
    socket.pause()
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => returned, 'the release of the source')
    socket.destroy()
  })

  it('releases its source when the client leaves', async () => {
    let returned = 0
    const server = await serve(async request => {
      let wake = () => {}
      request.onHangup(() => wake())
      return {
        status: 200,
        headers: TEXT,
        body: (async function* () {
          try {
            yield 'first'
            await new Promise<void>(resolve => {
              wake = resolve
            })
            yield 'never read'
            expect.unreachable()
          } finally {
            returned++
          }
        })(),
      }
    })
    const response = await get(server)
    await once(response, 'data')
    response.destroy()
    await until(() => returned === 1, 'the release')
  })

  it('is cut, not ended, when its source fails', async () => {
    const errors: unknown[] = []
    const server = await serve(
      async () => ({
        status: 200,
        headers: TEXT,
        body: (async function* () {
          yield 'part'
          await new Promise(resolve => setTimeout(resolve, 20))
          throw new Error('broken')
        })(),
      }),
      { onError: error => errors.push(error) },
    )
    const response = await get(server)
    await expect(text(response)).rejects.toThrow('aborted')
    expect(errors).toHaveLength(1)
  })

  it('that waits for an earlier one of its connection ends with the connection, and is not written to after its end', async () => {
    let release = () => {}
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const released: string[] = []
    const hungUp: string[] = []
    const source = (path: string) =>
      (async function* () {
        try {
          yield `${path} `
          // The one is complete before its turn, the others never are.
          if (path !== '/2') await held
        } finally {
          released.push(path)
        }
      })()
    const server = await serve(
      async request => {
        request.onHangup(() => hungUp.push(request.path))
        return {
          status: 200,
          headers: { 'content-type': 'text/event-stream' },
          body: source(request.path),
          keepAlive: ':',
        }
      },
      { keepAliveInterval: 20 },
    )
    const { socket, received } = await raw(server)
    socket.write(['/1', '/2', '/3'].map(path => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''))
    await until(() => received().includes('/1 ') && released.includes('/2'), 'the first two')
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(hungUp).toEqual([])
    socket.destroy()
    await until(() => hungUp.length === 3, 'all to be told')
    expect(hungUp.sort()).toEqual(['/1', '/2', '/3'])
    release()
    await until(() => released.length === 3, 'all sources to be released')
    const { socket: other, received: others } = await raw(server)
    other.write('GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    await until(() => others().includes('/2 '), 'a server that still answers')
  })

  it('is kept alive while it is silent, and only then', async () => {
    const silent = new Queue<string>()
    const busy = new Queue<string>()
    const server = await serve(
      async request =>
        streaming(request.path === '/busy' ? busy : silent, { keepAlive: ': alive\n\n' })(request),
      { keepAliveInterval: 100 },
    )
    const [one, two] = await Promise.all([get(server, '/silent'), get(server, '/busy')])
    let heard = ''
    let chatter = ''
    one.on('data', chunk => {
      heard += chunk
    })
    two.on('data', chunk => {
      chatter += chunk
    })
    const talking = setInterval(() => busy.push('.'), 20)
    await new Promise(resolve => setTimeout(resolve, 450))
    clearInterval(talking)
    expect(heard).toMatch(/^(: alive\n\n){3,5}$/)
    expect(chatter).toMatch(/^\.+$/)
  })
})

describe('the server', () => {
  it('says which option helps when the port is taken', async () => {
    const server = await serve(echo)
    const error = await listenHttp(echo, { port: server.port }).catch(error => error as TransportError)
    expect(error).toMatchObject({ code: 'ERR_LISTEN', facts: { knob: '--port' } })
    expect((error as Error).message).toContain(`Port ${server.port} of 127.0.0.1 is already in use`)
  })

  it('drains: idle connections end at once, open replies finish, new ones are refused', async () => {
    const queue = new Queue<string>()
    const server = await serve(async request =>
      request.path === '/stream' ? streaming(queue)(request) : { status: 200, headers: TEXT, body: 'ok' },
    )
    const idle = await raw(server)
    idle.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => idle.received().endsWith('ok'), 'the answer')
    // Opened in advance, as browsers and connection pools do.
    const unused = await raw(server)
    const response = await get(server, '/stream')
    let closed = false
    const closing = server.close({ drainTimeout: 5_000 }).then(() => {
      closed = true
    })
    await until(() => idle.ended() && unused.ended(), 'the end of the idle connections')
    await expect(fetch(server.url)).rejects.toThrow()
    expect(closed).toBe(false)
    queue.push('last')
    queue.close()
    expect(await text(response)).toBe('last')
    await closing
  })

  it('cuts what does not finish in time', async () => {
    const server = await serve(streaming(new Queue<string>()))
    const response = await get(server)
    const cut = expect(text(response)).rejects.toThrow('aborted')
    await server.close({ drainTimeout: 50 })
    await cut
  })

  it('survives nonsense', async () => {
    const server = await serve(echo)
    const { socket, received } = await raw(server)
    socket.write('\u0000\u0001 nonsense\r\n\r\n')
    await once(socket, 'close')
    expect(received()).toMatch(/^HTTP\/1\.1 400 /)
    expect((await fetch(server.url, { method: 'POST', body: 'x' })).status).toBe(200)
  })
})
