import {
  Client as SdkV2Client,
  StreamableHTTPClientTransport as SdkV2Http,
} from '@modelcontextprotocol/client'
import { Client as SdkV1Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SdkV1Sse } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as SdkV1Http } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { afterEach, describe, expect, it } from 'vitest'
import { instances } from '../../../src/client/instances.js'
import type { Target } from '../../../src/client/open.js'
import { upstream } from '../../../src/client/upstream.js'
import type { Handler } from '../../../src/exchange/exchange.js'
import { fromSdk } from '../../../src/sdk/from-sdk.js'
import { toSdkTransport } from '../../../src/sdk/to-sdk-transport.js'
import { serve } from '../../../src/sdk.js'
import { modernRequest } from '../../fixtures/modern-request.js'
import { deeds, SDK_SERVERS, v1Server, v2Server } from '../../fixtures/sdk-servers.js'
import { until } from '../../fixtures/until.js'

const closing: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const KEEPERS: Readonly<Record<string, (target: Target) => Handler>> = {
  upstream: target => {
    const up = upstream(target)
    closing.push(() => up.close())
    return up.handler
  },
  instances: target => instances(target),
}

const CAN_BE_ASKED = { elicitation: { form: {} } }
const ANSWER = { action: 'accept', content: { name: 'Ada' } }

describe.each(Object.keys(SDK_SERVERS))('%s', kind => {
  const make = SDK_SERVERS[kind]!

  describe.each(Object.keys(KEEPERS))('kept by %s, for a modern client', keeper => {
    const handlerOf = (target: Target) => KEEPERS[keeper]!(target)

    it('lists, calls, progress', async () => {
      const handler = handlerOf(fromSdk(make()))
      const { result } = await modernRequest(handler, 'tools/list')
      expect(((result?.tools ?? []) as { name: string }[]).map(tool => tool.name)).toEqual([
        'echo',
        'ask',
        'count',
        'wait',
      ])
      const echoed = await modernRequest(handler, 'tools/call', {
        name: 'echo',
        arguments: { text: 'hällo' },
      })
      expect(echoed.result).toMatchObject({
        resultType: 'complete',
        content: [{ type: 'text', text: 'hällo' }],
      })
      const progress: unknown[] = []
      const params = { name: 'count', arguments: { to: 50 }, _meta: { progressToken: 'mine' } }
      const counted = await modernRequest(handler, 'tools/call', params, {
        onNotification: ({ params: sent }) => void progress.push([sent?.progressToken, sent?.progress]),
      })
      expect(counted.result?.content).toEqual([{ type: 'text', text: 'counted to 50' }])
      expect(progress).toEqual(Array.from({ length: 50 }, (_, index) => ['mine', index + 1]))
    })

    it('a question within a tool is one for the client, and the tool ends once', async () => {
      const done = deeds()
      const handler = handlerOf(fromSdk(make(done)))
      const call = { name: 'ask', arguments: {} }
      const options = { capabilities: CAN_BE_ASKED }
      const asked = await modernRequest(handler, 'tools/call', call, options)
      expect(asked.result?.resultType).toBe('input_required')
      const [[key, question]] = Object.entries(asked.result?.inputRequests ?? {}) as [
        [string, { params?: { message?: string } }],
      ]
      expect(question.params?.message).toBe('Who?')
      const { requestState } = asked.result ?? {}
      const retry = {
        ...call,
        inputResponses: { [key]: ANSWER },
        ...(requestState === undefined ? {} : { requestState }),
      }
      const answered = await modernRequest(handler, 'tools/call', retry, options)
      expect(answered.result?.content).toEqual([{ type: 'text', text: JSON.stringify(ANSWER) }])
      expect(done.asked).toBe(1)
    })

    it('a hundred calls at once', async () => {
      const handler = handlerOf(fromSdk(make()))
      const calls = Array.from({ length: 100 }, (_, index) =>
        modernRequest(handler, 'tools/call', { name: 'echo', arguments: { text: `${index}` } }),
      )
      const texts = (await Promise.all(calls)).map(
        ({ result }) => (result?.content as { text: string }[] | undefined)?.[0]?.text,
      )
      expect(texts).toEqual(Array.from({ length: 100 }, (_, index) => `${index}`))
    })
  })

  describe('over HTTP', () => {
    const listen = async (done = deeds()) => {
      const server = await serve(make(done), { transport: 'http', port: 0, environment: {} })
      closing.push(() => server.close({ drainTimeout: 0 }))
      return { server, done }
    }
    const v1 = async (transport: unknown) => {
      const client = new SdkV1Client({ name: 'test', version: '1' }, { capabilities: CAN_BE_ASKED })
      client.setRequestHandler(ElicitRequestSchema, () => ANSWER as never)
      await client.connect(transport as never)
      closing.push(() => client.close())
      return client
    }

    it.each(['sse', 'http'] as const)('a client of SDK v1 by %s, which is asked', async by => {
      const { server, done } = await listen()
      const { url, sseUrl } = server
      const client = await v1(by === 'sse' ? new SdkV1Sse(new URL(sseUrl!)) : new SdkV1Http(new URL(url!)))
      const echoed = await client.callTool({ name: 'echo', arguments: { text: 'v1' } })
      expect(echoed.content).toEqual([{ type: 'text', text: 'v1' }])
      const asked = await client.callTool({ name: 'ask', arguments: {} })
      expect(asked.content).toEqual([{ type: 'text', text: JSON.stringify(ANSWER) }])
      expect(done.asked).toBe(1)
    })

    it.each(['legacy', { pin: '2026-07-28' }] as const)(
      'a client of SDK v2, %j, which is asked',
      async mode => {
        const { server, done } = await listen()
        const client = new SdkV2Client(
          { name: 'test', version: '1' },
          { capabilities: CAN_BE_ASKED, versionNegotiation: { mode } },
        )
        client.setRequestHandler('elicitation/create', () => ANSWER as never)
        await client.connect(new SdkV2Http(new URL(server.url!)))
        closing.push(() => client.close())
        const asked = await client.callTool({ name: 'ask', arguments: {} })
        expect(asked.content).toEqual([{ type: 'text', text: JSON.stringify(ANSWER) }])
        expect(done.asked).toBe(1)
        const left = new AbortController()
        const waiting = client.callTool({ name: 'wait', arguments: {} }, { signal: left.signal })
        const refused = expect(waiting).rejects.toThrow()
        await new Promise(resolve => setTimeout(resolve, 100))
        left.abort('no more')
        await refused
        await until(() => done.cancelled === 1, 'the cancellation')
      },
    )
  })
})

