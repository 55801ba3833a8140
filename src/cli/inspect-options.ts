/** What `anyport inspect` takes. */

import { flag, type OptionSpecs } from './arguments.js'
import { CALLED_SERVER_OPTIONS, TARGETS } from './called-server-options.js'
import type { CommandSpec } from './help.js'

const group = 'What is shown'

export const INSPECT_OPTIONS = {
  tools: flag('Only the tools', { group }),
  prompts: flag('Only the prompts', { group }),
  resources: flag('Only the resources and their templates', { group }),
  json: flag('Print all that the server says, as JSON', { group: 'Output' }),
  ...CALLED_SERVER_OPTIONS,
} as const satisfies OptionSpecs

export const INSPECT: CommandSpec = {
  usage: [
    'anyport inspect [options] -- COMMAND [ARGS...]',
    'anyport inspect [options] URL | socket:PATH | tcp://HOST:PORT',
    'anyport inspect [options] [--config FILE | --client CLIENT] [--server NAME]',
  ],
  summary:
    'Shows what a server is and what it has: tools with what they take, prompts, resources and their templates.',
  examples: [
    ['a server from npm', 'anyport inspect -- npx -y @modelcontextprotocol/server-everything'],
    ['the tools of one elsewhere', 'anyport inspect --tools https://mcp.example.com/mcp'],
    ['a server of your editor, for a program', 'anyport inspect --json --client cursor --server github'],
  ],
  notes: [
    TARGETS,
    'It is asked as by a client that can answer forms, open addresses and name folders; some servers offer more to clients that have a model. Exit codes: 0 done, 1 the server cannot list something that it says it has, 2 wrong use, or it cannot be reached, 130 after ^C.',
  ],
  options: INSPECT_OPTIONS,
}
