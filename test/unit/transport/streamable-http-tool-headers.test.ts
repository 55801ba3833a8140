import { describe, expect, it } from 'vitest'
import type { Handler } from '../../../src/exchange/exchange.js'
import { resultResponse } from '../../../src/protocol/message.js'
import { RawJson } from '../../../src/protocol/raw-json.js'
import { streamableHttp } from '../../../src/transport/streamable-http/serve.js'
import { send } from '../../fixtures/http-request.js'
import { modernServer } from '../../fixtures/modern-server.js'

const ANNOTATED = {
  name: 'echo',
  inputSchema: {
    type: 'object',
    properties: {
      text: { type: 'string', 'x-mcp-header': 'Text' },
      n: { type: 'integer', 'x-mcp-header': 'Count' },
    },
  },
}
const PLAIN = { name: 'echo', inputSchema: { type: 'object', properties: { text: { type: 'string' } } } }

function asking(handler: Handler) {
  const face = streamableHttp(handler, { principal: request => request.header('x-user') })
  return (
    method: string,
    params: Record<string, unknown>,
    headers: Record<string, string> = {},
    capabilities = {},
  ) =>
    send(face.handler, {
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': method,
        ...(params.name === undefined ? {} : { 'mcp-name': String(params.name) }),
        ...headers,
      },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method,
        params: {
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': capabilities,
            progressToken: 'mine',
          },
          ...params,
        },
      },
    })
}

const call = { name: 'echo', arguments: { text: 'hi', n: 42 } }
const right = { 'mcp-param-text': 'hi', 'mcp-param-count': '42.0' }

function lists(server: { requests: readonly { method: string }[] }): number {
  return server.requests.filter(request => request.method === 'tools/list').length
}

describe('arguments mirrored into headers', () => {
  it('are checked from the very first call, with one look at the list', async () => {
    const server = modernServer()
    server.tools = [ANNOTATED]
    const ask = asking(server.handler)
    expect((await ask('tools/call', call, right)).status).toBe(200)
    expect((await ask('tools/call', call, right)).status).toBe(200)
    expect(lists(server)).toBe(1)
    // Our own question must not be taken for the client's.
    expect(server.requests[0]?.params?._meta).not.toHaveProperty('progressToken')
  })

  it.each([
    ['missing', {}],
    ['one missing', { 'mcp-param-text': 'hi' }],
    ['different', { ...right, 'mcp-param-text': 'ho' }],
    ['a different number', { ...right, 'mcp-param-count': '43' }],
    ['bad Base64', { ...right, 'mcp-param-text': '=?base64?a?=' }],
  ])('are refused where they are %s: 400, -32020, and the tool does not run', async (_, headers) => {
    const server = modernServer()
    server.tools = [ANNOTATED]
    const reply = await asking(server.handler)('tools/call', call, headers)
    expect([reply.status, reply.json.error.code, reply.json.id]).toEqual([400, -32020, 1])
    expect(server.requests.map(request => request.method)).toEqual(['tools/list'])
  })

  it('may be encoded, and may be left out where the argument is', async () => {
    const server = modernServer()
    server.tools = [ANNOTATED]
    const ask = asking(server.handler)
    expect((await ask('tools/call', call, { ...right, 'mcp-param-text': '=?base64?aGk=?=' })).status).toBe(
      200,
    )
    expect((await ask('tools/call', { name: 'echo', arguments: { n: null } })).status).toBe(200)
  })

  it('are learned from a list that passes by, large ones included', async () => {
    const requests: string[] = []
    const ask = asking(async function* (request) {
      yield* []
      requests.push(request.method)
      const result = { resultType: 'complete', tools: [ANNOTATED] }
      const bytes = new TextEncoder().encode(JSON.stringify(result))
      return resultResponse(request.id, RawJson.fromBytes(bytes))
    })
    await ask('tools/list', {})
    expect((await ask('tools/call', call, {})).status).toBe(400)
    expect(requests).toEqual(['tools/list'])
  })

  it('are read from all pages', async () => {
    const ask = asking(async function* (request) {
      yield* []
      const cursor = request.params?.cursor
      if (cursor === undefined) return resultResponse(request.id, { tools: [], nextCursor: 'b' })
      return resultResponse(request.id, { tools: cursor === 'b' ? [ANNOTATED] : [] })
    })
    // A first page that passes by is not taken for the whole list.
    await ask('tools/list', {})
    expect((await ask('tools/call', call, {})).status).toBe(400)
  })

  it('end even where the pages do not', async () => {
    let pages = 0
    const ask = asking(async function* (request) {
      yield* []
      if (request.method === 'tools/list')
        return resultResponse(request.id, { tools: [], nextCursor: String(pages++) })
      return resultResponse(request.id, {})
    })
    expect((await ask('tools/call', call)).status).toBe(200)
    expect(pages).toBeLessThanOrEqual(100)
  })

  it('are known per principal and capabilities', async () => {
    const server = modernServer()
    const ask = asking((request, context) => {
      server.tools = context.caller.principal === 'ann' ? [ANNOTATED] : [PLAIN]
      return server.handler(request, context)
    })
    expect((await ask('tools/call', call, { 'x-user': 'ann' })).status).toBe(400)
    expect((await ask('tools/call', call, { 'x-user': 'bob' })).status).toBe(200)
    const before = lists(server)
    expect((await ask('tools/call', call, { 'x-user': 'bob' }, { roots: {} })).status).toBe(200)
    expect(lists(server)).toBe(before + 1)
  })

  it('of a stale list are looked up again before a call is refused, at most once per second', async () => {
    const server = modernServer()
    server.tools = [ANNOTATED]
    const ask = asking(server.handler)
    expect((await ask('tools/call', call, {})).status).toBe(400)
    server.tools = [PLAIN]
    expect((await ask('tools/call', call, {})).status).toBe(400)
    expect(lists(server)).toBe(1)
    await new Promise(resolve => setTimeout(resolve, 1_050))
    expect((await ask('tools/call', call, {})).status).toBe(200)
    expect(lists(server)).toBe(2)
  })

  it('are forgotten when the caller is told that its tools changed', async () => {
    const server = modernServer()
    const ask = asking(server.handler)
    expect((await ask('tools/call', call, {})).status).toBe(200)
    const listen = await ask('subscriptions/listen', { notifications: { toolsListChanged: true } })
    await listen.message()
    server.tools = [ANNOTATED]
    server.change()
    await listen.message()
    expect((await ask('tools/call', call, {})).status).toBe(400)
    listen.hangUp()
  })

  it('of tools whose annotations are invalid are nobody’s business', async () => {
    const server = modernServer()
    const properties = { text: { type: 'object', 'x-mcp-header': 'Text' } }
    server.tools = [{ name: 'echo', inputSchema: { type: 'object', properties } }]
    const ask = asking(server.handler)
    expect((await ask('tools/call', call, {})).status).toBe(200)
    const list = await ask('tools/list', {})
    expect(list.json.result.tools).toHaveLength(1)
  })

  it('need no list where the server has none', async () => {
    const ask = asking(async function* (request) {
      yield* []
      if (request.method === 'tools/list') throw new Error('no list')
      return resultResponse(request.id, {})
    })
    expect((await ask('tools/call', call)).status).toBe(200)
  })
})
