/** A legacy client: at a modern handler that asks, and through it at a legacy server, both eras in one process. */

import { afterEach, describe, expect, it } from 'vitest'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import { type CancelReason, Context } from '../../../src/exchange/context.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import { type ServedSession, type ToSessionOptions, toSession } from '../../../src/legacy/to-session.js'
import {
  errorResponse,
  type JSONObject,
  type JSONRPCErrorObject,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  resultResponse,
} from '../../../src/protocol/message.js'
import { readResult } from '../../../src/protocol/raw-json.js'
import { form, type LegacyTool, legacyPeer, text } from '../../fixtures/legacy-peer.js'
import { until } from '../../fixtures/until.js'

const open: Upstream[] = []

afterEach(async () => {
  for (const up of open.splice(0)) await up.close()
})

type Answer = JSONObject | { readonly error: JSONRPCErrorObject } | undefined

interface LegacyCall {
  /** Answers a question; undefined leaves it open. */
  readonly answer?: (question: JSONRPCRequest) => Answer
  readonly context?: Context
}

interface LegacyReply {
  readonly result?: JSONObject
  readonly error?: JSONRPCErrorObject
  readonly questions: JSONRPCRequest[]
  readonly notifications: JSONRPCNotification[]
}

let nextId = 1

async function request(
  session: ServedSession,
  method: string,
  params: JSONObject = {},
  { answer = () => undefined, context = new Context({ binding: 'internal' }) }: LegacyCall = {},
): Promise<LegacyReply> {
  const questions: JSONRPCRequest[] = []
  const notifications: JSONRPCNotification[] = []
  const exchange = session.request({ jsonrpc: '2.0', id: nextId++, method, params }, context)
  for (;;) {
    const step = await exchange.next()
    if (step.done) {
      const response = step.value
      return 'error' in response
        ? { error: response.error, questions, notifications }
        : { result: readResult(response.result), questions, notifications }
    }
    const message = step.value
    if (!('id' in message)) notifications.push(message)
    else {
      questions.push(message)
      const given = answer(message)
      if (given === undefined) continue
      const response =
        'error' in given
          ? errorResponse(message.id, given.error as JSONRPCErrorObject)
          : resultResponse(message.id, given)
      setTimeout(() => session.deliver(response), 0)
    }
  }
}

const ALL = { sampling: {}, elicitation: { form: {}, url: {} }, roots: {} }

async function client(handler: Handler, version = '2025-11-25', options: ToSessionOptions = {}) {
  const losses: string[] = []
  const session = toSession(handler, {
    onLoss: (kind, detail) => losses.push(`${kind}: ${detail}`),
    ...options,
  })
  const opened = await request(session, 'initialize', {
    protocolVersion: version,
    capabilities: ALL,
    clientInfo: { name: 'c', version: '1' },
  })
  expect(opened.result?.protocolVersion).toBe(version)
  session.deliver({ jsonrpc: '2.0', method: 'notifications/initialized' })
  const call = (options: LegacyCall = {}, params: JSONObject = {}) =>
    request(session, 'tools/call', { name: 'tool', ...params }, options)
  return { session, losses, call }
}

const WORDS = { type: 'text', text: 'hear' }
const SOUND = { type: 'audio', data: 'AA==', mimeType: 'audio/wav' }
const SAMPLING = {
  messages: [{ role: 'user', content: [WORDS, SOUND] }],
  maxTokens: 1,
}

/** A modern server whose call is what `tool` makes of it. */
function modern(tool: (request: JSONRPCRequest) => JSONObject | Promise<JSONObject>): Handler {
  return async function* (request) {
    if (request.method === 'server/discover') {
      return resultResponse(request.id, {
        resultType: 'complete',
        supportedVersions: ['2026-07-28'],
        capabilities: { tools: {}, prompts: {} },
      })
    }
    const token = request.params?._meta?.progressToken
    if (token !== undefined) {
      const params = { progressToken: token as string, progress: 1, message: 'half' }
      yield { jsonrpc: '2.0', method: 'notifications/progress', params }
    }
    return resultResponse(request.id, await tool(request))
  }
}

