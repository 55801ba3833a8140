/**
 * The ceiling: a bare `node:http` server that parses a request and answers it itself, with no child behind it.
 *
 * node raw-server.mjs --port 0
 */

import { createServer } from 'node:http'
import { blobText } from './blob.mjs'

const port = Number(process.argv[process.argv.indexOf('--port') + 1])
/** Progress notifications go out in writes of about this many characters. */
const WRITE_SIZE = 32 * 1024

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
  request.on('end', () => answer(JSON.parse(body), response))
})
server.listen(port, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}/mcp`
  process.stderr.write(`${JSON.stringify({ event: 'listening', url })}\n`)
})

function answer({ id, params }, response) {
  const given = params.arguments
  if (params.name === 'events') return void sendEvents(id, params._meta.progressToken, given.count, response)
  const text = params.name === 'blob' ? blobText(given.bytes) : JSON.stringify(given)
  const reply = JSON.stringify(textReply(id, text))
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(reply) })
  response.end(reply)
}

async function sendEvents(id, token, count, response) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  let batch = ''
  for (let index = 1; index <= count; index++) {
    const params = { progressToken: token, progress: index, total: count }
    batch += `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/progress', params })}\n\n`
    if (batch.length < WRITE_SIZE) continue
    const flowing = response.write(batch)
    batch = ''
    if (!flowing) await new Promise(resolve => response.once('drain', resolve))
  }
  response.end(`${batch}data: ${JSON.stringify(textReply(id, `sent ${count}`))}\n\n`)
}

function textReply(id, text) {
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } }
}
