import { afterEach, describe, expect, it } from 'vitest'
import { type Upstream, upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import type { JSONObject } from '../../../src/protocol/message.js'
import { form, type LegacyTool, legacyPeer, text } from '../../fixtures/legacy-peer.js'
import { type ModernReply, modernRequest } from '../../fixtures/modern-request.js'
import { until } from '../../fixtures/until.js'

const open: Upstream[] = []

afterEach(async () => {
  for (const up of open.splice(0)) await up.close()
})

/** Asks for a word, and gives it back with its own argument. */
const ask: LegacyTool = async ({ args, ask }) => {
  const answer = await ask('elicitation/create', form(`For ${args.who}?`))
  return text(`${args.who}: ${JSON.stringify('result' in answer ? answer.result : answer.error)}`)
}

function serve(tools: Readonly<Record<string, LegacyTool>> = { ask }, options: UpstreamOptions = {}) {
  const peer = legacyPeer(tools)
  const up = upstream(peer.target, {
    protocol: 'legacy',
    settle: 1,
    spillAfter: 20,
    maxSuspendedConnections: 0,
    ...options,
  })
  open.push(up)
  const call = (who: string, extra: JSONObject = {}, principal?: string, name = 'ask') =>
    modernRequest(
      up.handler,
      'tools/call',
      { name, arguments: { who }, ...extra },
      principal === undefined ? {} : { principal },
    )
  return { peer, up, call }
}

const answerTo = ({ result }: ModernReply, content: JSONObject): JSONObject => ({
  requestState: result?.requestState,
  inputResponses: Object.fromEntries(
    Object.keys(result?.inputRequests ?? {}).map(key => [key, { action: 'accept', content }]),
  ),
})

const textOf = (reply: ModernReply) =>
  (reply.result?.content as { readonly text: string }[] | undefined)?.[0]?.text ?? reply.error

describe('200 calls that wait for answers, of 50 principals', () => {
  it('get each its own answer, in whatever order those come, and run each tool once', async () => {
    const { peer, call } = serve()
    const calls = Array.from({ length: 200 }, (_, index) => ({
      who: `call ${index}`,
      principal: `principal ${index % 50}`,
    }))
    const parked = await Promise.all(
      calls.map(async ({ who, principal }) => ({ who, principal, reply: await call(who, {}, principal) })),
    )
    for (const { who, reply } of parked) {
      const [question] = Object.values(reply.result?.inputRequests ?? {})
      expect(question).toMatchObject({ method: 'elicitation/create', params: { message: `For ${who}?` } })
    }
    expect(new Set(parked.map(({ reply }) => reply.result?.requestState)).size).toBe(200)
    // All of them at the same time: four connections for each principal.
    expect(peer.target.served).toHaveLength(200)
    const shuffled = [...parked].sort((a, b) => hash(a.who) - hash(b.who))
    await Promise.all(
      shuffled.map(async ({ who, principal, reply }) => {
        const done = await call(who, answerTo(reply, { v: `answer to ${who}` }), principal)
        expect(textOf(done)).toBe(
          `${who}: {"action":"accept","content":${JSON.stringify({ v: `answer to ${who}` })}}`,
        )
      }),
    )
    expect(peer.runs.get('ask')).toBe(200)
  })
})

describe('a state', () => {
  it.each<[string, (reply: ModernReply) => JSONObject, string?, string?]>([
    ['forged', reply => ({ ...answerTo(reply, {}), requestState: 'bm90IG91cnM' })],
    ['no base64', reply => ({ ...answerTo(reply, {}), requestState: '?' })],
    ['empty', reply => ({ ...answerTo(reply, {}), requestState: '' })],
    ['changed in one place', reply => ({ ...answerTo(reply, {}), requestState: flipped(reply) })],
    ['of another principal', reply => answerTo(reply, {}), 'bob'],
    ['for other arguments', reply => ({ ...answerTo(reply, {}), arguments: { who: 'x', more: 1 } }), 'ann'],
    ['for another tool', reply => answerTo(reply, {}), 'ann', 'other'],
  ])('%s is refused, and the call waits on', async (_what, change, principal = 'ann', name = 'ask') => {
    const { peer, call } = serve({ ask, other: ask })
    const reply = await call('x', {}, 'ann')
    const refused = await call('x', change(reply), principal, name)
    expect(refused.error).toMatchObject({ code: -32602, message: expect.stringContaining('requestState') })
    expect(textOf(await call('x', answerTo(reply, { v: 1 }), 'ann'))).toContain('"accept"')
    expect(Object.fromEntries(peer.runs)).toEqual({ ask: 1 })
  })

  it('for another method is refused', async () => {
    const { up, call } = serve()
    const reply = await call('x')
    const params = { name: 'ask', arguments: { who: 'x' }, ...answerTo(reply, {}) }
    expect(await modernRequest(up.handler, 'prompts/get', params)).toMatchObject({ error: { code: -32602 } })
  })

  it('serves once', async () => {
    const { peer, call } = serve()
    const reply = await call('x')
    const retries = await Promise.all([1, 2, 3].map(index => call('x', answerTo(reply, { v: index }))))
    expect(retries.filter(({ result }) => result !== undefined)).toHaveLength(1)
    expect(retries.filter(({ error }) => error?.code === -32602)).toHaveLength(2)
    expect(await call('x', answerTo(reply, {}))).toMatchObject({ error: { code: -32602 } })
    expect(peer.runs.get('ask')).toBe(1)
  })

  it('of another process is refused, also where both have the same key', async () => {
    const { createSealer } = await import('../../../src/legacy/request-state.js')
    const sealer = () => createSealer('a secret of all replicas')
    const one = serve({ ask }, { sealer: sealer() })
    const other = serve({ ask }, { sealer: sealer() })
    const reply = await one.call('x')
    expect(await other.call('x', answerTo(reply, {}))).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('gone') },
    })
    expect(other.peer.runs.size).toBe(0)
    expect(() => createSealer('too short')).toThrow(TypeError)
  })
})

