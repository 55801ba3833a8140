/** A modern client at a legacy server that asks. */

import { afterEach, describe, expect, it } from 'vitest'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { Context } from '../../../src/exchange/context.js'
import type { JSONObject, JSONRPCNotification } from '../../../src/protocol/message.js'
import {
  form,
  type LegacyPeerOptions,
  type LegacyTool,
  type LegacyToolCall,
  LegacyToolError,
  legacyPeer,
  text,
} from '../../fixtures/legacy-peer.js'
import { type ModernReply, type ModernRequestOptions, modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const open: Upstream[] = []

afterEach(async () => {
  for (const up of open.splice(0)) await up.close()
})

function serve(tool: LegacyTool, options: UpstreamOptions = {}, server: LegacyPeerOptions = {}) {
  const losses: string[] = []
  const peer = legacyPeer({ tool }, server)
  const up = upstream(peer.target, {
    protocol: 'legacy',
    onLoss: (kind, detail) => losses.push(`${kind}: ${detail}`),
    ...options,
  })
  open.push(up)
  const call = (extra: JSONObject = {}, request: ModernRequestOptions = {}) =>
    modernRequest(up.handler, 'tools/call', { name: 'tool', arguments: { a: 1 }, ...extra }, request)
  return { peer, up, call, losses }
}

const accepted = (v: string) => ({ action: 'accept', content: { v } })
const SAMPLE = { role: 'assistant', content: { type: 'text', text: 'said' }, model: 'm' }
const SAMPLING = { messages: [{ role: 'user', content: { type: 'text', text: 'hi' } }], maxTokens: 1 }

function retry(reply: ModernReply, inputResponses: JSONObject): JSONObject {
  expect(reply.error).toBeUndefined()
  expect(reply.result?.resultType).toBe('input_required')
  return { requestState: reply.result?.requestState, inputResponses }
}

const keysOf = ({ result }: ModernReply) => Object.keys(result?.inputRequests ?? {})
const textOf = ({ result }: ModernReply) =>
  (result?.content as { readonly text: string }[] | undefined)?.[0]?.text

const resultOf = (answer: Awaited<ReturnType<LegacyToolCall['ask']>>) =>
  'result' in answer ? answer.result : answer.error

describe('questions', () => {
  it('that come together go out together, and later ones in the next round', async () => {
    const { call, peer } = serve(async ({ ask }) => {
      const first = await Promise.all([
        ask('elicitation/create', form('one'), 'f'),
        ask('sampling/createMessage', SAMPLING, 7),
        ask('roots/list', undefined, 'r'),
      ])
      const second = await ask('elicitation/create', form('two'), 'f')
      return text(JSON.stringify([...first, second].map(resultOf)))
    })
    const one = await call()
    expect(one.result?.inputRequests).toEqual({
      f: { method: 'elicitation/create', params: form('one') },
      7: { method: 'sampling/createMessage', params: SAMPLING },
      r: { method: 'roots/list' },
    })
    const two = await call(retry(one, { f: accepted('1'), 7: SAMPLE, r: { roots: [] }, unknown: {} }))
    expect(two.result?.inputRequests).toEqual({ f: { method: 'elicitation/create', params: form('two') } })
    expect(two.result?.requestState).not.toBe(one.result?.requestState)
    const done = await call(retry(two, { f: { action: 'decline' } }))
    expect(JSON.parse(textOf(done) as string)).toEqual([
      accepted('1'),
      SAMPLE,
      { roots: [] },
      { action: 'decline' },
    ])
    expect(peer.runs.get('tool')).toBe(1)
  })

  it('that are left unanswered are asked again, and only those', async () => {
    const { call } = serve(async ({ ask }) => {
      const all = await Promise.all(['a', 'b'].map(key => ask('elicitation/create', form(key), key)))
      return text(JSON.stringify(all.map(resultOf)))
    })
    const one = await call()
    expect(keysOf(one)).toEqual(['a', 'b'])
    const two = await call(retry(one, { b: accepted('b') }))
    expect(keysOf(two)).toEqual(['a'])
    const { requestState } = retry(two, {})
    const three = await call({ requestState })
    expect(keysOf(three)).toEqual(['a'])
    const done = await call(retry(three, { a: accepted('a') }))
    expect(JSON.parse(textOf(done) as string)).toEqual([accepted('a'), accepted('b')])
  })

  it.each<[string, unknown]>([
    ['no object', 7],
    ['null', null],
    ['a list', []],
    ['an answer that is no object', { q: 'yes' }],
    ['no action', { q: {} }],
    ['an unknown action', { q: { action: 'maybe' } }],
  ])('answered by %s are refused, and the state stays good', async (_what, inputResponses) => {
    const { call, peer } = serve(async ({ ask }) =>
      text(JSON.stringify(resultOf(await ask('elicitation/create', form('?'), 'q')))),
    )
    const one = await call()
    const state = retry(one, { q: accepted('x') })
    expect(await call({ ...state, inputResponses })).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('inputResponses') },
    })
    expect(JSON.parse(textOf(await call(state)) as string)).toEqual(accepted('x'))
    expect(peer.runs.get('tool')).toBe(1)
  })

  it.each<[string, JSONObject | undefined, JSONObject]>([
    ['sampling/createMessage', SAMPLING, { role: 'assistant', model: 'm' }],
    ['roots/list', undefined, { roots: 'none' }],
  ])('%s must be answered by what it asks for', async (method, params, wrong) => {
    const { call } = serve(async ({ ask }) => text(JSON.stringify(resultOf(await ask(method, params, 'q')))))
    const one = await call()
    expect((await call(retry(one, { q: wrong }))).error?.code).toBe(-32602)
  })

  it('may be answered before they are asked; what does not fit is asked for', async () => {
    const { call } = serve(async ({ ask }) => {
      const all = await Promise.all(['a', 'b'].map(key => ask('elicitation/create', form(key), key)))
      return text(JSON.stringify(all.map(resultOf)))
    })
    const one = await call({ inputResponses: { a: accepted('a'), b: {}, other: accepted('c') } })
    expect(keysOf(one)).toEqual(['b'])
    expect(JSON.parse(textOf(await call(retry(one, { b: accepted('b') }))) as string)).toEqual([
      accepted('a'),
      accepted('b'),
    ])
  })

  it('that the server takes back are not asked any more', async () => {
    let withdraw: () => void = () => {}
    const { call } = serve(async ({ ask, notify }) => {
      void ask('elicitation/create', form('early'), 'early')
      notify('notifications/cancelled', { requestId: 'early' })
      void ask('elicitation/create', form('late'), 'late')
      withdraw = () => notify('notifications/cancelled', { requestId: 'late' })
      const kept = await ask('elicitation/create', form('kept'), 'kept')
      return text(JSON.stringify(resultOf(kept)))
    })
    const one = await call()
    expect(keysOf(one)).toEqual(['late', 'kept'])
    withdraw()
    await new Promise(resolve => setTimeout(resolve, 5))
    const two = await call(retry(one, {}))
    expect(keysOf(two)).toEqual(['kept'])
    expect(textOf(await call(retry(two, { late: accepted('x'), kept: accepted('y') })))).toBe(
      JSON.stringify(accepted('y')),
    )
  })

  it('that were all taken back leave the call to go on', async () => {
    let goOn: () => void = () => {}
    const { call } = serve(async ({ ask, notify }) => {
      void ask('elicitation/create', form('?'), 'q')
      await new Promise<void>(resolve => {
        goOn = resolve
      })
      notify('notifications/cancelled', { requestId: 'q' })
      return text('without')
    })
    const one = await call()
    goOn()
    await new Promise(resolve => setTimeout(resolve, 5))
    expect(textOf(await call(retry(one, { q: accepted('x') })))).toBe('without')
  })

  it('come out of prompts/get and resources/read too', async () => {
    const ask: LegacyTool = async call => {
      await call.ask('elicitation/create', form('?'), 'q')
      return { messages: [], contents: [] }
    }
    const { up } = serve(ask, {}, { methods: { 'prompts/get': ask, 'resources/read': ask } })
    for (const [method, params] of [
      ['prompts/get', { name: 'p' }],
      ['resources/read', { uri: 'a:b' }],
    ] as const) {
      const one = await modernRequest(up.handler, method, params)
      const done = await modernRequest(up.handler, method, {
        ...params,
        ...retry(one, { q: accepted('x') }),
      })
      expect(done.result?.resultType).toBe('complete')
    }
  })

  it.each<[string, JSONObject, string, JSONObject | undefined, JSONObject]>([
    ['elicitation', { roots: {} }, 'elicitation/create', form('?'), { elicitation: { form: {} } }],
    [
      'elicitation by URL',
      { elicitation: {} },
      'elicitation/create',
      { mode: 'url', url: 'https://x.test', message: '?' },
      { elicitation: { url: {} } },
    ],
    ['sampling', { roots: {} }, 'sampling/createMessage', SAMPLING, { sampling: {} }],
    [
      'sampling with tools',
      { sampling: {} },
      'sampling/createMessage',
      { ...SAMPLING, tools: [] },
      { sampling: { tools: {} } },
    ],
    ['roots', { sampling: {} }, 'roots/list', undefined, { roots: {} }],
    ['anything at all', {}, 'roots/list', undefined, { roots: {} }],
  ])(
    'of a client without %s fail the call, and the server hears of it',
    async (_what, capabilities, method, params, requiredCapabilities) => {
      const answers: unknown[] = []
      const { call } = serve(async ({ ask }) => {
        answers.push(resultOf(await ask(method, params)))
        return text('went on')
      })
      expect(await call({}, { capabilities })).toMatchObject({
        error: { code: -32021, data: { requiredCapabilities } },
      })
      await until(() => answers.length === 1, 'the answer to the server')
      expect(answers).toEqual([{ code: -32601, message: expect.any(String) }])
    },
  )

  it('outside of a call are refused and counted', async () => {
    const { call, peer, losses, up } = serve(
      () => text('done'),
      {},
      {
        methods: {
          'tools/list': async ({ ask }) => ({ tools: [], asked: resultOf(await ask('roots/list')) }),
        },
      },
    )
    await call()
    peer.send({ id: 'u', method: 'sampling/createMessage', params: SAMPLING })
    peer.send({ id: 'p', method: 'ping' })
    const answered = (id: string) => peer.received.find(message => 'id' in message && message.id === id)
    await until(() => answered('u') !== undefined && answered('p') !== undefined, 'two answers')
    expect(answered('u')).toMatchObject({ error: { code: -32601 } })
    expect(answered('p')).toMatchObject({ result: {} })
    expect(losses).toEqual(['question-outside-call: sampling/createMessage'])
    // During a call that cannot pass questions on (2026-07-28 basic/patterns/mrtr, "Supported Requests").
    const listed = await modernRequest(up.handler, 'tools/list')
    expect(listed.result?.asked).toMatchObject({ code: -32601 })
    expect(losses[1]).toBe('question-outside-call: roots/list')
  })
})

