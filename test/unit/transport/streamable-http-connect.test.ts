import { describe, expect, it, vi } from 'vitest'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { finish } from '../../../src/exchange/exchange.js'
import type { Authorizer } from '../../../src/exchange/http-client.js'
import type { JSONObject, JSONRPCNotification, JSONRPCRequest } from '../../../src/protocol/message.js'
import { type ConnectHttpOptions, connectHttp } from '../../../src/transport/streamable-http/connect.js'
import {
  type Answering,
  events,
  FakeAnswer,
  failure,
  fakeHttpClient,
  json,
  result,
  type SentCall,
  status,
} from '../../fixtures/fake-http-client.js'

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

function request(method: string, params: JSONObject = {}, meta: JSONObject = {}): JSONRPCRequest {
  return { jsonrpc: '2.0', id: 'own', method, params: { ...params, _meta: { ...META, ...meta } } }
}

function connected(answering: Answering, options: ConnectHttpOptions = {}, authorizer?: Authorizer) {
  const client = fakeHttpClient(answering)
  const http = connectHttp(
    { name: 'http://fake/mcp', url: 'http://fake/mcp', client, headers: { 'x-key': 'k' }, authorizer },
    options,
  )
  const call = async (message: JSONRPCRequest, context = new Context({ binding: 'internal' })) => {
    const notifications: JSONRPCNotification[] = []
    const response = await finish(http.handler(message, context), one => void notifications.push(one))
    return { response, notifications }
  }
  return { http, client, call }
}

const LIST = request('tools/list')
const CALL = request('tools/call', { name: 'query', arguments: { region: 'eu', deep: { on: true }, n: 7 } })
const TOOL = {
  name: 'query',
  inputSchema: {
    type: 'object',
    properties: {
      region: { type: 'string', 'x-mcp-header': 'Region' },
      deep: { type: 'object', properties: { on: { type: 'boolean', 'x-mcp-header': 'On' } } },
    },
  },
}