describe('a call that nobody comes back for', () => {
  it('ends after the park timeout: its question is answered, its server told, its connection free', async () => {
    const { peer, call } = serve({ ask }, { parkTimeout: 100, maxAskingConnections: 1 })
    const reply = await call('lost')
    // Waits for the only connection.
    const next = await call('next')
    expect(next.result?.resultType).toBe('input_required')
    const { received } = peer
    const started = received.find(message => 'method' in message && message.method === 'tools/call')
    expect(received).toContainEqual({ jsonrpc: '2.0', id: 'q1', result: { action: 'cancel' } })
    expect(received).toContainEqual({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: (started as { id: number }).id, reason: 'abandoned' },
    })
    expect(await call('lost', answerTo(reply, {}))).toMatchObject({
      error: { code: -32602, message: expect.stringContaining('expired') },
    })
    expect(textOf(await call('next', answerTo(next, {})))).toContain('next')
    expect(peer.target.served).toHaveLength(1)
    expect(peer.runs.get('ask')).toBe(2)
  })

  it('answers each kind of question as its era can', async () => {
    const answers: unknown[] = []
    const many: LegacyTool = async ({ ask }) => {
      const all = await Promise.all([
        ask('elicitation/create', form('a')),
        ask('sampling/createMessage', { messages: [], maxTokens: 1 }),
        ask('roots/list'),
      ])
      answers.push(...all.map(answer => ('result' in answer ? answer.result : answer.error)))
      return text('done')
    }
    const { call } = serve({ many }, { parkTimeout: 30 })
    await call('x', {}, undefined, 'many')
    await until(() => answers.length === 3, 'the answers')
    expect(answers).toEqual([
      { action: 'cancel' },
      { code: -1, message: 'Nobody answered' },
      { code: -1, message: 'Nobody answered' },
    ])
  })

  it('gives up its connection to calls that wait, the oldest first, and only after a while', async () => {
    const { peer, call } = serve({ ask }, { maxAskingConnections: 2, reclaimAfter: 300 })
    const begun = performance.now()
    const oldest = await call('oldest')
    await new Promise(resolve => setTimeout(resolve, 30))
    const older = await call('older')
    const late = await call('late')
    expect(performance.now() - begun).toBeGreaterThan(299)
    expect(late.result?.resultType).toBe('input_required')
    expect(await call('oldest', answerTo(oldest, {}))).toMatchObject({ error: { code: -32602 } })
    expect(textOf(await call('older', answerTo(older, {})))).toContain('older')
    expect(textOf(await call('late', answerTo(late, {})))).toContain('late')
    expect(peer.target.served).toHaveLength(2)
    expect(peer.runs.get('ask')).toBe(3)
  })

  it('leaves room for others: what waits for a person does not count, up to a limit', async () => {
    const { peer, call } = serve(
      { ask },
      { maxAskingConnections: 2, maxSuspendedConnections: 3, reclaimAfter: 300 },
    )
    const begun = performance.now()
    const calls = ['a', 'b', 'c', 'd', 'e']
    const asked = []
    for (const who of calls) asked.push(await call(who))
    expect(peer.target.served).toHaveLength(5)
    const late = await call('f')
    expect(performance.now() - begun).toBeGreaterThan(299)
    expect(late.result?.resultType).toBe('input_required')
    expect(peer.target.served).toHaveLength(5)
    expect(await call('a', answerTo(asked[0] as ModernReply, {}))).toMatchObject({ error: { code: -32602 } })
    expect(textOf(await call('e', answerTo(asked[4] as ModernReply, {})))).toContain('e')
  })

  it('keeps its connection where nobody waits for one', async () => {
    const { call } = serve({ ask }, { maxAskingConnections: 1, reclaimAfter: 20 })
    const reply = await call('x')
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(textOf(await call('x', answerTo(reply, {})))).toContain('x')
  })

  it('keeps its connection while it runs on, however long others wait', async () => {
    const slow: LegacyTool = async call => {
      const result = await ask(call)
      await new Promise(resolve => setTimeout(resolve, 150))
      return result
    }
    const { call, peer } = serve({ ask: slow }, { maxAskingConnections: 1, reclaimAfter: 20 })
    const reply = await call('x')
    const [first, second] = await Promise.all([call('x', answerTo(reply, {})), call('y')])
    expect(textOf(first)).toContain('x')
    expect(second.result?.resultType).toBe('input_required')
    expect(peer.runs.get('ask')).toBe(2)
  })

  it('makes room for another principal where no connection is left at all', async () => {
    const { call, peer } = serve({ ask }, { maxConnections: 1, reclaimAfter: 50, queueTimeout: 20 })
    const reply = await call('x', {}, 'ann')
    expect((await call('y', {}, 'bob')).error).toMatchObject({ data: { code: 'ERR_BUSY' } })
    await new Promise(resolve => setTimeout(resolve, 60))
    expect((await call('y', {}, 'bob')).result?.resultType).toBe('input_required')
    expect(await call('x', answerTo(reply, {}), 'ann')).toMatchObject({ error: { code: -32602 } })
    expect(peer.target.served).toHaveLength(2)
  })
})

