/** What `anyport serve` takes about what callers may do, and the record of it. */

import { parseSize } from '../config/units.js'
import { LIMITED_BY, parseRateLimit } from '../middleware/exchange/rate-limit.js'
import { flag, integer, list, type OptionSpecs, oneOf, text, value } from './arguments.js'

const group = 'What callers may do'

export const GOVERNING_OPTIONS = {
  'rate-limit': list(
    `How often calls may come: WHO=CALLS/UNIT[,BURST], such as principal=50/s,200 or address=600/m or principal+tool:search_*=5/s; WHO is all, ${LIMITED_BY.join(', ')} (repeatable)`,
    parseRateLimit,
    { metavar: 'LIMIT', group },
  ),
  'max-concurrent': value('Calls that one principal may have open at once', integer(1, 1_000_000), {
    metavar: 'N',
    group,
  }),
  rules: value('File with the rules that say who may use what; what none allows is not there', text, {
    metavar: 'FILE',
    group,
  }),
  pin: value(
    'What "anyport pin" has noted of the server against what it says now: warn reports what differs, strict hides it and refuses its calls (default off)',
    oneOf('off', 'warn', 'strict'),
    { metavar: 'MODE', group },
  ),
  'pin-file': value(
    'File of these notes (default anyport.lock.json beside the configuration, or here)',
    text,
    { metavar: 'FILE', group },
  ),
  'validate-arguments': flag('Refuse calls of tools whose arguments do not fit the schema of the tool', {
    group,
  }),
  audit: value('File that gets a line for each call, those that were refused included', text, {
    metavar: 'FILE',
    group,
  }),
  'audit-arguments': flag('Record the arguments of calls too, but for what is named like a secret', {
    group,
  }),
  'audit-redact': list('Name of an argument never to record, with * and ? (repeatable)', text, {
    metavar: 'PATTERN',
    group,
  }),
  'audit-refusals': value(
    'Refusals of callers that nobody knows: bounded (very many are counted) or all (each has a line)',
    oneOf('bounded', 'all'),
    { metavar: 'CHOICE', default: 'bounded', group },
  ),
  'audit-durable': flag('Let answers wait until their record is on the disk', { group }),
  'audit-on-failure': value(
    'What happens to calls that cannot be recorded: block or continue',
    oneOf('block', 'continue'),
    { metavar: 'CHOICE', default: 'block', group },
  ),
  'audit-max-size': value('Size after which another file is begun', parseSize, {
    metavar: 'SIZE',
    default: '100MiB',
    group,
  }),
  'audit-keep': value('Full files that are kept (default all)', integer(1, 1_000_000), {
    metavar: 'N',
    group,
  }),
} as const satisfies OptionSpecs
