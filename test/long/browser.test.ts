/** Web pages in a real browser: those that may call, and those that try. */

import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { type Chromium, type Site, startChromium, startSite } from '../fixtures/chromium.js'
import { installedProgram } from '../fixtures/installed-program.js'
import { type ModernServer, modernServer } from '../fixtures/modern-server.js'
import { ANYPORT, type Anyport, startAnyport } from '../peers/start-anyport.js'

const program = installedProgram('chromium', 'chromium-browser', 'google-chrome')
const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

let chromium: Chromium
let site: Site

describe.skipIf(program === undefined)('in Chromium', () => {
  beforeAll(async () => {
    site = await startSite()
    chromium = await startChromium(program as string, ['evil.test', 'page.test', 'other.test'])
  })
  afterAll(async () => {
    await chromium?.close()
    await site?.close()
  })

  describe('a page that may not call', () => {
    let target: ModernServer
    let server: Server
    let port: string
    let rebound: Page
    let refused: { readonly path: string; readonly status: number }[] = []

    beforeAll(async () => {
      // First the name leads to a site of its own, and then, on the same port, to us.
      const evil = await startSite()
      rebound = await chromium.page(`http://evil.test:${evil.port}`)
      await evil.close()
      target = modernServer()
      const onRefused = ({ path }: { path: string }, { status }: { status: number }) => {
        // What the browser asks for by itself.
        if (path !== '/favicon.ico') refused.push({ path, status })
      }
      server = await serve(target.handler, { port: evil.port, onRefused })
      port = new URL(server.url as string).port
    })
    afterAll(() => server?.close({ drainTimeout: 0 }))

    /** Tries all ways from a page, with `base` as the address, and says what each of them got. */
    async function attack(page: Page | Awaited<ReturnType<typeof frameOf>>, base: string) {
      refused = []
      const before = target.requests.length
      const outcomes = await page.evaluate(tryEverything, base)
      expect(target.requests.slice(before)).toEqual([])
      return outcomes
    }

    it('by a name that was rebound to this machine gets nothing but refusals', async () => {
      const outcomes = await attack(rebound, `http://evil.test:${port}`)
      // It may read them: they are of its own origin, to the browser.
      expect(new Set(Object.values(outcomes.fetched))).toEqual(new Set([403]))
      expect([outcomes.eventSource, outcomes.webSocket]).toEqual(['error', 'error'])
      expect(refused.length).toBeGreaterThan(8)
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]))
    })

    it.each([['localhost'], ['127.0.0.1']])(
      'of another site gets nothing from %s, nor can it cause anything',
      async name => {
        const page = await chromium.page(`http://evil.test:${site.port}`)
        const outcomes = await attack(page, `http://${name}:${port}`)
        expect(new Set(Object.values(outcomes.fetched))).toEqual(new Set(['TypeError', 'opaque']))
        expect([outcomes.eventSource, outcomes.webSocket]).toEqual(['error', 'error'])
        expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]))
        // The browser keeps none of these back: it was we who refused them.
        expect(refused.map(({ path }) => path)).toEqual(expect.arrayContaining(['/mcp', '/sse', '/messages']))
      },
    )

    it.each([
      ['a frame without an origin', `<iframe sandbox="allow-scripts" srcdoc="<p>in a sandbox"></iframe>`],
      ['a page made of an address', `<iframe src="data:text/html,<p>made of data"></iframe>`],
    ])('in %s gets nothing, nor can it cause anything', async (_, html) => {
      const page = await chromium.page(`http://evil.test:${site.port}`)
      const frame = await frameOf(page, html)
      expect(await frame.evaluate(() => globalThis.origin)).toBe('null')
      const outcomes = await attack(frame, `http://127.0.0.1:${port}`)
      expect(new Set(Object.values(outcomes.fetched))).toEqual(new Set(['TypeError', 'opaque']))
      expect([outcomes.eventSource, outcomes.webSocket]).toEqual(['error', 'error'])
      expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([403]))
    })

    it('cannot call by a form that it sends', async () => {
      const page = await chromium.page(`http://evil.test:${site.port}`)
      refused = []
      const before = target.requests.length
      for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
        const [response] = await Promise.all([
          page.waitForNavigation(),
          page.evaluate(
            ([action, encoding]) => {
              const form = document.createElement('form')
              Object.assign(form, { method: 'POST', action, enctype: encoding })
              const field = document.createElement('input')
              field.name = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","x":"'
              field.value = '"}}'
              form.append(field)
              document.body.append(form)
              form.submit()
            },
            [`http://127.0.0.1:${port}/mcp`, enctype] as const,
          ),
        ])
        expect(response?.status(), enctype).toBe(403)
        await page.goto(`http://evil.test:${site.port}`)
      }
      expect(refused.length).toBe(3)
      expect(target.requests.slice(before)).toEqual([])
    })

    it('does what it tries: a page of this machine gets answers', async () => {
      const page = await chromium.page(`http://localhost:${port}/healthz`)
      refused = []
      const before = target.requests.length
      const outcomes = await page.evaluate(tryEverything, `http://localhost:${port}`)
      expect(outcomes.fetched.initialize).toBe(200)
      expect(outcomes.fetched.call).toBe(200)
      expect(outcomes.eventSource).toContain('/messages?')
      expect(refused.filter(({ status }) => status === 403)).toEqual([])
      expect(target.requests.length).toBeGreaterThan(before)
    })
  })

  describe("the SDK's clients on a page of an origin that may call", () => {
    let folder: string
    let bundle: string
    let open: Anyport
    let keyed: Anyport
    let key: string
    let allowed: Page
    let other: Page

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'anyport-browser-'))
      const program = (name: string) => ({
        command: process.execPath,
        args: [fixture(name)],
        env: { MCP_TEST_MARK: `\${MCP_TEST_MARK}` },
      })
      const config = join(folder, 'servers.json')
      const mcpServers = { one: program('everything-modern.mjs'), other: program('everything-legacy.mjs') }
      await writeFile(config, JSON.stringify({ mcpServers }))
      const keys = join(folder, 'keys.json')
      key = spawnSync(process.execPath, [ANYPORT, 'keys', 'create', 'page', '--file', keys], {
        encoding: 'utf8',
      }).stdout.trim()
      const cors = ['--config-client', 'claude-code', '--cors', 'http://page.test:*']
      const [bundled, ...rest] = await Promise.all([
        build({
          entryPoints: [fixture('browser-client.mjs')],
          bundle: true,
          write: false,
          format: 'iife',
          platform: 'browser',
        }),
        startAnyport([], { config, options: cors }),
        startAnyport([], { config, options: [...cors, '--keys', keys] }),
      ])
      bundle = bundled.outputFiles[0]?.text ?? ''
      ;[open, keyed] = rest
      ;[allowed, other] = (await Promise.all(
        ['page.test', 'other.test'].map(name => chromium.page(`http://${name}:${site.port}`)),
      )) as [Page, Page]
      for (const page of [allowed, other]) await page.addScriptTag({ content: bundle })
    })
    afterAll(async () => {
      await Promise.all([open?.stop(), keyed?.stop()])
      await rm(folder, { recursive: true, force: true })
    })

    const run = (page: Page, way: string, anyport: Anyport, headers?: Readonly<Record<string, string>>) =>
      page.evaluate(options => (globalThis as unknown as Runner).runClient(options), {
        way,
        url: anyport.url,
        ...(headers === undefined ? {} : { headers }),
      })

    const expected = {
      tools: expect.arrayContaining(['one__progress', 'other__progress']),
      // The last comes with the result, which SDK v1 takes first.
      progress: expect.arrayContaining(['one 1', 'one 2', 'other 1', 'other 2']),
      updates: ['anyport:one/test://resource/1'],
    }

    it.each([
      ['v2-modern', undefined],
      ['v2-legacy', 404],
      ['v1', 404],
      ['v1-sse', undefined],
    ])('%s: connects, lists, calls, hears progress and updates, ends its session', async (way, afterEnd) => {
      const seen = await run(allowed, way, open)
      expect(seen.error).toBeUndefined()
      expect(seen).toMatchObject(expected)
      expect(seen.afterEnd).toBe(afterEnd)
    })

    it.each([
      ['v2-modern', (key: string) => ({ authorization: `Bearer ${key}` })],
      ['v1', (key: string) => ({ 'x-api-key': key })],
    ])('%s: shows a key', async (way, headers) => {
      expect(await run(allowed, way, keyed, headers(key))).toMatchObject(expected)
    })

    it('may read why it was refused without one', async () => {
      const seen = await run(allowed, 'v2-modern', keyed)
      expect(seen.tools).toBeUndefined()
      expect(seen.error).toMatch(/401|unauthorized/i)
    })

    it.each(['v2-modern', 'v1'])('%s: from another origin fails before anything is called', async way => {
      const failures: (string | undefined)[] = []
      const answered: string[] = []
      other.on('requestfailed', request => failures.push(request.failure()?.errorText))
      other.on('response', response => answered.push(response.url()))
      const seen = await run(other, way, open)
      expect(seen.tools).toBeUndefined()
      expect(seen.error).toBeDefined()
      // The browser asked beforehand, and got no permission.
      expect(new Set(failures)).toEqual(new Set(['net::ERR_FAILED']))
      expect(answered).toEqual([])
    })
  })
})

