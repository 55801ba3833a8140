/** `anyport serve` as a process, in a folder that nobody else uses. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const START_LIMIT = 20_000
const STOP_LIMIT = 15_000

/** What programs take for a person's home, and nothing else. */
export function emptyHome() {
  const folder = mkdtempSync(join(tmpdir(), 'anyport-products-'))
  return {
    folder,
    // Nothing here needs the network: what tries all the same fails at once.
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      HTTP_PROXY: NOWHERE,
      HTTPS_PROXY: NOWHERE,
      NO_PROXY: '127.0.0.1',
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

const NOWHERE = 'http://127.0.0.1:9'

/** Resolves once it listens. */
export async function serveAt(anyport, argv, { folder, env }) {
  const child = spawn(process.execPath, [anyport, 'serve', '--port', '0', '--log-format', 'json', ...argv], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  const lines = []
  const url = await new Promise((resolve, reject) => {
    const fail = why => reject(new Error([`anyport ${why}`, ...lines.slice(-10)].join('\n  ')))
    const timer = setTimeout(() => fail('does not listen'), START_LIMIT)
    void exited.then(() => fail('has ended'))
    createInterface({ input: child.stderr }).on('line', line => {
      lines.push(line)
      if (lines.length > 1_000) lines.shift()
      if (!line.startsWith('{')) return
      const { event, url } = JSON.parse(line)
      if (event !== 'listening') return
      clearTimeout(timer)
      resolve(url)
    })
  })
  return {
    url,
    lines,
    async stop() {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
      child.kill('SIGTERM')
      await exited
      clearTimeout(timer)
    },
  }
}
