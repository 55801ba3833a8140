import { afterEach, describe, expect, it } from 'vitest'
import type { Dialect } from '../../../src/client/opened.js'
import type { RemoteTransport } from '../../../src/client/remote.js'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import { TransportError } from '../../../src/exchange/errors.js'
import type { Authorizer } from '../../../src/exchange/http-client.js'
import type { JSONRPCResponse } from '../../../src/protocol/message.js'
import {
  type Answering,
  events,
  type FakeAnswer,
  type FakeHttpClient,
  failure,
  fakeHttpClient,
  json,
  result,
  type SentCall,
  status,
} from '../../fixtures/fake-http-client.js'
import { callAsModern } from '../../fixtures/modern-client.js'

type Answers = Readonly<Record<string, Answering>>

const ups: Upstream[] = []
afterEach(async () => {
  for (const up of ups.splice(0)) await up.close()
})

/** A server by what it answers to each method; a GET goes by `GET`, a message posted elsewhere by `posted`. */
function there(
  answers: Answers,
  options: UpstreamOptions = {},
  transport: RemoteTransport = 'auto',
  authorizer?: Authorizer,
) {
  const client = fakeHttpClient((sent, context) => {
    const name = sent.url.endsWith('/m') ? 'posted' : (sent.message?.method ?? sent.method)
    if (sent.message !== undefined && sent.message.id === undefined) return status(202)
    return (answers[name] ?? (() => status(404)))(sent, context)
  })
  const remote = { url: 'http://fake/mcp', client, transport, authorizer }
  const up = upstream({ name: 'fake', remote }, { maxRestarts: 0, probeTimeout: 50, ...options })
  ups.push(up)
  return { up, client }
}

async function call(up: Upstream): Promise<JSONRPCResponse> {
  const params = { name: 'echo', arguments: {} }
  return (await callAsModern(up.handler, 'own', 'tools/call', params, { capabilities: {} })).response
}

function asked(client: FakeHttpClient): string[] {
  return client.sent
    .map(({ message, method }) => message?.method ?? method)
    .filter(method => method !== 'notifications/initialized' && method !== 'DELETE')
}

const MODERN: Answers = {
  'server/discover': sent => json(result(sent, { supportedVersions: ['2026-07-28'], capabilities: {} })),
  'tools/list': sent => json(result(sent, { tools: [{ name: 'echo' }] })),
  'tools/call': sent => json(result(sent, { content: [] })),
}
const LEGACY: Answers = {
  initialize: sent => json(result(sent, { protocolVersion: '2025-11-25', capabilities: {} })),
  'tools/call': sent => json(result(sent, { content: [] })),
  GET: () => status(405),
}

/** HTTP+SSE: what is posted is answered on the stream. */
function sse(): Answers {
  let stream: FakeAnswer | undefined
  return {
    GET: () => {
      stream = events().write('event: endpoint\ndata: /m\n\n')
      return stream
    },
    posted: (sent: SentCall) => {
      const initialize = sent.message.method === 'initialize'
      const value = initialize ? { protocolVersion: '2024-11-05', capabilities: {} } : { content: [] }
      queueMicrotask(() => stream?.event(result(sent, value)))
      return status(202)
    },
  }
}

