/** Behind nginx, with its defaults and with the configurations that the documentation shows. */

import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import type { Handler } from '../../src/exchange/exchange.js'
import { serve } from '../../src/node/serve.js'
import type { ServeOptions } from '../../src/node/serve-options.js'
import { notification, resultResponse } from '../../src/protocol/message.js'
import { installedProgram } from '../fixtures/installed-program.js'
import { modernServer } from '../fixtures/modern-server.js'
import { type Nginx, startNginx } from '../fixtures/nginx.js'
import { connectV1, connectV2, type Json, type Peer } from './sdk-peers.js'

const program = installedProgram('nginx')
const page = readFileSync(new URL('../../docs/reverse-proxies.md', import.meta.url), 'utf8')
const [ROOT = '', PREFIXED = ''] = [...page.matchAll(/^```nginx\n(.*?)^```$/gms)].map(([, text]) => text)
/** All that nginx needs to be told, and nothing else. */
const BARE = 'location / { proxy_pass http://127.0.0.1:3000; }'
const TRUSTING: ServeOptions = { trustProxy: { addresses: ['loopback'] } }

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Says what time it is, as progress, after each of these milliseconds. */
const clocked = (pauses: readonly number[]): { readonly handler: Handler; change(): void } => {
  const server = modernServer()
  const listens = new Set<() => void>()
  const tools = ['echo', 'clock'].map(name => ({ name, inputSchema: { type: 'object' } }))
  return {
    change() {
      for (const listen of listens) listen()
    },
    handler: async function* (message, context) {
      if (message.method === 'tools/list')
        return resultResponse(message.id, { resultType: 'complete', tools, ttlMs: 0, cacheScope: 'public' })
      if (message.method === 'subscriptions/listen') {
        const { notifications } = message.params as { notifications: { resourceSubscriptions?: string[] } }
        const _meta = { 'io.modelcontextprotocol/subscriptionId': message.id }
        yield notification('notifications/subscriptions/acknowledged', { notifications, _meta })
        for (;;) {
          await new Promise<void>((resolve, reject) => {
            listens.add(resolve)
            context.onCancel(() => reject(new Error('cancelled')))
          })
          const [uri] = notifications.resourceSubscriptions ?? []
          if (uri === undefined) yield notification('notifications/tools/list_changed', { _meta })
          else yield notification('notifications/resources/updated', { uri, _meta })
        }
      }
      if (message.method !== 'tools/call' || message.params?.name !== 'clock')
        return yield* server.handler(message, context)
      const { progressToken } = (message.params._meta ?? {}) as { progressToken?: string }
      for (const [index, pause] of pauses.entries()) {
        await sleep(pause)
        if (progressToken !== undefined)
          yield notification('notifications/progress', {
            progressToken,
            progress: index + 1,
            message: String(Date.now()),
          })
      }
      return resultResponse(message.id, {
        resultType: 'complete',
        content: [{ type: 'text', text: 'in time' }],
      })
    },
  }
}

async function behind(
  snippet: string,
  options: ServeOptions = {},
  { pauses = [0, 700, 0], more = '' }: { readonly pauses?: readonly number[]; readonly more?: string } = {},
) {
  const { handler, change } = clocked(pauses)
  const server = await serve(handler, { port: 0, ...options })
  ends.push(() => server.close({ drainTimeout: 0 }))
  const { origin } = new URL(server.url as string)
  expect(snippet).toContain('http://127.0.0.1:3000')
  const inside = `${more}\n${snippet.replace('http://127.0.0.1:3000', origin)}`
  const nginx: Nginx = await startNginx(program as string, inside)
  ends.push(() => nginx.close())
  return { nginx, change, origin: nginx.origin }
}

const CLIENTS: readonly (readonly [string, (base: string) => Promise<Peer>])[] = [
  ['SDK v1', base => connectV1({ kind: 'http', url: `${base}/mcp` }, { asked: false })],
  ['SDK v1, HTTP+SSE', base => connectV1({ kind: 'sse', url: `${base}/sse` }, { asked: false })],
  ['SDK v2', base => connectV2({ kind: 'http', url: `${base}/mcp` }, 'modern', { asked: false })],
]

async function use(peer: Peer, length: number): Promise<void> {
  expect((await peer.listTools()).tools.map((tool: Json) => tool.name)).toContain('echo')
  const { content } = await peer.callTool('echo', { text: 'x'.repeat(length) })
  expect(content[0].text.length).toBe(length)
  const told: { readonly sent: number; readonly heard: number }[] = []
  const onProgress = ({ message }: Json) => told.push({ sent: Number(message), heard: Date.now() })
  await peer.callTool('clock', {}, { onProgress })
  expect(told.length).toBe(3)
  // Held back, it would come with the next.
  expect(told[0]?.heard).toBeLessThan(told[1]?.sent ?? 0)
  if (peer.era === 'modern') await peer.subscribe('test://clock')
}

