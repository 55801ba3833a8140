/** A web server in front of functions, as platforms have one: requests whole, replies as they come. */

import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'

/** Resolves with its origin; `serve` gets each request with its body as text, and the response of `node:http`. */
export function hosted(test, serve) {
  const server = createServer(async (incoming, outgoing) => {
    const { host: _host, connection: _connection, ...headers } = incoming.headers
    const { method, url } = incoming
    try {
      await serve({ method, url, headers, body: await text(incoming) }, outgoing)
    } catch (error) {
      outgoing.writeHead(502).end(String(error))
    }
  })
  test.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))
  })
}
