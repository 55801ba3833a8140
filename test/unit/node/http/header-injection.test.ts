/** What callers name goes into headers of requests to a remote server: as a value, whatever it contains. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { httpClient } from '../../../../src/node/http/http-client.js'
import { serve } from '../../../../src/node/serve.js'
import type { Server } from '../../../../src/node/serve-options.js'
import { decodeHeaderValue, encodeHeaderValue } from '../../../../src/protocol/headers.js'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

interface Seen {
  readonly rawHeaders: readonly string[]
  readonly body: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }
}

const seen: Seen[] = []
/** A modern server that takes all names. */
const remote = createServer(async (incoming, outgoing) => {
  const body = JSON.parse(await text(incoming))
  seen.push({ rawHeaders: incoming.rawHeaders, body })
  const result = resultOf(body.method)
  outgoing
    .writeHead(200, { 'content-type': 'application/json' })
    .end(JSON.stringify({ jsonrpc: '2.0', id: body.id, result: { resultType: 'complete', ...result } }))
})
const cached = { ttlMs: 60_000, cacheScope: 'public' }
const inputSchema = {
  type: 'object',
  properties: { city: { type: 'string', 'x-mcp-header': 'City' } },
}

function resultOf(method: string): object {
  switch (method) {
    case 'server/discover':
      return {
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {}, prompts: {}, resources: {} },
        ...cached,
      }
    case 'tools/list':
      return {
        tools: [...NASTY.map(([, name]) => name), 'plain'].map(name => ({ name, inputSchema })),
        ...cached,
      }
    case 'resources/read':
      return { contents: [], ...cached }
    case 'prompts/get':
      return { messages: [] }
    default:
      return { content: [] }
  }
}

const client = httpClient()
let server: Server
beforeAll(async () => {
  await new Promise<void>(resolve => remote.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(remote.address() as AddressInfo).port}/mcp`
  server = await serve({ name: url, remote: { url, client } }, { port: 0, strictStart: true })
})
afterAll(async () => {
  await server?.close({ drainTimeout: 0 })
  await client.close()
  remote.closeAllConnections()
  remote.close()
})
beforeEach(() => {
  seen.length = 0
})

const NASTY = [
  ['line ends', 'x\r\nX-Evil: 1\r\nHost: evil.test'],
  ['a line feed', 'x\nX-Evil: 1'],
  ['a carriage return', 'x\rX-Evil: 1'],
  ['another request', 'x\r\n\r\nPOST /mcp HTTP/1.1\r\nX-Evil: 1\r\nContent-Length: 0\r\n\r\n'],
  ['a zero byte', 'x\0X-Evil: 1'],
  ['characters whose last byte is a line end', 'x\u010d\u010aX-Evil: 1'],
  ['a separator of lines', 'x\u2028X-Evil: 1\u0085'],
  ['a tab', 'x\tX-Evil'],
  ['spaces around it', ' x '],
  ['nothing', ''],
  ['what looks encoded', '=?base64?eA0KWC1FdmlsOiAx?='],
  ['half of a character', 'x\ud800'],
  ['a comma', 'x, y'],
  ['4,000 letters', 'ü'.repeat(2_000)],
] as const

function post(body: object, headers: Readonly<Record<string, string>>) {
  return fetch(server.url as string, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...body }),
  })
}

const modern = (method: string, params: object, headers: Readonly<Record<string, string>>) =>
  post(
    { method, params: { ...params, _meta: META } },
    { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...headers },
  )

/** What the remote server got besides what it is asked for by every client. */
function arrived(method: string): {
  readonly names: readonly string[]
  readonly header: (name: string) => string
} {
  const of = seen.filter(({ body }) => body.method === method)
  expect(of).toHaveLength(1)
  const { rawHeaders } = of[0] as Seen
  const names = rawHeaders.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase())
  expect(new Set(names).size).toBe(names.length)
  return {
    names,
    header: name => rawHeaders[rawHeaders.findIndex(other => other.toLowerCase() === name) + 1] ?? '',
  }
}

const wellFormed = (value: string) => Buffer.from(value).toString()

describe.each(NASTY)('a name with %s', (_, name) => {
  it.each([
    ['tools/call', { name, arguments: {} }],
    ['prompts/get', { name }],
    ['resources/read', { uri: name }],
  ])('of %s arrives as one value', async (method, params) => {
    const reply = await modern(method, params, { 'mcp-name': encodeHeaderValue(name) })
    expect(reply.status).toBe(200)
    const { names, header } = arrived(method)
    expect(names.filter(other => other.includes('evil'))).toEqual([])
    expect(decodeHeaderValue(header('mcp-name'))).toBe(wellFormed(name))
  })

  it('as an argument that is mirrored arrives as one value', async () => {
    const reply = await modern(
      'tools/call',
      { name: 'plain', arguments: { city: name } },
      { 'mcp-name': 'plain', 'mcp-param-city': encodeHeaderValue(name) },
    )
    expect(reply.status).toBe(200)
    const { names, header } = arrived('tools/call')
    expect(names.filter(other => other.includes('evil'))).toEqual([])
    expect(decodeHeaderValue(header('mcp-param-city'))).toBe(wellFormed(name))
  })

  it('as a method arrives as one value, or not at all', async () => {
    const reply = await modern(name, {}, { 'mcp-method': encodeHeaderValue(name) })
    await reply.text()
    expect(reply.status).toBeLessThan(500)
    for (const { rawHeaders } of seen) expect(rawHeaders.join('\n').toLowerCase()).not.toMatch(/^x-evil/m)
    expect(seen.filter(({ body }) => body.method === name).length).toBeLessThanOrEqual(1)
  })
})

it('headers of clients do not travel on', async () => {
  const reply = await modern(
    'tools/call',
    { name: 'plain', arguments: {} },
    {
      'mcp-name': 'plain',
      'mcp-param-other': 'x',
      'mcp-session-id': 'stolen',
      authorization: 'Bearer of-the-client',
      cookie: 'a=b',
      'x-forwarded-for': '192.0.2.1',
      'x-evil': '1',
    },
  )
  expect(reply.status).toBe(200)
  expect(seen).toHaveLength(1)
  for (const { rawHeaders } of seen)
    expect(rawHeaders.join('\n')).not.toMatch(/mcp-param-other|stolen|of-the-client|a=b|192\.0\.2\.1|x-evil/i)
})