describe('the time that a client thinks', () => {
  it('is not the server’s silence, which counts again from the answer on', async () => {
    const tool: LegacyTool = async call => {
      await ask(call)
      return undefined
    }
    const { call, peer } = serve({ ask: tool }, { timeout: 60 })
    const reply = await call('x')
    await new Promise(resolve => setTimeout(resolve, 200))
    const begun = performance.now()
    expect((await call('x', answerTo(reply, {}))).error).toMatchObject({
      code: -31002,
      data: { code: 'ERR_TIMEOUT', option: '--timeout' },
    })
    expect(performance.now() - begun).toBeGreaterThan(30)
    expect(peer.received).toContainEqual(expect.objectContaining({ id: 'q1', result: expect.anything() }))
  })
})

describe('limits', () => {
  it('bound how many calls wait; one too many fails and is ended at its server', async () => {
    const { peer, call } = serve({ ask }, { maxParked: 3, maxParkedPerPrincipal: 2 })
    await call('a', {}, 'ann')
    await call('b', {}, 'ann')
    expect((await call('c', {}, 'ann')).error).toMatchObject({
      data: { code: 'ERR_BUSY', option: '--max-parked' },
    })
    await call('d', {}, 'bob')
    expect((await call('e', {}, 'cid')).error).toMatchObject({ data: { code: 'ERR_BUSY' } })
    const cancels = peer.received.filter(
      message => 'method' in message && message.method === 'notifications/cancelled',
    )
    expect(cancels).toHaveLength(2)
  })
})