describe('what a server speaks', () => {
  it.each<readonly [string, Answers, Dialect]>([
    ['is modern where it answers', MODERN, 'modern'],
    [
      'is modern where it refuses the question as only modern servers do',
      { ...MODERN, 'server/discover': sent => json(failure(sent, -32021, 'missing capability'), 400) },
      'modern',
    ],
    ['is legacy where it says 400', { ...LEGACY, 'server/discover': () => status(400) }, 'legacy'],
    [
      'is legacy where it says 400 with an error of its own',
      { ...LEGACY, 'server/discover': sent => json(failure(sent, -32000, 'No session'), 400) },
      'legacy',
    ],
    [
      'is legacy where it does not know the method',
      { ...LEGACY, 'server/discover': sent => json(failure(sent, -32601, 'unknown')) },
      'legacy',
    ],
    [
      'is legacy where it fails on the question',
      { ...LEGACY, 'server/discover': () => status(500) },
      'legacy',
    ],
    [
      'is legacy where it only offers legacy revisions',
      {
        ...LEGACY,
        'server/discover': sent => json(failure(sent, -32022, 'no', { supported: ['2025-11-25'] }), 400),
      },
      'legacy',
    ],
    ['is HTTP+SSE where it takes no POST', { ...sse(), 'server/discover': () => status(405) }, 'sse'],
    [
      'is HTTP+SSE where it has nothing to POST to',
      { ...sse(), 'server/discover': sent => json(failure(sent, -32600, 'no'), 404) },
      'sse',
    ],
  ])('%s', async (_, answers, dialect) => {
    const memory = new Map<string, Dialect>()
    const { up, client } = there(answers, { eras: memory })
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(memory.get('fake')).toBe(dialect)
    // Nothing but questions before the one call.
    expect(asked(client).filter(method => method === 'tools/call').length).toBe(1)
  })

  it.each([401, 403, 407, 429, 502, 503, 504])('is not told by %i', async code => {
    const { up, client } = there({ ...LEGACY, 'server/discover': () => status(code) })
    expect(await call(up)).toMatchObject({ error: { data: { code: 'ERR_STATUS', status: code } } })
    expect(asked(client)).toEqual(['server/discover'])
  })

  it('is not told by a network that fails', async () => {
    const { up, client } = there({
      ...LEGACY,
      'server/discover': () => {
        throw new TransportError('ERR_CONNECT', 'refused', { retryable: true })
      },
    })
    expect(await call(up)).toMatchObject({ error: { data: { code: 'ERR_CONNECT' } } })
    expect(asked(client)).toEqual(['server/discover'])
  })

  it('may be nothing that we speak', async () => {
    const { up } = there({
      'server/discover': sent => json(failure(sent, -32022, 'no', { supported: ['2031-01-01'] }), 400),
    })
    expect(await call(up)).toMatchObject({ error: { message: expect.stringContaining('2031-01-01') } })
  })

  it('may be no MCP at all, and then the newest transport says why', async () => {
    const { up, client } = there({ initialize: () => status(404, 'no such page') })
    expect(await call(up)).toMatchObject({
      error: { message: expect.stringContaining('no such page'), data: { status: 404 } },
    })
    expect(asked(client)).toEqual(['server/discover', 'initialize', 'GET'])
  })

  it('is legacy where it stays silent and answers initialize', async () => {
    const { up, client } = there({ ...LEGACY, 'server/discover': () => undefined })
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(up.era()).toBe('legacy')
    expect(asked(client).slice(0, 2)).toEqual(['server/discover', 'initialize'])
  })

  it('is modern where it is only slow', async () => {
    const { up } = there({
      ...MODERN,
      'server/discover': sent => {
        const answer = events()
        setTimeout(() => answer.event(result(sent, { supportedVersions: ['2026-07-28'] })), 100)
        return answer
      },
      initialize: () => undefined,
    })
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(up.era()).toBe('modern')
  })

  it('is legacy where it answers by reflex, and then stalls', async () => {
    const { up } = there({
      ...LEGACY,
      'server/discover': sent =>
        json(result(sent, { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } })),
      'tools/list': () => undefined,
    })
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(up.era()).toBe('legacy')
  })
})

