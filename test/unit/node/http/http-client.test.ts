import { mkdtempSync, rmSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Context } from '../../../../src/exchange/context.js'
import { TransportError } from '../../../../src/exchange/errors.js'
import type { HttpAnswer, HttpCall, HttpClient } from '../../../../src/exchange/http-client.js'
import { type HttpClientOptions, httpClient } from '../../../../src/node/http/http-client.js'
import { type Authority, authority } from '../../../fixtures/certificates.js'
import { until } from '../../../fixtures/until.js'

/** Where the `fetch` of the process finds its connections. */
const dispatcher = () => (globalThis as Record<symbol, unknown>)[Symbol.for('undici.globalDispatcher.1')]
const dispatcherBefore = dispatcher()

const ends: (() => unknown)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

function client(options: HttpClientOptions = {}): HttpClient {
  const made = httpClient({ proxy: false, ...options })
  ends.push(() => made.close())
  return made
}

async function http(listener: RequestListener, server: Server = createServer(listener)): Promise<string> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function tcp(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server: TcpServer = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    onSocket(socket)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

function post(url: string, more: Partial<HttpCall> = {}): HttpCall {
  return { method: 'POST', url, headers: { 'content-type': 'application/json' }, body: '{"a":1}', ...more }
}

function context(): Context {
  return new Context({ binding: 'internal' })
}

async function send(
  through: HttpClient,
  call: HttpCall,
  ctx = context(),
): Promise<{ answer: HttpAnswer; text: string }> {
  const answer = await through.send(call, ctx)
  return { answer, text: await textOf(answer) }
}

function textOf(answer: HttpAnswer): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = []
    answer.listen({
      data: chunk => void chunks.push(chunk),
      closed: error => (error === undefined ? resolve(Buffer.concat(chunks).toString()) : reject(error)),
    })
  })
}

async function failure(promise: Promise<unknown>): Promise<TransportError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TransportError)
  return error as TransportError
}

function told(error: TransportError) {
  return { code: error.code, message: error.message, knob: error.facts.knob, retryable: error.retryable }
}

function echo(incoming: IncomingMessage, outgoing: ServerResponse): void {
  const chunks: Buffer[] = []
  incoming.on('data', chunk => chunks.push(chunk))
  incoming.on('end', () => {
    const { method, url, headers } = incoming
    outgoing.setHeader('content-type', 'application/json')
    outgoing.setHeader('x-two', ['a', 'b'])
    outgoing.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
  })
}

