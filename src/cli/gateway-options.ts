/** What `anyport serve` takes for many servers at once. */

import { NAME_STYLES } from '../config/server-entry.js'
import { flag, integer, list, type OptionSpecs, oneOf, text, value } from './arguments.js'

const group = 'Many servers'

export const GATEWAY_OPTIONS = {
  config: value(
    "Serve the servers of this file, any client's (default, where there is no command: anyport.json, mcp.json or .mcp.json here or above)",
    text,
    { metavar: 'FILE', group },
  ),
  'config-client': value('Whose format it has, as "anyport config" names clients (default found out)', text, {
    metavar: 'CLIENT',
    group,
  }),
  strict: flag('Refuse a file with warnings', { group }),
  'no-watch': flag('Do not follow changes of the file', { group }),
  names: value(`How tools are called: ${NAME_STYLES.join(', ')}`, oneOf(...NAME_STYLES), {
    metavar: 'STYLE',
    group,
  }),
  'max-name': value('Characters that such a name may have, 40 to 128', integer(40, 128), {
    metavar: 'N',
    group,
  }),
  'max-tools': value('List at most so many tools; the others are found by searching', integer(4, 1_000_000), {
    metavar: 'N',
    group,
  }),
  'lazy-tools': flag('List three tools that search, describe and call all others', { group }),
  'allow-tool': list('Offer only these, as SERVER/TOOL with * and ? (repeatable)', text, {
    metavar: 'PATTERN',
    group,
  }),
  'deny-tool': list('Never offer these, as SERVER/TOOL with * and ? (repeatable)', text, {
    metavar: 'PATTERN',
    group,
  }),
  'max-children-total': value(
    'How many of all servers may run at once, each with --max-children of its own',
    integer(1, 1_000_000),
    { metavar: 'N', default: '1024', group },
  ),
} as const satisfies OptionSpecs