const asking = (inputRequests: JSONObject): Handler =>
  modern(({ params }) =>
    params?.requestState === undefined
      ? { resultType: 'input_required', inputRequests, requestState: 'state' }
      : { resultType: 'complete', content: [], structuredContent: params.inputResponses },
  )

it.each(['server/discover', 'subscriptions/listen'])(
  'a session knows no %s, and so a bridge in front of it does not pass for a modern server',
  async method => {
    const asked: string[] = []
    const session = toSession(async function* ({ id, method }) {
      asked.push(method)
      return resultResponse(id, { resultType: 'complete' })
    })
    await request(session, 'initialize', { protocolVersion: '2025-11-25', capabilities: {} })
    const { error } = await request(session, method).catch(error => ({ error }))
    expect(error).toMatchObject({ code: -32601 })
    expect(asked).toEqual(['server/discover'])
  },
)

describe('a call that comes back with questions', () => {
  it('asks again for as many rounds as are allowed, and no more', async () => {
    let rounds = 0
    const handler = modern(() => ({
      resultType: 'input_required',
      inputRequests: { q: { method: 'roots/list' } },
      requestState: `round ${++rounds}`,
    }))
    const { call } = await client(handler)
    const reply = await call({ answer: () => ({ roots: [] }) })
    expect(reply.error).toMatchObject({
      code: -32603,
      message: expect.stringContaining('more than 10 times'),
    })
    expect(reply.questions).toHaveLength(10)
    expect(rounds).toBe(11)
  })

  it('is sent again with its state alone where nothing is asked', async () => {
    let seen: JSONObject | undefined
    const { call } = await client(
      modern(({ params }) => {
        if (params?.requestState === undefined) return { resultType: 'input_required', requestState: 'later' }
        seen = params
        return { resultType: 'complete', content: [] }
      }),
    )
    expect((await call()).result).toEqual({ content: [] })
    expect(seen).toMatchObject({ requestState: 'later' })
    expect(seen).not.toHaveProperty('inputResponses')
  })

  it.each(['task', 'unknown', '', 7])('of the unknown kind %j is an error', async resultType => {
    const { call } = await client(modern(() => ({ resultType, content: [] }) as JSONObject))
    expect((await call()).error).toMatchObject({ code: -32603 })
  })

  it('is an error where its method has no questions', async () => {
    const { session } = await client(modern(() => ({ resultType: 'input_required', requestState: 's' })))
    expect((await request(session, 'tools/list')).error).toMatchObject({ code: -32603 })
  })

  it('fails where the client does not answer in time', async () => {
    const { call } = await client(asking({ q: { method: 'roots/list' } }), undefined, { answerTimeout: 30 })
    expect((await call()).error).toMatchObject({ code: -32001, message: expect.stringContaining('30 ms') })
  })
})

describe('a refusal', () => {
  it.each([
    [-1, 'decline'],
    [-32603, 'cancel'],
  ])('of an elicitation (%i) is the answer %s', async (code, action) => {
    const { call, losses } = await client(asking({ q: { method: 'elicitation/create', params: form('?') } }))
    const reply = await call({ answer: () => ({ error: { code, message: 'no' } }) })
    expect(reply.result?.structuredContent).toEqual({ q: { action } })
    expect(losses).toEqual([])
  })

  it('of a sampling, which modern servers cannot be told, fails the call and is counted', async () => {
    const { call, losses } = await client(
      asking({ q: { method: 'sampling/createMessage', params: SAMPLING } }),
    )
    const reply = await call({ answer: () => ({ error: { code: -1, message: 'User rejected' } }) })
    expect(reply.error).toEqual({
      code: -32603,
      message: 'The client refused sampling/createMessage: User rejected',
    })
    expect(losses).toEqual(['sampling-rejected: User rejected'])
  })
})

