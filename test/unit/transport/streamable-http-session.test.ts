import { afterEach, describe, expect, it, vi } from 'vitest'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import type { HttpClient } from '../../../src/exchange/http-client.js'
import type {
  JSONRPCMessage,
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
} from '../../../src/protocol/message.js'
import {
  connectHttpSession,
  type HttpSession,
  type HttpSessionOptions,
} from '../../../src/transport/streamable-http/connect-session.js'
import {
  type Answering,
  events,
  type FakeAnswer,
  failure,
  fakeHttpClient,
  json,
  result,
  type SentCall,
  status,
} from '../../fixtures/fake-http-client.js'

const SESSION = { 'mcp-session-id': 'session-1' }
const INITIALIZED: JSONRPCNotification = { jsonrpc: '2.0', method: 'notifications/initialized' }

interface There {
  readonly session: HttpSession
  readonly sent: SentCall[]
  /** What the session yields besides its calls. */
  readonly heard: JSONRPCNotification[]
  readonly losses: string[]
  /** How the session closed: undefined until it does. */
  readonly closed: () => unknown
  call(method: string, params?: object): Promise<Outcome>
}

interface Outcome {
  readonly messages: JSONRPCMessage[]
  readonly response: JSONRPCResponse
}

const sessions: HttpSession[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const session of sessions.splice(0)) await session.close()
})

/** After its handshake. `answering` sees what comes behind it; the standalone stream only where `get` is given. */
async function begun(
  answering: Answering,
  get: Answering = () => status(405),
  options: HttpSessionOptions = {},
  handshake: Answering = sent =>
    json(result(sent, { protocolVersion: '2025-06-18', capabilities: {} }), 200, SESSION),
): Promise<There> {
  const losses: string[] = []
  const client = fakeHttpClient((sent, context) => {
    if (sent.message?.method === 'initialize') return handshake(sent, context)
    if (sent.message?.method === 'notifications/initialized') return status(202)
    if (sent.method === 'GET' && sent.headers['last-event-id'] === undefined) return get(sent, context)
    return answering(sent, context)
  })
  const session = connectHttpSession(
    { name: 'fake', url: 'http://fake/mcp', client },
    { ...options, onLoss: (kind, detail) => void losses.push(`${kind}: ${detail}`) },
  )
  sessions.push(session)
  let closed: unknown
  session.onClosed = error => {
    closed = error ?? 'asked for'
  }
  const call = async (method: string, params?: object): Promise<Outcome> => {
    const request = {
      jsonrpc: '2.0',
      id: `own ${method}`,
      method,
      ...(params === undefined ? {} : { params }),
    }
    return collect(session, request as JSONRPCRequest)
  }
  await call('initialize', { protocolVersion: '2025-11-25' })
  session.deliver(INITIALIZED)
  await session.ready('tools/list')
  client.sent.length = 0
  const heard: JSONRPCNotification[] = []
  void (async () => {
    for await (const event of session.events(new Context({ binding: 'internal' }))) heard.push(event)
  })()
  await turn()
  return { session, sent: client.sent, heard, losses, closed: () => closed, call }
}

async function collect(
  session: HttpSession,
  request: JSONRPCRequest,
  context = new Context({ binding: 'internal' }),
): Promise<Outcome> {
  const exchange = session.request(request, context)
  const messages: JSONRPCMessage[] = []
  for (;;) {
    const step = await exchange.next()
    if (step.done) return { messages, response: step.value }
    messages.push(step.value)
  }
}

function turn(milliseconds = 2): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

const echo: Answering = sent => json(result(sent, { tools: [] }))
const posts = (sent: readonly SentCall[]) =>
  sent.filter(({ method }) => method === 'POST').map(({ message }) => message.method ?? 'response')

