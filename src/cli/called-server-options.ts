/** How to reach the server that is called: for the commands that are clients of it. */

import { CLIENTS } from '../config/clients.js'
import { LOG_LEVELS } from '../node/log.js'
import { type OptionSpecs, oneOf, text, value } from './arguments.js'
import { REMOTE_OPTIONS } from './remote-options.js'
import { SERVE_OPTIONS } from './serve-options.js'
import { SIGN_IN_OPTIONS } from './sign-in-options.js'

const group = 'The server'

export const CALLED_SERVER_OPTIONS = {
  config: value(
    'The servers of this configuration: one by --server, else all as serve --config has them',
    text,
    {
      metavar: 'FILE',
      group,
    },
  ),
  client: value('Those of this client, from where it keeps them', oneOf(...CLIENTS.map(({ id }) => id)), {
    metavar: 'CLIENT',
    group,
  }),
  server: value('This one of the configuration', text, { metavar: 'NAME', group }),
  cwd: SERVE_OPTIONS.cwd,
  env: SERVE_OPTIONS.env,
  'env-file': SERVE_OPTIONS['env-file'],
  'inherit-env': SERVE_OPTIONS['inherit-env'],
  protocol: SERVE_OPTIONS.protocol,
  'start-timeout': SERVE_OPTIONS['start-timeout'],
  'probe-timeout': SERVE_OPTIONS['probe-timeout'],
  'era-cache': SERVE_OPTIONS['era-cache'],
  ...REMOTE_OPTIONS,
  ...SIGN_IN_OPTIONS,
  timeout: SERVE_OPTIONS.timeout,
  'max-timeout': SERVE_OPTIONS['max-timeout'],
  'max-message': SERVE_OPTIONS['max-message'],
  'max-depth': SERVE_OPTIONS['max-depth'],
  'log-level': value(LOG_LEVELS.join(', '), oneOf(...LOG_LEVELS), {
    metavar: 'LEVEL',
    default: 'warn',
    group: 'Output',
  }),
  'log-format': SERVE_OPTIONS['log-format'],
} as const satisfies OptionSpecs

/** How the server is named, for the help. */
export const TARGETS =
  'The server is named as for serve: -- COMMAND [ARGS...] at the end, or URL, socket:PATH or tcp://HOST:PORT first; without either, --config FILE, --client CLIENT, or the anyport.json, mcp.json or .mcp.json here or above.'