describe('a single server', () => {
  it.each([
    ['v1', v1Server],
    ['v2', v2Server],
  ] as const)('%s can be connected again', async (_, make) => {
    const target = fromSdk(make())
    for (const text of ['first', 'second']) {
      const up = upstream(target)
      const { result } = await modernRequest(up.handler, 'tools/call', { name: 'echo', arguments: { text } })
      expect(result?.content).toEqual([{ type: 'text', text }])
      await up.close()
    }
  })

  it('is not served on HTTP', async () => {
    await expect(serve(v1Server(), { transport: ['stdio', 'sse'], environment: {} })).rejects.toThrow(
      /give a function that makes one/,
    )
  })

  it('refuses a second connection, and says what to do', async () => {
    const target = fromSdk(v1Server())
    const channel = await target.open()
    await expect(target.open()).rejects.toThrow(/one connection at a time; give a function/)
    await channel.close()
    await (await target.open()).close()
  })
})

describe('what cannot work', () => {
  it('is no server', () => {
    expect(() => fromSdk({} as never)).toThrow(/expected a server of an SDK/)
  })

  it('a function that throws is an error for each caller, and the next one tries again', async () => {
    let broken = true
    const target = fromSdk(
      () => {
        if (broken) throw new Error('no database')
        return v1Server()
      },
      { name: 'shop' },
    )
    const handler = instances(target)
    await expect(modernRequest(handler, 'tools/list')).resolves.toMatchObject({
      error: { message: expect.stringContaining('shop could not be made: no database') },
    })
    broken = false
    expect((await modernRequest(handler, 'tools/list')).result?.tools).toHaveLength(4)
  })

  it.each([
    [{ TRANSPORT: 'stdio,pigeon' }, /TRANSPORT: .*got "pigeon"/],
    [{ TRANSPORT: 'http', PORT: '80a' }, /PORT: .*got "80a"/],
    [{ TRANSPORT: 'http', HOST: '0.0.0.0', PORT: '0' }, /can be reached from other machines/],
  ])('%j', async (environment, message) => {
    await expect(serve(() => v1Server(), { environment })).rejects.toThrow(message)
  })
})

describe('clients of the SDKs on a transport of anyport', () => {
  it('v1, a handler behind it', async () => {
    const done = deeds()
    const transport = toSdkTransport(instances(fromSdk(SDK_SERVERS['SDK v2 that serves both eras']!(done))))
    const client = new SdkV1Client({ name: 'test', version: '1' }, { capabilities: CAN_BE_ASKED })
    client.setRequestHandler(ElicitRequestSchema, () => ANSWER as never)
    await client.connect(transport as never)
    const asked = await client.callTool({ name: 'ask', arguments: {} })
    expect(asked.content).toEqual([{ type: 'text', text: JSON.stringify(ANSWER) }])
    expect(done.asked).toBe(1)
    await client.close()
  })

  it.each(['legacy', { pin: '2026-07-28' }] as const)('v2, %j, a target behind it', async mode => {
    const done = deeds()
    const client = new SdkV2Client(
      { name: 'test', version: '1' },
      { capabilities: CAN_BE_ASKED, versionNegotiation: { mode } },
    )
    client.setRequestHandler('elicitation/create', () => ANSWER as never)
    await client.connect(toSdkTransport(fromSdk(() => v1Server(done))))
    const asked = await client.callTool({ name: 'ask', arguments: {} })
    expect(asked.content).toEqual([{ type: 'text', text: JSON.stringify(ANSWER) }])
    expect(done.asked).toBe(1)
    let closed = false
    client.onclose = () => {
      closed = true
    }
    await client.close()
    expect(closed).toBe(true)
  })
})