describe('a session', () => {
  it('begins without a name, and then goes by the one that it was given', async () => {
    const client = fakeHttpClient(sent => {
      if (sent.method === 'GET') return status(405)
      if (sent.message.method === 'initialize')
        return json(result(sent, { protocolVersion: '2025-06-18' }), 200, SESSION)
      return sent.message.id === undefined ? status(202) : json(result(sent, {}))
    })
    const session = connectHttpSession({ name: 'fake', url: 'http://fake/mcp', client })
    await collect(session, { jsonrpc: '2.0', id: 'i', method: 'initialize', params: {} })
    session.deliver(INITIALIZED)
    // Not before the server has taken what it was told.
    await collect(session, { jsonrpc: '2.0', id: 'x', method: 'tools/list' })
    await session.close()
    const seen = client.sent.map(sent => [
      sent.message?.method ?? sent.method,
      sent.headers['mcp-session-id'],
      sent.headers['mcp-protocol-version'],
    ])
    const named = ['session-1', '2025-06-18']
    expect(seen[0]).toEqual(['initialize', undefined, undefined])
    expect(seen[1]).toEqual(['notifications/initialized', ...named])
    expect(seen.slice(2)).toContainEqual(['GET', ...named])
    expect(seen.slice(2)).toContainEqual(['tools/list', ...named])
    expect(seen.at(-1)).toEqual(['DELETE', ...named])
  })

  it('listens before a call that may ask: with some servers a question is lost that nobody listens for', async () => {
    const order: string[] = []
    const stream = events()
    const client = fakeHttpClient(sent => {
      order.push(sent.message?.method ?? sent.method)
      if (sent.method === 'GET') return stream
      return sent.message.id === undefined
        ? status(202)
        : json(result(sent, { protocolVersion: '2025-06-18' }))
    })
    const slow: HttpClient = {
      ...client,
      async send(call, context) {
        const answer = await client.send(call, context)
        if (call.method !== 'GET') return answer
        await turn(20)
        order.push('stands')
        return answer
      },
    }
    const session = connectHttpSession({ name: 'fake', url: 'http://fake/mcp', client: slow })
    await collect(session, { jsonrpc: '2.0', id: 'i', method: 'initialize', params: {} })
    session.deliver(INITIALIZED)
    const call = collect(session, { jsonrpc: '2.0', id: 'c', method: 'tools/call', params: { name: 'x' } })
    await collect(session, { jsonrpc: '2.0', id: 'l', method: 'tools/list' })
    await call
    await session.close()
    expect(order.slice(0, 6)).toEqual([
      'initialize',
      'notifications/initialized',
      'GET',
      'tools/list',
      'stands',
      'tools/call',
    ])
  })

  it('does not wait long for a stream on which a server says nothing before it has to', async () => {
    const client = fakeHttpClient(sent => {
      if (sent.method === 'GET') return undefined
      return sent.message.id === undefined
        ? status(202)
        : json(result(sent, { protocolVersion: '2025-06-18' }))
    })
    const session = connectHttpSession({ name: 'fake', url: 'http://fake/mcp', client })
    sessions.push(session)
    await collect(session, { jsonrpc: '2.0', id: 'i', method: 'initialize', params: {} })
    session.deliver(INITIALIZED)
    const request = { jsonrpc: '2.0', id: 'c', method: 'tools/call', params: { name: 'x' } } as const
    const { response } = await collect(session, request)
    expect(response).toHaveProperty('result')
  })

  it('of a server without sessions has no name, and nothing to end', async () => {
    const { session, sent, call } = await begun(echo, undefined, {}, sent =>
      json(result(sent, { protocolVersion: '2025-03-26' })),
    )
    await call('tools/list')
    await session.close()
    expect(sent.map(({ method, headers }) => [method, headers['mcp-session-id']])).toEqual([
      ['POST', undefined],
    ])
  })

  it('that is refused says with what status, since another transport may be served there', async () => {
    const client = fakeHttpClient(sent => json(failure(sent, -32000, 'Method not allowed'), 405))
    const session = connectHttpSession({ name: 'fake', url: 'http://fake/mcp', client })
    const call = collect(session, { jsonrpc: '2.0', id: 'i', method: 'initialize', params: {} })
    await expect(call).rejects.toMatchObject({ code: 'ERR_STATUS', facts: { status: 405 } })
  })

  it('hears answers in one JSON body, in a batch, and on a stream', async () => {
    const { call, heard } = await begun(sent => {
      const note = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
      switch (sent.message.method) {
        case 'one':
          return json(result(sent, { n: 1 }))
        case 'batch':
          return json([note, result(sent, { n: 2 })])
        default:
          return events()
            .event('', 'prime')
            .event([note, { jsonrpc: '2.0', method: 'notifications/message', params: { data: 1 } }])
            .event(result(sent, { n: 3 }))
            .end()
      }
    })
    expect((await call('one')).response).toMatchObject({ id: 'own one', result: { n: 1 } })
    expect((await call('batch')).response).toMatchObject({ id: 'own batch', result: { n: 2 } })
    const streamed = await call('stream')
    expect(streamed.response).toMatchObject({ id: 'own stream', result: { n: 3 } })
    expect(streamed.messages).toEqual([
      { jsonrpc: '2.0', method: 'notifications/message', params: { data: 1 } },
    ])
    expect(heard.length).toBe(2)
  })

  it('tells the server of a cancelled call, and hangs up', async () => {
    const answer = events()
    const { session, sent } = await begun(sent => (sent.message.id === undefined ? status(202) : answer))
    const context = new Context({ binding: 'internal' })
    const call = collect(session, { jsonrpc: '2.0', id: 'x', method: 'tools/call' }, context)
    await turn()
    context.cancel('cancelled')
    await expect(call).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await turn()
    expect(sent.at(-1)?.message).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: sent.find(({ message }) => message?.method === 'tools/call')?.message.id },
    })
    expect(answer.cancelled).toBe(true)
  })

  it('answers pings wherever they come', async () => {
    const get = events().event({ jsonrpc: '2.0', id: 'a', method: 'ping' })
    const { call, sent } = await begun(
      sent =>
        sent.message.method === 'stream'
          ? events().event({ jsonrpc: '2.0', id: 'b', method: 'ping' }).event(result(sent, {})).end()
          : status(202),
      () => get,
    )
    await call('stream')
    await turn()
    const pongs = sent.filter(({ message }) => message?.result !== undefined).map(({ message }) => message.id)
    expect(pongs.sort()).toEqual(['a', 'b'])
  })
})