describe('requests and answers', () => {
  it('carries method, path, headers and body, and gives back status, headers and body', async () => {
    const at = await http(echo)
    const { answer, text } = await send(
      client(),
      post(`http://${at}/mcp?x=1`, { headers: { 'X-Mine': 'yes' } }),
    )
    const seen = JSON.parse(text)
    expect(seen).toMatchObject({ method: 'POST', url: '/mcp?x=1', body: '{"a":1}' })
    expect(seen.headers).toMatchObject({ host: at, 'x-mine': 'yes', 'content-length': '7' })
    expect(seen.headers['user-agent']).toMatch(/^anyport\/\d/)
    expect(seen.headers['accept-encoding']).toBeUndefined()
    expect(answer.status).toBe(200)
    expect(answer.header('content-type')).toBe('application/json')
    expect(answer.header('x-two')).toBe('a, b')
    expect(answer.header('x-none')).toBeUndefined()
  })

  it('leaves the fetch of the process alone', async () => {
    const prepared = client()
    prepared.prepare?.()
    await send(prepared, post(`http://${await http(echo)}/`))
    expect(dispatcher()).toBe(dispatcherBefore)
  })

  it('sends bodies in parts, and none with GET and DELETE', async () => {
    const at = await http(echo)
    const own = client()
    const parts = await send(
      own,
      post(`http://${at}/`, { body: ['{"é":', new TextEncoder().encode('"ü"'), '}'] }),
    )
    expect(JSON.parse(parts.text).body).toBe('{"é":"ü"}')
    for (const method of ['GET', 'DELETE'] as const) {
      const { text } = await send(own, { method, url: `http://${at}/`, headers: {} })
      expect(JSON.parse(text)).toMatchObject({ method, body: '' })
      expect(JSON.parse(text).headers['transfer-encoding']).toBeUndefined()
    }
  })

  it('uses one connection for calls that follow each other', async () => {
    let connections = 0
    const server = createServer(echo).on('connection', () => connections++)
    const at = await http(echo, server)
    const own = client()
    for (let index = 0; index < 5; index++) await send(own, post(`http://${at}/`))
    expect(connections).toBe(1)
  })

  it('bounds connections, while streams have their own', async () => {
    let connections = 0
    const waiting: ServerResponse[] = []
    const server = createServer((incoming, outgoing) => {
      incoming.resume()
      if (incoming.url === '/stream') outgoing.writeHead(200).write('open')
      else waiting.push(outgoing)
    }).on('connection', () => connections++)
    const at = await http(() => {}, server)
    const own = client({ maxConnections: 2 })
    const streams = await Promise.all(
      [1, 2, 3].map(() =>
        own.send({ method: 'GET', url: `http://${at}/stream`, headers: {}, stream: true }, context()),
      ),
    )
    expect(streams.map(({ status }) => status)).toEqual([200, 200, 200])
    const calls = [1, 2, 3, 4].map(() => send(own, post(`http://${at}/`)))
    await until(() => waiting.length === 2)
    await new Promise(resolve => setTimeout(resolve, 50))
    expect({ waiting: waiting.length, connections }).toEqual({ waiting: 2, connections: 5 })
    const answerer = setInterval(() => waiting.splice(0).forEach(outgoing => void outgoing.end('done')), 5)
    await Promise.all(calls)
    clearInterval(answerer)
    expect(connections).toBe(5)
  })

  it('gives the credentials of an address as a header, unless the call has its own', async () => {
    const at = await http(echo)
    const own = client()
    const basic = await send(own, post(`http://user:p%40ss@${at}/`))
    expect(JSON.parse(basic.text).headers.authorization).toBe(`Basic ${btoa('user:p@ss')}`)
    const bearer = await send(
      own,
      post(`http://user:p%40ss@${at}/`, { headers: { Authorization: 'Bearer t' } }),
    )
    expect(JSON.parse(bearer.text).headers.authorization).toBe('Bearer t')
  })

  it('reaches servers on Unix sockets', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anyport-http-'))
    ends.push(() => rmSync(folder, { recursive: true, force: true }))
    const path = join(folder, 'server one.sock')
    const server = createServer((incoming, outgoing) => {
      if (incoming.url === '/old') outgoing.writeHead(307, { location: 'http://localhost/new' }).end()
      else echo(incoming, outgoing)
    })
    await new Promise<void>(resolve => server.listen(path, resolve))
    ends.push(() => void server.close())
    const own = client({ proxy: 'http://127.0.0.1:1' })
    const { text } = await send(own, post(`http+unix://${encodeURIComponent(path)}/mcp?x=1`))
    expect(JSON.parse(text)).toMatchObject({ url: '/mcp?x=1', headers: { host: 'localhost' } })
    const followed = await send(own, post(`http+unix://${encodeURIComponent(path)}/old`))
    expect(JSON.parse(followed.text).url).toBe('/new')
    const none = await failure(
      own.send(post(`http+unix://${encodeURIComponent(`${path}.none`)}/mcp`), context()),
    )
    expect(told(none)).toMatchObject({ code: 'ERR_CONNECT', retryable: true })
    expect(none.message).toContain(`there is no socket ${path}.none`)
  })

  it.each([
    ['nonsense', 'an invalid address: write for example https://mcp.example.com/mcp'],
    ['ftp://host/x', 'only http, https and http+unix addresses can be reached'],
    ['http+unix://run/server.sock/mcp', 'the path of the socket has to be encoded'],
  ])('refuses the address %s', async (url, words) => {
    await expect(client().send(post(url), context())).rejects.toThrow(words)
  })

  it.each([
    [{ connectTimeout: -1 }, 'connectTimeout: -1 is no number of milliseconds'],
    [{ maxConnections: 0 }, 'maxConnections: 0 is no number of connections'],
    [{ proxy: 'socks5://user:secret@host' }, 'proxy: socks5 proxies are not supported, only http and https'],
    [{ ca: 'nothing' }, 'ca: no certificate in PEM'],
    [
      { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' },
      'ca: a certificate in it cannot be read',
    ],
    [{ cert: 'x' }, 'cert: needs its private key (key)'],
    [{ key: 'x' }, 'key: needs the certificate (cert) it belongs to'],
  ])('refuses the options %o', (options, words) => {
    expect(() => httpClient(options)).toThrow(
      new TypeError(words + (words.endsWith('PEM') ? ' (-----BEGIN CERTIFICATE-----)' : '')),
    )
  })
})