describe('a modern server over HTTP', () => {
  it('gets one POST per request, with mirrored headers, our own id and our own progress token', async () => {
    const { client, call } = connected(sent => json(result(sent, { content: [] })))
    const { response } = await call(
      request('resources/read', { uri: 'file:///ü' }, { progressToken: 'mine', 'com.example/kept': 1 }),
    )
    expect(response).toEqual({ jsonrpc: '2.0', id: 'own', result: { content: [] } })
    const [sent] = client.sent as [SentCall]
    expect(sent).toMatchObject({ method: 'POST', url: 'http://fake/mcp' })
    expect(sent.headers).toEqual({
      'x-key': 'k',
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'resources/read',
      'mcp-name': '=?base64?ZmlsZTovLy/DvA==?=',
    })
    expect(sent.message.id).toBe(1)
    expect(sent.message.params._meta).toEqual({ ...META, progressToken: 1, 'com.example/kept': 1 })
  })

  it('may answer with an event stream, whose notifications come under the ids of the caller', async () => {
    const { call } = connected(sent => {
      const answer = events()
      const { id } = sent.message
      return answer
        .write(': keep-alive\n\n')
        .event({
          jsonrpc: '2.0',
          method: 'notifications/progress',
          params: { progressToken: id, progress: 1 },
        })
        .event({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 1 } })
        .event({ jsonrpc: '2.0', method: 'com.example/own' })
        .event(result(sent, { ok: 1 }))
    })
    const { response, notifications } = await call(
      request('prompts/get', { name: 'p' }, { progressToken: 'mine' }),
    )
    expect(response).toMatchObject({ id: 'own', result: { ok: 1 } })
    expect(notifications.map(({ method, params }) => [method, params?.progressToken])).toEqual([
      ['notifications/progress', 'mine'],
      ['notifications/message', undefined],
      ['com.example/own', undefined],
    ])
  })

  it('that leaves a stream open behind its response is hung up on', async () => {
    vi.useFakeTimers()
    try {
      let answer = events()
      const { call } = connected(sent => {
        answer = events().event(result(sent, {}))
        return answer
      })
      await call(request('prompts/list'))
      expect(answer.cancelled).toBe(false)
      await vi.advanceTimersByTimeAsync(4_000)
      expect(answer.cancelled).toBe(true)
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it.each([
    [400, -32021],
    [404, -32601],
    [200, -32602],
    [503, -31003],
  ])('may answer with an error in a body of status %i', async (code, rpc) => {
    const { call } = connected(sent => json(failure(sent, rpc, 'no', { why: 1 }), code))
    const { response } = await call(request('prompts/list'))
    expect(response).toEqual({
      jsonrpc: '2.0',
      id: 'own',
      error: { code: rpc, message: 'no', data: { why: 1 } },
    })
  })

  it('that says our revision is none of its own blames us, not the caller', async () => {
    const data = { supported: ['2031-01-01'], requested: '2026-07-28' }
    const { call } = connected(sent => json(failure(sent, -32022, 'Unsupported', data), 400))
    expect((await call(request('prompts/list'))).response).toEqual({
      jsonrpc: '2.0',
      id: 'own',
      error: { code: -32603, message: expect.stringContaining('Unsupported') },
    })
  })

  it('may leave the id out of an error', async () => {
    const { call } = connected(() => json({ jsonrpc: '2.0', error: { code: -32600, message: 'no' } }, 403))
    expect((await call(request('prompts/list'))).response).toMatchObject({
      id: 'own',
      error: { message: 'no' },
    })
  })

  it.each([
    ['a web page', () => status(200, '<html><title>Log in</title>', 'text/html'), 'web page titled "Log in"'],
    ['a bad gateway', () => status(502, 'nope'), '502 Bad Gateway'],
    ['nothing', () => status(202), 'no MCP server'],
    ['no message', () => json('{"hello":1}'), 'no MCP message'],
    ['no JSON', () => json('hello'), 'no MCP message'],
    ['a cut stream', () => events().event({ jsonrpc: '2.0', method: 'x' }).end(), 'before the response came'],
    [
      'a cut body',
      () => new FakeAnswer(200, { 'content-type': 'application/json' }).end(new Error('x')),
      'ended',
    ],
  ])('that answers %s fails the call, and says how', async (_, answer, words) => {
    const { call, http } = connected(() => answer())
    await expect(call(request('prompts/list'))).rejects.toMatchObject({
      message: expect.stringMatching(words === 'no MCP server' ? /not an MCP server/ : new RegExp(words)),
    })
    expect(http.size).toBe(0)
  })

  it('that sends too much fails the call, and names the option', async () => {
    const client = fakeHttpClient(sent => json(result(sent, { text: 'x'.repeat(2_000) })))
    const http = connectHttp({ name: 'fake', url: 'http://fake/', client, maxMessage: 1_000 })
    const exchange = http.handler(request('prompts/list'), new Context({ binding: 'internal' }))
    await expect(finish(exchange)).rejects.toMatchObject({ code: -31004, data: { option: '--max-message' } })
  })

  it('is hung up on where the call is cancelled, before and after its answer begins', async () => {
    const answer = events()
    let begins = false
    const { call, client, http } = connected(() => (begins ? answer : undefined))
    for (begins of [false, true]) {
      const context = new Context({ binding: 'internal' })
      const calling = call(request('tools/list'), context)
      await vi.waitFor(() => expect(client.sent.length).toBe(begins ? 2 : 1))
      await new Promise(resolve => setTimeout(resolve, 5))
      context.cancel('cancelled')
      await expect(calling).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    }
    expect(answer.cancelled).toBe(true)
    // Hanging up says it: there is no notification for it.
    expect(client.sent.length).toBe(2)
    expect(http.size).toBe(0)
  })

  it('has so much time for a call, and more while progress comes', async () => {
    vi.useFakeTimers()
    try {
      let answer = events()
      const { call, client } = connected(() => answer, { timeout: 1_000 })
      const progress = () =>
        answer.event({
          jsonrpc: '2.0',
          method: 'notifications/progress',
          params: { progressToken: client.sent[0]?.message.id, progress: 1 },
        })
      const calling = call(request('prompts/get', { name: 'p' }))
      calling.catch(() => {})
      for (let step = 0; step < 4; step++) {
        await vi.advanceTimersByTimeAsync(800)
        progress()
      }
      expect(answer.cancelled).toBe(false)
      await vi.advanceTimersByTimeAsync(1_200)
      await expect(calling).rejects.toMatchObject({ code: 'ERR_TIMEOUT', facts: { knob: '--timeout' } })
      expect(answer.cancelled).toBe(true)
      answer = events()
    } finally {
      vi.useRealTimers()
    }
  })

  it('is read no faster than the caller reads', async () => {
    const answer = events()
    const { http } = connected(() => answer)
    const exchange = http.handler(request('prompts/list'), new Context({ binding: 'internal' }))
    const first = exchange.next()
    for (let index = 0; index < 2_000; index++)
      answer.event({ jsonrpc: '2.0', method: 'x', params: { index } })
    await first
    expect(answer.paused).toBe(true)
    for (let index = 1; index < 1_900; index++)
      expect((await exchange.next()).value).toMatchObject({ params: { index } })
    expect(answer.paused).toBe(false)
    await exchange.return(undefined as never)
    expect(answer.cancelled).toBe(true)
  })

  it('may not be called once it is closed, and open calls hear of it', async () => {
    const { call, http } = connected(() => undefined)
    const closed = vi.fn()
    http.onClosed = closed
    const calling = call(request('prompts/list'))
    await Promise.resolve()
    await http.close()
    await expect(calling).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: false })
    await expect(call(request('prompts/list'))).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: true })
    expect(closed).toHaveBeenCalledOnce()
  })
})

