/** What docs/serverless.md and docs/sdk.md say, as far as no other test shows it. */

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer as V1Server } from '@modelcontextprotocol/sdk/server/mcp.js'
import { createRequestStateCodec, inputRequired, McpServer as V2Server } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fetchHandler, fromSdk, type Handler } from '../../../src/fetch.js'
import { lambdaHandler } from '../../../src/lambda.js'
import { mount } from '../../../src/node/http/mount.js'
import { SDK_SERVERS } from '../../fixtures/sdk-servers.js'

const closing: (() => unknown)[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of closing.splice(0).reverse()) await close()
})

const ENDPOINT = 'https://mcp.example.com/mcp'
const target = () => fromSdk(SDK_SERVERS['SDK v2 that serves both eras']!())

function post(body: object, headers: Readonly<Record<string, string>>, url = ENDPOINT): Request {
  const accept = 'application/json, text/event-stream'
  const all = { 'content-type': 'application/json', accept, ...headers }
  return new Request(url, { method: 'POST', headers: all, body: JSON.stringify(body) })
}

const legacy = (method: string, params: object = {}, url?: string) =>
  post({ jsonrpc: '2.0', id: 1, method, params }, { 'mcp-protocol-version': '2025-11-25' }, url)

function modern(method: string, params: { readonly name?: string; readonly [key: string]: unknown } = {}) {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
  }
  const headers = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(params.name === undefined ? {} : { 'mcp-name': params.name }),
  }
  return post({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }, headers)
}

const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
}

describe('without sessions', () => {
  it('nothing happens before the first request: no timer, no random number', () => {
    const forbidden = [
      vi.spyOn(globalThis, 'setTimeout'),
      vi.spyOn(globalThis, 'setInterval'),
      vi.spyOn(crypto, 'getRandomValues'),
      vi.spyOn(crypto, 'randomUUID'),
    ]
    fetchHandler(target())
    lambdaHandler(target(), { stateKey: 'the same for all instances' })
    for (const spy of forbidden) expect(spy).not.toHaveBeenCalled()
  })

  it('HTTP+SSE is refused, and says why', async () => {
    const handler = fetchHandler(target())
    for (const path of ['/sse', '/messages']) {
      const response = await handler(new Request(`https://mcp.example.com${path}`))
      expect([response.status, await response.text()]).toEqual([404, expect.stringContaining('sessionless')])
    }
  })

  it('changes are not promised to those who would not hear of them', async () => {
    const handler = fetchHandler(target())
    const begun = await (await handler(legacy('initialize', INITIALIZE))).json()
    expect(begun.result.capabilities).toEqual({ logging: {}, tools: {} })
    const discovered = await (await handler(modern('server/discover'))).json()
    expect(discovered.result.capabilities.tools).toEqual({ listChanged: true })
    for (const method of ['resources/subscribe', 'resources/unsubscribe']) {
      const { error } = await (await handler(legacy(method, { uri: 'note://1' }))).json()
      expect([error.code, error.message]).toEqual([-32601, expect.stringContaining('needs a session')])
    }
  })

  it('logs of a call come with it', async () => {
    const logging: Handler = async function* ({ id, params }) {
      const level = params?._meta?.['io.modelcontextprotocol/logLevel']
      yield { jsonrpc: '2.0', method: 'notifications/message', params: { level, data: 'working' } }
      return { jsonrpc: '2.0', id, result: { resultType: 'complete', content: [] } }
    }
    const response = await fetchHandler(logging)(legacy('tools/call', { name: 'work' }))
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    expect(await response.text()).toContain('{"level":"info","data":"working"}')
  })

  it('nobody who has no session can be asked, and learns which capability that needs', async () => {
    const { error } = await (
      await fetchHandler(target())(legacy('tools/call', { name: 'ask', arguments: {} }))
    ).json()
    expect(error.code).toBe(-32021)
  })

  it('a state that is sealed with one key is good on all instances', async () => {
    const key = new Uint8Array(32).fill(7)
    const instance = () => {
      const codec = createRequestStateCodec<{ asked: number }>({ key })
      const make = () => {
        const server = new V2Server(
          { name: 'counting', version: '1' },
          { requestState: { verify: codec.verify } },
        )
        server.registerTool('count', {}, async ({ mcpReq }) => {
          const asked = mcpReq.requestState<{ asked: number }>()?.asked ?? 0
          if (asked === 2) return { content: [{ type: 'text', text: `asked ${asked} times` }] }
          const form = {
            message: 'On?',
            requestedSchema: { type: 'object' as const, properties: { on: { type: 'boolean' as const } } },
          }
          return inputRequired({
            inputRequests: { on: inputRequired.elicit(form) },
            requestState: await codec.mint({ asked: asked + 1 }),
          })
        })
        return server
      }
      return fetchHandler(fromSdk(transport => serveStdio(make, { transport })))
    }
    const call = async (handler: ReturnType<typeof instance>, state: object) =>
      (await (await handler(modern('tools/call', { name: 'count', arguments: {}, ...state }))).json()).result
    let result = await call(instance(), {})
    for (let round = 0; round < 2; round++) {
      expect(result.resultType).toBe('input_required')
      const { requestState } = result
      result = await call(instance(), {
        requestState,
        inputResponses: { on: { action: 'accept', content: {} } },
      })
    }
    expect(result.content).toEqual([{ type: 'text', text: 'asked 2 times' }])
  })

  it('behind a prefix of the platform', async () => {
    const handler = lambdaHandler(target(), { basePath: '/tools' })
    const event = { version: '2.0', rawQueryString: '', headers: { host: 'mcp.example.com' } }
    const http = (path: string) => ({ stage: '$default', http: { method: 'GET', path } })
    const of = (path: string) => handler({ ...event, rawPath: path, requestContext: http(path) })
    expect((await of('/tools/healthz')).statusCode).toBe(200)
    expect((await of('/tools/other')).statusCode).toBe(404)
  })
})

