/** What inputs are made of: what our fixtures say to each other, and the configurations of the tests. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = process.env.ANYPORT_ROOT ?? process.cwd()

/** Messages as the fixtures of both eras write and read them. */
export const MESSAGES: readonly string[] = readFileSync(join(root, 'fuzz/corpus/messages.jsonl'), 'utf8')
  .trim()
  .split('\n')

const golden = join(root, 'test/fixtures/config/golden')

/** Texts of configurations, by their file names. */
export function configurations(ending: string): readonly string[] {
  return readdirSync(golden)
    .filter(name => name.endsWith(ending) && /\.(?:before|after)\./.test(name))
    .map(name => readFileSync(join(golden, name), 'utf8'))
}

/** Words of the protocol, for where they do not belong. */
export const WORDS: readonly string[] = [
  '"id":',
  '"method":',
  '"jsonrpc":"2.0"',
  '"result":{}',
  '"params":',
  '"error":{"code":-32603,"message":""}',
  '"_meta":{}',
  '"id":null',
  '"__proto__":',
  '"\\u0069d":7',
  '"id":1,"id":2',
  '\\ud800',
  '\\u0000',
  'tools/call',
  'notifications/progress',
  '"progressToken":',
  '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  '[',
  ']',
  '{',
  '}',
  '}}',
  ',',
  '\n',
  '\r\n',
  '\ufeff',
]
