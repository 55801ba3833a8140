import { afterEach, describe, expect, it } from 'vitest'
import { InFlight } from '../../../src/exchange/in-flight.js'
import { type SseOptions, type SseServer, serveSse } from '../../../src/transport/sse/serve.js'
import { type Received, send, within } from '../../fixtures/http-request.js'
import { initialize } from '../../fixtures/legacy-http-client.js'
import { type ModernServer, modernServer } from '../../fixtures/modern-server.js'
import { until } from '../../fixtures/until.js'

const servers: SseServer[] = []

function serve(options: SseOptions = {}, server: ModernServer = modernServer()) {
  const sse = serveSse(server.handler, options)
  servers.push(sse)
  return { sse, server }
}

afterEach(() => {
  for (const sse of servers.splice(0)) sse.close()
})

type Headers = Readonly<Record<string, string>>

interface Client {
  readonly stream: Received
  readonly endpoint: string
  post(body: unknown, headers?: Headers): Promise<Received>
  call(tool: string, args?: object, id?: number | string): Promise<Received>
}

/** Opens the stream and, with a version, the conversation. */
async function connect(
  sse: SseServer,
  headers: Headers = {},
  version?: string,
  capabilities: object = {},
): Promise<Client> {
  const stream = await send(sse.stream, { method: 'GET', path: '/sse', headers })
  const first = await stream.event()
  expect(first?.event).toBe('endpoint')
  const endpoint = first?.data ?? ''
  const [path, query] = endpoint.split('?')
  const post = (body: unknown, own: Headers = {}) =>
    send(sse.messages, {
      path: path as string,
      query: query as string,
      headers: { 'content-type': 'application/json', ...headers, ...own },
      body,
    })
  const client: Client = {
    stream,
    endpoint,
    post,
    call: (name, args = {}, id = 1) =>
      post({ jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } }),
  }
  if (version !== undefined) {
    await post(initialize(version, capabilities))
    expect((await stream.message()).result.protocolVersion).toBe(version)
    await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
  }
  return client
}

describe('HTTP+SSE', () => {
  it('begins with the address to post to', async () => {
    const { sse } = serve()
    const { stream, endpoint } = await connect(sse)
    expect(stream.status).toBe(200)
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    expect(endpoint).toMatch(/^\/messages\?sessionId=[0-9a-f-]{36}$/)
  })

  it.each([
    ['https://example.com/a/b/', '/a/b/in'],
    ['https://example.com', '/in'],
    ['/prefix', '/prefix/in'],
  ])('puts the path of the public address %s before it', async (publicUrl, path) => {
    const { sse } = serve({ publicUrl, messagesPath: '/in' })
    expect((await connect(sse)).endpoint.split('?')[0]).toBe(path)
  })

  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])(
    'carries a conversation of %s',
    async version => {
      const { sse } = serve()
      const client = await connect(sse, {}, version)
      const taken = await client.call('echo', { text: 'hi' }, 'an id')
      expect([taken.status, taken.text]).toEqual([202, ''])
      expect(await client.stream.message()).toMatchObject({
        id: 'an id',
        result: { content: [{ text: 'hi' }] },
      })
    },
  )

  it('names its events: message', async () => {
    const { sse } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await client.call('echo')
    expect((await client.stream.event())?.event).toBe('message')
  })

  it('gives each client its own messages and nobody else’s', async () => {
    const { sse } = serve()
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(sse, {}, '2024-11-05')))
    await Promise.all(clients.map((client, index) => client.call('count', { to: 50, label: `${index}:` })))
    for (const [index, client] of clients.entries()) {
      for (let count = 0; count < 50; count++) {
        expect((await client.stream.message()).params.data).toBe(`${index}:${count}`)
      }
      expect((await client.stream.message()).result.content[0].text).toBe(`counted ${index}:`)
    }
  })

  it('asks the client whose call it is', async () => {
    const { sse } = serve()
    const client = await connect(sse, {}, '2025-06-18', { elicitation: {} })
    await client.call('ask')
    const question = await client.stream.message()
    expect(question.method).toBe('elicitation/create')
    await client.post({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: {} } })
    expect((await client.stream.message()).result.content[0].text).toContain('accept')
  })

  it('tells what belongs to no call', async () => {
    const { sse, server } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await until(() => server.listeners() === 1, 'the listen')
    server.change()
    expect((await client.stream.message()).method).toBe('notifications/tools/list_changed')
  })

  it('answers errors on the stream', async () => {
    const { sse } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await client.post({ jsonrpc: '2.0', id: 3, method: 'nothing/here' })
    expect(await client.stream.message()).toMatchObject({ id: 3, error: { code: -32601 } })
    await client.call('crash')
    expect((await client.stream.message()).error).toEqual({ code: -32603, message: 'Internal error' })
  })

  it('does not answer a cancelled call', async () => {
    const { sse, server } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await client.call('wait', {}, 1)
    await until(() => server.requests.some(request => request.id === 1), 'the call')
    await client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    await client.call('echo', {}, 2)
    expect((await client.stream.message()).id).toBe(2)
    expect(server.cancelled).toEqual(['wait: cancelled'])
  })

  it('ends the session and its calls with the stream', async () => {
    const { sse, server } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await client.call('wait')
    await until(() => server.listeners() === 1 && server.requests.length === 3, 'the call and the listen')
    client.stream.hangUp()
    await until(() => server.cancelled.length === 1 && server.listeners() === 0, 'the end')
    expect(server.cancelled).toEqual(['wait: hangup'])
    expect((await client.call('echo')).status).toBe(404)
  })

  it('does not read ahead for a slow client', async () => {
    const { sse, server } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await Promise.all([1, 2, 3].map(id => client.call('count', { to: 5_000, label: `${id}:` }, id)))
    await new Promise(resolve => setTimeout(resolve, 30))
    expect(server.pulled).toBeLessThan(100)
    const got: Record<string, number> = {}
    for (let responses = 0; responses < 3; ) {
      const message = await client.stream.message()
      if ('result' in message) responses++
      else {
        const [label, count] = message.params.data.split(':')
        expect(Number(count)).toBe(got[label] ?? 0)
        got[label] = Number(count) + 1
      }
    }
    expect(got).toEqual({ 1: 5_000, 2: 5_000, 3: 5_000 })
  })
})