describe('a question', () => {
  const question = { jsonrpc: '2.0', id: 'q', method: 'elicitation/create', params: {} }

  it('belongs to the call on whose stream it comes', async () => {
    const streams = new Map<string, FakeAnswer>()
    const { session } = await begun(sent => {
      if (sent.message.method === undefined) return status(202)
      const stream = events()
      streams.set(sent.message.params.name, stream)
      return stream
    })
    const asked = ['a', 'b'].map(name => {
      const request = { jsonrpc: '2.0', id: name, method: 'tools/call', params: { name } } as const
      return session.request(request, new Context({ binding: 'internal' }))
    })
    const steps = asked.map(exchange => exchange.next())
    await turn()
    streams.get('b')?.event(question)
    await expect(steps[1]).resolves.toMatchObject({ value: question })
    steps[0]?.catch(() => {})
    expect(session.exact).toBe(true)
  })

  it('on the standalone stream waits until it is clear whose it is', async () => {
    const get = events()
    const streams = new Map<string, FakeAnswer>()
    const ids = new Map<string, number>()
    const { session, sent } = await begun(
      sent => {
        if (sent.message.method === undefined) return status(202)
        const stream = events()
        streams.set(sent.message.params.name, stream)
        ids.set(sent.message.params.name, sent.message.id)
        return stream
      },
      () => get,
    )
    const [a, b] = ['a', 'b'].map(name => {
      const request = { jsonrpc: '2.0', id: name, method: 'tools/call', params: { name } } as const
      return session.request(request, new Context({ binding: 'internal' }))
    })
    const first = a?.next()
    const second = b?.next()
    await turn()
    get.event(question)
    await turn()
    // From now on calls that may ask must come one at a time.
    expect(session.exact).toBe(false)
    streams.get('a')?.event({ jsonrpc: '2.0', id: ids.get('a'), result: {} })
    await expect(first).resolves.toMatchObject({ done: true })
    await expect(second).resolves.toMatchObject({ value: question })
    session.deliver({ jsonrpc: '2.0', id: 'q', result: { action: 'accept' } })
    await turn()
    expect(sent.at(-1)?.message).toEqual({ jsonrpc: '2.0', id: 'q', result: { action: 'accept' } })
  })

  it('that can belong to nobody is refused', async () => {
    const get = events()
    const { sent, losses } = await begun(
      () => status(202),
      () => get,
    )
    get.event(question)
    await turn()
    expect(sent.at(-1)?.message).toMatchObject({ id: 'q', error: { code: -32601 } })
    expect(losses).toEqual(['question-outside-call: elicitation/create'])
  })

  it('that never becomes clear is refused in the end', async () => {
    const get = events()
    const { session, sent } = await begun(
      sent => (sent.message.method === undefined ? status(202) : events()),
      () => get,
    )
    vi.useFakeTimers()
    for (const id of ['a', 'b'])
      collect(session, { jsonrpc: '2.0', id, method: 'tools/call' }).catch(() => {})
    await vi.advanceTimersByTimeAsync(10)
    get.event(question)
    await vi.advanceTimersByTimeAsync(9_000)
    expect(posts(sent)).toEqual(['tools/call', 'tools/call'])
    await vi.advanceTimersByTimeAsync(2_000)
    expect(sent.at(-1)?.message).toMatchObject({ id: 'q', error: { code: -32601 } })
  })
})

