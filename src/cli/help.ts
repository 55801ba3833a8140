/** The help, written from the same tables that the command line is parsed with. */

import type { OptionSpec, OptionSpecs } from './arguments.js'

export interface CommandSpec {
  readonly usage: readonly string[]
  readonly summary: string
  readonly examples: readonly (readonly [description: string, command: string])[]
  readonly notes: readonly string[]
  readonly options: OptionSpecs
}

const WIDTH = 100
/** Where descriptions begin. */
const INDENT = 31

export function overview(): string {
  return `anyport serves any MCP server on any transport, to any MCP client, of any protocol era.

Usage: anyport COMMAND [options]

  serve             Put a server on Streamable HTTP and HTTP+SSE, a socket or stdio
  connect URL       Lead to a remote server on stdio, for clients that only start programs
  call TOOL         Call a tool of a server, get a prompt or read a resource
  inspect           Show what a server has
  login URL         Sign in to a remote server
  logout URL        End that sign-in
  whoami [URL]      Show it
  pin               Note what servers define, so that a change of it is noticed
  audit verify FILE Tell whether an audit log is as it was written
  keys              Make, list and revoke API keys for serve --keys
  ps                List the shared servers of serve --shared
  stop              Stop them
  config            Read and write the configurations of MCP clients
  doctor            Say why servers do not work, and what to do about it
  advise            Say which transport fits, and what to write where
  completion SHELL  Make bash, zsh or fish complete all this
  help [COMMAND]    Explain a command and its options
  version           Print the version

Examples:
  anyport serve -- npx -y @modelcontextprotocol/server-everything
  anyport connect https://mcp.example.com/mcp
`
}

export function commandHelp({ usage, summary, examples, notes, options }: CommandSpec): string {
  const groups = new Map<string, string[]>()
  for (const [name, spec] of Object.entries(options)) {
    const heading = spec.group ?? 'Options'
    const lines = groups.get(heading) ?? []
    lines.push(optionHelp(name, spec))
    groups.set(heading, lines)
  }
  return [
    ...usage.map((line, index) => `${index === 0 ? 'Usage:' : '      '} ${line}`),
    '',
    ...wrap(summary, WIDTH),
    '',
    ...[...groups].flatMap(([heading, lines]) => [`${heading}:`, ...lines, '']),
    ...notes.flatMap(note => [...wrap(note, WIDTH), '']),
    'Examples:',
    ...examples.flatMap(([description, command]) => [`  # ${description}`, `  ${command}`]),
    '',
  ].join('\n')
}

function optionHelp(name: string, spec: OptionSpec<unknown>): string {
  const head = `  --${name}${spec.metavar === undefined ? '' : ` ${spec.metavar}`}`
  const standard = spec.default === undefined ? '' : ` (default ${spec.default})`
  const [first, ...more] = wrap(spec.description + standard, WIDTH - INDENT)
  const lines = more.map(line => ' '.repeat(INDENT) + line)
  if (head.length + 2 > INDENT) return [head, ' '.repeat(INDENT) + first, ...lines].join('\n')
  return [head.padEnd(INDENT) + first, ...lines].join('\n')
}

export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
