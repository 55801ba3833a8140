/** Whatever a client shows us, on whatever transport, nothing of it reaches a server, on whatever transport. */

import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RemoteTransport } from '../../../src/client/remote.js'
import { upstream } from '../../../src/client/upstream.js'
import type { UpstreamOptions } from '../../../src/client/upstream-options.js'
import type { HttpHandler } from '../../../src/exchange/http.js'
import type { AuthenticationMethod } from '../../../src/middleware/http/authentication.js'
import { serve } from '../../../src/node/serve.js'
import { httpAccess } from '../../../src/transport/http-access.js'
import { httpFace } from '../../../src/transport/http-face.js'
import { everythingHandler } from '../../fixtures/everything-handler.js'
import { testHttpClient } from '../../fixtures/http-client.js'
import { send } from '../../fixtures/http-request.js'
import { initialize, legacyClient } from '../../fixtures/legacy-http-client.js'

// Real servers, on machines that may be busy.
vi.setConfig({ testTimeout: 30_000 })

const ending: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end()
})

const SHOWN = {
  authorization: 'Bearer planted-token',
  cookie: 'session=planted-cookie',
  'proxy-authorization': 'Basic planted',
  'x-forwarded-access-token': 'planted-forwarded',
  'x-auth-request-access-token': 'planted-proxied',
  'x-custom': 'planted-custom',
  dpop: 'planted-proof',
}

type To = readonly [name: string, path: '/mcp' | '/sse', options: UpstreamOptions, transport: RemoteTransport]
const TO: readonly To[] = [
  ['Streamable HTTP, modern', '/mcp', {}, 'modern'],
  ['Streamable HTTP, legacy', '/mcp', { protocol: 'legacy' }, 'streamable-http'],
  ['HTTP+SSE', '/sse', {}, 'sse'],
]

const CALL = { jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name: 'echo', arguments: {} } }
const FROM: Readonly<Record<string, (handler: HttpHandler) => Promise<unknown>>> = {
  async 'Streamable HTTP, modern'(handler) {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const headers = {
      ...SHOWN,
      'content-type': 'application/json',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
    }
    return (await send(handler, { headers, body: { ...CALL, params: { ...CALL.params, _meta } } })).json
  },
  async 'Streamable HTTP, legacy'(handler) {
    const { session } = await legacyClient(handler, '2025-11-25', SHOWN)
    const headers = {
      ...SHOWN,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-session-id': session,
      'mcp-protocol-version': '2025-11-25',
    }
    const reply = await send(handler, { headers, body: CALL })
    return reply.isStream ? (await reply.rest()).at(-1) : reply.json
  },
  async 'HTTP+SSE'(handler) {
    const stream = await send(handler, { method: 'GET', path: '/sse', headers: SHOWN })
    const [path, query] = ((await stream.event())?.data ?? '').split('?') as [string, string]
    const headers = { ...SHOWN, 'content-type': 'application/json' }
    const post = (body: object) => send(handler, { path, query, headers, body })
    await post(initialize('2024-11-05'))
    await stream.message()
    await post({ jsonrpc: '2.0', method: 'notifications/initialized' })
    await post(CALL)
    const answer = await stream.message()
    stream.hangUp()
    return answer
  },
}

describe.each(TO)('to %s', (...[, path, options, transport]) => {
  it.each(Object.keys(FROM))('from %s', async from => {
    const seen: string[] = []
    const recording: AuthenticationMethod = {
      checkRequest(request) {
        for (const name of Object.keys(SHOWN)) seen.push(request.header(name) ?? '')
        return { principal: 'us' }
      },
      checkCredential({ token }) {
        seen.push(token)
        return { principal: 'us' }
      },
    }
    const far = await serve(everythingHandler().handler, {
      port: 0,
      authentication: { methods: [recording] },
    })
    const client = testHttpClient()
    const url = new URL(path, far.url).href
    const up = upstream({ name: url, remote: { url, client, transport } }, options)
    const access = httpAccess({
      authentication: {
        methods: [
          {
            checkCredential: ({ token }) =>
              token === 'planted-token' ? { principal: 'alice', claims: { sub: 'alice' } } : undefined,
          },
        ],
      },
    })
    const face = httpFace(up.handler, { access })
    ending.push(
      () => far.close({ drainTimeout: 0 }),
      () => client.close(),
      () => up.close(),
      () => face.close(),
    )
    const answer = await FROM[from]?.(face.handler)
    expect(answer).toMatchObject({ id: 5, result: { content: expect.anything() } })
    expect(seen.length).toBeGreaterThan(0)
    expect(seen.filter(value => value !== '')).toEqual([])
  })
})