describe.skipIf(program === undefined)('behind nginx', () => {
  describe.each([
    ['with its defaults, HTTP/1.0', BARE, '', {}],
    ['as documented', ROOT, '', { ...TRUSTING, allowHosts: ['mcp.example.com'] }],
    ['as documented, below a path', PREFIXED, '/tools', { ...TRUSTING, allowHosts: ['mcp.example.com'] }],
    [
      'as documented, below a path, with a public URL',
      PREFIXED,
      '/tools',
      { publicUrl: 'http://mcp.example.com/tools' },
    ],
  ] as const)('%s', (_, snippet, path, options) => {
    it('clients connect, list, call, hear progress at once and of changes, and end their session', async () => {
      const { origin, change } = await behind(snippet, options)
      const peers = await Promise.all(CLIENTS.map(([, connect]) => connect(origin + path)))
      ends.push(() => Promise.all(peers.map(peer => peer.close())))
      await Promise.all(peers.map(peer => use(peer, snippet === BARE ? 5 : 1_500_000)))
      change()
      for (const peer of peers)
        await expect.poll(() => peer.changes() + peer.updates.length, { timeout: 10_000 }).toBeGreaterThan(0)
    })
  })

  it('streams and silent calls live longer than its patience, by comments, and only by these', async () => {
    const pauses = [0, 3_500, 0]
    const more = 'proxy_read_timeout 1s;'
    const [kept, cut] = await Promise.all(
      [200, 60_000].map(keepAliveInterval =>
        behind(ROOT, { ...TRUSTING, keepAliveInterval }, { pauses, more }),
      ),
    )
    // Silent until its end; a stream after a second.
    const silent = await behind(
      ROOT,
      { ...TRUSTING, keepAliveInterval: 200 },
      { pauses: [4_000], more: 'proxy_read_timeout 2500ms;' },
    )
    const called = (origin: string | undefined, options?: CallOptions) =>
      modernCall(`${origin}/mcp`, 'clock', options)
    const [whole, broken, ended] = await Promise.allSettled([
      called(kept?.origin),
      called(cut?.origin),
      called(silent.origin, { progressToken: undefined }),
    ])
    expect(ended).toMatchObject({ status: 'fulfilled', value: { text: expect.stringContaining('in time') } })
    expect(whole).toMatchObject({ status: 'fulfilled', value: { text: expect.stringContaining('in time') } })
    expect(broken.status).toBe('rejected')
    expect(cut?.nginx.log()).toContain('upstream timed out')
  })

  it('a body over the limit is refused, by nginx or by us', async () => {
    const { origin } = await behind(ROOT, { ...TRUSTING, maxBody: 1_000_000 })
    const ours = await modernCall(`${origin}/mcp`, 'echo', { arguments: { text: 'x'.repeat(2_000_000) } })
    expect([ours.status, ours.text]).toEqual([413, expect.stringContaining('--max-body')])
    const its = await modernCall(`${origin}/mcp`, 'echo', { arguments: { text: 'x'.repeat(5_000_000) } })
    expect([its.status, its.text]).toEqual([413, expect.stringContaining('nginx')])
  })

  it('a name or an origin that is not ours is refused with the option that allows it', async () => {
    const { origin } = await behind(ROOT, TRUSTING)
    const host = await modernCall(`${origin}/mcp`, 'echo', { headers: { host: 'mcp.example.com' } })
    expect([host.status, host.text]).toEqual([403, expect.stringContaining('--allow-host mcp.example.com')])
    const page = await modernCall(`${origin}/mcp`, 'echo', { headers: { origin: 'https://app.example.com' } })
    expect([page.status, page.text]).toEqual([
      403,
      expect.stringContaining('--allow-origin https://app.example.com'),
    ])
    const open = await behind(ROOT, { ...TRUSTING, allowHosts: ['mcp.example.com'] })
    const allowed = await modernCall(`${open.origin}/mcp`, 'echo', { headers: { host: 'mcp.example.com' } })
    expect(allowed.status).toBe(200)
  })

  it('what a client says of itself is not believed', async () => {
    const trusting = { trustProxy: { addresses: ['127.0.0.1'] } }
    const headers = {
      'x-forwarded-for': '203.0.113.9',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-prefix': '/evil',
      forwarded: 'for=203.0.113.9;host=evil.example',
    }
    const from = { headers, localAddress: '127.0.0.2' }
    const { origin } = await behind(ROOT, { ...trusting, denyAddresses: ['203.0.113.0/24'] })
    expect((await modernCall(`${origin}/mcp`, 'echo', from)).status).toBe(200)
    const { 'x-forwarded-for': _, ...others } = headers
    const stream = await fetch(`${origin}/sse`, { headers: others })
    const reader = stream.body?.getReader()
    const { value } = (await reader?.read()) ?? {}
    expect(new TextDecoder().decode(value)).toMatch(/^data: ?\/messages\?/m)
    await reader?.cancel()
    const { origin: denying } = await behind(ROOT, { ...trusting, denyAddresses: ['127.0.0.2'] })
    expect((await modernCall(`${denying}/mcp`, 'echo', from)).status).toBe(403)
    expect((await modernCall(`${denying}/mcp`, 'echo', { headers })).status).toBe(200)
  })
})

interface CallOptions {
  readonly arguments?: object
  readonly headers?: Readonly<Record<string, string>>
  /** What it wants to hear progress by. Default: something. */
  readonly progressToken?: string | undefined
  /** From where it comes. */
  readonly localAddress?: string
}

/** A modern call; rejects where its answer breaks off. */
function modernCall(
  url: string,
  name: string,
  options: CallOptions = {},
): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    progressToken: 'progressToken' in options ? options.progressToken : 'mine',
  }
  const params = { name, arguments: options.arguments ?? {}, _meta }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': name,
    ...options.headers,
  }
  const { localAddress } = options
  return new Promise((resolve, reject) => {
    const call = request(
      url,
      { method: 'POST', headers, agent: false, ...(localAddress === undefined ? {} : { localAddress }) },
      answer => {
        text(answer).then(body => resolve({ status: answer.statusCode, text: body }), reject)
      },
    )
    call.on('error', reject)
    call.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }))
  })
}
