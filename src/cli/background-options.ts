/** What `anyport ps` and `anyport stop` take. */

import { parseDuration } from '../config/units.js'
import { flag, type OptionSpecs, value } from './arguments.js'
import type { CommandSpec } from './help.js'

export const PS_OPTIONS = {
  json: flag('Print JSON'),
} as const satisfies OptionSpecs

export const PS: CommandSpec = {
  usage: ['anyport ps [options]'],
  summary:
    'Lists the background anyport, which serves the clients of "anyport serve --stdio --shared", and its servers. One that was replaced by a newer version is listed while clients still use it.',
  examples: [['how many share what', 'anyport ps']],
  notes: [],
  options: PS_OPTIONS,
}

export const STOP_OPTIONS = {
  all: flag('Also those that were replaced by a newer version and that clients still use'),
  'drain-timeout': value('How long open calls may go on', parseDuration, { metavar: 'TIME', default: '5s' }),
} as const satisfies OptionSpecs

export const STOP: CommandSpec = {
  usage: ['anyport stop [options]'],
  summary:
    'Stops the background anyport and its servers: no new clients, open calls may finish. Its clients end; the next one starts it again.',
  examples: [['at once', 'anyport stop --all --drain-timeout 0s']],
  notes: [],
  options: STOP_OPTIONS,
}
