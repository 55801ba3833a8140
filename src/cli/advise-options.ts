/** What `anyport advise` takes. */

import { ABILITIES } from './advice.js'
import { flag, integer, type OptionSpecs, oneOf, text, value } from './arguments.js'
import type { CommandSpec } from './help.js'

const situation = 'The situation'
const setup = 'How it is set up'

export const RUNS = ['local', 'remote', 'serverless'] as const
export const USERS = ['me', 'team', 'public'] as const
export const SERVER_IS = ['command', 'url', 'sdk'] as const

export const ADVISE_OPTIONS = {
  runs: value(
    'Where the server runs: local (where its users are), remote (a machine of its own), serverless (a platform that starts it on demand)',
    oneOf(...RUNS),
    { metavar: 'WHERE', group: situation },
  ),
  users: value('Who uses it: me, team or public', oneOf(...USERS), { metavar: 'WHO', group: situation }),
  'server-is': value(
    'What it is, where neither a command nor an address is given: command, url, or sdk for a program of your own',
    oneOf(...SERVER_IS),
    { metavar: 'WHAT', group: situation },
  ),
  client: value('What calls it, as "anyport config" names clients, or other', text, {
    metavar: 'CLIENT',
    group: situation,
  }),
  'client-speaks': value(
    `What a client that is not known can do: ${ABILITIES.join(', ')} (start programs, call Streamable HTTP, call HTTP+SSE), by comma`,
    parseAbilities,
    { metavar: 'LIST', group: situation },
  ),
  'many-clients': flag('Several clients of one machine use it', { group: situation }),
  streams: flag('It reports while it works, or says that its lists have changed', { group: situation }),
  asks: flag('It asks its client: for input, a sampling, the roots', { group: situation }),
  state: flag('It keeps something for each client from one call to the next', { group: situation }),
  replicas: value('Processes that share the work behind one address', integer(1, 10_000), {
    metavar: 'N',
    default: '1',
    group: situation,
  }),

  name: value('What clients call it (default made of the command or address)', parseName, {
    metavar: 'NAME',
    group: setup,
  }),
  port: value('Port to listen on', integer(1, 65_535), { metavar: 'PORT', default: '3000', group: setup }),
  'public-url': value('Where clients will find it', parseAddress, {
    metavar: 'URL',
    default: 'https://mcp.example.com',
    group: setup,
  }),
  https: value('Who speaks HTTPS: a reverse proxy before anyport, or anyport', oneOf('proxy', 'anyport'), {
    metavar: 'WHO',
    default: 'proxy',
    group: setup,
  }),
  issuer: value(
    'Authorization server whose tokens let in (default API keys; the public needs one)',
    parseAddress,
    {
      metavar: 'URL',
      group: setup,
    },
  ),
  platform: value(
    'What serverless means: fetch (Workers, Vercel, Deno, Bun), lambda or container (default fetch; for a command container)',
    oneOf('fetch', 'lambda', 'container'),
    { metavar: 'KIND', group: setup },
  ),
  installed: flag('Entries start this anyport, by its path, rather than "npx -y anyport"', { group: setup }),
  json: flag('Print JSON', { group: setup }),
} as const satisfies OptionSpecs

export const ADVISE: CommandSpec = {
  usage: ['anyport advise [options] [URL | -- COMMAND [ARGS...]]'],
  summary:
    'Says which transport fits, why, what speaks against the others, and what to write where. On a terminal it asks for what is not given; elsewhere what is not given is taken for the simplest.',
  examples: [
    ['answer its questions', 'anyport advise'],
    [
      'a server from npm, for me, in Cursor',
      'anyport advise --runs local --users me --client cursor -- npx -y some-server',
    ],
    [
      'the same for a team, on a machine of its own, for Claude Desktop',
      'anyport advise --runs remote --users team --client claude-desktop -- npx -y some-server',
    ],
    ['how a client gets to an address', 'anyport advise --client claude-desktop https://mcp.example.com/mcp'],
  ],
  notes: ['docs/transports.md compares the transports, and has the same decision as a chart.'],
  options: ADVISE_OPTIONS,
}

/** Throws `TypeError`. */
export function parseAbilities(given: string): readonly (typeof ABILITIES)[number][] {
  return given.split(',').map(word => oneOf(...ABILITIES)(word.trim()))
}

/** Throws `TypeError`. */
export function parseAddress(given: string): string {
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw new TypeError(`${JSON.stringify(given)} is no address such as https://mcp.example.com`)
  return given
}

function parseName(given: string): string {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(given)) return given
  throw new TypeError(`${JSON.stringify(given)}: 1 to 64 letters, digits, - and _`)
}
