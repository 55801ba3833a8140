/**
 * A server written with the official SDK, in one process with what serves it:
 *
 *   node sdk-server.mjs --sdk v1|v2 --by sdk|anyport [--sessions] [--json]
 *
 * `--by sdk` is what the SDK itself offers for `node:http`: sessions (v1, and v2 with `--sessions`), or `createMcpHandler` (v2). `--json`
 * has its sessions answer in JSON, which is the faster way, and not the default one.
 */

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    sdk: { type: 'string' },
    by: { type: 'string' },
    json: { type: 'boolean', default: false },
    sessions: { type: 'boolean', default: false },
  },
})

const echoed = given => ({ content: [{ type: 'text', text: JSON.stringify(given) }] })
const INFO = { name: 'bench', version: '1.0.0' }

const make = values.sdk === 'v1' ? await v1() : await v2()
if (values.by === 'anyport') await byAnyport()
else if (values.sdk === 'v1' || values.sessions) await bySessions()
else await byHandler()

async function v1() {
  const { McpServer } = await import('@modelcontextprotocol/sdk/server/mcp.js')
  const z = await import('zod/v4')
  const inputSchema = { value: z.string() }
  return () => {
    const server = new McpServer(INFO)
    server.registerTool('echo', { inputSchema }, echoed)
    return server
  }
}

async function v2() {
  const { McpServer } = await import('@modelcontextprotocol/server')
  const z = await import('zod/v4')
  const inputSchema = z.object({ value: z.string() })
  return () => {
    const server = new McpServer(INFO)
    server.registerTool('echo', { inputSchema }, echoed)
    return server
  }
}

async function byAnyport() {
  const { serve } = await import('../dist/sdk.js')
  const { serveStdio } = await import('@modelcontextprotocol/server/stdio')
  const factory = values.sdk === 'v1' ? make : transport => serveStdio(make, { transport })
  const server = await serve(factory, { transport: 'http', port: 0 })
  announce(server.url)
}

async function byHandler() {
  const { createMcpHandler } = await import('@modelcontextprotocol/server')
  const { toNodeHandler } = await import('@modelcontextprotocol/node')
  listen(toNodeHandler(createMcpHandler(make)))
}

/** As the SDK's own examples do it: a transport and a server for each session. */
async function bySessions() {
  const Transport =
    values.sdk === 'v1'
      ? (await import('@modelcontextprotocol/sdk/server/streamableHttp.js')).StreamableHTTPServerTransport
      : (await import('@modelcontextprotocol/node')).NodeStreamableHTTPServerTransport
  const sessions = new Map()
  listen(async (request, response) => {
    const known = sessions.get(request.headers['mcp-session-id'])
    if (known !== undefined) return void (await known.handleRequest(request, response))
    const transport = new Transport({
      sessionIdGenerator: randomUUID,
      enableJsonResponse: values.json,
      onsessioninitialized: id => void sessions.set(id, transport),
      onsessionclosed: id => void sessions.delete(id),
    })
    await make().connect(transport)
    await transport.handleRequest(request, response)
  })
}

function listen(handle) {
  const server = createServer((request, response) => {
    Promise.resolve(handle(request, response)).catch(error => {
      process.stderr.write(`${error.stack}\n`)
      response.destroy()
    })
  })
  server.listen(0, '127.0.0.1', () => announce(`http://127.0.0.1:${server.address().port}/mcp`))
}

function announce(url) {
  process.stderr.write(`${JSON.stringify({ event: 'listening', url })}\n`)
}
