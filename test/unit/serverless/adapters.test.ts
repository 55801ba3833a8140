/** One server behind all adapters: what clients see must be the same. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchHandler, fromSdk, type Handler } from '../../../src/fetch.js'
import {
  type LambdaEvent,
  type LambdaResult,
  type LambdaStream,
  lambdaHandler,
  type StreamedLambdaHandler,
  streamedLambdaHandler,
} from '../../../src/lambda.js'
import { mount } from '../../../src/node/http/mount.js'
import { SDK_SERVERS } from '../../fixtures/sdk-servers.js'

const target = () => fromSdk(SDK_SERVERS['SDK v2 that serves both eras']!())
const HOST = 'mcp.example.com'
const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
}

interface Sent {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

interface Seen {
  readonly status: number
  readonly body: unknown
}

type Send = (request: Sent) => Promise<Seen>

const closing: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  delete (globalThis as { awslambda?: unknown }).awslambda
})

function legacy(method: string, params: object = {}): Sent {
  return post({ jsonrpc: '2.0', id: 1, method, params }, { 'mcp-protocol-version': '2025-11-25' })
}

function modern(method: string, params: { readonly name?: string; readonly arguments?: object } = {}): Sent {
  return post(
    { jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } },
    {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(params.name === undefined ? {} : { 'mcp-name': params.name }),
    },
  )
}

function post(body: object | string, headers: Sent['headers'] = {}): Sent {
  const all = {
    host: HOST,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { method: 'POST', path: '/mcp', headers: all, body: text }
}

const REQUESTS: readonly Sent[] = [
  legacy('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }),
  post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { 'mcp-protocol-version': '2025-11-25' }),
  legacy('tools/list'),
  legacy('tools/call', { name: 'echo', arguments: { text: 'hällo ✓' } }),
  legacy('no/such'),
  modern('server/discover'),
  modern('tools/list'),
  modern('tools/call', { name: 'echo', arguments: { text: 'hällo ✓' } }),
  modern('tools/call', { name: 'none', arguments: {} }),
  modern('no/such'),
  post('{"jsonrpc":'),
  { method: 'GET', path: '/mcp', headers: { host: HOST, accept: 'text/event-stream' } },
  { method: 'DELETE', path: '/mcp', headers: { host: HOST } },
  { method: 'GET', path: '/healthz', headers: { host: HOST } },
]

function seen(status: number, text: string): Seen {
  const data = text.startsWith('{') ? text : (/^data: (\{.*)$/m.exec(text)?.[1] ?? JSON.stringify(text))
  return { status, body: JSON.parse(data) }
}

/** An event as each sender writes it. */
const EVENTS: Readonly<Record<string, (request: Sent) => LambdaEvent>> = {
  'API Gateway 1.0': ({ method, path, headers, body }) => ({
    httpMethod: method,
    path,
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: null,
    body: body ?? null,
    isBase64Encoded: false,
    requestContext: { stage: 'prod', path: `/prod${path}` },
  }),
  'API Gateway 2.0, with a stage': ({ method, path, headers, body }) => ({
    version: '2.0',
    rawPath: `/prod${path}`,
    rawQueryString: '',
    headers,
    requestContext: { stage: 'prod', http: { method, path: `/prod${path}` } },
    ...(body === undefined ? {} : { body }),
    isBase64Encoded: false,
  }),
  'function URL, in base 64': ({ method, path, headers, body }) => ({
    version: '2.0',
    rawPath: path,
    rawQueryString: '',
    headers,
    requestContext: { stage: '$default', http: { method, path } },
    ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
    isBase64Encoded: body !== undefined,
  }),
  'load balancer': ({ method, path, headers, body }) => ({
    httpMethod: method,
    path,
    headers,
    queryStringParameters: {},
    body: body ?? '',
    isBase64Encoded: false,
    requestContext: { elb: { targetGroupArn: 'arn' } },
  }),
  'load balancer with lists of headers': ({ method, path, headers, body }) => ({
    httpMethod: method,
    path,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    multiValueQueryStringParameters: {},
    body: body ?? '',
    isBase64Encoded: false,
    requestContext: { elb: { targetGroupArn: 'arn' } },
  }),
}

