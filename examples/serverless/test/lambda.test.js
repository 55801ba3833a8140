/** What is bundled for Lambda, with the events that AWS sends. */

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { hosted } from './host.js'
import { events } from './lambda-events.js'
import { path } from './program.js'
import { tryAllClients } from './session.js'

const context = () => {
  const ends = Date.now() + 30_000
  return { getRemainingTimeInMillis: () => ends - Date.now() }
}

for (const [name, eventOf] of Object.entries(events)) {
  test(`Lambda, ${name}`, { timeout: 60_000 }, async test => {
    const { handler } = await import(path('lambda/dist/function.mjs'))
    const origin = await hosted(test, async (request, response) => {
      const { statusCode, headers, multiValueHeaders, body } = await handler(eventOf(request), context())
      response.writeHead(statusCode, multiValueHeaders ?? headers).end(body)
    })
    await tryAllClients(`${origin}/mcp`)
  })
}

test('Lambda, function URL, streamed', { timeout: 60_000 }, async test => {
  // What Lambda's own runtime puts there.
  globalThis.awslambda = {
    streamifyResponse: handler => handler,
    HttpResponseStream: { from: (stream, { statusCode, headers }) => stream.writeHead(statusCode, headers) },
  }
  const { handler } = await import(path('lambda/dist/streamed.mjs'))
  const origin = await hosted(test, (request, response) =>
    handler(events['function URL'](request), response, context()),
  )
  await tryAllClients(`${origin}/mcp`)
})

test('the template names what is bundled', async () => {
  const template = await readFile(path('lambda/template.yaml'), 'utf8')
  const { Resources } = parse(template, { logLevel: 'error' })
  const { Handler, Code } = Resources.Function.Properties
  const [file, name] = Handler.split('.')
  assert.equal(typeof (await import(path(`lambda/${Code}/${file}.mjs`)))[name], 'function')
})