describe('bodies', () => {
  it('come as they come, before their end', async () => {
    let outgoing: ServerResponse | undefined
    const at = await http((_, response) => {
      outgoing = response
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    })
    const answer = await client().send(
      { method: 'GET', url: `http://${at}/`, headers: {}, stream: true },
      context(),
    )
    const chunks: string[] = []
    const closed = new Promise<Error | undefined>(resolve => {
      answer.listen({ data: chunk => void chunks.push(Buffer.from(chunk).toString()), closed: resolve })
    })
    await until(() => chunks.length === 1)
    outgoing?.write('data: 2\n\n')
    await until(() => chunks.length === 2)
    outgoing?.end()
    expect(await closed).toBeUndefined()
    expect(chunks).toEqual(['data: 1\n\n', 'data: 2\n\n'])
  })

  it('wait for their listener, and for resume, with the server held back', async () => {
    const size = 64 * 1024 * 1024
    let written = 0
    const at = await http((_, outgoing) => {
      outgoing.writeHead(200)
      const chunk = Buffer.alloc(1024 * 1024)
      const more = () => {
        while (written < size) {
          written += chunk.byteLength
          if (!outgoing.write(chunk)) return
        }
        outgoing.end()
      }
      outgoing.on('drain', more)
      more()
    })
    const answer = await client().send({ method: 'GET', url: `http://${at}/`, headers: {} }, context())
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(written).toBeLessThan(size / 2)
    let length = 0
    let pauses = 0
    await new Promise<void>((resolve, reject) => {
      answer.listen({
        data(chunk) {
          length += chunk.byteLength
          if (pauses < 20 && length > pauses * 1024 * 1024) {
            pauses++
            answer.pause()
            const before = length
            setTimeout(() => {
              if (length !== before) reject(new Error('data came while paused'))
              answer.resume()
            }, 5)
          }
        },
        closed: error => (error === undefined ? resolve() : reject(error)),
      })
    })
    expect({ length, pauses }).toEqual({ length: size, pauses: 20 })
  })

  it('tell their end only when all of them was taken', async () => {
    const at = await http((_, outgoing) => void outgoing.end('all of it'))
    const answer = await client().send(post(`http://${at}/`), context())
    await new Promise(resolve => setTimeout(resolve, 50))
    const seen: string[] = []
    answer.pause()
    answer.listen({
      data: chunk => void seen.push(Buffer.from(chunk).toString()),
      closed: () => void seen.push('end'),
    })
    expect(seen).toEqual([])
    answer.resume()
    expect(seen).toEqual(['all of it', 'end'])
  })

  it('that are given up hang up, and nothing more is told', async () => {
    const hungUp = new Promise<void>(resolve => {
      void http((_, outgoing) => {
        outgoing.writeHead(200).write('x')
        outgoing.on('close', resolve)
      }).then(async at => {
        const answer = await client().send(
          { method: 'GET', url: `http://${at}/`, headers: {}, stream: true },
          context(),
        )
        let told = 0
        answer.listen({ data: () => answer.cancel(), closed: () => told++ })
        answer.cancel()
        await hungUp
        expect(told).toBe(0)
      })
    })
    await hungUp
  })
})

