/** What `anyport keys` takes. */

import { parseDuration } from '../config/units.js'
import { flag, list, type OptionSpecs, text, value } from './arguments.js'
import type { CommandSpec } from './help.js'

export const KEYS_OPTIONS = {
  file: value('File of the keys (default in your state folder)', text, { metavar: 'FILE' }),
  scope: list('Scope that the new key has (repeatable)', text, { metavar: 'SCOPE' }),
  expires: value('How long the new key is good (default for ever)', parseDuration, { metavar: 'TIME' }),
  json: flag('Print JSON'),
} as const satisfies OptionSpecs

export const KEYS: CommandSpec = {
  usage: [
    'anyport keys create NAME [options]',
    'anyport keys list [options]',
    'anyport keys revoke NAME|ID [options]',
  ],
  summary:
    'API keys for "anyport serve --keys". The name of a key is the principal whom it lets in. Of a key only a hash is kept: it is shown once, when it is made. Servers that run see changes at once.',
  examples: [
    [
      'a key for one person, and a server that asks for keys',
      'anyport keys create alice && anyport serve --keys default -- npx -y some-server',
    ],
    ['a key that may only read, for 90 days', 'anyport keys create ci --scope read --expires 90d'],
    ['all keys of that name', 'anyport keys revoke ci'],
  ],
  notes: ['Times are written 12h or 30d.'],
  options: KEYS_OPTIONS,
}
