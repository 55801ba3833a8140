/** The edits of the test of a gateway that follows its file, for longer: `npm run edits -- 60` for a minute; 30 seconds by default. */

import { spawn } from 'node:child_process'

const [seconds = '30'] = process.argv.slice(2)
const test = ['test/unit/node/config/config-gateway.test.ts', '--testNamePattern', 'twenty edits a second']
const child = spawn('npx', ['vitest', 'run', '--project', 'unit', ...test], {
  stdio: 'inherit',
  env: { ...process.env, EDIT_SECONDS: seconds },
})
child.once('exit', code => {
  process.exitCode = code ?? 1
})