describe('an address to visit first (-32042)', () => {
  const elicitations = [{ mode: 'url', elicitationId: 'e1', url: 'https://x.test/login', message: 'Log in' }]
  const required: LegacyTool = ({ args }) => {
    if (visited) return text(`in: ${JSON.stringify(args)}`)
    throw new LegacyToolError({ code: -32042, message: 'Log in first', data: { elicitations } })
  }
  let visited = false

  it('is asked for, and the call is sent again after it', async () => {
    visited = false
    const { call, peer } = serve(required)
    const one = await call()
    expect(one.result?.inputRequests).toEqual({
      url_1: {
        method: 'elicitation/create',
        params: { mode: 'url', url: 'https://x.test/login', message: 'Log in' },
      },
    })
    // Not there yet: asked again.
    const two = await call(retry(one, { url_1: { action: 'accept' } }))
    visited = true
    expect(textOf(await call(retry(two, { url_1: { action: 'accept' } })))).toBe('in: {"a":1}')
    expect(peer.runs.get('tool')).toBe(3)
  })

  it('that the user refuses to visit fails the call, which is not sent again', async () => {
    visited = false
    const { call, peer } = serve(required)
    const one = await call()
    expect(await call(retry(one, { url_1: { action: 'decline' } }))).toMatchObject({
      error: { code: -32603, message: expect.stringContaining('refused') },
    })
    expect(peer.runs.get('tool')).toBe(1)
  })

  it.each([{}, { roots: {} }, { elicitation: {} }, { elicitation: { form: {} } }])(
    'is not asked of a client that declares %j',
    async capabilities => {
      visited = false
      const { call } = serve(required)
      expect(await call({}, { capabilities })).toMatchObject({
        error: { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } },
      })
    },
  )
})

