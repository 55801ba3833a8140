import { afterEach, describe, expect, it, vi } from 'vitest'
import { Context } from '../../../src/exchange/context.js'
import { TransportError } from '../../../src/exchange/errors.js'
import type { HttpClient } from '../../../src/exchange/http-client.js'
import type { Noise } from '../../../src/protocol/line-codec.js'
import type { JSONRPCMessage } from '../../../src/protocol/message.js'
import type { Channel } from '../../../src/transport/channel/channel.js'
import { connectSession } from '../../../src/transport/channel/connect-session.js'
import { connectSse } from '../../../src/transport/sse/connect.js'
import {
  type Answering,
  events,
  type FakeAnswer,
  fakeHttpClient,
  type SentCall,
  status,
} from '../../fixtures/fake-http-client.js'

const URL_OF_STREAM = 'http://fake:81/a/sse?key=1'

interface There {
  readonly channel: Channel
  readonly stream: FakeAnswer
  readonly posts: SentCall[]
  readonly messages: JSONRPCMessage[]
  readonly noise: Noise[]
  readonly undelivered: [JSONRPCMessage, Error][]
  readonly closed: (Error | undefined)[]
}

afterEach(() => void vi.useRealTimers())

async function opened(post: Answering = () => status(202), endpoint = '/messages?session=1'): Promise<There> {
  const stream = events().write(`event: endpoint\ndata: ${endpoint}\n\n`)
  const client = fakeHttpClient((sent, context) => (sent.method === 'GET' ? stream : post(sent, context)))
  const options = { name: 'fake', url: URL_OF_STREAM, client, headers: { 'x-key': 'k' }, maxMessage: 10_000 }
  const channel = await connectSse(options, new Context({ binding: 'internal' }))
  const there: There = {
    channel,
    stream,
    posts: client.sent,
    messages: [],
    noise: [],
    undelivered: [],
    closed: [],
  }
  channel.listen({
    message: message => void there.messages.push(message),
    noise: noise => void there.noise.push(noise),
    undelivered: (message, error) => void there.undelivered.push([message, error]),
    closed: error => void there.closed.push(error),
  })
  client.sent.length = 0
  return there
}

function turn(milliseconds = 2): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, milliseconds))
}