describe('a lost session', () => {
  const forms: readonly (readonly [string, (sent: SentCall) => FakeAnswer])[] = [
    [
      '404',
      () => json({ jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null }, 404),
    ],
    ['404 without a body', () => status(404)],
    ['410', () => status(410)],
    [
      '400, in words',
      () =>
        json(
          {
            jsonrpc: '2.0',
            error: { code: -32000, message: 'Bad Request: No valid session ID provided' },
            id: null,
          },
          400,
        ),
    ],
    ['400, in plain words', () => status(400, 'Invalid or missing session ID')],
    [
      '400, of a server that waits for a beginning',
      () =>
        json(
          {
            jsonrpc: '2.0',
            error: { code: -32000, message: 'Bad Request: Server not initialized' },
            id: null,
          },
          400,
        ),
    ],
    ['503', () => status(503, 'upstream connect error')],
    ['200 with an error', sent => json(failure(sent, -32000, 'Session expired'))],
    [
      '200 with an error on a stream',
      sent =>
        events()
          .event(failure(sent, -32001, 'Unknown session'))
          .end(),
    ],
  ]

  it.each(forms)('is known by %s, and what was refused may be sent again', async (_, answer) => {
    const { call, closed, sent } = await begun(answer)
    await expect(call('tools/call')).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: true })
    expect(closed()).toMatchObject({ code: 'ERR_CLOSED' })
    // The doubtful forms were asked about; the call itself was sent once.
    expect(posts(sent).filter(method => method === 'tools/call').length).toBe(1)
    expect(posts(sent).every(method => method === 'tools/call' || method === 'ping')).toBe(true)
    await expect(call('tools/call')).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: true })
    expect(posts(sent).filter(method => method === 'tools/call').length).toBe(1)
  })

  it.each(forms.slice(3))('is not meant by %s where a ping is answered', async (_, answer) => {
    const { call, closed, sent } = await begun(sent =>
      sent.message.method === 'ping' ? json(result(sent, {})) : answer(sent),
    )
    const outcome = await call('tools/call').then(
      ({ response }) => response,
      error => error,
    )
    if (outcome instanceof TransportError) expect(outcome.code).toBe('ERR_STATUS')
    else expect(outcome).toMatchObject({ id: 'own tools/call', error: { message: expect.any(String) } })
    expect(closed()).toBeUndefined()
    expect(posts(sent)).toEqual(['tools/call', 'ping'])
  })

  it.each([
    ['an error of the call', 404, -32601, 'Method not found'],
    ['an error of the call', 200, -32602, 'No such tool'],
    ['an error of the call', 400, -32600, 'Wrong arguments'],
  ])('is not meant by %s with status %i', async (_, code, rpc, words) => {
    const { call, closed, sent } = await begun(sent => json(failure(sent, rpc, words), code))
    expect((await call('tools/call')).response).toMatchObject({ error: { code: rpc, message: words } })
    expect(closed()).toBeUndefined()
    expect(posts(sent)).toEqual(['tools/call'])
  })

  it('leaves alone what is still being answered', async () => {
    const stream = events()
    let id: unknown
    const { session, call } = await begun(sent => {
      if (sent.message.method !== 'long') return status(404)
      id = sent.message.id
      return stream
    })
    const long = collect(session, { jsonrpc: '2.0', id: 'l', method: 'long' })
    await turn()
    await expect(call('tools/call')).rejects.toMatchObject({ retryable: true })
    stream.event({ jsonrpc: '2.0', id, result: { done: 1 } })
    await expect(long).resolves.toMatchObject({ response: { id: 'l', result: { done: 1 } } })
  })

  it('is found out by the standalone stream, too', async () => {
    let gets = 0
    const { closed } = await begun(echo, () =>
      ++gets === 1 ? events().write('retry: 5\n\n').end() : status(404),
    )
    await vi.waitFor(() => expect(closed()).toMatchObject({ code: 'ERR_CLOSED' }))
    expect(gets).toBe(2)
  })
})

