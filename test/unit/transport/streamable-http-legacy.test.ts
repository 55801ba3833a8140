import { afterEach, describe, expect, it } from 'vitest'
import { notification, resultResponse } from '../../../src/protocol/message.js'
import {
  type StreamableHttp,
  type StreamableHttpOptions,
  streamableHttp,
} from '../../../src/transport/streamable-http/serve.js'
import { httpRequest, received, send, within } from '../../fixtures/http-request.js'
import { initialize, legacyClient } from '../../fixtures/legacy-http-client.js'
import { type ModernServer, modernServer } from '../../fixtures/modern-server.js'
import { until } from '../../fixtures/until.js'

const faces: StreamableHttp[] = []

function serve(options: StreamableHttpOptions = {}, server: ModernServer = modernServer()) {
  const face = streamableHttp(server.handler, options)
  faces.push(face)
  return { face, server, handler: face.handler }
}

afterEach(() => {
  for (const face of faces.splice(0)) face.close()
})

describe('a session', () => {
  it.each(['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'])(
    'begins with initialize (%s)',
    async version => {
      const { handler } = serve()
      const { initialized, session } = await legacyClient(handler, version)
      expect(initialized.status).toBe(200)
      expect(initialized.json.result.protocolVersion).toBe(version)
      expect(session).toMatch(/^[\x21-\x7e]{36,}$/)
    },
  )

  it('begins also where initialize asks for a modern revision, or comes with a stale session id', async () => {
    const { handler } = serve()
    const future = await legacyClient(handler, '2026-07-28')
    expect(future.initialized.json.result.protocolVersion).toBe('2025-11-25')
    const stale = await legacyClient(handler, '2025-11-25', { 'mcp-session-id': 'long gone' })
    expect(stale.initialized.status).toBe(200)
  })

  it('does not begin where initialize fails', async () => {
    const { handler } = serve(
      { maxSessions: 1 },
      {
        ...modernServer(),
        handler: async function* () {
          yield* []
          throw new Error('down')
        },
      },
    )
    for (let attempt = 0; attempt < 3; attempt++) {
      const { initialized } = await legacyClient(handler)
      expect(initialized.json.error.code).toBe(-32603)
      expect(initialized.headers['mcp-session-id']).toBeUndefined()
    }
  })

  it('is demanded: 400 without an id, 404 with an unknown one', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler)
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    for (const [id, status] of [
      [undefined, 400],
      ['unknown', 404],
    ] as const) {
      const headers = { 'mcp-session-id': id }
      expect((await client.post(list, headers)).status).toBe(status)
      expect((await client.post({ jsonrpc: '2.0', method: 'notifications/x' }, headers)).status).toBe(status)
      expect((await client.get(headers)).status).toBe(status)
      expect((await client.delete(headers)).status).toBe(status)
    }
    expect((await client.post(list)).status).toBe(200)
  })

  it('ends with DELETE: its id is unknown from then on, its calls are cancelled, its streams end', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.get()
    const call = await client.call('wait', { announce: true })
    await call.message()
    const rest = call.rest()
    // One that nobody reads any further.
    await (await client.call('count', { to: 100 })).message()
    expect((await client.delete()).status).toBe(204)
    expect((await client.call('echo')).status).toBe(404)
    expect((await client.get()).status).toBe(404)
    expect((await client.delete()).status).toBe(404)
    expect(await stream.rest()).toEqual([])
    await rest
    expect(server.cancelled).toEqual(['wait: abandoned'])
    await until(() => server.ended.includes('count') && server.ended.includes('wait'), 'the end of the calls')
  })

  it('belongs to its principal: for others it is unknown, whatever they try', async () => {
    const { handler, server } = serve({ principal: request => request.header('x-user') })
    const ann = await legacyClient(handler, '2025-11-25', { 'x-user': 'ann' })
    for (const thief of ['bob', undefined]) {
      const stolen = { 'x-user': thief }
      const echo = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
      expect((await ann.post(echo, stolen)).status).toBe(404)
      expect((await ann.post({ jsonrpc: '2.0', id: 'who', result: {} }, stolen)).status).toBe(404)
      expect((await ann.get(stolen)).status).toBe(404)
      expect((await ann.delete(stolen)).status).toBe(404)
    }
    const reply = await ann.call('echo', { text: 'mine' })
    expect(reply.json.result.content[0].text).toBe('mine')
    expect(server.contexts.at(-1)?.caller).toMatchObject({ principal: 'ann', session: ann.session })
  })

  it('expires when nobody uses it, and not while somebody listens', async () => {
    const { handler } = serve({ sessionTtl: 60 })
    const idle = await legacyClient(handler)
    const listening = await legacyClient(handler)
    const stream = await listening.get()
    await new Promise(resolve => setTimeout(resolve, 150))
    expect((await idle.call('echo')).status).toBe(404)
    expect((await listening.call('echo')).status).toBe(200)
    stream.hangUp()
    await new Promise(resolve => setTimeout(resolve, 150))
    expect((await listening.call('echo')).status).toBe(404)
  })

  it('lives on while its client says anything at all', async () => {
    const { handler } = serve({ sessionTtl: 100 })
    const client = await legacyClient(handler)
    for (let round = 0; round < 8; round++) {
      await new Promise(resolve => setTimeout(resolve, 30))
      expect((await client.post({ jsonrpc: '2.0', method: 'notifications/x' })).status).toBe(202)
    }
  })

  it('is refused with 503 where there are too many, and possible again when one has ended', async () => {
    const { handler } = serve({ maxSessions: 1 })
    const first = await legacyClient(handler)
    const second = await legacyClient(handler)
    expect(second.initialized.status).toBe(503)
    expect(second.initialized.json.error.message).toContain('--max-sessions')
    await first.delete()
    expect((await legacyClient(handler)).initialized.status).toBe(200)
  })

  it('checks the version header: absent is fine, unsupported is 400', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler, '2025-06-18')
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    expect((await client.post(list, { 'mcp-protocol-version': undefined })).status).toBe(200)
    const bad = { 'mcp-protocol-version': '1999-01-01' }
    expect((await client.post(list, bad)).status).toBe(400)
    expect((await client.post({ jsonrpc: '2.0', method: 'notifications/x' }, bad)).status).toBe(400)
    expect((await client.get(bad)).status).toBe(400)
    expect((await client.delete(bad)).status).toBe(400)
  })
})