async function listening(listener: Parameters<typeof createServer>[1]): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function over(origin: string, prefix = ''): Send {
  return async ({ method, path, headers: { host: _, ...headers }, body }) => {
    const response = await fetch(origin + (path === '/healthz' ? '' : prefix) + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
    })
    return seen(response.status, await response.text())
  }
}

function mounted(options: Parameters<typeof mount>[1] = {}) {
  const handler = mount(target(), { sessionless: true, allowHosts: ['*'], ...options })
  closing.push(() => handler.close({ drainTimeout: 0 }))
  return handler
}

const ADAPTERS: Readonly<Record<string, () => Send | Promise<Send>>> = {
  'a fetch handler': () => {
    const handler = fetchHandler(target())
    return async ({ method, path, headers, body }) => {
      const init = { method, headers, ...(body === undefined ? {} : { body }) }
      const response = await handler(new Request(`https://${HOST}${path}`, init))
      return seen(response.status, await response.text())
    }
  },
  ...Object.fromEntries(
    Object.entries(EVENTS).map(([name, eventOf]) => [
      `Lambda: ${name}`,
      () => {
        const handler = lambdaHandler(target())
        return async (request: Sent) => {
          const result: LambdaResult = await handler(eventOf(request))
          return seen(result.statusCode, result.body)
        }
      },
    ]),
  ),
  'Lambda: streamed': () => {
    const invoke = streamed(target())
    return async request => {
      const reply = await invoke(EVENTS['function URL, in base 64']!(request))
      return seen(reply.statusCode, Buffer.concat(reply.chunks).toString())
    }
  },
  'node:http': async () => over(await listening(mounted())),
  'node:http below a prefix': async () => over(await listening(mounted({ prefix: '/tools' })), '/tools'),
  Express: async () => {
    const app = express()
    app.use(mounted())
    app.get('/healthz', (_, response) => void response.json({ status: 'ok' }))
    return over(await listening(app))
  },
  'Express, a body that was parsed, below a path': async () => {
    const app = express()
    app.use(express.json({ strict: false }))
    app.use('/tools', mounted({ prefix: '/tools' }))
    app.get('/healthz', (_, response) => void response.json({ status: 'ok' }))
    return over(await listening(app), '/tools')
  },
  'Fastify, a body that was parsed': async () => {
    const app = fastify()
    const mcp = mounted()
    app.all('/mcp', (request, reply) => {
      reply.hijack()
      mcp(Object.assign(request.raw, { body: request.body }), reply.raw)
    })
    app.get('/healthz', async () => ({ status: 'ok' }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    closing.push(() => app.close())
    return over(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  },
  Hono: () => {
    const app = new Hono()
    const handler = fetchHandler(target(), { path: '/tools/mcp' })
    app.all('/tools/*', context => handler(context.req.raw))
    app.get('/healthz', context => context.json({ status: 'ok' }))
    return async ({ method, path, headers, body }) => {
      const prefix = path === '/healthz' ? '' : '/tools'
      const init = { method, headers, ...(body === undefined ? {} : { body }) }
      const response = await app.request(`https://${HOST}${prefix}${path}`, init)
      return seen(response.status, await response.text())
    }
  },
}

interface Written {
  readonly statusCode: number
  readonly chunks: Uint8Array[]
  readonly times: number[]
}

/** The runtime of Lambda, as far as streamed replies need it. */
function streamed(what: Parameters<typeof streamedLambdaHandler>[0]) {
  let written: Written | undefined
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse: (handler: StreamedLambdaHandler) => handler,
      HttpResponseStream: {
        from: (stream: LambdaStream, head: { statusCode: number }) => {
          written = { statusCode: head.statusCode, chunks: [], times: [] }
          return stream
        },
      },
    },
  })
  const handler = streamedLambdaHandler(what) as StreamedLambdaHandler
  return async (event: LambdaEvent): Promise<Written> => {
    let ended = false
    const stream: LambdaStream = {
      write: chunk => {
        written?.chunks.push(chunk)
        written?.times.push(performance.now())
        return true
      },
      end: () => {
        ended = true
      },
      once: () => undefined,
      off: () => undefined,
    }
    await handler(event, stream)
    expect(ended).toBe(true)
    return written as Written
  }
}

