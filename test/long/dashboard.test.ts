/** The dashboard, in a real browser: what it shows, what it lets people do, and what hostile servers cannot do to it. */

import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dashboard } from '../../src/dashboard/dashboard.js'
import type { Handler } from '../../src/exchange/exchange.js'
import { apiKeys, newApiKey } from '../../src/middleware/http/api-keys.js'
import { gateway } from '../../src/node/gateway.js'
import { serve } from '../../src/node/serve.js'
import type { Server } from '../../src/node/serve-options.js'
import { RpcError } from '../../src/protocol/errors.js'
import { progressTokenOf } from '../../src/protocol/meta.js'
import { type Chromium, startChromium } from '../fixtures/chromium.js'
import { installedProgram } from '../fixtures/installed-program.js'
import { postModern } from '../peers/raw-clients.js'
import { startAnyport } from '../peers/start-anyport.js'

const program = installedProgram('chromium', 'chromium-browser', 'google-chrome')

/** Each runs where it becomes a part of the page. */
const HOSTILE = '<img src=x onerror="globalThis.harmed=true"><script>globalThis.harmed=true</script>'

const TOOLS = [
  {
    name: 'add',
    title: 'Adds',
    description: 'Adds two numbers',
    annotations: { readOnlyHint: true },
    inputSchema: {
      type: 'object',
      properties: {
        a: { type: 'number', 'x-mcp-header': 'First' },
        b: { type: 'integer', default: 4 },
        sign: { type: 'string', enum: ['plus', 'minus'], default: 'plus' },
        loud: { type: 'boolean' },
        more: { type: 'array', items: { type: 'object' } },
        name: { type: 'string', 'x-mcp-header': 'Name' },
      },
      required: ['a', 'b'],
    },
  },
  { name: 'ask', inputSchema: { type: 'object' } },
  { name: 'wait', inputSchema: { type: 'object' } },
  { name: 'fail', description: HOSTILE, inputSchema: { type: 'object' } },
  {
    name: 'hostile',
    title: HOSTILE,
    description: HOSTILE,
    inputSchema: {
      type: 'object',
      properties: {
        [HOSTILE]: { type: 'string', title: HOSTILE, description: HOSTILE },
        choice: { enum: [HOSTILE, 'b'], default: HOSTILE },
      },
    },
  },
]

const complete = { resultType: 'complete' }

const tools: Handler = async function* (request, context) {
  const { id, method, params } = request
  const answer = (result: object) => ({ jsonrpc: '2.0' as const, id, result: { ...complete, ...result } })
  const token = progressTokenOf(request)
  if (method === 'server/discover')
    return answer({
      supportedVersions: ['2026-07-28'],
      capabilities: { tools: {} },
      ttlMs: 0,
      cacheScope: 'private',
    })
  if (method === 'tools/list') return answer({ tools: TOOLS, ttlMs: 0, cacheScope: 'private' })
  const args = (params?.arguments ?? {}) as Record<string, unknown>
  switch (params?.name) {
    case 'add':
      return answer({
        content: [{ type: 'text', text: `${HOSTILE} ${JSON.stringify(args)}` }],
        structuredContent: { sum: Number(args.a) + Number(args.b) },
      })
    case 'ask': {
      const answers = params.inputResponses as Record<string, Record<string, unknown>> | undefined
      if (answers !== undefined)
        return answer({
          content: [{ type: 'text', text: `${params.requestState}: ${JSON.stringify(answers)}` }],
        })
      const requestedSchema = {
        type: 'object',
        properties: { colour: { type: 'string', title: 'Which colour?' } },
        required: ['colour'],
      }
      return answer({
        resultType: 'input_required',
        requestState: 'kept',
        inputRequests: { q: { method: 'elicitation/create', params: { message: HOSTILE, requestedSchema } } },
      })
    }
    case 'wait':
      yield {
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { progressToken: token ?? 0, progress: 1, total: 2, message: 'half way' },
      }
      await new Promise<void>(resolve => context.onCancel(() => resolve()))
      throw new RpcError(-32603, 'given up')
    default:
      throw new RpcError(-32603, `${HOSTILE} failed`)
  }
}

let chromium: Chromium
const servers: Server[] = []
const complaints: string[] = []

async function open(server: Pick<Server, 'dashboardUrl'>): Promise<Page> {
  const page = await chromium.page('about:blank')
  page.setDefaultTimeout(20_000)
  page.on('console', message => {
    // What was refused is told there as well.
    if (/Content Security Policy|Trusted|Uncaught/i.test(message.text())) complaints.push(message.text())
  })
  page.on('pageerror', error => complaints.push(String(error.stack)))
  await page.addInitScript(() => {
    addEventListener('securitypolicyviolation', event =>
      console.error(`Content Security Policy ${event.violatedDirective}`),
    )
  })
  await page.goto(server.dashboardUrl as string)
  return page
}