describe('messages of a legacy client', () => {
  it('notifications and responses: 202 without a body', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler)
    for (const body of [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 'nobody asked', result: {} },
    ]) {
      const reply = await client.post(body)
      expect([reply.status, reply.text]).toEqual([202, ''])
    }
  })

  it('a request whose first step is the response: one JSON body, no session id', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler)
    const reply = await client.call('echo', { text: 'x' }, 'my id')
    expect(reply.isStream).toBe(false)
    expect(reply.headers['mcp-session-id']).toBeUndefined()
    expect(reply.json).toMatchObject({ id: 'my id', result: { content: [{ text: 'x' }] } })
  })

  it('errors are in band: 200', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler)
    const reply = await client.post({ jsonrpc: '2.0', id: 1, method: 'nothing/here' })
    expect([reply.status, reply.json.error.code]).toEqual([200, -32601])
  })

  it('a question goes out on the stream of its call, and the answer comes in with a POST of its own', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler, '2025-11-25', {}, { elicitation: {} })
    const other = await legacyClient(handler, '2025-11-25', {}, { elicitation: {} })
    const [stream, strangers] = [await client.call('ask'), await other.call('ask')]
    const question = await stream.message()
    expect(question.method).toBe('elicitation/create')
    const foreign = await strangers.message()
    expect(
      (await client.post({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: 'ann' } }))
        .status,
    ).toBe(202)
    expect((await stream.rest()).map(message => message.result.content[0].text)).toEqual([
      '{"action":"accept","content":"ann"}',
    ])
    await other.post({ jsonrpc: '2.0', id: foreign.id, result: { action: 'decline' } })
    expect((await strangers.rest())[0].result.content[0].text).toBe('{"action":"decline"}')
  })

  it('a question reaches even a client that takes only JSON, for otherwise the call would hang', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler, '2025-11-25', {}, { elicitation: {} })
    const ask = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'ask', arguments: {} } }
    const reply = await client.post(ask, { accept: 'application/json' })
    expect((await reply.message()).method).toBe('elicitation/create')
    const count = {
      jsonrpc: '2.0',
      id: 2,
      method: 'tools/call',
      params: { name: 'count', arguments: { to: 3 } },
    }
    expect((await client.post(count, { accept: 'application/json' })).json.id).toBe(2)
  })

  it('a cancelled call ends without an answer', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const cancel = (requestId: number) =>
      client.post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })
    // Already streaming.
    const stream = await client.call('wait', { announce: true }, 1)
    await stream.message()
    const rest = stream.rest()
    await cancel(1)
    expect(await rest).toEqual([])
    // Not begun yet.
    const waiting = client.call('wait', {}, 2)
    await until(() => server.requests.some(request => request.id === 2), 'the call')
    await cancel(2)
    const reply = await waiting
    expect([reply.status, reply.isStream]).toEqual([200, true])
    expect(await reply.event()).toBeUndefined()
    expect(server.cancelled).toEqual(['wait: cancelled', 'wait: cancelled'])
  })

  it('a slow call becomes a stream; initialize too, with its session id', async () => {
    const server = modernServer()
    const { handler } = serve(
      { streamAfter: 10 },
      {
        ...server,
        handler: async function* (request, context) {
          if (request.method === 'server/discover') await new Promise(resolve => setTimeout(resolve, 60))
          return yield* server.handler(request, context)
        },
      },
    )
    const headers = { 'content-type': 'application/json' }
    const reply = await send(handler, { headers, body: initialize('2025-11-25') })
    expect(reply.isStream).toBe(true)
    const id = reply.headers['mcp-session-id'] as string
    expect((await reply.rest())[0].result.protocolVersion).toBe('2025-11-25')
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const next = await send(handler, { headers: { ...headers, 'mcp-session-id': id }, body: list })
    expect(next.status).toBe(200)
  })
})