describe('arguments in headers', () => {
  it('are what the list of tools says, read before the first call where nobody did', async () => {
    const { client, call } = connected(sent =>
      json(result(sent, sent.message.method === 'tools/list' ? { tools: [TOOL] } : { content: [] })),
    )
    await call(CALL)
    await call(CALL)
    expect(client.sent.map(sent => sent.message.method)).toEqual(['tools/list', 'tools/call', 'tools/call'])
    expect(client.sent[1]?.headers).toMatchObject({ 'mcp-param-region': 'eu', 'mcp-param-on': 'true' })
    expect(client.sent[2]?.headers).toMatchObject({ 'mcp-param-region': 'eu', 'mcp-param-on': 'true' })
  })

  it('come from any list that passes by, page by page, and unknown tools are looked for once', async () => {
    const { client, call } = connected(sent => {
      if (sent.message.method !== 'tools/list') return json(result(sent, { content: [] }))
      return json(
        result(
          sent,
          sent.message.params.cursor === 'next' ? { tools: [TOOL] } : { tools: [], nextCursor: 'next' },
        ),
      )
    })
    await call(LIST)
    await call(request('tools/list', { cursor: 'next' }))
    await call(CALL)
    expect(client.sent.length).toBe(3)
    expect(client.sent[2]?.headers).toMatchObject({ 'mcp-param-region': 'eu' })
    await call(request('tools/call', { name: 'hidden', arguments: {} }))
    await call(request('tools/call', { name: 'hidden', arguments: {} }))
    expect(client.sent.slice(3).map(sent => sent.message.method)).toEqual([
      'tools/list',
      'tools/list',
      'tools/call',
      'tools/call',
    ])
  })

  it('are corrected where the server finds one missing, and the call is sent once more', async () => {
    let tool: object = { name: 'query', inputSchema: { type: 'object' } }
    const { client, call } = connected(sent => {
      if (sent.message.method === 'tools/list') return json(result(sent, { tools: [tool] }))
      return sent.headers['mcp-param-region'] === 'eu'
        ? json(result(sent, { content: [] }))
        : json(failure(sent, -32020, 'Mcp-Param-Region is missing'), 400)
    })
    await call(LIST)
    tool = TOOL
    expect((await call(CALL)).response).toMatchObject({ id: 'own', result: { content: [] } })
    expect(client.sent.map(sent => sent.message.method)).toEqual([
      'tools/list',
      'tools/call',
      'tools/list',
      'tools/call',
    ])
  })

  it('that stay wrong are our own fault, never the caller’s', async () => {
    const { client, call } = connected(sent =>
      sent.message.method === 'tools/list'
        ? json(result(sent, { tools: [TOOL] }))
        : json(failure(sent, -32020, 'Mcp-Name is wrong'), 400),
    )
    const { response } = await call(CALL)
    expect(response).toMatchObject({
      error: { code: -32603, message: expect.stringContaining('Mcp-Name is wrong') },
    })
    expect(client.sent.filter(sent => sent.message.method === 'tools/call').length).toBe(2)
  })

  it('that are annotated wrongly cost the tool its place in the list', async () => {
    const refused: string[] = []
    const wrong = {
      name: 'wrong',
      inputSchema: { type: 'object', properties: { a: { type: 'object', 'x-mcp-header': 'A' } } },
    }
    const { call } = connected(sent => json(result(sent, { tools: [wrong, TOOL], ttlMs: 5 })), {
      onRefusedTool: (name, reason) => void refused.push(`${name}: ${reason}`),
    })
    const { response } = await call(LIST)
    expect(response).toMatchObject({ result: { tools: [TOOL], ttlMs: 5 } })
    expect(refused).toEqual([expect.stringMatching(/^wrong: .*needs the type string/)])
  })
})

