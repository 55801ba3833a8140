/** Asks a person for a value, on a terminal. */

import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import type { ConfigInput } from '../config/inputs.js'

export interface AskInputOptions {
  /** Ends the wait, as if nothing had been answered. */
  readonly signal?: AbortSignal | undefined
  /** Hears ^C, which a terminal does not send as a signal while it is asked. Default: it is as if nothing had been answered. */
  readonly onInterrupt?: (() => void) | undefined
}

/** Undefined where nobody is there to ask, or nothing is answered. The question goes to stderr: stdout may be a pipe. */
export async function askInput(
  { description, secret, choices, fallback }: ConfigInput,
  { signal, onInterrupt }: AskInputOptions = {},
): Promise<string | undefined> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return undefined
  const hints = [...(choices ?? []), ...(fallback === undefined ? [] : [`default ${fallback}`])]
  process.stderr.write(`${description}${hints.length === 0 ? '' : ` (${hints.join(', ')})`}: `)
  // What is typed is shown by whoever writes to the output: for a secret, nobody.
  const output = secret ? new Writable({ write: (_chunk, _encoding, done) => done() }) : process.stderr
  const reader = createInterface({ input: process.stdin, output, terminal: true })
  const end = () => reader.close()
  if (signal?.aborted) end()
  signal?.addEventListener('abort', end)
  try {
    const answer = await new Promise<string | undefined>(resolve => {
      if (onInterrupt !== undefined)
        reader.once('SIGINT', () => {
          onInterrupt()
          reader.close()
        })
      reader.once('line', resolve)
      reader.once('close', () => resolve(undefined))
    })
    if (secret) process.stderr.write('\n')
    return answer === undefined || answer === '' ? fallback : answer
  } finally {
    signal?.removeEventListener('abort', end)
    reader.close()
  }
}