describe('notifications of the client', () => {
  it('that no modern server takes are counted', async () => {
    const { session, losses } = await client(modern(() => ({ resultType: 'complete' })))
    session.deliver({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' })
    expect(losses).toEqual(['roots-list-changed: notifications/roots/list_changed'])
  })
})

describe('both eras in one process', () => {
  async function between(tool: LegacyTool, options: ToSessionOptions = {}) {
    const peer = legacyPeer({ tool })
    const up = upstream(peer.target, {
      protocol: 'legacy',
      maxAskingConnections: 1,
      maxSuspendedConnections: 0,
      settle: 1,
      spillAfter: 20,
    })
    open.push(up)
    return { peer, up, ...(await client(up.handler, undefined, options)) }
  }

  const ask: LegacyTool = async ({ ask }) => {
    const answer = await ask('sampling/createMessage', SAMPLING, 'q')
    return text(JSON.stringify('result' in answer ? answer.result : answer.error))
  }

  it('a refused sampling reaches the server as it is', async () => {
    const { call, losses, peer } = await between(ask)
    const error = { code: -1, message: 'User rejected', data: { kept: [1] } }
    const reply = await call({ answer: () => ({ error }) })
    expect(reply.result).toMatchObject(text(JSON.stringify(error)))
    expect(losses).toEqual([])
    expect(peer.runs.get('tool')).toBe(1)
  })

  it.each<[string, (context: Context, session: ServedSession) => void]>([
    ['a cancelled call', context => context.cancel('cancelled' satisfies CancelReason)],
    ['a client that leaves', context => context.cancel('hangup')],
    ['a session that ends', (_context, session) => void session[Symbol.asyncDispose]()],
  ])('%s ends its question at once, and frees the connection', async (_what, end) => {
    const { session, peer, up } = await between(ask)
    const context = new Context({ binding: 'internal' })
    let asked = false
    const pending = request(
      session,
      'tools/call',
      { name: 'tool' },
      {
        context,
        answer: () => {
          asked = true
          return undefined
        },
      },
    ).catch(error => error)
    await until(() => asked, 'the question')
    await new Promise(resolve => setTimeout(resolve, 5))
    end(context, session)
    expect(await pending).toMatchObject({ code: 'ERR_CANCELLED' })
    const answered = () => peer.received.find(message => !('method' in message) && message.id === 'q')
    await until(() => answered() !== undefined, 'the answer to the server')
    expect(answered()).toMatchObject({ error: { message: 'Nobody answered' } })
    expect(peer.received).toContainEqual(
      expect.objectContaining({ method: 'notifications/cancelled', params: expect.anything() }),
    )
    const other = await client(up.handler)
    const begun = performance.now()
    const SAMPLE = { role: 'assistant', content: { type: 'text', text: 'x' }, model: 'm' }
    expect((await other.call({ answer: () => SAMPLE })).result).toMatchObject(text(JSON.stringify(SAMPLE)))
    expect(performance.now() - begun).toBeLessThan(1_000)
    expect(peer.target.served).toHaveLength(1)
  })

  it.each<[string, Answer, ToSessionOptions]>([
    ['answers with what is no answer', { nonsense: true }, {}],
    ['does not answer', undefined, { answerTimeout: 30 }],
  ])('a client that %s loses its call, and the connection is free', async (_what, answer, options) => {
    const { call, peer } = await between(ask, options)
    expect((await call({ answer: () => answer })).error).toBeDefined()
    const answered = () => peer.received.find(message => !('method' in message) && message.id === 'q')
    await until(() => answered() !== undefined, 'the answer to the server')
    expect((await call({ answer: () => answer })).error).toBeDefined()
    expect(peer.runs.get('tool')).toBe(2)
    expect(peer.target.served).toHaveLength(1)
  })
})

describe.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('a client of %s', version => {
  const blocks = [
    { type: 'text', text: 't', annotations: { priority: 1 } },
    { type: 'image', data: 'AA==', mimeType: 'image/png' },
    { type: 'audio', data: 'AA==', mimeType: 'audio/wav' },
    { type: 'resource_link', uri: 'a:b', name: 'link', title: 'Link' },
    { type: 'resource', resource: { uri: 'a:b', text: 'x' } },
  ]
  const link = { type: 'text', text: 'link: a:b' }
  const audio = { type: 'text', text: '[audio content, audio/wav]' }
  const expected = {
    '2024-11-05': [blocks[0], blocks[1], audio, link, blocks[4]],
    '2025-03-26': [blocks[0], blocks[1], blocks[2], link, blocks[4]],
    '2025-06-18': blocks,
    '2025-11-25': blocks,
  }[version] as JSONObject[]

  it('gets the content types that it knows, from tools and prompts', async () => {
    const { call, session } = await client(
      modern(({ method }) => ({
        resultType: 'complete',
        ttlMs: 0,
        cacheScope: 'private',
        'x-kept': 1,
        ...(method === 'tools/call'
          ? { content: blocks }
          : { messages: blocks.map(content => ({ role: 'user', content, 'x-kept': 2 })) }),
      })),
      version,
    )
    expect((await call()).result).toEqual({ 'x-kept': 1, content: expected })
    expect((await request(session, 'prompts/get', { name: 'p' })).result).toEqual({
      'x-kept': 1,
      messages: expected.map(content => ({ role: 'user', content, 'x-kept': 2 })),
    })
  })

  it('gets progress under its own token, with the message', async () => {
    const { call } = await client(
      modern(() => ({ resultType: 'complete', content: [] })),
      version,
    )
    const { notifications } = await call({}, { _meta: { progressToken: 0 } })
    // 2024-11-05 has no message, but its schema lets unknown members be.
    expect(notifications.map(({ params }) => params)).toEqual([
      { progressToken: 0, progress: 1, message: 'half' },
    ])
  })

  it('is asked to sample in messages that it knows', async () => {
    const { call } = await client(
      asking({ q: { method: 'sampling/createMessage', params: { ...SAMPLING, 'x-kept': 1 } } }),
      version,
    )
    const { questions } = await call({ answer: () => ({ role: 'assistant', content: {}, model: 'm' }) })
    const messages =
      version === '2025-11-25'
        ? SAMPLING.messages
        : [
            { role: 'user', content: WORDS },
            { role: 'user', content: version === '2024-11-05' ? audio : SOUND },
          ]
    expect(questions.map(({ params }) => params)).toEqual([{ messages, maxTokens: 1, 'x-kept': 1 }])
  })

  it('is shown forms as it knows them, and the server gets back what it asked for', async () => {
    const requestedSchema = {
      type: 'object',
      properties: {
        plain: { type: 'string', enum: ['a', 'b'] },
        titled: { type: 'string', oneOf: [{ const: 'r', title: 'Red' }, { const: 'g' }] },
        several: {
          type: 'array',
          description: 'Colours',
          items: {
            anyOf: [
              { const: 'r', title: 'Red' },
              { const: 'g', title: 'Green' },
            ],
          },
          minItems: 1,
          default: ['r', 'g'],
        },
      },
      required: ['several'],
    }
    const params = { mode: 'form', message: '?', requestedSchema }
    const { call } = await client(asking({ q: { method: 'elicitation/create', params } }), version)
    const old = version !== '2025-11-25'
    const content = { plain: 'a', titled: 'r', several: old ? 'r, g' : ['r', 'g'] }
    const reply = await call({ answer: () => ({ action: 'accept', content }) })
    expect(reply.result?.structuredContent).toEqual({
      q: { action: 'accept', content: { plain: 'a', titled: 'r', several: ['r', 'g'] } },
    })
    const shown = reply.questions[0]?.params
    if (!old) expect(shown).toEqual(params)
    else {
      expect(shown).toEqual({
        message: '?',
        requestedSchema: {
          ...requestedSchema,
          properties: {
            plain: { type: 'string', enum: ['a', 'b'] },
            titled: { type: 'string', enum: ['r', 'g'], enumNames: ['Red', 'g'] },
            several: {
              type: 'string',
              description: 'Colours (several of r, g, separated by commas)',
              default: 'r, g',
            },
          },
        },
      })
    }
  })
})

/** Answers are matched by id alone, so that a late one for an ended call must not reach the next. */
it('a late answer reaches nobody', async () => {
  const { call, session } = await client(asking({ q: { method: 'roots/list' } }))
  const context = new Context({ binding: 'internal' })
  const lost = call({ context }).catch(error => error)
  await new Promise(resolve => setTimeout(resolve, 5))
  context.cancel('cancelled')
  await lost
  session.deliver(resultResponse('q', { roots: [{ uri: 'late:' }] }) as JSONRPCResponse)
  const reply = await call({ answer: () => ({ roots: [] }) })
  expect(reply.result?.structuredContent).toEqual({ q: { roots: [] } })
})
