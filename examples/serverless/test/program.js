/** Programs of a test: started, awaited until they say where they listen, ended after it. */

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const path = relative => fileURLToPath(new URL(`../${relative}`, import.meta.url))

const LIMIT = 30_000

/** Resolves with the origin that the program says it listens on. */
export function listening(test, command, argv, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, argv, { cwd: path('.'), env: { ...process.env, NO_COLOR: '1', ...env } })
    let said = ''
    const fail = why => reject(new Error(`${command} ${why}: ${said}`))
    const timer = setTimeout(() => fail('said nothing of where it listens'), LIMIT)
    test.after(() => child.kill('SIGKILL'))
    child.once('error', error => fail(error.message))
    child.once('exit', code => fail(`ended with ${code}`))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', chunk => {
        said += chunk
        const origin = /https?:\/\/(?:localhost|127\.0\.0\.1):\d+/.exec(said)?.[0]
        if (origin === undefined) return
        clearTimeout(timer)
        resolve(origin)
      })
    }
  })
}

/** A runtime from npm, else whatever is installed; where there is neither the test is skipped, but never in CI. */
export function runtime(name, file) {
  const own = path(`node_modules/${file}`)
  const found = existsSync(own)
    ? own
    : process.env.PATH.split(':')
        .map(folder => `${folder}/${name}`)
        .find(existsSync)
  const skip = found === undefined && process.env.CI !== 'true' ? `${name} is not installed` : false
  return { command: found ?? name, skip }
}
