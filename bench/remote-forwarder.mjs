/**
 * The yardstick for products that lead to a remote server: HTTP or stdio to HTTP in a few dozen plain lines, with `node:http` and none of
 * the checks a product needs.
 *
 * node remote-forwarder.mjs --port 0 URL     # HTTP to HTTP: passes requests and answers on as they are
 * node remote-forwarder.mjs --stdio URL      # stdio to HTTP: a POST for each line
 */

import { Agent, createServer, request } from 'node:http'

const url = process.argv.at(-1)
const agent = new Agent({ keepAlive: true })
if (process.argv.includes('--stdio')) serveStdio()
else serveHttp(Number(process.argv[process.argv.indexOf('--port') + 1]))

function serveHttp(port) {
  const { host } = new URL(url)
  const server = createServer((incoming, outgoing) => {
    const { method, headers } = incoming
    const onward = request(url, { method, headers: { ...headers, host }, agent }, answer => {
      outgoing.writeHead(answer.statusCode, answer.headers)
      answer.pipe(outgoing)
    })
    incoming.pipe(onward)
  })
  server.keepAliveTimeout = 60_000
  server.listen(port, '127.0.0.1', () => {
    const url = `http://127.0.0.1:${server.address().port}/mcp`
    process.stderr.write(`${JSON.stringify({ event: 'listening', url })}\n`)
  })
}

function serveStdio() {
  let session
  let rest = ''
  process.stdin.setEncoding('utf8')
  process.stdin.on('data', chunk => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const line of lines) if (line !== '') post(line)
  })
  process.stdin.on('end', () => process.exit(0))

  function post(line) {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'content-length': Buffer.byteLength(line),
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    }
    const onward = request(url, { method: 'POST', headers, agent }, answer => {
      session ??= answer.headers['mcp-session-id']
      const events = /event-stream/.test(answer.headers['content-type'])
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', chunk => {
        body += chunk
        if (!events) return
        const blocks = body.split('\n\n')
        body = blocks.pop()
        if (blocks.length > 0) process.stdout.write(blocks.map(block => `${block.slice(6)}\n`).join(''))
      })
      answer.on('end', () => {
        if (body !== '') process.stdout.write(`${body}\n`)
      })
    })
    onward.end(line)
  }
}