describe('a stream that breaks', () => {
  it('goes on behind its last event, as often as it has to', async () => {
    let id: unknown
    const resumed: (string | undefined)[] = []
    const progress = (n: number) => ({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: id, progress: n },
    })
    const { call } = await begun(sent => {
      if (sent.method === 'POST') {
        id = sent.message.id
        return events().write('retry: 1\n\n').event('', 'e0').event(progress(1), 'e1').end(new Error('reset'))
      }
      const last = sent.headers['last-event-id']
      resumed.push(last)
      if (last === 'e1' && resumed.length === 1) throw new TransportError('ERR_CONNECT', 'refused')
      if (last === 'e1' && resumed.length === 2) return status(503)
      if (last === 'e1') return events().event(progress(2), 'e2').end()
      return events()
        .event(progress(3), 'e3')
        .event({ jsonrpc: '2.0', id, result: { ok: 1 } }, 'e4')
        .end()
    })
    const { messages, response } = await call('tools/call', { name: 'x', _meta: { progressToken: 'mine' } })
    expect(messages.map(message => ('params' in message ? message.params : undefined))).toEqual(
      [1, 2, 3].map(n => ({ progressToken: 'mine', progress: n })),
    )
    expect(response).toMatchObject({ result: { ok: 1 } })
    expect(resumed).toEqual(['e1', 'e1', 'e1', 'e2'])
  })

  it('loses and doubles nothing in 10,000 events with a cut every 100', async () => {
    const total = 10_000
    let id: unknown
    let runs = 0
    const from = (first: number) => {
      const stream = events().write('retry: 0\n\n')
      const end = Math.min(total, first + 99)
      for (let n = first; n <= end; n++) {
        const params = { progressToken: id, progress: n }
        stream.event({ jsonrpc: '2.0', method: 'notifications/progress', params }, `e${n}`)
      }
      return end === total ? stream.event({ jsonrpc: '2.0', id, result: {} }) : stream.end(new Error('reset'))
    }
    const { call } = await begun(sent => {
      if (sent.method === 'POST') {
        id = sent.message.id
        runs++
        return from(1)
      }
      return from(Number(sent.headers['last-event-id']?.slice(1)) + 1)
    })
    const { messages } = await call('tools/call', { _meta: { progressToken: 'mine' } })
    expect(messages.map(message => ('params' in message ? message.params?.progress : undefined))).toEqual(
      Array.from({ length: total }, (_, index) => index + 1),
    )
    expect(runs).toBe(1)
  })

  it('waits as long as the server asks', async () => {
    let id: unknown
    let resumedAt = 0
    const { call } = await begun(sent => {
      if (sent.method === 'POST') {
        id = sent.message.id
        return events().write('id: e0\nretry: 150\ndata:\n\n').end()
      }
      resumedAt = performance.now()
      return events().event({ jsonrpc: '2.0', id, result: {} })
    })
    const started = performance.now()
    await call('tools/call')
    expect(resumedAt - started).toBeGreaterThanOrEqual(145)
  })

  it.each([
    [
      'had no ids',
      () => events().event({ jsonrpc: '2.0', method: 'notifications/message' }).end(),
      undefined,
    ],
    ['cannot be resumed', () => events().event('', 'e0').end(), () => status(405)],
    ['is not known any more', () => events().event('', 'e0').end(), () => status(400)],
    ['belonged to a session that is lost', () => events().event('', 'e0').end(), () => status(404)],
  ])('and %s fails its call for good', async (_, first, second) => {
    const { call } = await begun(sent => (sent.method === 'POST' ? first() : (second?.() ?? status(500))))
    await expect(call('tools/call')).rejects.toMatchObject({
      code: 'ERR_CLOSED',
      retryable: false,
      message: expect.stringContaining('before the response came'),
    })
  })
})