describe('streams of a session', () => {
  it('begin with a priming event for clients that know it, and not for others', async () => {
    const { handler } = serve({ retry: 250 })
    const knows = await legacyClient(handler, '2025-11-25')
    for (const stream of [await knows.call('count', { to: 1 }), await knows.get()]) {
      const first = await stream.event()
      expect(first).toMatchObject({ data: '', retry: 250 })
      expect(first?.id).toBeTruthy()
    }
    const older = await legacyClient(handler, '2025-06-18')
    const first = await (await older.call('count', { to: 1 })).event()
    expect(JSON.parse(first?.data ?? '')).toMatchObject({ method: 'notifications/message' })
    expect(first?.id).toBeTruthy()
  })

  it('have event ids that never repeat within the session', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler, '2025-06-18')
    const ids: (string | undefined)[] = []
    for (let round = 0; round < 3; round++) {
      const stream = await client.call('count', { to: 4 })
      for (let event = await stream.event(); event !== undefined; event = await stream.event())
        ids.push(event.id)
    }
    expect(ids).toHaveLength(15)
    expect(new Set(ids).size).toBe(15)
  })

  it('the standalone stream carries what belongs to no call', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.get()
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' })
    const next = stream.message()
    await until(() => server.listeners() === 1, 'the listen')
    server.change()
    const event = await next
    expect(event.method).toBe('notifications/tools/list_changed')
    expect(event.params?._meta).toBeUndefined()
  })

  it('a second standalone stream gets the messages, each once; when it leaves, the first goes on', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const [first, second] = [await client.get(), await client.get()]
    const [atFirst, atSecond] = [first.message(), second.message()]
    await until(() => server.listeners() === 1, 'the listen')
    server.change()
    expect((await atSecond).method).toBe('notifications/tools/list_changed')
    second.hangUp()
    server.change()
    expect((await atFirst).method).toBe('notifications/tools/list_changed')
    const rest = first.rest()
    await client.delete()
    expect(await rest).toEqual([])
  })

  it('a resumed call whose client had gone replays what was missed, and nothing else', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 50, slowly: true, label: 'a' })
    await stream.event()
    const seen = [await stream.event(), await stream.event()]
    stream.hangUp()
    const other = await client.call('count', { to: 3, label: 'b' })
    await other.rest()
    await until(() => server.pulled === 53, 'the unattended call to run on')
    const resumed = await client.get({ 'last-event-id': seen[1]?.id })
    const data = (await resumed.rest()).map(message => message.params?.data ?? message.result.content[0].text)
    expect(data).toEqual([...Array.from({ length: 48 }, (_, index) => `a${index + 2}`), 'counted a'])
  })

  it('a stream that is resumed twice gives each message to the later connection only', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 5, slowly: true })
    const primed = await stream.event()
    stream.hangUp()
    await until(() => server.ended.includes('count'), 'the call')
    const waiting = await client.call('wait', { announce: true }, 2)
    const begun = await waiting.event()
    waiting.hangUp()
    await new Promise(resolve => setTimeout(resolve, 5))
    const [first, second] = [
      await client.get({ 'last-event-id': begun?.id }),
      await client.get({ 'last-event-id': begun?.id }),
    ]
    expect((await second.message()).params.data).toBe('waiting')
    const [atFirst, atSecond] = [first.rest(), second.rest()]
    server.release()
    expect((await atSecond).map(message => message.id)).toEqual([2])
    expect(await atFirst).toEqual([])
    expect(await (await client.get({ 'last-event-id': primed?.id })).rest()).toHaveLength(6)
  })

  it('is live after the replay, and ends with the response', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.call('wait', { announce: true })
    const primed = await stream.event()
    stream.hangUp()
    const resumed = await client.get({ 'last-event-id': primed?.id })
    expect((await resumed.message()).params.data).toBe('waiting')
    const end = resumed.rest()
    server.release()
    expect((await end).map(message => message.result.content[0].text)).toEqual(['released'])
    expect(server.cancelled).toEqual([])
  })

  it('a stream that has ended has nothing to resume: 204; an unknown event: 400', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 1 })
    const ids: string[] = []
    for (let event = await stream.event(); event !== undefined; event = await stream.event())
      ids.push(event.id ?? '')
    expect((await client.get({ 'last-event-id': ids.at(-1) })).status).toBe(204)
    const lost = await client.get({ 'last-event-id': ids[0] })
    expect(await lost.rest()).toHaveLength(2)
    for (const id of ['x', '', '.0.0', `${ids[0]}.1`, `${ids[0]?.split('.')[0]}.999.0`]) {
      const reply = await client.get({ 'last-event-id': id === '' ? ' ' : id })
      expect(reply.status).toBe(400)
    }
  })

  it('events of another session are unknown, though everything is the same there', async () => {
    const { handler } = serve()
    const [ann, bob] = [await legacyClient(handler), await legacyClient(handler)]
    const [anns, bobs] = [
      await ann.call('count', { to: 3, label: 'ann' }),
      await bob.call('count', { to: 3, label: 'bob' }),
    ]
    const id = (await anns.event())?.id
    await anns.rest()
    await bobs.rest()
    expect((await bob.get({ 'last-event-id': id })).status).toBe(400)
    expect((await (await ann.get({ 'last-event-id': id })).message()).params.data).toBe('ann0')
  })

  it('keep at most so many events, the newest ones', async () => {
    const { handler, server } = serve({ replayEvents: 10 })
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 100, slowly: true })
    const primed = await stream.event()
    stream.hangUp()
    await until(() => server.pulled === 100, 'the call')
    await new Promise(resolve => setTimeout(resolve, 5))
    const resumed = await client.get({ 'last-event-id': primed?.id })
    const data = (await resumed.rest()).map(message => message.params?.data ?? 'done')
    expect(data).toEqual(['91', '92', '93', '94', '95', '96', '97', '98', '99', 'done'])
  })

  it('keep at most so many bytes, but always the newest event', async () => {
    const { handler } = serve({ replayBytes: 1_000 })
    const client = await legacyClient(handler)
    const text = 'x'.repeat(5_000)
    const stream = await client.call('count', { to: 3, label: text })
    const primed = await stream.event()
    await stream.rest()
    const resumed = await client.get({ 'last-event-id': primed?.id })
    expect((await resumed.rest()).map(message => message.id)).toEqual([1])
  })

  it('lose nothing for a reader that is attached, however small the limits', async () => {
    const { handler } = serve({ replayEvents: 1, replayBytes: 1 })
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 2_000 })
    expect(await stream.rest()).toHaveLength(2_001)
  })

  it('are not read ahead for a slow reader', async () => {
    const { handler, server } = serve()
    const client = await legacyClient(handler)
    const stream = await client.call('count', { to: 1_000 })
    await stream.message()
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(server.pulled).toBeLessThan(5)
    expect(await stream.rest()).toHaveLength(1_000)
  })

  it('a call goes on where its client left before the stream began', async () => {
    const { handler, server } = serve({ streamAfter: 5 })
    const client = await legacyClient(handler)
    const request = httpRequest({
      headers: { 'content-type': 'application/json', 'mcp-session-id': client.session },
      body: {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'count', arguments: { to: 20, slowly: true } },
      },
    })
    const replying = handler(request)
    request.hangUp()
    received(await replying, request)
    await until(() => server.pulled === 20, 'the call to run on')
    expect(server.cancelled).toEqual([])
  })

  it('too many connections to one stream: the oldest has to go', async () => {
    const { handler } = serve()
    const client = await legacyClient(handler, '2025-06-18')
    const streams = [await client.get(), await client.get(), await client.get(), await client.get()]
    const oldest = streams[0]?.event()
    await client.get()
    expect(await within(500, oldest as Promise<unknown>, 'the end of the oldest')).toBeUndefined()
  })
})

