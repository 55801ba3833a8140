import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net'
import { Server as ProxyServer } from 'proxy-chain'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Context } from '../../../../src/exchange/context.js'
import { TransportError } from '../../../../src/exchange/errors.js'
import { type HttpClientOptions, httpClient } from '../../../../src/node/http/http-client.js'
import { parseProxy, proxyOfEnvironment } from '../../../../src/node/http/http-proxy.js'
import { type Authority, authority } from '../../../fixtures/certificates.js'

const ends: (() => unknown)[] = []

afterEach(async () => {
  vi.unstubAllEnvs()
  for (const end of ends.splice(0).reverse()) await end()
})

async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A proxy that somebody else wrote. */
async function proxyChain(password?: string) {
  const seen: { hostname: string; isHttp: boolean; username: string | undefined }[] = []
  const server = new ProxyServer({
    port: 0,
    host: '127.0.0.1',
    prepareRequestFunction: ({ hostname, isHttp, username, password: given }) => {
      seen.push({ hostname, isHttp, username: username ?? undefined })
      return { requestAuthentication: password !== undefined && given !== password }
    },
  })
  await server.listen()
  ends.push(() => server.close(true))
  return { at: `127.0.0.1:${server.port}`, seen }
}

async function text(url: string, options: HttpClientOptions): Promise<string> {
  const client = httpClient(options)
  ends.push(() => client.close())
  const call = { method: 'POST' as const, url, headers: {}, body: 'hello' }
  const answer = await client.send(call, new Context({ binding: 'internal' }))
  return await new Promise((resolve, reject) => {
    let body = `${answer.status} `
    answer.listen({
      data: chunk => {
        body += Buffer.from(chunk).toString()
      },
      closed: error => (error === undefined ? resolve(body) : reject(error)),
    })
  })
}

async function failure(promise: Promise<unknown>) {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TransportError)
  const { code, message, facts, retryable } = error as TransportError
  return { code, message, knob: facts.knob, retryable }
}

function echo(incoming: IncomingMessage, outgoing: { end(text: string): unknown }): void {
  incoming.resume()
  incoming.on('end', () => outgoing.end(`${incoming.method} ${incoming.url} ${incoming.headers.host}`))
}

