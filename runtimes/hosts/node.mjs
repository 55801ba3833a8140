/** `node node.mjs MODULE`: serves the module's `export default { fetch }` on `node:http`. Says where it listens. */
import { createServer } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { pathToFileURL } from 'node:url'

const { default: app } = await import(pathToFileURL(process.argv[2]))

const listener = createServer(async (incoming, outgoing) => {
  const left = new AbortController()
  outgoing.once('close', () => outgoing.writableFinished || left.abort())
  const bare = incoming.method === 'GET' || incoming.method === 'HEAD'
  const response = await app.fetch(
    new Request(`http://${incoming.headers.host}${incoming.url}`, {
      method: incoming.method,
      headers: Object.entries(incoming.headersDistinct).flatMap(([name, values]) =>
        values.map(value => [name, value]),
      ),
      signal: left.signal,
      ...(bare ? {} : { body: Readable.toWeb(incoming), duplex: 'half' }),
    }),
  )
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.flushHeaders()
  if (response.body === null) outgoing.end()
  // A client that leaves is no error of this host.
  else await pipeline(Readable.fromWeb(response.body), outgoing).catch(() => {})
})
listener.listen(0, '127.0.0.1', () => {
  console.error(`listening on http://127.0.0.1:${listener.address().port}`)
})
