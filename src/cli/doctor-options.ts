// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** What `anyport doctor` takes. */

import { parseDuration } from '../config/units.js'
import { flag, list, type OptionSpecs, oneOf, text, value } from './arguments.js'
import type { CommandSpec } from './help.js'
import { WIRE_OPTIONS } from './remote-options.js'

const files = 'Which servers'
const server = 'A server of the command line'

export const DOCTOR_OPTIONS = {
  client: value('The file of this client, or the format of the file that is named', text, {
    metavar: 'CLIENT',
    group: files,
  }),
  server: list('Only the server of this name (repeatable)', text, { metavar: 'NAME', group: files }),
  all: flag('All configurations of all clients on this machine', { group: files }),

  env: list('Variable for the command; a bare NAME passes on our own value (repeatable)', text, {
    metavar: 'NAME=VALUE',
    group: server,
  }),
  'env-file': value('File with variables for the command', text, { metavar: 'FILE', group: server }),
  cwd: value('Working directory of the command', text, { metavar: 'FOLDER', group: server }),
  header: list('Header for the address; ${NAME} in its value is a variable (repeatable)', text, {
    metavar: '"NAME: VALUE"',
    group: server,
  }),
  transport: value(
    'What the address is taken to speak: auto, modern, streamable-http or sse',
    oneOf('auto', 'modern', 'streamable-http', 'sse'),
    { metavar: 'KIND', default: 'auto', group: server },
  ),

  ...WIRE_OPTIONS,

  timeout: value('How long one server may take', parseDuration, {
    metavar: 'TIME',
    default: '10s',
    group: 'How',
  }),
  credentials: value('Folder of sign-ins (default: anyport/sign-ins in your folder for state)', text, {
    metavar: 'FOLDER',
    group: 'How',
  }),
  json: flag('Print the report as JSON (docs/doctor.md)', { group: 'How' }),
} as const satisfies OptionSpecs

export const DOCTOR: CommandSpec = {
  usage: [
    'anyport doctor [options] [FILE | --client CLIENT | --all]',
    'anyport doctor [options] -- COMMAND [ARGS...]',
    'anyport doctor [options] URL',
  ],
  summary:
    'Says why servers do not work, and what to do about it: starts or calls each as its configuration says, asks what it offers, and ends it again. No tool is called, and nothing is written.',
  examples: [
    ['the servers of this project, else of all clients on this machine', 'anyport doctor'],
    ['one server of Cursor', 'anyport doctor --client cursor --server github'],
    ['a file, whoever wrote it', 'anyport doctor ~/.config/Claude/claude_desktop_config.json'],
    ['a command', 'anyport doctor -- npx -y @modelcontextprotocol/server-everything'],
    ['an address', 'anyport doctor https://mcp.example.com/mcp'],
  ],
  notes: [
    'Exit codes: 0 all is well, 1 there is an error or a warning, 2 wrong use. docs/doctor.md lists every cause by its code.',
    'Nobody is asked to sign in: servers that want it are called with the sign-in that is there (anyport login).',
    'Times are written 500ms, 2s, 10m or 1h.',
  ],
  options: DOCTOR_OPTIONS,
}
