/** What `anyport pin` takes. */

import { DEFINITION_KINDS } from '../middleware/exchange/definitions/kinds.js'
import { LOG_LEVELS } from '../node/log.js'
import { flag, list, type OptionSpecs, oneOf, text, value } from './arguments.js'
import type { CommandSpec } from './help.js'
import { REMOTE_OPTIONS } from './remote-options.js'
import { SERVE_OPTIONS } from './serve-options.js'
import { SIGN_IN_OPTIONS } from './sign-in-options.js'

const { config, cwd, env, protocol } = SERVE_OPTIONS

export const PIN_OPTIONS = {
  check: flag('Compare only, and write nothing'),
  accept: flag('Take over what differs or is flagged: all of it, or what the names say'),
  'pin-file': value(
    'File of the definitions (default anyport.lock.json beside the configuration, or here)',
    text,
    { metavar: 'FILE' },
  ),
  skip: list(
    `Do not pin these: ${DEFINITION_KINDS.join(', ')} (repeatable); resources often come and go`,
    oneOf(...DEFINITION_KINDS),
    { metavar: 'KIND' },
  ),
  json: flag('Print the report as JSON'),
  config,
  'config-client': SERVE_OPTIONS['config-client'],
  cwd,
  env,
  'env-file': SERVE_OPTIONS['env-file'],
  'inherit-env': SERVE_OPTIONS['inherit-env'],
  protocol,
  'start-timeout': SERVE_OPTIONS['start-timeout'],
  'probe-timeout': SERVE_OPTIONS['probe-timeout'],
  ...REMOTE_OPTIONS,
  ...SIGN_IN_OPTIONS,
  'max-message': SERVE_OPTIONS['max-message'],
  'max-depth': SERVE_OPTIONS['max-depth'],
  'log-level': value(LOG_LEVELS.join(', '), oneOf(...LOG_LEVELS), {
    metavar: 'LEVEL',
    default: 'warn',
    group: 'Output',
  }),
  'log-format': SERVE_OPTIONS['log-format'],
} as const satisfies OptionSpecs

export const PIN: CommandSpec = {
  usage: [
    'anyport pin [options] [--config FILE]',
    'anyport pin [options] -- COMMAND [ARGS...]',
    'anyport pin [options] URL | socket:PATH | tcp://HOST:PORT',
    'anyport pin --check [options] ...',
    'anyport pin --accept [NAME...] [options] ...',
  ],
  summary:
    'Notes what servers say about themselves, their tools, prompts and resources, so that "--pin" of anyport serve and anyport connect notices when that becomes something else.',
  examples: [
    ['the servers of anyport.json', 'anyport pin'],
    ['has anything changed? the exit code is 1 if so', 'anyport pin --check'],
    ['what is new in one tool is fine', 'anyport pin --accept search'],
    ['one server', 'anyport pin -- npx -y @modelcontextprotocol/server-everything'],
    ['and then', 'anyport serve --pin strict'],
  ],
  notes: [
    'Names are those of the server, SERVER/NAME, or patterns of these with * and ?.',
    'A server that is not in the file yet is written into it, unless something of it is flagged: invisible characters, text that speaks to the model, two of one name. What differs from the file is shown, and written with --accept only.',
    'Times are written 500ms, 2s, 10m or 1h; sizes 64KiB, 4MiB or 1GiB.',
  ],
  options: PIN_OPTIONS,
}
