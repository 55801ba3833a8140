import { afterEach, describe, expect, it } from 'vitest'
import { type ClientOptions, client, type ServerClient } from '../../../src/client/server-client.js'
import { TransportError } from '../../../src/exchange/errors.js'
import { RpcError } from '../../../src/protocol/errors.js'
import type { JSONRPCNotification, JSONRPCRequest } from '../../../src/protocol/message.js'
import { resultResponse } from '../../../src/protocol/message.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { memoryTarget } from '../../fixtures/memory-target.js'

const open: ServerClient[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each.close()
})

/** The same server as it is, behind a pipe of either era, and what it counts. */
const WAYS = ['as a handler', 'of 2026-07-28', 'of an earlier revision'] as const

function opened(way: (typeof WAYS)[number], options: ClientOptions = {}) {
  const { handler, counters } = everythingHandler()
  const target = way === 'as a handler' ? handler : memoryTarget(handler)
  const protocol = way === 'of an earlier revision' ? 'legacy' : 'auto'
  const one = client(target, { ...options, protocol })
  open.push(one)
  return { one, counters }
}

const QUESTIONS = {
  elicitation: async ({ message }: { readonly message?: unknown }) => ({
    action: 'accept',
    content: { said: `answer to ${String(message)}` },
  }),
  sampling: async () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'sampled' } }),
  roots: async () => [{ uri: 'file:///one', name: 'one' }],
}

describe.each(WAYS)('a server %s', way => {
  it('says what it is, and lists all its pages', async () => {
    const { one } = opened(way)
    const { serverInfo, era, transport, protocolVersions, capabilities, instructions } = await one.describe()
    expect(serverInfo).toMatchObject({ name: 'everything', version: '1.2.3' })
    expect(instructions).toBe('Use it well')
    expect(capabilities).toMatchObject({ tools: {}, resources: {} })
    const legacy = way === 'of an earlier revision'
    expect(protocolVersions).toEqual([legacy ? '2025-11-25' : '2026-07-28'])
    expect([era, transport]).toEqual(
      way === 'as a handler' ? [undefined, undefined] : [legacy ? 'legacy' : 'modern', 'stdio'],
    )
    expect((await one.list('tools')).map(({ name }) => name)).toEqual(['echo', 'echo'])
    expect(await one.list('prompts')).toEqual([])
  })

  it('answers a call, with its progress', async () => {
    const { one } = opened(way)
    expect(await one.callTool('echo', { a: 1 })).toMatchObject({ structuredContent: { a: 1 } })
    const heard: JSONRPCNotification[] = []
    await one.callTool('progress', { steps: 3 }, { onNotification: each => heard.push(each) })
    expect(heard.map(({ params }) => params?.message)).toEqual(['step 1', 'step 2', 'step 3'])
  })

  it('asks, hears the answers, and runs once', async () => {
    const { one, counters } = opened(way, { questions: QUESTIONS })
    const rounds = [['form1', 'roots1'], ['sample1'], ['form2']]
    const { content } = await one.callTool('ask', { rounds })
    const got = JSON.parse((content as readonly { text: string }[])[0]?.text ?? '')
    expect(got).toMatchObject({
      form1: { action: 'accept', content: { said: expect.stringContaining('answer to') } },
      roots1: { roots: [{ uri: 'file:///one', name: 'one' }] },
      sample1: { role: 'assistant', model: 'm' },
      form2: { action: 'accept' },
    })
    expect(counters.runs.get('ask')).toBe(1)
  })

  it('fails where it asks for what nobody answers, or without end', async () => {
    const { one } = opened(way)
    await expect(one.callTool('ask', { rounds: [['form1']] })).rejects.toMatchObject({
      name: 'RpcError',
      code: -32021,
    })
    const { one: endless } = opened(way, { questions: QUESTIONS, maxRounds: 2 })
    const rounds = [['form1'], ['form2'], ['form3']]
    await expect(endless.callTool('ask', { rounds })).rejects.toThrow('more than 2 times')
  })

  it('rejects with what the server answers', async () => {
    const { one } = opened(way)
    const error = await one.callTool('fail').catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(RpcError)
    expect(error).toMatchObject({ code: -32602, message: 'Bad arguments', data: { path: '/a' } })
  })

  it('cancels at the server', async () => {
    const { one, counters } = opened(way)
    const controller = new AbortController()
    const call = one.callTool('hang', {}, { signal: controller.signal })
    await expect.poll(() => counters.runs.get('hang'), { timeout: 5_000 }).toBe(1)
    controller.abort()
    await expect(call).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    await expect.poll(() => counters.cancelled, { timeout: 5_000 }).toEqual(['cancelled'])
  })

  it('cancels while a question waits for its answer', async () => {
    const controller = new AbortController()
    let signal: AbortSignal | undefined
    const { one } = opened(way, {
      questions: {
        elicitation: (_params, given) => {
          signal = given
          controller.abort()
          return new Promise(() => {})
        },
      },
    })
    const call = one.callTool('ask', { rounds: [['form1']] }, { signal: controller.signal })
    await expect(call).rejects.toMatchObject({ code: 'ERR_CANCELLED' })
    expect(signal?.aborted).toBe(true)
  })
})

describe('what is sent', () => {
  it('is the same request again, under another id, with the answers and the state', async () => {
    const requests: JSONRPCRequest[] = []
    const one = client(
      async function* (request) {
        requests.push(request)
        const asks = requests.length === 1
        return resultResponse(request.id, {
          resultType: asks ? 'input_required' : 'complete',
          ...(asks ? { inputRequests: { q: { method: 'roots/list' } }, requestState: 'sealed' } : {}),
        })
      },
      { questions: QUESTIONS, logLevel: 'info', clientInfo: { name: 'me', version: '2' } },
    )
    await one.request(
      'tools/call',
      { name: 'x', _meta: { 'com.example/trace': 1 } },
      { onNotification: () => {} },
    )
    const [first, second] = requests
    expect(first?.id).not.toBe(second?.id)
    expect(first?.params).toMatchObject({
      name: 'x',
      _meta: {
        'com.example/trace': 1,
        progressToken: first?.id,
        'io.modelcontextprotocol/clientInfo': { name: 'me', version: '2' },
        'io.modelcontextprotocol/clientCapabilities': {
          elicitation: { form: {}, url: {} },
          sampling: {},
          roots: {},
        },
        'io.modelcontextprotocol/logLevel': 'info',
      },
    })
    expect(second?.params).toMatchObject({
      name: 'x',
      requestState: 'sealed',
      inputResponses: { q: { roots: [{ uri: 'file:///one', name: 'one' }] } },
    })
  })

  it('ends, where a server cannot be opened, with why', async () => {
    const refused = new TransportError('ERR_SPAWN', 'there is no such program')
    const one = client({ name: 'none', open: () => Promise.reject(refused) }, { maxRestarts: 0 })
    await expect(one.describe()).rejects.toBe(refused)
    await one.close()
  })
})
