import { test } from 'node:test'
import { listening, path, runtime } from './program.js'
import { tryAllClients } from './session.js'

const { command, skip } = runtime('bun', '@oven/bun-linux-x64/bin/bun')

test('Bun', { skip, timeout: 60_000 }, async test => {
  const origin = await listening(test, command, [path('bun/main.js')], { PORT: '0' })
  await tryAllClients(`${origin}/mcp`)
})
