/**
 * `node adapters.mjs MODULE`: the module's `target` behind each adapter for Node and for Lambda, each on a port of its own. Says
 * `listening on ` and the addresses as JSON, by the adapters' names.
 */
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import express from 'express'
import fastify from 'fastify'
import { mount } from '../../dist/index.js'
import { lambdaHandler, streamedLambdaHandler } from '../../dist/lambda.js'
import { eventsOf } from './lambda-events.mjs'

const { target } = await import(pathToFileURL(process.argv[2]))

const mounted = (options = {}) => mount(target(), { sessionless: true, ...options })

/** How each listens, and where its endpoint is. */
const adapters = {
  'node:http': () => listening(createServer(mounted())),
  'node:http, below a prefix': () => listening(createServer(mounted({ prefix: '/a/b' })), '/a/b/mcp'),
  Express: () => listening(createServer(express().use(mounted()))),
  'Express, after express.json()': () =>
    listening(
      createServer(
        express()
          .use(express.json({ limit: '4mb' }))
          .use(mounted({ prefix: '/tools' })),
      ),
      '/tools/mcp',
    ),
  'Express, mounted below a path': () =>
    listening(createServer(express().use('/tools', mounted({ prefix: '/tools' }))), '/tools/mcp'),
  Fastify: async () => {
    const server = fastify()
    const mcp = mounted({ prefix: '/tools' })
    server.all('/tools/mcp', (request, reply) => {
      reply.hijack()
      mcp(Object.assign(request.raw, { body: request.body }), reply.raw)
    })
    await server.listen({ port: 0, host: '127.0.0.1' })
    return `http://127.0.0.1:${server.server.address().port}/tools/mcp`
  },
  ...Object.fromEntries(
    Object.keys(eventsOf).map(name => [
      `Lambda: ${name}`,
      () => {
        const { basePath, event } = eventsOf[name]
        return lambda(lambdaHandler(target(), { basePath }), event)
      },
    ]),
  ),
  'Lambda: function URL, streamed': () => streamedLambda(eventsOf['function URL'].event),
  'Lambda: API Gateway 1.0, streamed': () => streamedLambda(eventsOf['API Gateway 1.0'].event),
}

const addresses = {}
for (const [name, open] of Object.entries(adapters)) addresses[name] = await open()
console.error(`listening on ${JSON.stringify(addresses)}`)

function listening(server, path = '/mcp') {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}${path}`))
  })
}

/** What stands before a function that replies in one piece: events in, results out. */
function lambda(handler, eventOf) {
  return listening(
    createServer(async (request, response) => {
      const event = eventOf(request, await text(request))
      const { statusCode, headers, multiValueHeaders, body, isBase64Encoded } = await handler(
        event,
        remaining(),
      )
      response.writeHead(statusCode, multiValueHeaders ?? headers)
      response.end(isBase64Encoded ? Buffer.from(body, 'base64') : body)
    }),
  )
}

/** The same for one that streams. */
async function streamedLambda(eventOf) {
  globalThis.awslambda = {
    streamifyResponse: handler => handler,
    HttpResponseStream: {
      from: (stream, { statusCode, headers }) => stream.writeHead(statusCode, headers),
    },
  }
  const handler = streamedLambdaHandler(target())
  return await listening(
    createServer(async (request, response) => {
      await handler(eventOf(request, await text(request)), response, remaining())
    }),
  )
}

function remaining() {
  const ends = Date.now() + 30_000
  return { getRemainingTimeInMillis: () => ends - Date.now() }
}