const harmed = (page: Page) => page.evaluate(() => (globalThis as { harmed?: boolean }).harmed === true)
const textOf = (page: Page, selector: string) => page.locator(selector).innerText()

describe.skipIf(program === undefined)('the dashboard in Chromium', () => {
  beforeAll(async () => {
    chromium = await startChromium(program as string, [])
  })
  afterAll(async () => {
    await chromium?.close()
    await Promise.all(servers.map(server => server.close({ drainTimeout: 0 })))
  })

  async function many(options: Parameters<typeof serve>[1] = {}, allow?: readonly string[]): Promise<Server> {
    const server = await serve(gateway({ servers: { good: tools, [HOSTILE.slice(0, 60)]: tools } }), {
      port: 0,
      dashboard: dashboard({ allow }),
      ...options,
    })
    servers.push(server)
    return server
  }

  it('shows servers, and calls as they happen, whatever they are called', async () => {
    const server = await many()
    const page = await open(server)
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'good', exact: true }).waitFor()
    expect(await page.locator('#servers tbody tr').count()).toBe(2)
    await page.getByRole('tab', { name: 'Messages' }).click()
    const url = server.url as string
    await postModern(url, { id: 1, method: 'tools/call', params: { name: HOSTILE } })
    await postModern(url, { id: 2, method: 'tools/call', params: { name: 'good__fail', arguments: {} } })
    const row = page.locator('#messages tbody tr')
    await row.filter({ hasText: 'good__fail' }).waitFor()
    expect(await row.first().innerText()).toContain(`${HOSTILE} failed`)
    await row
      .filter({ hasText: `tools/call ${HOSTILE}` })
      .first()
      .waitFor()

    await page.getByLabel('Text').fill('good__fail')
    expect(await row.count()).toBe(1)
    await page.getByLabel('Outcome').selectOption('ok')
    expect(await row.count()).toBe(0)
    await page.getByLabel('Outcome').selectOption('wrong')
    await page.getByRole('button', { name: 'Pause' }).click()
    await postModern(url, { id: 3, method: 'tools/call', params: { name: 'good__fail', arguments: {} } })
    await page.getByText('1 more since you paused').waitFor()
    expect(await row.count()).toBe(1)
    await page.getByRole('button', { name: 'Go on' }).click()
    await expect.poll(() => row.count()).toBe(2)

    await page.getByRole('tab', { name: 'Overview' }).click()
    await page.getByRole('cell', { name: 'failed' }).first().waitFor()
    await page.getByRole('button', { name: 'good', exact: true }).click()
    expect(await textOf(page, '#details')).toContain(`good__fail: -32603 ${HOSTILE} failed`)
    await page.keyboard.press('Escape')
    expect(await harmed(page)).toBe(false)
    await page.context().close()
  }, 60_000)

  it('tries tools: forms of their schemas, results, questions, progress, and a way out', async () => {
    const page = await open(await many())
    await page.getByRole('tab', { name: 'Try a tool' }).click()
    const tool = (name: string) => page.locator('.tools button').filter({ hasText: name }).first()
    const call = () => page.getByRole('button', { name: 'Call', exact: true }).click()

    await tool('good__add').click()
    await page.getByText('says it only reads').waitFor()
    await call()
    expect(await textOf(page, '#try [role=alert]')).toBe('a is missing')
    await page.locator('#try [name=a]').fill('38')
    await page.locator('#try [name=name]').fill('Grüße ')
    await page.locator('#try [name=more]').fill('[{"x":1}]')
    await call()
    await page.getByText('Done').waitFor()
    const sent = JSON.stringify({ a: 38, b: 4, sign: 'plus', more: [{ x: 1 }], name: 'Grüße ' })
    expect(await page.locator('#try pre').first().innerText()).toBe(`${HOSTILE} ${sent}`)
    expect(await textOf(page, '#try')).toContain('"sum": 42')
    await page.getByRole('button', { name: 'As JSON' }).click()
    await page.getByLabel('Arguments as JSON').fill('{"a":1,"b":2}')
    await call()
    await page.getByText('"sum": 3').first().waitFor()

    await tool('good__hostile').click()
    expect(await textOf(page, '#try .panel h2')).toBe(HOSTILE)
    await call()
    await page.getByText('Error -32603').waitFor()

    await tool('good__ask').click()
    await call()
    await page.getByText('good__ask asks').waitFor()
    await page.getByLabel('Which colour?').fill('blue')
    await page.getByRole('button', { name: 'Answer' }).click()
    const answered = page.locator('#try pre').first()
    await answered
      .filter({ hasText: 'kept: {"q":{"action":"accept","content":{"colour":"blue"}}}' })
      .waitFor()
    await call()
    await page.getByRole('button', { name: 'Decline' }).click()
    await answered.filter({ hasText: '{"q":{"action":"decline"}}' }).waitFor()

    await tool('good__wait').click()
    await call()
    await page.getByText('half way').waitFor()
    await page.getByRole('tab', { name: 'Overview' }).click()
    await page.locator('#open-calls tbody tr').filter({ hasText: 'good__wait' }).waitFor()
    await page.getByRole('tab', { name: 'Try a tool' }).click()
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await page.getByText('Cancelled.').waitFor()
    await page.getByRole('tab', { name: 'Overview' }).click()
    await page.getByText('Nothing is under way.').waitFor()
    expect(await harmed(page)).toBe(false)
    await page.context().close()
  }, 60_000)

  it('asks for a key where there is none, keeps it in the page only, and calls with it', async () => {
    const { key, record } = await newApiKey('ann')
    const page = await open(
      await many({ authentication: { methods: [apiKeys({ keys: [record] })] } }, ['ann']),
    )
    const dialog = page.getByRole('dialog', { name: 'Who are you?' })
    await dialog.waitFor()
    expect(await page.locator('#servers tbody tr').count()).toBe(0)
    await page.getByLabel('API key or token').fill('anyport_0_wrong')
    await page.getByRole('button', { name: 'Use it' }).click()
    await page.getByText('The key was not accepted').waitFor()
    await page.getByLabel('API key or token').fill(key)
    await page.keyboard.press('Enter')
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByRole('tab', { name: 'Try a tool' }).click()
    await page.locator('.tools button').filter({ hasText: 'good__add' }).first().click()
    await page.locator('#try [name=a]').fill('1')
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await page.getByText('Done').waitFor()
    const kept = await page.evaluate(async () => [
      JSON.stringify({ ...localStorage, ...sessionStorage }),
      document.cookie,
      location.href,
      document.documentElement.outerHTML,
    ])
    expect(kept.join(' ')).not.toContain(key)
    await page.reload()
    await dialog.waitFor()
    await page.context().close()
  }, 60_000)

  it('can be used by keyboard, and on 400 pixels without scrolling sideways', async () => {
    const page = await open(await many())
    await page.setViewportSize({ width: 400, height: 800 })
    await page.getByRole('button', { name: 'good', exact: true }).waitFor()
    const isWide = () => page.evaluate(() => document.documentElement.scrollWidth > innerWidth)
    expect(await isWide()).toBe(false)
    await page.getByRole('tab', { name: 'Overview' }).focus()
    await page.keyboard.press('ArrowRight')
    expect(await page.getByRole('tab', { name: 'Messages' }).getAttribute('aria-selected')).toBe('true')
    expect(await isWide()).toBe(false)
    await page.keyboard.press('ArrowRight')
    await page.locator('.tools button').first().focus()
    await page.keyboard.press('Enter')
    await page.getByText('says it only reads').waitFor()
    expect(await isWide()).toBe(false)
    await page.context().close()
  }, 60_000)

  it('is the same from the bundled command', async () => {
    const command = [
      process.execPath,
      fileURLToPath(new URL('../fixtures/everything-modern.mjs', import.meta.url)),
    ]
    const anyport = await startAnyport(command, { options: ['--dashboard'] })
    const page = await open({ dashboardUrl: anyport.url.replace('/mcp', '/dashboard') })
    await page.getByText('Live', { exact: true }).waitFor()
    await page.locator('#servers tbody tr').getByText('running').waitFor()
    await page.locator('#servers button').click()
    await page.getByRole('button', { name: 'Try its tools' }).click()
    await page.locator('.tools button').filter({ hasText: 'progress' }).first().click()
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await page
      .locator('#try .pill')
      .filter({ hasText: /Done|Error/ })
      .waitFor()
    await page.getByRole('tab', { name: 'Messages' }).click()
    await page.locator('#messages tbody tr').filter({ hasText: 'tools/call progress' }).waitFor()
    await page.context().close()
    await anyport.stop()
  }, 60_000)

  it('has broken its own policy nowhere, and thrown nothing', () => {
    expect(complaints).toEqual([])
  })
})
