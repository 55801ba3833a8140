/**
 * The remote MCP server behind every product that leads to one: Streamable HTTP of both eras on `node:http`, with as little as it can
 * do, so that the product in front of it is what gets measured.
 *
 * node http-echo-server.mjs --port 0
 */

import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { blobText } from './blob.mjs'

const port = Number(process.argv[process.argv.indexOf('--port') + 1])
const MODERN_VERSION = '2026-07-28'
const META_VERSION = 'io.modelcontextprotocol/protocolVersion'
/** Progress notifications go out in writes of about this many characters. */
const WRITE_SIZE = 32 * 1024

const capabilities = { tools: {} }
const serverInfo = { name: 'bench-echo', version: '1.0.0' }
const tools = ['echo', 'blob', 'events'].map(name => ({ name, inputSchema: { type: 'object' } }))

const server = createServer((request, response) => {
  if (request.method !== 'POST') return response.writeHead(request.method === 'DELETE' ? 200 : 405).end()
  let body = ''
  request.setEncoding('utf8')
  request.on('data', chunk => {
    body += chunk
  })
  request.on('end', () => receive(JSON.parse(body), response))
})
server.keepAliveTimeout = 60_000
server.listen(port, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}/mcp`
  process.stderr.write(`${JSON.stringify({ event: 'listening', url })}\n`)
})

function receive({ id, method, params }, response) {
  if (id === undefined || method === undefined) return response.writeHead(202).end()
  const modern = params?._meta?.[META_VERSION] === MODERN_VERSION
  const complete = modern ? { resultType: 'complete' } : {}
  switch (method) {
    case 'tools/call': {
      const given = params.arguments ?? {}
      if (params.name === 'events')
        return void sendEvents(id, params._meta?.progressToken, given.count, complete, response)
      const text = params.name === 'blob' ? blobText(given.bytes) : JSON.stringify(given)
      return reply(response, id, textResult(text, complete))
    }
    case 'tools/list':
      return reply(response, id, {
        ...complete,
        tools,
        ...(modern ? { ttlMs: 0, cacheScope: 'public' } : {}),
      })
    case 'initialize': {
      const { protocolVersion } = params
      response.setHeader('mcp-session-id', randomUUID())
      return reply(response, id, { protocolVersion, capabilities, serverInfo })
    }
    case 'ping':
      return reply(response, id, {})
    case 'server/discover':
      if (!modern) break
      return reply(response, id, {
        ...complete,
        supportedVersions: [MODERN_VERSION],
        capabilities,
        ttlMs: 0,
        cacheScope: 'public',
        _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
      })
  }
  send(response, { jsonrpc: '2.0', id, error: { code: -32601, message: `method not found: ${method}` } })
}

async function sendEvents(id, token, count, complete, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const head = `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${JSON.stringify(token)},"progress":`
  let batch = ''
  for (let index = 1; token !== undefined && index <= count; index++) {
    batch += `${head}${index},"total":${count}}}\n\n`
    if (batch.length < WRITE_SIZE) continue
    const flowing = response.write(batch)
    batch = ''
    if (!flowing) await new Promise(resolve => response.once('drain', resolve))
  }
  const result = textResult(`sent ${count}`, complete)
  response.end(`${batch}data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`)
}

function textResult(text, complete) {
  return { ...complete, content: [{ type: 'text', text }] }
}

function reply(response, id, result) {
  send(response, { jsonrpc: '2.0', id, result })
}

function send(response, message) {
  const text = JSON.stringify(message)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
