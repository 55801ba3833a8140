/** The server that is tried everywhere: one module, bundled once, for all runtimes and all adapters. */
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { Hono } from 'hono'
import * as z from 'zod/v4'
import { fetchHandler, fromSdk } from '../dist/fetch.js'

const text = value => ({ content: [{ type: 'text', text: value }] })
const FORM = {
  message: 'Who?',
  requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
}

function make() {
  const server = new McpServer(
    { name: 'everywhere', version: '1.0.0' },
    { capabilities: { logging: {} }, instructions: 'The same everywhere.' },
  )
  server.registerTool('echo', { inputSchema: z.object({ text: z.string() }) }, given => text(given.text))
  server.registerTool(
    'sum',
    {
      inputSchema: z.object({ numbers: z.array(z.number()) }),
      outputSchema: z.object({ sum: z.number() }),
    },
    ({ numbers }) => {
      const sum = numbers.reduce((one, other) => one + other, 0)
      return { ...text(String(sum)), structuredContent: { sum } }
    },
  )
  server.registerTool('fail', { inputSchema: z.object({}) }, () => {
    throw new Error('as it should')
  })
  server.registerTool('count', { inputSchema: z.object({ to: z.number() }) }, async ({ to }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    await mcpReq.log('info', 'counting', 'everywhere')
    for (let progress = 1; progress <= to && progressToken !== undefined; progress++)
      await mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress, total: to },
      })
    return text(`counted to ${to}`)
  })
  server.registerTool('ask', { inputSchema: z.object({}) }, (_, { mcpReq }) => {
    const answer = acceptedContent(mcpReq.inputResponses, 'who')
    if (answer === undefined) return inputRequired({ inputRequests: { who: inputRequired.elicit(FORM) } })
    return text(`hello ${answer.name}`)
  })
  server.registerResource('readme', 'note://readme', { mimeType: 'text/plain' }, uri => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'Grüße ✓ 🙂' }],
  }))
  server.registerPrompt('greet', { argsSchema: z.object({ name: z.string() }) }, ({ name }) => ({
    messages: [{ role: 'user', content: { type: 'text', text: `Greet ${name}` } }],
  }))
  return server
}

/** What adapters of Node and of Lambda serve. */
export const target = () => fromSdk(transport => serveStdio(make, { transport }))

const plain = fetchHandler(target())
const mounted = fetchHandler(target(), { path: '/hono/tools/mcp' })
const app = new Hono().all('/hono/tools/*', context => mounted(context.req.raw))

export default {
  fetch: request =>
    new URL(request.url).pathname.startsWith('/hono/') ? app.fetch(request) : plain(request),
}
