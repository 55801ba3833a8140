// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** What `anyport connect` takes: of what `anyport serve` takes, all that is left where there is one client. */

import type { OptionSpecs } from './arguments.js'
import type { CommandSpec } from './help.js'
import { REMOTE_OPTIONS } from './remote-options.js'
import { SERVE_OPTIONS } from './serve-options.js'
import { SIGN_IN_OPTIONS } from './sign-in-options.js'

export const CONNECT_OPTIONS = {
  ...REMOTE_OPTIONS,
  ...SIGN_IN_OPTIONS,
  ...pick(
    SERVE_OPTIONS,
    'shared',
    'linger',
    'protocol',
    'start-timeout',
    'lazy',
    'max-restarts',
    'max-children',
    'probe-timeout',
    'era-cache',
    'timeout',
    'max-timeout',
    'park-timeout',
    'drain-timeout',
    'max-message',
    'max-depth',
    'max-parked',
    'pin',
    'pin-file',
    'validate-arguments',
    'log-level',
    'log-format',
    'quiet',
  ),
} as const satisfies OptionSpecs

export const CONNECT: CommandSpec = {
  usage: ['anyport connect [options] URL'],
  summary:
    'Leads to a remote MCP server on stdin and stdout: for clients that start programs and cannot call addresses themselves.',
  examples: [
    ['what a client starts', 'anyport connect https://mcp.example.com/mcp'],
    [
      'with a token from the environment; single quotes keep the shell away from it',
      "anyport connect https://mcp.example.com/mcp --header 'Authorization: Bearer ${EXAMPLE_TOKEN}'",
    ],
    [
      'only with the tools that you have looked at; anyport pin notes them',
      'anyport connect --pin strict --pin-file ~/mcp-pins.json https://mcp.example.com/mcp',
    ],
    ['one connection for all your editors', 'anyport connect --shared https://mcp.example.com/mcp'],
    ['on a Unix socket', 'anyport connect http+unix://%2Frun%2Fserver.sock/mcp'],
  ],
  notes: [
    'What it speaks is found out. Only messages go to stdout; the log goes to stderr.',
    'Times are written 500ms, 2s, 10m or 1h; sizes 64KiB, 4MiB or 1GiB.',
  ],
  options: CONNECT_OPTIONS,
}

function pick<S extends OptionSpecs, K extends keyof S & string>(
  specs: S,
  ...names: readonly K[]
): Pick<S, K> {
  return Object.fromEntries(names.map(name => [name, specs[name]])) as unknown as Pick<S, K>
}