describe('cancellation', () => {
  it.each(['before', 'while it connects', 'while it waits', 'in the body'])('hangs up %s', async when => {
    let requests = 0
    let closed = 0
    const at = await http((incoming, outgoing) => {
      requests++
      incoming.resume()
      outgoing.on('close', () => closed++)
      if (when === 'in the body') outgoing.writeHead(200).write('start')
    })
    const ctx = context()
    if (when === 'before') ctx.cancel('cancelled')
    const own = client()
    const pending = own.send(post(`http://${at}/`), ctx)
    if (when === 'while it connects') ctx.cancel('hangup')
    if (when === 'while it waits') {
      await until(() => requests === 1)
      ctx.cancel('timeout')
    }
    if (when === 'in the body') {
      const text = textOf(await pending)
      ctx.cancel('cancelled')
      expect((await failure(text)).code).toBe('ERR_CANCELLED')
    } else expect((await failure(pending)).code).toBe('ERR_CANCELLED')
    const expected = when.startsWith('while it connects') || when === 'before' ? 0 : 1
    await until(() => closed === expected)
    await new Promise(resolve => setTimeout(resolve, 20))
    expect({ requests, closed }).toEqual({ requests: expected, closed: expected })
    // Nothing of it is left.
    expect((await send(own, post(`http://${await http(echo)}/`))).answer.status).toBe(200)
  })

  it('of a call that waits for a connection never sends it', async () => {
    const waiting: ServerResponse[] = []
    const at = await http((incoming, outgoing) => {
      incoming.resume()
      waiting.push(outgoing)
    })
    const own = client({ maxConnections: 1 })
    const first = send(own, post(`http://${at}/1`))
    const ctx = context()
    const second = failure(own.send(post(`http://${at}/2`), ctx))
    await until(() => waiting.length === 1)
    ctx.cancel('cancelled')
    expect((await second).code).toBe('ERR_CANCELLED')
    waiting.pop()?.end('done')
    expect((await first).text).toBe('done')
    const third = send(own, post(`http://${at}/3`))
    await until(() => waiting.length === 1)
    expect(waiting[0]?.req.url).toBe('/3')
    waiting.pop()?.end()
    await third
  })

  it('by close ends what is open, and refuses what follows', async () => {
    const at = await http((incoming, outgoing) => {
      incoming.resume()
      if (incoming.url === '/body') outgoing.writeHead(200).write('start')
    })
    const own = client()
    const waits = failure(own.send(post(`http://${at}/`), context()))
    const body = await own.send(post(`http://${at}/body`), context())
    const rest = failure(textOf(body))
    await own.close()
    expect((await waits).code).toBe('ERR_DRAINING')
    expect((await rest).code).toBe('ERR_DRAINING')
    expect((await failure(own.send(post(`http://${at}/`), context()))).code).toBe('ERR_DRAINING')
  })
})

