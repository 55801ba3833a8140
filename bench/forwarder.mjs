/**
 * The yardstick: HTTP to a child's pipe in a few dozen plain lines, with none of the checks a product needs.
 * Ids and progress tokens are re-minted, because two clients may use the same ones; nothing else is looked at.
 *
 * node forwarder.mjs --port 0 -- COMMAND [ARGS...]
 */

import { spawn } from 'node:child_process'
import { createServer } from 'node:http'

const [command, ...args] = process.argv.slice(process.argv.indexOf('--') + 1)
const port = Number(process.argv[process.argv.indexOf('--port') + 1])

const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
const pending = new Map()
let lastId = 0
let parts = []

child.stdout.setEncoding('utf8')
child.stdout.on('data', chunk => {
  let start = 0
  for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
    parts.push(chunk.slice(start, end))
    deliver(JSON.parse(parts.join('')))
    parts = []
    start = end + 1
  }
  if (start < chunk.length) parts.push(chunk.slice(start))
})
child.on('exit', () => process.exit(1))
process.on('SIGTERM', () => child.kill() && process.exit(0))

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    return response.write(': open\n\n')
  }
  let body = ''
  request.setEncoding('utf8')
  request.on('data', chunk => {
    body += chunk
  })
  request.on('end', () => forward(JSON.parse(body), response))
})
server.listen(port, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}/mcp`
  process.stderr.write(`${JSON.stringify({ event: 'listening', url })}\n`)
})

function forward(message, response) {
  const meta = message.params?._meta
  const id = ++lastId
  pending.set(id, { response, id: message.id, token: meta?.progressToken })
  message.id = id
  if (meta?.progressToken !== undefined) meta.progressToken = id
  child.stdin.write(`${JSON.stringify(message)}\n`)
}

function deliver(message) {
  const { response, id, token } = pending.get(message.id ?? message.params?.progressToken) ?? {}
  if (response === undefined) return
  if (message.id === undefined) {
    message.params.progressToken = token
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' })
    return response.write(`data: ${JSON.stringify(message)}\n\n`)
  }
  pending.delete(message.id)
  message.id = id
  const text = JSON.stringify(message)
  if (response.headersSent) return response.end(`data: ${text}\n\n`)
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