describe('signed requests', () => {
  const refusal = (code: number, challenge: string) =>
    new FakeAnswer(code, { 'www-authenticate': challenge }).end()

  function authorizer(answer: boolean | Error): Authorizer & { refusals: object[]; token: string } {
    const self = {
      token: 'old',
      refusals: [] as object[],
      headers: () => ({ authorization: `Bearer ${self.token}` }),
      async refused(given: object) {
        self.refusals.push(given)
        if (answer instanceof Error) throw answer
        self.token = 'new'
        return answer
      },
    }
    return self
  }

  it.each([
    [401, 'Bearer'],
    [403, 'Bearer error="insufficient_scope", scope="x"'],
  ])('that are refused with %i are mended and sent once more', async (code, challenge) => {
    const signer = authorizer(true)
    const { call, client } = connected(
      sent =>
        sent.headers.authorization === 'Bearer new' ? json(result(sent, {})) : refusal(code, challenge),
      {},
      signer,
    )
    await call(request('prompts/list'))
    expect(client.sent.length).toBe(2)
    expect(signer.refusals).toEqual([{ status: code, challenge, sent: { authorization: 'Bearer old' } }])
  })

  it('that cannot be mended fail with the status, or with what has to be done', async () => {
    const plain = connected(() => refusal(401, 'Bearer'), {}, authorizer(false))
    await expect(plain.call(request('prompts/list'))).rejects.toMatchObject({
      code: 'ERR_STATUS',
      facts: { status: 401 },
    })
    expect(plain.client.sent.length).toBe(1)
    const told = connected(
      () => refusal(401, 'Bearer'),
      {},
      authorizer(new TransportError('ERR_STATUS', 'Sign in first')),
    )
    await expect(told.call(request('prompts/list'))).rejects.toThrow('Sign in first')
  })

  it('are not sent for ever', async () => {
    const signer = authorizer(true)
    const { call, client } = connected(() => refusal(401, 'Bearer'), {}, signer)
    await expect(call(request('prompts/list'))).rejects.toMatchObject({ facts: { status: 401 } })
    expect(client.sent.length).toBe(4)
  })

  it('that are refused for what no signature mends are left alone', async () => {
    const signer = authorizer(true)
    const { call } = connected(() => refusal(403, 'Bearer error="invalid_request"'), {}, signer)
    await expect(call(request('prompts/list'))).rejects.toMatchObject({ facts: { status: 403 } })
    expect(signer.refusals).toEqual([])
  })
})