interface Runner {
  runClient(options: object): Promise<{
    readonly tools?: readonly string[]
    readonly error?: string
    readonly afterEnd?: number
  }>
}

async function frameOf(page: Page, html: string) {
  await page.setContent(html)
  const frame = page.frames().find(other => other !== page.mainFrame())
  if (frame === undefined) throw new Error('The page has no frame')
  await frame.waitForLoadState()
  return frame
}

/** Runs on the page. */
async function tryEverything(base: string) {
  const call = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: 'echo',
      arguments: { text: 'stolen' },
      _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  })
  const mirrored = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'echo',
  }
  const json = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
  const initialize = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
  })
  const tries: Record<string, [string, RequestInit]> = {
    call: ['/mcp', { method: 'POST', headers: { ...json, ...mirrored }, body: call }],
    initialize: ['/mcp', { method: 'POST', headers: json, body: initialize }],
    simple: ['/mcp', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: call }],
    'simple, unread': ['/mcp', { method: 'POST', mode: 'no-cors', body: initialize }],
    'without a type': ['/mcp', { method: 'POST', mode: 'no-cors', body: new Blob([initialize]) }],
    get: ['/mcp', { headers: { accept: 'text/event-stream' } }],
    delete: ['/mcp', { method: 'DELETE', headers: { 'mcp-session-id': 'x' } }],
    post: ['/messages?sessionId=x', { method: 'POST', mode: 'no-cors', body: initialize }],
    alone: ['/servers/one/mcp', { method: 'POST', headers: { ...json, ...mirrored }, body: call }],
    stream: ['/sse', {}],
    'stream, unread': ['/sse', { mode: 'no-cors' }],
  }
  const fetched: Record<string, number | string> = {}
  for (const [name, [path, options]] of Object.entries(tries)) {
    const ending = new AbortController()
    try {
      const reply = await fetch(base + path, { ...options, signal: ending.signal })
      fetched[name] = reply.type === 'opaque' ? 'opaque' : reply.status
    } catch (error) {
      fetched[name] = (error as Error).name
    }
    ending.abort()
  }
  const limit = 2_000
  const eventSource = await new Promise<string>(resolve => {
    const source = new EventSource(`${base}/sse`)
    const end = (outcome: string) => {
      source.close()
      resolve(outcome)
    }
    source.addEventListener('endpoint', event => end((event as MessageEvent).data))
    source.onerror = () => end('error')
    setTimeout(end, limit, 'silence')
  })
  const webSocket = await new Promise<string>(resolve => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/mcp`)
    socket.onopen = () => resolve('open')
    socket.onerror = () => resolve('error')
    setTimeout(resolve, limit, 'silence')
  })
  // Parts of the page: they cannot be read, and send no origin.
  await Promise.all(
    ['img', 'script'].map(
      tag =>
        new Promise(resolve => {
          const part = document.createElement(tag) as HTMLImageElement
          part.onload = part.onerror = resolve
          part.src = `${base}/sse?as=${tag}`
          document.body.append(part)
          setTimeout(resolve, limit)
        }),
    ),
  )
  return { fetched, eventSource, webSocket }
}