describe('Accept of a GET', () => {
  it('matters only where the letter counts', async () => {
    const lenient = await legacyClient(serve().handler)
    expect((await lenient.get({ accept: 'application/json' })).isStream).toBe(true)
    const strict = await legacyClient(serve({ strictAccept: true }).handler)
    expect((await strict.get({ accept: 'application/json' })).status).toBe(406)
    expect((await strict.get()).isStream).toBe(true)
  })
})

describe('batches', () => {
  const list = (id: number) => ({ jsonrpc: '2.0', id, method: 'tools/list' })
  const count = (id: number, to: number) => ({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'count', arguments: { to, label: id } },
  })

  it('are part of 2025-03-26: answered as one array', async () => {
    const client = await legacyClient(serve().handler, '2025-03-26')
    const reply = await client.post([list(1), { jsonrpc: '2.0', method: 'notifications/x' }, list(2)])
    expect(reply.status).toBe(200)
    expect(reply.json.map((response: { id: number }) => response.id).sort()).toEqual([1, 2])
  })

  it('are answered on one stream where something else comes before the responses', async () => {
    const client = await legacyClient(serve().handler, '2025-03-26')
    const reply = await client.post([count(1, 40), list(2), count(3, 40)])
    expect(reply.isStream).toBe(true)
    const messages = await reply.rest()
    expect(messages.flatMap(message => message.id ?? []).sort()).toEqual([1, 2, 3])
    for (const id of [1, 3]) {
      const own = messages
        .flatMap(message => message.params?.data ?? [])
        .filter(data => data.startsWith(`${id}`))
      expect(own.map(data => Number(data.slice(1)))).toEqual(Array.from({ length: 40 }, (_, index) => index))
    }
  })

  it('become a stream when they are slow, and lose nothing', async () => {
    const { handler, server } = serve({ streamAfter: 10 })
    const client = await legacyClient(handler, '2025-03-26')
    const wait = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'wait', arguments: {} } }
    const reply = await client.post([wait, list(2)])
    expect(reply.isStream).toBe(true)
    server.release()
    // Nobody reads while the last call ends.
    await new Promise(resolve => setTimeout(resolve, 10))
    expect((await reply.rest()).map(message => message.id).sort()).toEqual([1, 2])
  })

  it('have their errors in their place', async () => {
    const client = await legacyClient(serve().handler, '2025-03-26')
    const reply = await client.post([list(1), { jsonrpc: '2.0', id: 2, method: 'nothing/here' }])
    const failed = reply.json.find((response: { id: number }) => response.id === 2)
    expect(failed.error.code).toBe(-32601)
  })

  it('of notifications and responses only: 202', async () => {
    const client = await legacyClient(serve().handler, '2025-03-26')
    const reply = await client.post([
      { jsonrpc: '2.0', method: 'notifications/x' },
      { jsonrpc: '2.0', id: 1, result: {} },
    ])
    expect(reply.status).toBe(202)
  })

  it.each(['2025-11-25', '2025-06-18', '2024-11-05'])('are not part of %s: 400', async version => {
    const client = await legacyClient(serve().handler, version)
    expect((await client.post([list(1)])).status).toBe(400)
  })

  it('must not be empty, nor too long, nor contain initialize', async () => {
    const client = await legacyClient(serve().handler, '2025-03-26')
    expect((await client.post([])).status).toBe(400)
    expect((await client.post(Array.from({ length: 300 }, (_, id) => list(id)))).status).toBe(400)
    expect((await client.post([initialize('2025-03-26')])).status).toBe(400)
    expect((await client.post([list(1), { nonsense: true }])).status).toBe(400)
  })
})

