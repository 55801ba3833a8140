import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { hosted } from './host.js'
import { path } from './program.js'
import { tryAllClients } from './session.js'

test('Vercel', { timeout: 60_000 }, async test => {
  const [file] = Object.keys(JSON.parse(await readFile(path('vercel.json'), 'utf8')).functions)
  const { default: app } = await import(path(file))
  const origin = await hosted(test, async ({ method, url, headers, body }, response) => {
    // Functions on Node are given what clients sent, the name they called included.
    const request = new Request(`https://time-zones.vercel.app${url}`, {
      method,
      headers,
      ...(body && { body }),
    })
    const reply = await app.fetch(request)
    response.writeHead(reply.status, Object.fromEntries(reply.headers))
    for await (const chunk of reply.body ?? []) response.write(chunk)
    response.end()
  })
  await tryAllClients(`${origin}/${file.replace(/\.js$/, '')}`)
  assert.equal((await fetch(`${origin}/other`)).status, 404)
})