describe('redirects', () => {
  it('are followed within the origin, and remembered where they are permanent', async () => {
    const seen: string[] = []
    const at = await http((incoming, outgoing) => {
      seen.push(`${incoming.method} ${incoming.url}`)
      if (incoming.url === '/mcp') outgoing.writeHead(308, { location: '/mcp/?a=b' }).end('moved')
      else if (incoming.url === '/get') outgoing.writeHead(302, { location: '/got' }).end()
      else echo(incoming, outgoing)
    })
    const own = client()
    for (let index = 0; index < 2; index++) {
      const { text } = await send(own, post(`http://${at}/mcp`))
      expect(JSON.parse(text)).toMatchObject({
        url: '/mcp/?a=b',
        body: '{"a":1}',
        headers: { 'content-type': 'application/json' },
      })
    }
    await send(own, { method: 'GET', url: `http://${at}/get`, headers: {} })
    expect(seen).toEqual(['POST /mcp', 'POST /mcp/?a=b', 'POST /mcp/?a=b', 'GET /get', 'GET /got'])
  })

  it.each([
    [
      307,
      'https://elsewhere.example/mcp',
      'redirects (307) to https://elsewhere.example/mcp, which is another origin, so nothing was sent there',
    ],
    [302, '/login', 'in a way that would lose the request; use that address'],
    [307, '/mcp', 'redirects more than 5 times, last to http://'],
    [308, 'http://[', 'redirects (308) to something that is no address'],
  ])('%i to %s is an error', async (status, location, words) => {
    const at = await http((incoming, outgoing) => {
      incoming.resume()
      outgoing.writeHead(status, { location }).end()
    })
    const error = await failure(client().send(post(`http://${at}/mcp`), context()))
    expect(error.message).toContain(`http://${at}/mcp redirects`)
    expect(error.message).toContain(words)
    expect(error).toMatchObject({ code: 'ERR_STATUS', facts: { status }, retryable: false })
  })

  it('without an address are answers like others', async () => {
    const at = await http((incoming, outgoing) => {
      incoming.resume()
      outgoing.writeHead(302).end('where?')
    })
    const { answer, text } = await send(client(), post(`http://${at}/`))
    expect([answer.status, text]).toEqual([302, 'where?'])
  })
})