describe('a server that dies while calls wait', () => {
  it('fails each retry with the reason, and new calls get a new connection at once', async () => {
    const { peer, call } = serve()
    const replies = await Promise.all(['a', 'b', 'c'].map(who => call(who, {}, who)))
    for (const channel of peer.target.served) await channel.close()
    for (const [index, who] of ['a', 'b', 'c'].entries()) {
      const failed = await call(who, answerTo(replies[index] as ModernReply, {}), who)
      expect(failed.error).toMatchObject({ code: -31001, data: { code: 'ERR_CLOSED' } })
      // The state was used by this.
      expect(await call(who, answerTo(replies[index] as ModernReply, {}), who)).toMatchObject({
        error: { code: -32602 },
      })
      expect((await call(`${who} again`, {}, who)).result?.resultType).toBe('input_required')
    }
    expect(peer.runs.get('ask')).toBe(6)
  })

  it('lets calls that wait for its connections have new ones', async () => {
    const { peer, call } = serve({ ask }, { maxAskingConnections: 1 })
    await call('a')
    const waiting = call('b')
    await new Promise(resolve => setTimeout(resolve, 50))
    for (const channel of peer.target.served) await channel.close()
    expect((await waiting).result?.resultType).toBe('input_required')
  })

  it('fails calls that wait for its connections where it cannot be started again', async () => {
    const peer = legacyPeer({ ask })
    let starts = 0
    const target = {
      ...peer.target,
      open: () => (++starts > 1 ? Promise.reject(new Error('it is gone for good')) : peer.target.open()),
    }
    const up = upstream(target, {
      protocol: 'legacy',
      spillAfter: 20,
      maxAskingConnections: 1,
      maxSuspendedConnections: 0,
    })
    open.push(up)
    const call = () => modernRequest(up.handler, 'tools/call', { name: 'ask' })
    await call()
    const waiting = call()
    await new Promise(resolve => setTimeout(resolve, 50))
    for (const channel of peer.target.served) await channel.close()
    expect(await waiting).toMatchObject({ error: { code: -32603 } })
  })

  it('is told apart from our own end: calls that wait for a connection then fail at once', async () => {
    const { up, call } = serve({ ask }, { maxAskingConnections: 1 })
    await call('a')
    const waiting = call('b')
    await new Promise(resolve => setTimeout(resolve, 30))
    await up.close()
    expect(await waiting).toMatchObject({ error: { code: -31005 } })
  })
})

function hash(text: string): number {
  let value = 7
  for (const character of text) value = (value * 31 + character.charCodeAt(0)) % 65_521
  return value
}

function flipped({ result }: ModernReply): string {
  const state = result?.requestState as string
  const middle = Math.floor(state.length / 2)
  return state.slice(0, middle) + (state[middle] === 'A' ? 'B' : 'A') + state.slice(middle + 1)
}