describe('without sessions', () => {
  it('each POST stands for itself; no id, no GET, no DELETE', async () => {
    const { handler } = serve({ sessionless: true })
    const headers = { 'content-type': 'application/json', 'mcp-protocol-version': '2025-06-18' }
    const begun = await send(handler, { headers, body: initialize('2025-06-18') })
    expect(begun.json.result.protocolVersion).toBe('2025-06-18')
    expect(begun.headers['mcp-session-id']).toBeUndefined()
    expect(
      (await send(handler, { headers, body: { jsonrpc: '2.0', method: 'notifications/initialized' } }))
        .status,
    ).toBe(202)
    const list = await send(handler, { headers, body: { jsonrpc: '2.0', id: 5, method: 'tools/list' } })
    expect([list.json.id, list.json.result.tools[0].name]).toEqual([5, 'echo'])
    for (const method of ['GET', 'DELETE']) {
      const reply = await send(handler, { method, headers: { ...headers, accept: 'text/event-stream' } })
      expect([reply.status, reply.headers.allow]).toEqual([405, 'POST'])
    }
  })

  it('streams have no event ids, and a call whose client leaves runs to its end', async () => {
    const { handler, server, face } = serve({ sessionless: true })
    const headers = { 'content-type': 'application/json', 'mcp-protocol-version': '2025-11-25' }
    const params = { name: 'count', arguments: { to: 30, slowly: true } }
    const stream = await send(handler, {
      headers,
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params },
    })
    expect((await stream.event())?.id).toBeUndefined()
    stream.hangUp()
    await until(() => server.pulled === 30, 'the call to run on')
    await within(1_000, face.drain(900), 'the drain')
    expect(server.cancelled).toEqual([])
  })

  it('batches go by the header: absent means 2025-03-26', async () => {
    const { handler } = serve({ sessionless: true })
    const body = [1, 2].map(id => ({ jsonrpc: '2.0', id, method: 'tools/list' }))
    const headers = { 'content-type': 'application/json' }
    expect((await send(handler, { headers, body })).json).toHaveLength(2)
    const newer = await send(handler, { headers: { ...headers, 'mcp-protocol-version': '2025-06-18' }, body })
    expect(newer.status).toBe(400)
  })

  it('modern clients are served as ever', async () => {
    const { handler } = serve({ sessionless: true })
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const headers = {
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'server/discover',
    }
    const reply = await send(handler, {
      headers,
      body: { jsonrpc: '2.0', id: 1, method: 'server/discover', params: { _meta } },
    })
    expect(reply.json.result.supportedVersions).toEqual(['2026-07-28'])
  })
})