describe('HTTP+SSE', () => {
  it.each([
    ['/messages?session=1', 'http://fake:81/messages?session=1'],
    ['messages', 'http://fake:81/a/messages'],
    ['?session=1', 'http://fake:81/a/sse?session=1'],
    ['http://fake:81/elsewhere', 'http://fake:81/elsewhere'],
  ])('posts to where the stream says: %s', async (endpoint, url) => {
    const { channel, posts } = await opened(undefined, endpoint)
    channel.send({ jsonrpc: '2.0', id: 1, method: 'x' })
    await turn()
    expect(posts).toMatchObject([{ method: 'POST', url, message: { id: 1 }, headers: { 'x-key': 'k' } }])
  })

  it.each([
    'http://other:81/messages',
    'https://fake:81/messages',
    '//fake:82/messages',
    'http://[',
    'data:,x',
  ])('never posts to another origin: %s', async endpoint => {
    const opening = opened(undefined, endpoint)
    await expect(opening).rejects.toMatchObject({ code: 'ERR_PROTOCOL' })
  })

  it.each([
    ['405', () => status(405), 'ERR_STATUS'],
    ['a web page', () => status(200, '<html>', 'text/html'), 'ERR_HANDSHAKE'],
    ['an end', () => events().end(), 'ERR_CLOSED'],
  ])('is not there where the GET meets %s', async (_, answer, code) => {
    const client = fakeHttpClient(answer)
    const opening = connectSse(
      { name: 'fake', url: URL_OF_STREAM, client },
      new Context({ binding: 'internal' }),
    )
    await expect(opening).rejects.toMatchObject({ code })
  })

  it('is not waited for for ever', async () => {
    const stream = events()
    const client = fakeHttpClient(() => stream)
    const endpoint = { name: 'fake', url: URL_OF_STREAM, client }
    const opening = connectSse(endpoint, new Context({ binding: 'internal' }), { startTimeout: 20 })
    await expect(opening).rejects.toMatchObject({ code: 'ERR_TIMEOUT', facts: { knob: '--start-timeout' } })
    expect(stream.cancelled).toBe(true)
    const context = new Context({ binding: 'internal' })
    const cancelled = connectSse(endpoint, context)
    await turn()
    context.cancel('shutdown')
    await expect(cancelled).rejects.toBeInstanceOf(TransportError)
  })

  it('delivers what the stream brings, and says what is no message', async () => {
    const { stream, messages, noise } = await opened()
    stream
      .event({ jsonrpc: '2.0', id: 1, result: {} })
      .write('event: other\ndata: {"jsonrpc":"2.0","id":2,"result":{}}\n\n')
      .event([{ jsonrpc: '2.0', id: 3, result: {} }])
      .write('data: hello\n\n')
      .write(`data: ${'x'.repeat(20_000)}\n\n`)
      .event({ jsonrpc: '2.0', id: 4, result: {} })
    expect(messages.map(message => ('id' in message ? message.id : undefined))).toEqual([1, 3, 4])
    expect(noise.map(({ kind }) => kind)).toEqual(['not-json', 'too-large'])
  })

  it('keeps what is said about a message behind it', async () => {
    let take = () => {}
    const taken = new Promise<void>(resolve => {
      take = resolve
    })
    const stream = events().write('event: endpoint\ndata: /m\n\n')
    const inner = fakeHttpClient(sent => (sent.method === 'GET' ? stream : status(202)))
    const client: HttpClient = {
      ...inner,
      async send(call, context) {
        const answer = await inner.send(call, context)
        if (inner.sent.at(-1)?.message?.id !== undefined) await taken
        return answer
      },
    }
    const channel = await connectSse(
      { name: 'fake', url: URL_OF_STREAM, client },
      new Context({ binding: 'internal' }),
    )
    channel.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    channel.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    await turn(20)
    expect(inner.sent.slice(1).map(({ message }) => message.method)).toEqual(['tools/call'])
    take()
    await vi.waitFor(() => expect(inner.sent.at(-1)?.message.method).toBe('notifications/cancelled'))
  })

  it('tells the call whose message was not taken', async () => {
    const { channel, undelivered, closed } = await opened(() => status(503, 'busy'))
    channel.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })
    await turn()
    expect(undelivered).toMatchObject([[{ id: 1 }, { code: 'ERR_STATUS', facts: { status: 503 } }]])
    expect(closed).toEqual([])
  })

  it('is over where the server does not know it any more: what was refused may be sent again', async () => {
    const stream = events().write('event: endpoint\ndata: /m\n\n')
    const client = fakeHttpClient(sent => {
      if (sent.method === 'GET') return stream
      return sent.message.method === 'lost' ? status(404) : status(202)
    })
    const channel = await connectSse(
      { name: 'fake', url: URL_OF_STREAM, client },
      new Context({ binding: 'internal' }),
    )
    const session = connectSession(channel)
    const call = (method: string) =>
      session.request({ jsonrpc: '2.0', id: method, method }, new Context({ binding: 'internal' })).next()
    const running = call('running')
    running.catch(() => {})
    await turn()
    await expect(call('lost')).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: true })
    await expect(running).rejects.toMatchObject({ code: 'ERR_CLOSED', retryable: false })
    expect(stream.cancelled).toBe(true)
    expect(session.calls.closed).toBe(true)
  })

  it('is over where its stream ends', async () => {
    const { stream, closed, channel } = await opened()
    stream.end()
    expect(closed).toMatchObject([{ code: 'ERR_CLOSED' }])
    expect(channel.send({ jsonrpc: '2.0', id: 1, method: 'x' })).toBe(true)
    await channel.close()
    expect(closed.length).toBe(1)
  })

  it('writes what is left, hangs up, and says nothing of an end that was asked for', async () => {
    const { stream, closed, channel, posts } = await opened()
    channel.send({ jsonrpc: '2.0', id: 1, method: 'x' })
    await channel.close()
    expect(posts.length).toBe(1)
    expect(stream.cancelled).toBe(true)
    expect(closed).toEqual([undefined])
  })

  it('asks its sender to wait where many messages are under way', async () => {
    let answering = false
    const waiting: (() => void)[] = []
    const { channel } = await opened((_, context) => {
      if (answering) return status(202)
      waiting.push(() => context.cancel('cancelled'))
      return undefined
    })
    let room = true
    for (let id = 0; id < 64; id++) room = channel.send({ jsonrpc: '2.0', id, method: 'x' })
    expect(room).toBe(false)
    const drained = vi.fn()
    void channel.drained().then(drained)
    await turn()
    expect(drained).not.toHaveBeenCalled()
    answering = true
    waiting[0]?.()
    await vi.waitFor(() => expect(drained).toHaveBeenCalled())
  })
})
