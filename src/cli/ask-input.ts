/** Asks a person for a value, on a terminal. */

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { ConfigInput } from '../config/read-config.js'

/** Undefined where nobody is there to ask, or nothing is answered. The question goes to stderr: stdout may be a pipe. */
export async function askInput({
  description,
  secret,
  choices,
  fallback,
}: ConfigInput): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const hints = [...(choices ?? []), ...(fallback === undefined ? [] : [`default ${fallback}`])]
  process.stderr.write(`${description}${hints.length === 0 ? '' : ` (${hints.join(', ')})`}: `)
  // What is typed is shown by whoever writes to the output: for a secret, nobody.
  const output = secret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  try {
    const answer = await new Promise<string | undefined>(resolve => {
      reader.once('line', resolve)
      reader.once('close', () => resolve(undefined))
    })
    if (secret) process.stderr.write('\n')
    return answer === undefined || answer === '' ? fallback : answer
  } finally {
    reader.close()
  }
}
