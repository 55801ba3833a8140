import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { path } from './program.js'
import { tryAllClients } from './session.js'

test('Cloudflare Workers', { timeout: 60_000 }, async test => {
  const config = JSON.parse(await readFile(path('workers/wrangler.jsonc'), 'utf8'))
  // As wrangler bundles.
  const { outputFiles } = await build({
    entryPoints: [path(`workers/${config.main}`)],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    conditions: ['workerd', 'worker', 'browser'],
  })
  const workers = new Miniflare({
    modules: true,
    script: outputFiles[0].text,
    compatibilityDate: config.compatibility_date,
    host: '127.0.0.1',
    port: 0,
  })
  test.after(() => workers.dispose())
  const origin = await workers.ready
  await tryAllClients(new URL('/mcp', origin))
  assert.ok(outputFiles[0].text.length < 3 * 1024 * 1024, 'The free plan takes 3 MB, compressed')
})