describe('the same transcript', () => {
  let expected: unknown[] | undefined
  it.each(Object.keys(ADAPTERS))('%s', async name => {
    const send = await ADAPTERS[name]!()
    const transcript: unknown[] = []
    for (const [index, request] of REQUESTS.entries()) {
      const { status, body } = await send(request)
      // What a framework says of a body that it could not parse is its own matter.
      const parsedBefore = name.includes('parsed') && request.body === '{"jsonrpc":'
      transcript.push([index, status, parsedBefore ? 'not JSON' : body])
    }
    expected ??= transcript
    const own = (list: unknown[]) =>
      name.includes('parsed') ? list.filter(entry => (entry as unknown[])[0] !== 10) : list
    expect(own(transcript)).toEqual(own(expected))
    expect(transcript[2]).toMatchObject([2, 200, { result: { tools: [{ name: 'echo' }, {}, {}, {}] } }])
    expect(transcript[7]).toMatchObject([7, 200, { result: { content: [{ text: 'hällo ✓' }] } }])
    expect(transcript.slice(11).map(entry => (entry as unknown[])[1])).toEqual([405, 405, 200])
  })
})

describe('streaming', () => {
  const slow: Handler = async function* ({ id, params }) {
    for (let progress = 1; progress <= 3; progress++) {
      const progressToken = params?._meta?.progressToken as string
      yield { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken, progress } }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return { jsonrpc: '2.0', id, result: { resultType: 'complete', content: [] } }
  }
  const request = (() => {
    const call = modern('tools/call', { name: 'slow' })
    const body = JSON.parse(call.body!)
    body.params._meta.progressToken = 'p'
    return { ...call, body: JSON.stringify(body) }
  })()

  it('streamed: the first bytes leave before the call ends', async () => {
    const { chunks, times } = await streamed(slow)(EVENTS['function URL, in base 64']!(request))
    expect(
      Buffer.concat(chunks)
        .toString()
        .match(/^data: /gm)?.length,
    ).toBe(4)
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(100)
  })

  it('in one piece: everything, at the end', async () => {
    const { statusCode, body, headers } = await lambdaHandler(slow)(EVENTS['API Gateway 1.0']!(request))
    expect([statusCode, headers?.['content-type']]).toEqual([200, 'text/event-stream'])
    expect(body.match(/^data: /gm)?.length).toBe(4)
  })

  it('in one piece: a subscription is refused, and the end of time is an answer', async () => {
    const listen = await lambdaHandler(target())(EVENTS['API Gateway 1.0']!(modern('subscriptions/listen')))
    expect([listen.statusCode, JSON.parse(listen.body).error.code]).toEqual([404, -32601])
    const context = { getRemainingTimeInMillis: () => 600 }
    const waiting = modern('tools/call', { name: 'wait', arguments: {} })
    const late = await lambdaHandler(target())(EVENTS['API Gateway 1.0']!(waiting), context)
    expect([late.statusCode, JSON.parse(late.body).error.message]).toEqual([
      504,
      expect.stringMatching(/time limit/),
    ])
  })
})