describe('what a server says while its call waits', () => {
  it('comes with the retry, under its token, up to a bound; the rest is counted', async () => {
    let speak: () => void = () => {}
    const { call, losses } = serve(async ({ ask, notify, progressToken }) => {
      const progress = (value: number) =>
        notify('notifications/progress', { progressToken, progress: value, message: `m${value}` })
      progress(1)
      speak = () => {
        for (let value = 2; value <= 151; value++) progress(value)
      }
      await ask('elicitation/create', form('?'), 'q')
      progress(152)
      return text('done')
    })
    const seen: JSONRPCNotification[] = []
    const onNotification = (notification: JSONRPCNotification) => void seen.push(notification)
    const one = await call({ _meta: { progressToken: 'first' } }, { onNotification })
    expect(seen.map(({ params }) => [params?.progressToken, params?.progress])).toEqual([['first', 1]])
    speak()
    await until(
      () => losses.length === 50,
      () => `50 losses, not ${losses.length}`,
    )
    expect(new Set(losses)).toEqual(new Set(['notification-while-suspended: notifications/progress']))
    const state = { ...retry(one, { q: accepted('x') }), _meta: { progressToken: 2 } }
    expect(textOf(await call(state, { onNotification }))).toBe('done')
    expect(seen.slice(1).map(({ params }) => [params?.progressToken, params?.progress])).toEqual([
      ...Array.from({ length: 100 }, (_, index) => [2, index + 2]),
      [2, 152],
    ])
  })
})

