import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { until } from '../fixtures/until.js'
import { markedProcesses } from '../unit/node/marked-processes.js'

it.each([
  ['exit', 0],
  ['throw', 1],
  ['kill', null],
])('our own process ends by %s: no child is left', async (way, expected) => {
  const mark = crypto.randomUUID()
  const host = spawn(
    process.execPath,
    [
      fileURLToPath(new URL('../fixtures/processes/forgetful-host.mjs', import.meta.url)),
      new URL('../../dist/node/process/spawn.js', import.meta.url).href,
      way,
    ],
    { env: { MCP_TEST_MARK: mark }, stdio: 'ignore' },
  )
  const [code] = await once(host, 'exit')
  expect(code).toBe(expected)
  await until(() => markedProcesses(mark).length === 0, 'the end of the child')
})
