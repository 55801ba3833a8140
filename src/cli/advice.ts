/** Which transport fits, as a function of what is known: docs/transports.md has the same as a chart, and a test compares the two. */

export const CHOICES = ['stdio', 'shared-stdio', 'streamable-http', 'stateless-http', 'http-sse'] as const
export type Choice = (typeof CHOICES)[number]

export const TITLES: Readonly<Record<Choice, string>> = {
  stdio: 'stdio',
  'shared-stdio': 'stdio, with one server for all your clients',
  'streamable-http': 'Streamable HTTP',
  'stateless-http': 'Streamable HTTP without sessions',
  'http-sse': 'HTTP+SSE',
}

/** What a client can do itself: start programs, call Streamable HTTP, call HTTP+SSE. */
export const ABILITIES = ['stdio', 'http', 'sse'] as const
export type Ability = (typeof ABILITIES)[number]

export interface Situation {
  /** `command` starts it, `url` is where it runs already, `sdk` is a program of one's own, which can be served in its process. */
  readonly serverIs: 'command' | 'url' | 'sdk'
  /** Its address, where it runs already. */
  readonly url?: string | undefined
  /** `local`: on the machine of each who uses it. */
  readonly runs: 'local' | 'remote' | 'serverless'
  readonly users: 'me' | 'team' | 'public'
  /** It reports while it works, or says that its lists have changed. */
  readonly streams: boolean
  /** Its tools ask the client: for input, for a sampling, for the roots. */
  readonly asks: boolean
  /** It keeps something for each client from one call to the next. */
  readonly state: boolean
  readonly speaks: readonly Ability[]
  /** Several clients of one machine use it. */
  readonly manyClients: boolean
  /** Processes that share the work, behind one address. */
  readonly replicas: number
}

export interface Decision {
  readonly choice: Choice
  readonly reasons: readonly string[]
  /** What speaks against each of the others. */
  readonly against: readonly { readonly choice: Choice; readonly reasons: readonly string[] }[]
  /** The client cannot do its part: an anyport on its machine does it. */
  readonly relayed: boolean
}

interface Objection {
  /** `server`: it cannot work there. `client`: another one stands between. `price`: it works, and costs something. */
  readonly by: 'server' | 'client' | 'price'
  readonly text: string
}

/** The first choice that nothing rules out; where the client rules out all, the first that the server can do. */
export function decide(situation: Situation): Decision {
  const order: readonly Choice[] =
    situation.serverIs === 'url'
      ? ['streamable-http', 'http-sse', 'stdio', 'shared-stdio', 'stateless-http']
      : CHOICES
  const objections = new Map(order.map(choice => [choice, OBJECTIONS[choice](situation)]))
  const free = (...by: readonly string[]) =>
    order.find(choice => objections.get(choice)?.every(objection => !by.includes(objection.by)))
  const chosen = free('server', 'client')
  const choice = chosen ?? (free('server') as Choice)
  return {
    choice,
    reasons: REASONS[choice](situation),
    against: order
      .filter(other => other !== choice)
      .map(other => ({ choice: other, reasons: (objections.get(other) ?? []).map(({ text }) => text) })),
    relayed: chosen === undefined,
  }
}