describe('requests on Lambda that are malformed', () => {
  const good = modern('tools/list')
  const event = EVENTS['API Gateway 1.0']!

  it.each([
    ['a host with a path', { ...good, headers: { ...good.headers, host: 'example.com/mcp?' } }],
    ['a host that is none', { ...good, headers: { ...good.headers, host: 'a b' } }],
    ['a header that is none', { ...good, headers: { ...good.headers, 'x-a': 'a\nb' } }],
  ])('%s is the fault of its client', async (_what, sent) => {
    const { statusCode, body } = await lambdaHandler(target())(event(sent))
    expect([statusCode, JSON.parse(body).error.code]).toEqual([400, -32600])
  })

  it('a body that is no base64 is, too', async () => {
    const broken = { ...event(good), body: '%%%', isBase64Encoded: true }
    expect((await lambdaHandler(target())(broken)).statusCode).toBe(400)
  })

  it('no id is repeated that cannot be one', async () => {
    const sent = modern('subscriptions/listen')
    const odd = { ...sent, body: sent.body!.replace('"id":1', '"id":{"a":1}') }
    const { statusCode, body } = await lambdaHandler(target())(event(odd))
    expect(statusCode).toBe(400)
    expect(JSON.parse(body).id).toBeUndefined()
  })

  it('an event of another kind is the fault of who has set it up', async () => {
    await expect(lambdaHandler(target())({})).rejects.toThrow(TypeError)
  })
})

describe('questions where the retry reaches another instance', () => {
  const stateKey = 'the same for all instances'
  const asking = (params: object) => {
    const call = modern('tools/call', { name: 'ask', arguments: {} })
    const body = JSON.parse(call.body!)
    Object.assign(body.params, params)
    body.params._meta['io.modelcontextprotocol/clientCapabilities'] = { elicitation: { form: {} } }
    // A slow machine's answer is not to be a stream.
    return { ...call, headers: { ...call.headers, accept: 'application/json' }, body: JSON.stringify(body) }
  }
  const answered = async (kind: string, instances: number) => {
    const handlers = Array.from({ length: instances }, () =>
      lambdaHandler(fromSdk(SDK_SERVERS[kind]!()), { stateKey }),
    )
    const send = async (index: number, request: Sent) =>
      JSON.parse((await handlers[index % instances]!(EVENTS['API Gateway 1.0']!(request))).body)
    const { result } = await send(0, asking({}))
    expect(result.resultType).toBe('input_required')
    const [key] = Object.keys(result.inputRequests)
    const inputResponses = { [key!]: { action: 'accept', content: { name: 'Ada' } } }
    const state = result.requestState === undefined ? {} : { requestState: result.requestState }
    return send(1, asking({ inputResponses, ...state }))
  }

  it('a server that returns its questions does not mind', async () => {
    const { result } = await answered('SDK v2 that serves both eras', 2)
    expect(result.content[0].text).toContain('Ada')
  })

  it('a server that waits has to be the same one, and else the client is told', async () => {
    expect((await answered('SDK v1', 1)).result.content[0].text).toContain('Ada')
    const { error } = await answered('SDK v1', 2)
    expect(error.code).toBe(-32602)
    expect(error.message).toMatch(/no longer|gone|not here|anew|again/)
  })
})

describe('what cannot work', () => {
  it('says so', async () => {
    expect(() => streamedLambdaHandler(target())).toThrow(/awslambda is not there/)
    expect(() => lambdaHandler(target(), { basePath: 'tools' })).toThrow(/basePath: .*"tools"/)
    expect(() => mount(target(), { prefix: 'tools/' })).toThrow(/prefix: .*"tools\/"/)
    const app = express()
    app.use((request, _, next) => void request.resume().on('end', next))
    app.use(mounted())
    const lost = await over(await listening(app))(modern('tools/list'))
    expect(lost.body).toMatchObject({ error: { message: expect.stringMatching(/read before/) } })
    expect(() => fetchHandler(target(), { stateKey: 'short' })).toThrow(/at least 16 characters/)
    await expect(lambdaHandler(target())({} as LambdaEvent)).rejects.toThrow(/no HTTP request/)
  })
})
