import { test } from 'node:test'
import { listening, path, runtime } from './program.js'
import { tryAllClients } from './session.js'

const { command, skip } = runtime('deno', '@deno/linux-x64-glibc/deno')

test('Deno', { skip, timeout: 60_000 }, async test => {
  const argv = ['serve', '--host', '127.0.0.1', '--port', '0', path('deno/main.js')]
  await tryAllClients(`${await listening(test, command, argv)}/mcp`)
})