describe('the standalone stream', () => {
  it.each([405, 404, 400, 406, 501])(
    'is not there where the server answers %i, and nobody asks again',
    async code => {
      let gets = 0
      const { closed } = await begun(echo, () => {
        gets++
        return status(code)
      })
      await turn(300)
      expect(gets).toBe(1)
      expect(closed()).toBeUndefined()
    },
  )

  it('is opened again behind its last event, at the time that the server asks for', async () => {
    const lastEvents: (string | undefined)[] = []
    let gets = 0
    const change = { jsonrpc: '2.0', method: 'notifications/tools/list_changed' }
    const get: Answering = sent => {
      lastEvents.push(sent.headers['last-event-id'])
      return ++gets > 3 ? events() : events().write('retry: 3\n\n').event(change, `e${gets}`).end()
    }
    const { heard } = await begun(get, get)
    await vi.waitFor(() => expect(gets).toBe(4))
    expect(lastEvents).toEqual([undefined, 'e1', 'e2', 'e3'])
    expect(heard.length).toBe(3)
  })

  it('brings progress to its call, logs only where it is clear whose they are, and even answers', async () => {
    const get = events()
    let id: unknown
    const { call, heard } = await begun(
      sent => {
        id = sent.message.id
        setTimeout(() => {
          get.event({
            jsonrpc: '2.0',
            method: 'notifications/progress',
            params: { progressToken: id, progress: 1 },
          })
          get.event({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'mine' } })
          get.event({ jsonrpc: '2.0', id, result: { late: true } })
          get.event({ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'nobody' } })
        }, 5)
        return status(202)
      },
      () => get,
    )
    const { messages, response } = await call('tools/call', { _meta: { progressToken: 'own' } })
    expect(messages).toEqual([
      { jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'own', progress: 1 } },
      { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'mine' } },
    ])
    expect(response).toMatchObject({ id: 'own tools/call', result: { late: true } })
    await turn()
    expect(heard).toEqual([{ jsonrpc: '2.0', method: 'notifications/message', params: { data: 'nobody' } }])
  })
})