describe('the proxy of the environment', () => {
  const at = (url: string, env: Record<string, string>) => proxyOfEnvironment(new URL(url), env)?.name

  it.each([
    ['https://a.example/x', { HTTPS_PROXY: 'http://p:1' }, 'http://p:1'],
    [
      'https://a.example/x',
      { https_proxy: 'http://lower:1', HTTPS_PROXY: 'http://upper:1' },
      'http://lower:1',
    ],
    ['https://a.example/x', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://a.example/x', { HTTP_PROXY: 'p:1' }, 'http://p:1'],
    ['http://a.example/x', { ALL_PROXY: 'https://p' }, 'https://p'],
    ['http://a.example/x', { http_proxy: '', HTTP_PROXY: ' ' }, undefined],
    ['http+unix://%2Fa/x', { ALL_PROXY: 'http://p:1' }, undefined],
    ['http://localhost:1/x', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://127.0.0.1/x', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['http://[::1]/x', { HTTP_PROXY: 'http://p:1' }, undefined],
  ])('of %s with %o is %s', (url, env, expected) => {
    expect(at(url, env)).toBe(expected)
  })

  it.each([
    ['a.example', '*', true],
    ['a.example', 'b.example, A.Example', true],
    ['a.example', 'example', true],
    ['a.example', '.example', true],
    ['a.example', '*.example', true],
    ['badexample', 'example', false],
    ['a.example', 'a.example:80', false],
    ['a.example', 'a.example:443', true],
    ['a.example', '', false],
    ['10.1.2.3', '10.0.0.0/8', true],
    ['11.1.2.3', '10.0.0.0/8', false],
    ['10.1.2.3', '10.0.0.0/99', false],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.30', '10.1.2.3', false],
    ['[fd00::1]', 'fd00::1', true],
    ['[fd00::1]', '[fd00::1]:443', true],
    ['[fd00::1]', 'fd00::/8', true],
  ])('is not used for %s where no_proxy is %s: %s', (host, excluded, expected) => {
    expect(at(`https://${host}/x`, { https_proxy: 'http://p:1', NO_PROXY: excluded })).toBe(
      expected ? undefined : 'http://p:1',
    )
  })

  it('has a name without its password', () => {
    expect(parseProxy('http://me:s%40crt@p.example:3128', 'proxy')).toMatchObject({
      name: 'http://p.example:3128',
      authorization: `Basic ${btoa('me:s@crt')}`,
    })
  })

  it.each([
    ['socks5://me:secret@h:1', 'HTTPS_PROXY: socks5 proxies are not supported, only http and https'],
    ['http://', 'HTTPS_PROXY: no address of a proxy; write for example http://proxy.example:3128'],
    ['http://me:%secret@h', 'HTTPS_PROXY: a % in its user name or password must be written %25'],
  ])('%s is refused', (value, words) => {
    expect(() => at('https://a.example', { HTTPS_PROXY: value })).toThrow(new TypeError(words))
  })
})

describe('through a proxy', () => {
  let trust: Authority
  beforeAll(() => {
    trust = authority()
  })
  afterAll(() => trust.remove())

  it('go plain requests, forwarded', async () => {
    const port = await listen(createServer(echo))
    const proxy = await proxyChain('right')
    const url = `http://127.0.0.1:${port}/mcp?a=b`
    expect(await text(url, { proxy: `http://me:right@${proxy.at}` })).toBe(
      `200 POST /mcp?a=b 127.0.0.1:${port}`,
    )
    expect(proxy.seen).toEqual([{ hostname: '127.0.0.1', isHttp: true, username: 'me' }])
  })

  it('go encrypted ones, through a tunnel', async () => {
    const port = await listen(createTlsServer(trust.issue('IP:127.0.0.1'), echo))
    const proxy = await proxyChain('right')
    const options = { proxy: `http://me:right@${proxy.at}`, ca: trust.cert }
    expect(await text(`https://127.0.0.1:${port}/mcp`, options)).toBe(`200 POST /mcp 127.0.0.1:${port}`)
    expect(proxy.seen).toEqual([{ hostname: '127.0.0.1', isHttp: false, username: 'me' }])
  })

  it('of TLS itself, and names that only it can resolve, as the environment says', async () => {
    const port = await listen(createTlsServer(trust.issue('DNS:mcp.internal'), echo))
    const proxy = createTlsServer(trust.issue('DNS:localhost'), (_, outgoing) =>
      outgoing.writeHead(500).end(),
    )
    const asked: string[] = []
    proxy.on('connect', (incoming: IncomingMessage, socket: Socket) => {
      asked.push(String(incoming.url))
      const through = connect(port, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        through.pipe(socket).pipe(through)
      })
      through.on('error', () => socket.destroy())
      socket.on('error', () => through.destroy())
    })
    vi.stubEnv('https_proxy', `https://localhost:${await listen(proxy)}`)
    vi.stubEnv('no_proxy', 'other.internal')
    expect(await text('https://mcp.internal/mcp', { ca: trust.cert })).toBe('200 POST /mcp mcp.internal')
    expect(asked).toEqual(['mcp.internal:443'])
  })

  it.each([
    [
      undefined,
      'wants a user name and password; write them into its address: http://NAME:PASSWORD@HOST:PORT',
    ],
    ['me:wrong', 'does not accept the user name and password in its address'],
  ])('fails where it does not know us (%s)', async (credentials, words) => {
    const proxy = await proxyChain('right')
    const address = `http://${credentials === undefined ? '' : `${credentials}@`}${proxy.at}`
    expect(await failure(text('https://127.0.0.1:1/mcp', { proxy: address }))).toEqual({
      code: 'ERR_CONNECT',
      message: `Cannot reach https://127.0.0.1:1: the proxy http://${proxy.at} ${words}`,
      knob: '--proxy',
      retryable: true,
    })
  })

  it.each([
    [
      'HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n',
      'does not allow connections to mcp.example:443 (403)',
    ],
    ['HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n', 'cannot reach mcp.example:443 (502)'],
    [
      'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n',
      'answered 400 when asked for mcp.example:443; is it an HTTP proxy?',
    ],
  ])('fails where it answers %j', async (bytes, words) => {
    const port = await listen(createTcpServer(socket => void socket.once('data', () => socket.end(bytes))))
    expect(await failure(text('https://mcp.example/mcp', { proxy: `http://127.0.0.1:${port}` }))).toEqual({
      code: 'ERR_CONNECT',
      message: `Cannot reach https://mcp.example: the proxy http://127.0.0.1:${port} ${words}`,
      knob: '--proxy',
      retryable: true,
    })
  })

  it('fails where it is not there, hangs, or hangs up', async () => {
    const port = await listen(createTcpServer())
    const silent = `http://127.0.0.1:${port}`
    expect(await failure(text('https://mcp.example/mcp', { proxy: silent, connectTimeout: 100 }))).toEqual({
      code: 'ERR_TIMEOUT',
      message: `Cannot reach https://mcp.example: the proxy ${silent} did not open a way to mcp.example:443 within 100 ms (--connect-timeout)`,
      knob: '--connect-timeout',
      retryable: true,
    })
    const rude = await listen(createTcpServer(socket => void socket.once('data', () => socket.destroy())))
    expect(
      await failure(text('https://mcp.example/mcp', { proxy: `http://127.0.0.1:${rude}` })),
    ).toMatchObject({
      message: `Cannot reach https://mcp.example: the proxy http://127.0.0.1:${rude} closed the connection before it was set up`,
      knob: '--proxy',
      retryable: true,
    })
    expect(
      await failure(text('http://mcp.example/mcp', { proxy: `http://127.0.0.1:${rude}` })),
    ).toMatchObject({
      message: `http://mcp.example/mcp (through the proxy http://127.0.0.1:${rude}) closed the connection without an answer`,
      retryable: false,
    })
    const gone = createTcpServer()
    const nobody = await listen(gone)
    await new Promise(resolve => gone.close(resolve))
    for (const url of ['http://mcp.example', 'https://mcp.example']) {
      expect(await failure(text(`${url}/mcp`, { proxy: `http://127.0.0.1:${nobody}` }))).toEqual({
        code: 'ERR_CONNECT',
        message: `Cannot reach ${url}: nothing listens at the proxy http://127.0.0.1:${nobody}`,
        knob: '--proxy',
        retryable: true,
      })
    }
  })
})