/** Servers are named so, and nothing else tells without asking them. */
export function isSseAddress(url: string | undefined): boolean {
  return /\/sse\/?(?:$|[?#])/.test(url ?? '')
}

const server = (holds: boolean, text: string): Objection[] => (holds ? [{ by: 'server', text }] : [])
const client = (holds: boolean, text: string): Objection[] => (holds ? [{ by: 'client', text }] : [])
const price = (holds: boolean, text: string): Objection[] => (holds ? [{ by: 'price', text }] : [])

const OBJECTIONS: Readonly<Record<Choice, (situation: Situation) => readonly Objection[]>> = {
  stdio: situation => [
    ...pipe(situation),
    ...server(situation.manyClients, 'Each of the clients would start a copy of its own.'),
    ...price(true, 'It serves the one client that starts it, and nobody else.'),
  ],
  'shared-stdio': situation => [
    ...pipe(situation),
    ...server(
      !situation.manyClients,
      'There is one client on the machine, so that there is nothing to share.',
    ),
    ...price(
      situation.state,
      'What the server keeps in memory is there for all of the clients, unless each gets a process.',
    ),
  ],
  'streamable-http': situation => [
    ...server(situation.serverIs === 'url' && isSseAddress(situation.url), 'The address is one of HTTP+SSE.'),
    ...onOneProcess(situation, !situation.state),
    ...called(situation),
    ...listening(situation),
    ...price(
      situation.runs === 'remote',
      'Sessions of legacy clients take memory, and end with the process.',
    ),
  ],
  'stateless-http': situation => [
    ...server(
      situation.serverIs === 'url',
      'Whether the server keeps sessions is for those to choose who run it.',
    ),
    ...server(
      situation.serverIs !== 'url' && situation.state && situation.runs !== 'serverless',
      'The server keeps something for each client between calls, and without sessions legacy clients cannot be told apart.',
    ),
    ...called(situation),
    ...listening(situation),
    ...price(true, 'Legacy clients hear nothing outside of their calls, and cannot be asked anything.'),
  ],
  'http-sse': situation => [
    ...server(
      situation.serverIs === 'url' && !isSseAddress(situation.url),
      'The address is none of HTTP+SSE, as far as its name tells.',
    ),
    ...onOneProcess(situation, true),
    ...client(!situation.speaks.includes('sse'), 'Your client does not speak it.'),
    ...listening(situation),
    ...price(
      true,
      'It was replaced in revision 2025-03-26: clients drop it, a lost stream cannot be resumed, and modern clients do not know it.',
    ),
  ],
}

function pipe({ serverIs, runs, speaks }: Situation): Objection[] {
  return [
    ...server(
      serverIs !== 'url' && runs !== 'local',
      'The server runs elsewhere, and a pipe ends at this machine.',
    ),
    ...client(!speaks.includes('stdio'), 'Your client starts no programs.'),
    ...price(serverIs === 'url', 'A process would stand between your client and the server.'),
  ]
}

/** What does not go together with several processes; `replicas` where sticky routing would not be worth it. */
function onOneProcess({ serverIs, runs, replicas }: Situation, noReplicas: boolean): Objection[] {
  if (serverIs === 'url') return []
  return [
    ...server(
      runs === 'serverless',
      'A session and its streams live in one process, and there each request may meet another one.',
    ),
    ...server(
      runs === 'remote' && replicas > 1 && noReplicas,
      'A session and its streams live in one of the replicas, and the others do not know them.',
    ),
  ]
}

/** Clients that start programs reach remote servers through `anyport connect`. */
function called({ serverIs, runs, speaks }: Situation): Objection[] {
  const bridged = serverIs !== 'url' && runs !== 'local' && speaks.includes('stdio')
  return client(!speaks.includes('http') && !bridged, 'Your client does not call such addresses.')
}

function listening({ serverIs, runs }: Situation): Objection[] {
  return price(
    serverIs !== 'url' && runs === 'local',
    'Somebody has to start it, and every program of the machine can try its port.',
  )
}

const REASONS: Readonly<Record<Choice, (situation: Situation) => readonly string[]>> = {
  stdio: ({ serverIs, users, speaks }) =>
    serverIs === 'url'
      ? [
          `Your client ${speaks.includes('http') ? 'does not speak what the address speaks' : 'calls no addresses'}: it starts anyport, which leads there and signs in where the server asks for it.`,
        ]
      : [
          'Your client starts the server and ends it, so that there is nothing to operate.',
          'Nothing listens, so that nobody else can reach it, and nobody has to authenticate.',
          'Questions of the server, progress and notifications all pass on a pipe.',
          ...(users === 'me'
            ? []
            : [
                'Each who uses it starts a copy on a machine of their own, so that nothing of theirs leaves it; what they share is the entry.',
              ]),
        ],
  'shared-stdio': ({ serverIs }) => [
    serverIs === 'url'
      ? 'One process leads all clients of the machine there, with one sign-in, instead of one for each.'
      : 'The clients of the machine share one process of the server instead of starting one each.',
    'Nothing listens but a socket in a folder that only you can open, so that nobody has to authenticate.',
  ],
  'streamable-http': ({ serverIs, runs, streams, asks, state, replicas }) => {
    if (serverIs === 'url') return ['Your client calls the server itself, with nothing between.']
    return [
      runs === 'local'
        ? 'Your client calls addresses, and this one can be reached from this machine only.'
        : 'Every current client calls it, and it passes through proxies as any other HTTP.',
      'One port serves both eras: modern clients without sessions, legacy ones with them.',
      ...(streams
        ? ['What the server reports arrives while it works, and a legacy stream that was lost is resumed.']
        : []),
      ...(asks ? ['The server can ask clients of both eras.'] : []),
      ...(state
        ? [
            'Sessions, and who has authenticated, tell clients apart, so that the server can keep something for each.',
          ]
        : []),
      ...(replicas > 1 ? ['The load balancer can keep a client at one replica (by Mcp-Session-Id).'] : []),
    ]
  },
  'stateless-http': ({ runs, streams }) => [
    runs === 'serverless'
      ? 'Any instance answers any request, so that instances may come and go.'
      : 'Any replica answers any request: they need no sticky routing, and none is missed when it ends.',
    'Modern clients miss nothing: their revision has no sessions.',
    ...(streams ? ['What the server reports within a call arrives on the answer of that call.'] : []),
  ],
  'http-sse': ({ serverIs }) => [
    serverIs === 'url'
      ? 'It is what the server speaks, and your client speaks it too.'
      : 'It is the only transport over a network that your client speaks.',
    ...(serverIs === 'url'
      ? []
      : ['The same port serves Streamable HTTP, for the day when your client does.']),
  ],
}