describe('errors and notifications of the legacy era', () => {
  it('a missing resource is a wrong parameter, with its address', async () => {
    const gone = () => {
      throw new LegacyToolError({ code: -32002, message: 'Resource not found' })
    }
    const { up } = serve(gone, {}, { methods: { 'resources/read': gone } })
    for (const capabilities of [{}, { roots: {} }]) {
      expect(await modernRequest(up.handler, 'resources/read', { uri: 'a:b' }, { capabilities })).toEqual({
        error: { code: -32602, message: 'Resource not found', data: { uri: 'a:b' } },
      })
    }
  })

  it('what belongs to no call is counted by its kind', async () => {
    const { call, peer, losses } = serve(() => text('done'))
    await call()
    peer.send({ method: 'notifications/message', params: { level: 'info', data: 'x' } })
    peer.send({ method: 'notifications/elicitation/complete', params: { elicitationId: 'e' } })
    peer.send({ method: 'notifications/vendor', params: {} })
    await until(
      () => losses.length === 3,
      () => losses.join(),
    )
    expect(losses).toEqual([
      'log-without-owner: notifications/message',
      'elicitation-complete: notifications/elicitation/complete',
      'notification-outside-call: notifications/vendor',
    ])
  })
})

describe('a server of an older revision', () => {
  it('is answered in one block', async () => {
    const { call } = serve(
      async ({ ask }) => text(JSON.stringify(resultOf(await ask('sampling/createMessage', SAMPLING, 'q')))),
      {},
      { version: '2025-06-18' },
    )
    const block = (value: string) => ({ type: 'text', text: value })
    for (const [content, expected] of [
      [[block('a')], block('a')],
      [[block('a'), block('b')], block('a\nb')],
      [block('a'), block('a')],
    ] as const) {
      const one = await call()
      const done = await call(retry(one, { q: { ...SAMPLE, content } }))
      expect(JSON.parse(textOf(done) as string)).toEqual({ ...SAMPLE, content: expected })
    }
  })
})

describe('a tool that insists on a task', () => {
  const capabilities = { tools: {}, tasks: { requests: { tools: { call: {} } } } }
  const listing: LegacyTool = () => ({
    tools: [{ name: 'tool', inputSchema: { type: 'object' }, execution: { taskSupport: 'required' } }],
  })
  const task: LegacyTool = ({ request }) => {
    if (request.params?.task === undefined) throw new LegacyToolError({ code: -32601, message: 'task only' })
    return { task: { taskId: 't1', status: 'working' } }
  }

  it.each([{}, { elicitation: {} }])('works for a client that declares %j', async client => {
    const { call, peer } = serve(
      task,
      {},
      {
        capabilities,
        methods: {
          'tools/list': listing,
          'tasks/result': ({ request }) => text(`of ${request.params?.taskId}`),
        },
      },
    )
    expect(textOf(await call({}, { capabilities: client }))).toBe('of t1')
    expect(peer.runs.get('tool')).toBe(1)
  })

  it('may ask', async () => {
    const { call } = serve(
      task,
      {},
      {
        capabilities,
        methods: {
          'tools/list': listing,
          'tasks/result': async ({ ask }) =>
            text(JSON.stringify(resultOf(await ask('elicitation/create', form('?'), 'q')))),
        },
      },
    )
    const one = await call()
    expect(textOf(await call(retry(one, { q: accepted('x') })))).toBe(JSON.stringify(accepted('x')))
  })

  it.each([{}, { elicitation: {} }])(
    'is cancelled with its call, for a client that declares %j',
    async client => {
      const { call, peer } = serve(
        task,
        {},
        {
          capabilities,
          methods: {
            'tools/list': listing,
            'tasks/result': () => undefined,
            'tasks/cancel': ({ request }) => ({ taskId: request.params?.taskId, status: 'cancelled' }),
          },
        },
      )
      const context = new Context({ binding: 'internal' })
      const pending = call({}, { context, capabilities: client })
      await until(() => peer.runs.get('tasks/result') === 1, 'the wait for the result')
      context.cancel('hangup')
      await pending
      await until(() => peer.runs.get('tasks/cancel') === 1, 'the cancel')
      expect(peer.received).toContainEqual(
        expect.objectContaining({ method: 'tasks/cancel', params: { taskId: 't1' } }),
      )
    },
  )
})
