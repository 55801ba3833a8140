/** What `anyport config` takes. */

import { parseDuration } from '../config/units.js'
import { flag, list, type OptionSpecs, type OptionValues, oneOf, text, value } from './arguments.js'
import type { CommandSpec } from './help.js'

export const CONFIG_ACTIONS = ['list', 'add', 'remove', 'import', 'export', 'convert'] as const
export type ConfigAction = (typeof CONFIG_ACTIONS)[number]

const files = 'Which file'
const server = 'The server (add)'
const writing = 'How it is written'

export const CONFIG_OPTIONS = {
  client: value('Whose file is listed or changed (default anyport)', text, {
    metavar: 'CLIENT',
    group: files,
  }),
  from: value('Whose servers are read: a client, or the format of the file that is named', text, {
    metavar: 'CLIENT',
    group: files,
  }),
  to: value('For whom they are written', text, { metavar: 'CLIENT', group: files }),
  file: value('This file, rather than the one where the client has it', text, {
    metavar: 'FILE',
    group: files,
  }),
  scope: value(
    "The user's file, that of the project in this folder, or what the user's file has for this folder alone (local: Claude Code)",
    oneOf('user', 'project', 'local'),
    {
      metavar: 'SCOPE',
      group: files,
    },
  ),

  env: list('Variable for the command; a bare NAME refers to ours (repeatable)', text, {
    metavar: 'NAME=VALUE',
    group: server,
  }),
  'env-file': value('File with variables for the command', text, { metavar: 'FILE', group: server }),
  cwd: value('Working directory of the command', text, { metavar: 'FOLDER', group: server }),
  header: list('Header for the address (repeatable)', text, { metavar: '"NAME: VALUE"', group: server }),
  transport: value(
    'What the address speaks: auto, modern, streamable-http or sse',
    oneOf('auto', 'modern', 'streamable-http', 'sse'),
    { metavar: 'KIND', default: 'auto', group: server },
  ),
  timeout: value('How long a call may take', parseDuration, { metavar: 'TIME', group: server }),
  'start-timeout': value('How long it may take to start', parseDuration, { metavar: 'TIME', group: server }),
  description: value('What it is for', text, { metavar: 'TEXT', group: server }),
  disabled: flag('Add it without using it yet', { group: server }),

  replace: flag('Replace a server of the same name that is another one', { group: writing }),
  resolve: flag('Write the values of variables, secrets included, instead of their names', {
    group: writing,
  }),
  installed: flag('Bridges start this anyport, by its path, rather than "npx -y anyport"', {
    group: writing,
  }),
  strict: flag('Warnings are errors', { group: writing }),
  'dry-run': flag('Print what would be written, and write nothing', { group: writing }),
  json: flag('List as JSON', { group: writing }),
} as const satisfies OptionSpecs

export type ConfigOptions = OptionValues<typeof CONFIG_OPTIONS>

/** The options of each action besides those that all have. */
export const OPTIONS_OF: Readonly<Record<ConfigAction, readonly (keyof typeof CONFIG_OPTIONS)[]>> = {
  list: ['client', 'file', 'scope', 'json', 'strict'],
  add: [
    'client',
    'file',
    'scope',
    'env',
    'env-file',
    'cwd',
    'header',
    'transport',
    'timeout',
    'start-timeout',
    'description',
    'disabled',
    'replace',
    'resolve',
    'installed',
    'dry-run',
  ],
  remove: ['client', 'file', 'scope', 'dry-run'],
  import: ['from', 'file', 'scope', 'replace', 'resolve', 'strict', 'dry-run'],
  export: ['to', 'from', 'file', 'scope', 'replace', 'resolve', 'installed', 'strict', 'dry-run'],
  convert: ['from', 'to', 'resolve', 'installed', 'strict'],
}

export const CONFIG: CommandSpec = {
  usage: [
    'anyport config list [--client CLIENT | --file FILE]',
    'anyport config add NAME [options] -- COMMAND [ARGS...]',
    'anyport config add NAME [options] URL',
    'anyport config remove NAME... [--client CLIENT | --file FILE]',
    'anyport config import --from CLIENT [NAME...]',
    'anyport config export --to CLIENT [NAME...]',
    'anyport config convert FILE --to CLIENT',
  ],
  summary:
    'Reads and writes the servers in the configurations of MCP clients, in place: all around an entry stays as it is.',
  examples: [
    ['which servers the clients on this machine have', 'anyport config list'],
    [
      'a server for Cursor, with a secret that stays in the environment',
      'anyport config add github --client cursor --env GITHUB_TOKEN -- npx -y some-server',
    ],
    ['all servers of Claude Desktop into anyport.json', 'anyport config import --from claude-desktop'],
    [
      'one of them into VS Code, for this project',
      'anyport config export --to vscode --scope project github',
    ],
    ['another format, on stdout', 'anyport config convert .mcp.json --to codex'],
  ],
  notes: [
    "import reads a client's file and writes anyport.json; export is the reverse. anyport.json, mcp.json or .mcp.json is looked for here and upwards; where there is none, anyport.json is made here.",
    'What a client cannot hold is named on stderr, each with "lost", "changed", "bridged" or "refused"; of a server with something refused nothing is written. Exit codes: 0 done, 1 something was refused or is there already, 2 wrong use or, with --strict, a warning.',
    'Clients: anyport, claude-desktop, claude-code, vscode, copilot-cli, copilot-jetbrains, cursor, windsurf, cline, roo, codex, gemini, antigravity, opencode, opencode-2, zed, goose, continue, kiro, amp, crush, factory, lm-studio.',
  ],
  options: CONFIG_OPTIONS,
}
