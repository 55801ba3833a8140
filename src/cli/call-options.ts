/** What `anyport call` takes. */

import { flag, list, type OptionSpecs, oneOf, text, value } from './arguments.js'
import { CALLED_SERVER_OPTIONS, TARGETS } from './called-server-options.js'
import type { CommandSpec } from './help.js'

const what = 'What is called'
const questions = 'Questions of the server'
const output = 'Output'

/** Of the protocol (2026-07-28 server/utilities/logging), the least important first. */
const SERVER_LOG_LEVELS = [
  ...['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'],
  'off',
]

export const CALL_OPTIONS = {
  args: value('Arguments as a JSON object, @FILE or - for stdin; KEY=VALUE goes on top', text, {
    metavar: 'JSON',
    group: what,
  }),
  prompt: value('Get this prompt, rather than call a tool', text, { metavar: 'NAME', group: what }),
  resource: value('Read this resource', text, { metavar: 'URI', group: what }),
  'no-validate': flag('Send arguments that do not fit the schema, and call tools that are not listed', {
    group: what,
  }),
  answer: list(
    'Answer to a field of a form; a bare accept, decline or cancel is for what has no fields left to answer (repeatable)',
    parseAnswer,
    { metavar: 'KEY=VALUE', group: questions },
  ),
  root: list(
    'Folder that the server is told it may work in (repeatable; default: it is told of none)',
    text,
    {
      metavar: 'FOLDER',
      group: questions,
    },
  ),
  json: flag('Print the whole result as JSON', { group: output }),
  output: value('Save images, audio and other data here, rather than only name them', text, {
    metavar: 'FOLDER',
    group: output,
  }),
  logs: value(
    'Show what the server logs about the call from this level on, on stderr',
    oneOf(...SERVER_LOG_LEVELS),
    {
      metavar: 'LEVEL',
      default: 'info',
      group: output,
    },
  ),
  quiet: flag('Neither progress nor logs', { group: output }),
  ...CALLED_SERVER_OPTIONS,
} as const satisfies OptionSpecs

export const CALL: CommandSpec = {
  usage: [
    'anyport call [options] URL TOOL [KEY=VALUE...]',
    'anyport call [options] TOOL [KEY=VALUE...] -- COMMAND [ARGS...]',
    'anyport call [options] [--config FILE | --client CLIENT] [--server NAME] TOOL [KEY=VALUE...]',
    'anyport call [options] ... --prompt NAME [KEY=VALUE...]',
    'anyport call [options] ... --resource URI',
  ],
  summary: 'Calls a tool of a server, gets a prompt or reads a resource, and shows the result.',
  examples: [
    [
      'a tool of a server from npm',
      'anyport call echo message=hello -- npx -y @modelcontextprotocol/server-everything',
    ],
    [
      'numbers, lists and objects, by the schema',
      'anyport call https://mcp.example.com/mcp search limit=5 tag=a tag=b near.lat=52.5',
    ],
    [
      'a value in JSON, and all arguments from a file',
      "anyport call URL search 'filter:=[1, null]' --args @arguments.json",
    ],
    ['a server of your editor', 'anyport call --client cursor --server github list_issues repo=anyport'],
    ['a resource', 'anyport call https://mcp.example.com/mcp --resource file:///notes.md'],
  ],
  notes: [
    TARGETS,
    'KEY=VALUE is read as what the tool says of KEY: text, a number, true or false. A list is made by repetition, an object as a.b=1; KEY:=JSON is a value in JSON. anyport inspect shows what a tool takes.',
    'Only the result goes to stdout. A server that asks is answered on the terminal, or by --answer; else it is declined. Exit codes: 0 done, 1 the tool or the server reports an error, 2 wrong use, or the server cannot be reached, 130 after ^C.',
  ],
  options: CALL_OPTIONS,
}

/** Throws `TypeError`. */
function parseAnswer(given: string): string {
  if (/^(?:accept|decline|cancel)$/.test(given) || given.indexOf('=') > 0) return given
  throw new TypeError('expected KEY=VALUE, or accept, decline or cancel')
}