describe('a server that is signed in to', () => {
  const TOKEN = { authorization: 'Bearer token' }

  /** Nobody is let in without a token, which takes a person `time` milliseconds. */
  function guarded(answers: Answers, time: number, options: UpstreamOptions, where: 'refused' | 'headers') {
    let token = false
    const signIn = async () => {
      await new Promise(resolve => setTimeout(resolve, time))
      token = true
      return true
    }
    const held = (answer: Answering): Answering => {
      return (sent, context) => (sent.headers.authorization ? answer(sent, context) : status(401))
    }
    return there(
      Object.fromEntries(Object.entries(answers).map(([method, answer]) => [method, held(answer)])),
      options,
      'auto',
      {
        headers: () => (token ? TOKEN : where === 'refused' ? {} : signIn().then(() => TOKEN)),
        refused: signIn,
      },
    )
  }

  it.each(['refused', 'headers'] as const)(
    'is not silent while a person thinks: nothing else is asked of it meanwhile (%s)',
    async where => {
      const { up, client } = guarded(MODERN, 300, { probeTimeout: 50 }, where)
      expect(await call(up)).toMatchObject({ result: { content: [] } })
      expect(up.era()).toBe('modern')
      expect(asked(client)).not.toContain('initialize')
    },
  )

  it('has all its time for the handshake after that', async () => {
    const { up } = guarded(
      LEGACY,
      300,
      { startTimeout: 100, eras: new Map([['fake', 'legacy' as const]]) },
      'refused',
    )
    expect(await call(up)).toMatchObject({ result: { content: [] } })
  })

  it('is silent where it says nothing to who has signed in', async () => {
    const { up, client } = guarded({ ...LEGACY, 'server/discover': () => undefined }, 100, {}, 'refused')
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(asked(client).slice(0, 3)).toEqual(['server/discover', 'server/discover', 'initialize'])
  })
})

describe('what was found', () => {
  it('is asked for no more', async () => {
    const legacy = there(LEGACY, { eras: new Map([['fake', 'legacy' as const]]) })
    expect(await call(legacy.up)).toMatchObject({ result: {} })
    expect(asked(legacy.client)[0]).toBe('initialize')
    const older = there(sse(), { eras: new Map([['fake', 'sse' as const]]) })
    expect(await call(older.up)).toMatchObject({ result: {} })
    expect(asked(older.client)[0]).toBe('GET')
  })

  it.each(['legacy', 'sse'] as const)('is forgotten where it fails: %s', async remembered => {
    const eras = new Map<string, Dialect>([['fake', remembered]])
    const { up } = there(MODERN, { eras })
    expect(await call(up)).toMatchObject({ result: { content: [] } })
    expect(eras.get('fake')).toBe('modern')
  })

  it('is kept for the next session: HTTP+SSE is opened at once', async () => {
    const { up, client } = there({ ...sse(), 'server/discover': () => status(405) })
    await call(up)
    client.sent.length = 0
    const params = { name: 'echo', arguments: {} }
    await callAsModern(up.handler, 'own', 'tools/call', params, { capabilities: { roots: {} } })
    expect(asked(client)).toEqual(['GET', 'initialize', 'tools/call'])
  })
})

describe('a pinned transport', () => {
  it('modern asks for nothing older', async () => {
    const { up, client } = there(LEGACY, {}, 'modern')
    expect(await call(up)).toMatchObject({ error: { data: { code: 'ERR_STATUS', status: 404 } } })
    expect(asked(client)).toEqual(['server/discover'])
  })

  it('modern says which option would allow what there is', async () => {
    const { up } = there({ 'server/discover': sent => json(failure(sent, -32601, 'unknown')) }, {}, 'modern')
    expect(await call(up)).toMatchObject({ error: { data: { option: '--transport' } } })
  })

  it('streamable-http never opens a stream of HTTP+SSE', async () => {
    const { up, client } = there(sse(), {}, 'streamable-http')
    expect(await call(up)).toMatchObject({ error: { data: { status: 404 } } })
    expect(asked(client)).toEqual(['server/discover', 'initialize'])
    const legacy = there({ ...LEGACY, 'server/discover': () => status(404) }, {}, 'streamable-http')
    expect(await call(legacy.up)).toMatchObject({ result: {} })
  })

  it('sse posts nothing to the address of the stream', async () => {
    const { up, client } = there(sse(), {}, 'sse')
    expect(await call(up)).toMatchObject({ result: {} })
    expect(client.sent.map(({ method, url }) => `${method} ${url}`).slice(0, 2)).toEqual([
      'GET http://fake/mcp',
      'POST http://fake/m',
    ])
  })
})