describe('in somebody else’s server', () => {
  const listening = async (options: Parameters<typeof mount>[1], make = SDK_SERVERS['SDK v1']!()) => {
    const mcp = mount(fromSdk(make), options)
    const server = createServer(mcp)
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      server.closeAllConnections()
      server.close()
    })
    closing.push(() => mcp.close({ drainTimeout: 0 }))
    return { mcp, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  }
  const behind = async (origin: string, name: string) => {
    // What a proxy in front would say; fetch sets its own Host.
    const { request } = await import('node:http')
    return await new Promise<number | undefined>((resolve, reject) => {
      const asked = request(`${origin}/mcp`, { method: 'GET', headers: { host: name } }, response => {
        resolve(response.resume().statusCode)
      })
      asked.once('error', reject).end()
    })
  }

  it('it is known by loopback names, and by those that it is told', async () => {
    const { origin } = await listening({ sessionless: true })
    expect(await behind(origin, 'localhost')).toBe(405)
    expect(await behind(origin, 'mcp.example.com')).toBe(403)
    const named = await listening({ sessionless: true, allowHosts: ['mcp.example.com'] })
    expect(await behind(named.origin, 'mcp.example.com')).toBe(405)
    const published = await listening({ sessionless: true, publicUrl: 'https://mcp.example.com' })
    expect(await behind(published.origin, 'mcp.example.com')).toBe(405)
  })

  it('close ends what was started', async () => {
    const ended: string[] = []
    const make = () => {
      const server = new V1Server({ name: 'ending', version: '1' })
      server.registerTool('none', {}, () => ({ content: [] }))
      server.server.onclose = () => void ended.push('closed')
      return server
    }
    const { mcp, origin } = await listening({}, make)
    const response = await fetch(legacy('initialize', INITIALIZE, `${origin}/mcp`))
    expect((await response.json()).result.serverInfo.name).toBe('ending')
    await mcp.close({ drainTimeout: 0 })
    expect(ended.length).toBeGreaterThan(0)
    expect((await fetch(legacy('tools/list', {}, `${origin}/mcp`))).status).not.toBe(200)
  })

  it('tools of SDK v1 are not told of one request’s headers, since they serve several', async () => {
    const make = () => {
      const server = new V1Server({ name: 'curious', version: '1' })
      server.registerTool('look', {}, ({ requestInfo, authInfo, sessionId }) => ({
        content: [{ type: 'text', text: JSON.stringify({ requestInfo, authInfo, sessionId }) }],
      }))
      return server
    }
    const { origin } = await listening({ sessionless: true }, make)
    const response = await fetch(legacy('tools/call', { name: 'look', arguments: {} }, `${origin}/mcp`))
    expect((await response.json()).result.content[0].text).toBe('{}')
  })
})