describe('what HTTP+SSE refuses', () => {
  it('messages for nobody, or for somebody else', async () => {
    const { sse } = serve({ principal: request => request.header('x-user') })
    const client = await connect(sse, { 'x-user': 'ann' }, '2024-11-05')
    for (const thief of ['bob', '']) expect((await client.post({}, { 'x-user': thief })).status).toBe(404)
    const headers = { 'content-type': 'application/json', 'x-user': 'ann' }
    expect((await send(sse.messages, { query: 'sessionId=unknown', headers })).status).toBe(404)
    expect((await send(sse.messages, { headers })).status).toBe(400)
  })

  it('other verbs: 405', async () => {
    const { sse } = serve()
    const post = await send(sse.stream, { method: 'POST' })
    expect([post.status, post.headers.allow]).toEqual([405, 'GET'])
    const get = await send(sse.messages, { method: 'GET' })
    expect([get.status, get.headers.allow]).toEqual([405, 'POST'])
  })

  it('what is not JSON, or too long', async () => {
    const { sse } = serve({ maxBody: 300 })
    const client = await connect(sse, {}, '2024-11-05')
    expect((await client.post('{')).json.error.code).toBe(-32700)
    expect((await client.post('{')).status).toBe(400)
    expect((await client.post({}, { 'content-type': 'text/plain' })).status).toBe(415)
    const long = await client.call('echo', { text: 'x'.repeat(300) })
    expect(long.status).toBe(413)
    expect(long.json.error.message).toContain('--max-body')
  })

  it('batches, but those of 2025-03-26', async () => {
    const { sse } = serve()
    const batch = [1, 2].map(id => ({ jsonrpc: '2.0', id, method: 'tools/list' }))
    const old = await connect(sse, {}, '2024-11-05')
    expect((await old.post(batch)).status).toBe(400)
    const client = await connect(sse, {}, '2025-03-26')
    expect((await client.post(batch)).status).toBe(202)
    const ids = [(await client.stream.message()).id, (await client.stream.message()).id]
    expect(ids.sort()).toEqual([1, 2])
  })

  it('clients beyond the limit, and calls beyond theirs', async () => {
    const { sse } = serve({ maxClients: 1 })
    const client = await connect(sse, {}, '2025-03-26')
    expect((await send(sse.stream, { method: 'GET' })).status).toBe(503)
    const waits = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({
        jsonrpc: '2.0',
        id: from + index,
        method: 'tools/call',
        params: { name: 'wait', arguments: {} },
      }))
    for (let round = 0; round < 4; round++)
      expect((await client.post(waits(round * 256, 256))).status).toBe(202)
    expect((await client.call('echo')).status).toBe(503)
    client.stream.hangUp()
    expect((await send(sse.stream, { method: 'GET' })).status).toBe(200)
  })
})

describe('draining HTTP+SSE', () => {
  it('refuses new work, lets open calls finish, then ends the streams', async () => {
    const { sse, server } = serve({ inFlight: new InFlight() })
    const [busy, idle] = [await connect(sse, {}, '2024-11-05'), await connect(sse, {}, '2024-11-05')]
    await busy.call('wait', {}, 9)
    const drained = sse.drain(5_000)
    expect(await idle.stream.event()).toBeUndefined()
    expect((await busy.call('echo')).status).toBe(503)
    expect((await send(sse.stream, { method: 'GET' })).status).toBe(503)
    await until(() => server.requests.some(request => request.id === 9), 'the call')
    server.release()
    expect((await busy.stream.message()).id).toBe(9)
    expect(await busy.stream.event()).toBeUndefined()
    await within(500, drained, 'the drain')
  })

  it('ends calls that take longer than it may', async () => {
    const { sse, server } = serve()
    const client = await connect(sse, {}, '2024-11-05')
    await client.call('wait')
    await until(() => server.requests.length >= 2, 'the call')
    await within(500, sse.drain(20), 'the drain')
    expect(await client.stream.event()).toBeUndefined()
    await until(() => server.cancelled.length === 1, 'the cancellation')
  })
})
