import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { HttpRequest } from '../../../../src/exchange/http.js'
import { apiKeys } from '../../../../src/middleware/http/api-keys.js'
import { authentication } from '../../../../src/middleware/http/authentication.js'
import { type HttpListener, listenHttp } from '../../../../src/node/http/http-server.js'
import { decodeHeaderValue } from '../../../../src/protocol/headers.js'

const seen: { readonly path: string; readonly body: string }[] = []
let server: HttpListener

beforeAll(async () => {
  server = await listenHttp(async (request: HttpRequest) => {
    const body = await request.text(1_000)
    seen.push({ path: request.path, body })
    return { status: 200, headers: { 'content-type': 'text/plain' }, body: request.header('x-a') ?? '' }
  })
})

afterAll(() => server.close({ drainTimeout: 0 }))

/** The statuses of all replies to these bytes, and what the handler saw. */
async function exchange(bytes: string): Promise<{
  readonly statuses: readonly number[]
  readonly seen: readonly { path: string; body: string }[]
}> {
  seen.length = 0
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.on('error', () => {})
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
  })
  socket.write(Buffer.from(bytes, 'latin1'))
  socket.setTimeout(1_000, () => socket.destroy())
  await once(socket, 'close')
  return {
    statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status)),
    seen: [...seen],
  }
}

const post = (head: string, body = '') =>
  `POST /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${head}\r\n\r\n${body}`
const hidden = 'GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n'

describe('what could be read as two requests, or as another one', () => {
  it.each([
    ['two lengths', post('Content-Length: 0\r\nContent-Length: 40', hidden)],
    ['a length and chunks', post('Content-Length: 5\r\nTransfer-Encoding: chunked', `0\r\n\r\n${hidden}`)],
    ['chunks that are no chunks', post('Transfer-Encoding: xchunked', `0\r\n\r\n${hidden}`)],
    ['a second encoding', post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${hidden}`)],
    ['a blank before the colon', post('Content-Length : 0', hidden)],
    ['a header over two lines', post('X-A: a\r\n b\r\nContent-Length: 0')],
    ['a carriage return alone', post('X-A: a\rTransfer-Encoding: chunked\r\nContent-Length: 0')],
    ['a NUL in a header', post('X-A: a\0b\r\nContent-Length: 0')],
    ['a negative length', post('Content-Length: -1', hidden)],
    ['a length with a sign', post('Content-Length: +3', 'abc')],
    [
      'a size of a chunk that overflows',
      post('Transfer-Encoding: chunked', `10000000000000000\r\n${hidden}`),
    ],
    ['a header without a name', post(': a\r\nContent-Length: 0')],
    ['no host', 'POST /mcp HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'],
  ])('%s: refused', async (_what, bytes) => {
    const { statuses, seen: requests } = await exchange(bytes)
    expect(statuses).toEqual([400])
    expect(requests.map(({ path }) => path)).not.toContain('/hidden')
  })

  it('headers over 32 KiB are refused', async () => {
    expect((await exchange(post(`X-A: ${'a'.repeat(33_000)}\r\nContent-Length: 0`))).statuses).toEqual([431])
  })

  it('more headers than anybody sends are refused, rather than left out', async () => {
    const { statuses, seen: requests } = await exchange(post(`${'a:\r\n'.repeat(600)}Content-Length: 0`))
    expect(statuses).toEqual([431])
    expect(requests).toEqual([])
    expect((await exchange(post(`${'a:\r\n'.repeat(400)}Content-Length: 0`))).statuses).toEqual([200])
  })

  it('a header that is there twice is one with a comma, which no check takes', async () => {
    const { statuses } = await exchange(post('Mcp-Method: a\r\nMcp-Method: b\r\nContent-Length: 0'))
    expect(statuses).toEqual([200])
  })
})

/** Half a second each, while time grew with the square of the blanks. */
describe('blanks as far as headers go', () => {
  const blanks = ' '.repeat(32_000)
  const took = async (run: () => unknown) => {
    const began = performance.now()
    for (let count = 0; count < 20; count++) await run()
    return performance.now() - began
  }

  it('within the value of a mirrored header cost nothing', async () => {
    expect(decodeHeaderValue(` a${blanks}b\t`)).toBe(`a${blanks}b`)
    expect(await took(() => decodeHeaderValue(`a${blanks}b`))).toBeLessThan(1_000)
  })

  it('within a credential cost nothing', async () => {
    const guard = authentication({ methods: [apiKeys({ keys: [] })] })(async () => ({
      status: 200,
      headers: {},
    }))
    const authorization = `Bearer a${blanks}b`
    const request = {
      method: 'POST',
      path: '/mcp',
      query: '',
      scheme: 'http',
      header: (name: string) => (name === 'authorization' ? authorization : undefined),
    }
    expect((await guard(request as never)).status).toBe(401)
    expect(await took(() => guard(request as never))).toBeLessThan(1_000)
  })
})