describe('draining', () => {
  it('refuses new sessions and calls, takes answers, ends standalone streams, waits for calls', async () => {
    const { face, handler, server } = serve()
    const client = await legacyClient(handler, '2025-11-25', {}, { elicitation: {} })
    const standalone = await client.get()
    const asking = await client.call('ask', {}, 1)
    const question = await asking.message()
    const drained = face.drain(5_000)
    expect(await standalone.rest()).toEqual([])
    expect((await client.call('echo')).status).toBe(503)
    expect((await client.get()).status).toBe(503)
    expect((await legacyClient(handler)).initialized.status).toBe(503)
    expect(
      (await client.post({ jsonrpc: '2.0', id: question.id, result: { action: 'cancel' } })).status,
    ).toBe(202)
    expect((await asking.rest())[0].id).toBe(1)
    await within(500, drained, 'the drain')
    await until(() => server.listeners() === 0, 'the end of the listen')
  })
})

it('a handler that answers strangely does no harm', async () => {
  const { handler } = serve(
    {},
    {
      ...modernServer(),
      handler: async function* (request) {
        if (request.method === 'server/discover') {
          return resultResponse(request.id, { supportedVersions: ['2026-07-28'], capabilities: {} })
        }
        yield notification('notifications/message', { data: 'line\u2028break\n\rhere' })
        throw new TypeError('bug')
      },
    },
  )
  const client = await legacyClient(handler)
  const messages = await (await client.call('any')).rest()
  expect(messages[0].params.data).toBe('line\u2028break\n\rhere')
  expect(messages[1].error).toEqual({ code: -32603, message: 'Internal error' })
})