describe('what goes wrong on the way', () => {
  it('is said: nothing listens', async () => {
    const at = await tcp(() => {})
    await ends.pop()?.()
    expect(told(await failure(client().send(post(`http://${at}/mcp`), context())))).toEqual({
      code: 'ERR_CONNECT',
      message: `Cannot reach http://${at}: nothing listens at ${at}`,
      knob: undefined,
      retryable: true,
    })
  })

  it('is said: no such host', async () => {
    const error = await failure(client().send(post('http://no-such-host.invalid/mcp'), context()))
    // Without a network there is no name server either.
    expect(error.message).toMatch(
      /^Cannot reach http:\/\/no-such-host\.invalid: (there is no host named no-such-host\.invalid|the name no-such-host\.invalid cannot be resolved: no name server answers)$/,
    )
    expect(error).toMatchObject({
      code: 'ERR_CONNECT',
      retryable: true,
      facts: { hop: 'http://no-such-host.invalid' },
    })
  })

  it('is said: silence during the TLS handshake', async () => {
    const at = await tcp(() => {})
    expect(
      told(await failure(client({ connectTimeout: 100 }).send(post(`https://${at}/mcp`), context()))),
    ).toEqual({
      code: 'ERR_TIMEOUT',
      message: `Cannot reach https://${at}: ${at} accepted the connection, but did not finish the TLS handshake within 100 ms (--connect-timeout)`,
      knob: '--connect-timeout',
      retryable: true,
    })
  })

  it('is said: no answer in time', async () => {
    const at = await http(incoming => void incoming.resume())
    expect(
      told(await failure(client({ responseTimeout: 100 }).send(post(`http://${at}/mcp`), context()))),
    ).toEqual({
      code: 'ERR_TIMEOUT',
      message: `http://${at}/mcp did not begin to answer within 100 ms (--response-timeout)`,
      knob: '--response-timeout',
      retryable: false,
    })
  })

  it('is said: silence in the body, unless it is a stream', async () => {
    const at = await http((incoming, outgoing) => {
      incoming.resume()
      outgoing.writeHead(200).write('start')
      if (incoming.url === '/stream') setTimeout(() => outgoing.end(' end'), 400)
    })
    const own = client({ readTimeout: 100 })
    const answer = await own.send(post(`http://${at}/mcp`), context())
    expect(told(await failure(textOf(answer)))).toEqual({
      code: 'ERR_TIMEOUT',
      message: `http://${at}/mcp fell silent for 100 ms in the middle of its answer (--read-timeout)`,
      knob: '--read-timeout',
      retryable: false,
    })
    expect((await send(own, { ...post(`http://${at}/stream`), stream: true })).text).toBe('start end')
  })

  it.each([
    [
      'a reset before the answer',
      (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
      'ERR_CLOSED',
      'closed the connection without an answer',
    ],
    [
      'an end before the answer',
      (socket: Socket) => socket.once('data', () => socket.end()),
      'ERR_CLOSED',
      'closed the connection without an answer',
    ],
    [
      'half a head',
      (socket: Socket) => socket.once('data', () => socket.end('HTTP/1.1 200 O')),
      'ERR_CLOSED',
      'closed the connection without an answer',
    ],
    [
      'no HTTP',
      (socket: Socket) => socket.once('data', () => socket.end('SSH-2.0-OpenSSH_9.6\r\n')),
      'ERR_PROTOCOL',
      'does not answer in HTTP',
    ],
    [
      'endless headers',
      (socket: Socket) =>
        socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(20_000)}`)),
      'ERR_TOO_LARGE',
      'answered with headers larger than 16 KiB',
    ],
  ])('is said: %s', async (_, onSocket, code, words) => {
    const at = await tcp(onSocket)
    const error = await failure(client().send(post(`http://${at}/mcp`), context()))
    expect(told(error)).toEqual({
      code,
      message: `http://${at}/mcp ${words}`,
      knob: undefined,
      retryable: false,
    })
  })

  it.each([
    ['content-length', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
  ])('is said: a body cut short, by its %s', async (_, bytes) => {
    for (const cut of ['end', 'resetAndDestroy'] as const) {
      const at = await tcp(
        socket =>
          void socket.once('data', () => socket.write(bytes, () => setTimeout(() => socket[cut](), 50))),
      )
      const answer = await client().send(post(`http://${at}/mcp`), context())
      expect(told(await failure(textOf(answer)))).toEqual({
        code: 'ERR_CLOSED',
        message: `http://${at}/mcp broke off the connection in the middle of its answer`,
        knob: undefined,
        retryable: false,
      })
    }
  })

  it('concerns only the call that it happened to', async () => {
    let count = 0
    const at = await http((incoming, outgoing) => {
      if (++count === 1) incoming.socket.destroy()
      else echo(incoming, outgoing)
    })
    const own = client({ maxConnections: 1 })
    const [first, second] = await Promise.allSettled([
      send(own, post(`http://${at}/`)),
      send(own, post(`http://${at}/`)),
    ])
    expect([first?.status, second?.status]).toEqual(['rejected', 'fulfilled'])
    expect(count).toBe(2)
  })

  it('is not the matter of a call where an idle connection was closed meanwhile', async () => {
    let connections = 0
    const at = await tcp(socket => {
      connections++
      // Says nothing of its impatience.
      socket.on('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
        setTimeout(() => socket.end(), 10)
      })
    })
    const own = client()
    for (let index = 0; index < 20; index++) {
      expect((await send(own, post(`http://${at}/`))).text).toBe('ok')
      await new Promise(resolve => setTimeout(resolve, 30))
    }
    expect(connections).toBe(20)
  })
})

describe('TLS', () => {
  let trust: Authority
  beforeAll(() => {
    trust = authority()
  })
  afterAll(() => trust.remove())

  async function https(names: string, days?: number, options = {}): Promise<string> {
    const certificate = trust.issue(names, days)
    const server = createTlsServer({ ...certificate, ...options }, echo)
    server.on('tlsClientError', () => {})
    return await http(echo, server as unknown as Server)
  }

  it('trusts an authority that it is given, by name and by address', async () => {
    const at = await https('DNS:localhost,IP:127.0.0.1')
    const own = client({ ca: trust.cert })
    expect((await send(own, post(`https://${at}/mcp`))).answer.status).toBe(200)
    expect((await send(own, post(`https://${at.replace('127.0.0.1', 'localhost')}/mcp`))).answer.status).toBe(
      200,
    )
  })

  it.each([
    [
      'an unknown authority',
      'IP:127.0.0.1',
      2,
      false,
      'its certificate cannot be verified: the authority is not known here',
      '--ca',
    ],
    [
      'an expired certificate',
      'IP:127.0.0.1',
      -1,
      true,
      /its certificate has expired \(\w+ +\d+ [\d:]+ \d+ GMT\)/,
      undefined,
    ],
    [
      'another name',
      'DNS:other.example,DNS:*.other.example',
      2,
      true,
      'its certificate is for other.example, *.other.example, not for 127.0.0.1',
      undefined,
    ],
  ])('says: %s', async (_, names, days, trusted, words, knob) => {
    const at = await https(names, days)
    const error = await failure(
      client(trusted ? { ca: trust.cert } : {}).send(post(`https://${at}/mcp`), context()),
    )
    expect(error.message).toMatch(words)
    expect(error.message).toContain(`Cannot reach https://${at}: `)
    expect(told(error)).toMatchObject({ code: 'ERR_CONNECT', knob, retryable: true })
  })

  it('says: self-signed', async () => {
    const server = createTlsServer({ cert: trust.cert, key: trust.key }, echo)
    server.on('tlsClientError', () => {})
    const at = await http(echo, server as unknown as Server)
    const error = await failure(client().send(post(`https://${at}/mcp`), context()))
    expect(told(error)).toEqual({
      code: 'ERR_CONNECT',
      message: `Cannot reach https://${at}: its certificate is self-signed; if you trust it, give it with --ca FILE`,
      knob: '--ca',
      retryable: true,
    })
  })

  it('says: no TLS at all, and TLS where none was expected', async () => {
    const plain = await http(echo)
    const error = await failure(client().send(post(`https://${plain}/mcp`), context()))
    expect(error.message).toBe(
      `Cannot reach https://${plain}: it does not speak TLS at this port; write http:// in its address, if that is safe`,
    )
    const secure = await https('IP:127.0.0.1')
    const reverse = await failure(client().send(post(`http://${secure}/mcp`), context()))
    expect(reverse.message).toMatch(
      /speaks TLS; write https:\/\/ in its address|closed the connection without an answer/,
    )
    expect(reverse.retryable).toBe(false)
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'shows a client certificate, and says where one is missing, in %s',
    async version => {
      const options = { ca: trust.cert, requestCert: true, rejectUnauthorized: true, maxVersion: version }
      const at = await https('IP:127.0.0.1', 2, options)
      const own = trust.issue('DNS:client')
      const { answer } = await send(client({ ca: [trust.cert], ...own }), post(`https://${at}/mcp`))
      expect(answer.status).toBe(200)
      const error = await failure(client({ ca: trust.cert }).send(post(`https://${at}/mcp`), context()))
      expect(error.message).toContain(
        'it wants a client certificate that it knows; give one with --cert FILE and --key FILE',
      )
      expect(told(error)).toMatchObject({ code: 'ERR_CONNECT', knob: '--cert', retryable: true })
    },
  )

  it('refuses a key that does not belong to the certificate, and one that is encrypted', () => {
    const one = trust.issue('DNS:one')
    const other = trust.issue('DNS:other')
    expect(() => httpClient({ cert: one.cert, key: other.key })).toThrow(
      'key: does not belong to the certificate (cert)',
    )
    expect(() => httpClient({ cert: one.cert, key: 'x' })).toThrow(
      'key: cannot be read as a private key in PEM',
    )
  })
})
