// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** How a choice is set up: the commands to run, in the words of our own command line, and what to know about them. */

import type { Launcher } from '../config/bridge.js'
import type { Client } from '../config/client.js'
import type { Decision, Situation } from './advice.js'
import { serverlessCode } from './advice-code.js'

export interface Setup {
  /** In their order. */
  readonly steps: readonly Step[]
  /** `anyport config add ...`: what puts the server into the client's file. */
  readonly add: readonly string[]
  readonly notes: readonly string[]
}

export interface Step {
  readonly title: string
  /** Words of a command line. */
  readonly command?: readonly string[]
  /** JavaScript. */
  readonly code?: string
  /** Where anyport itself serves: it keeps running. */
  readonly serves?: boolean
}

export interface Wishes {
  readonly name: string
  /** The command that starts the server. */
  readonly words: readonly string[]
  readonly client: Client
  /** Undefined for a client that is not known. */
  readonly clientId: string | undefined
  readonly launcher: Launcher
  /** The bridges in the client's file start this anyport. */
  readonly installed: boolean
  readonly port: number
  /** Where clients find it. */
  readonly publicUrl: string
  /** The authorization server; without one, keys. */
  readonly issuer: string | undefined
  /** Who speaks HTTPS: a reverse proxy before anyport, or anyport. */
  readonly https: 'proxy' | 'anyport'
  readonly platform: 'fetch' | 'lambda' | 'container'
}

const EXAMPLE_ISSUER = 'https://login.example.com'

/** Throws nothing: every situation has an answer. */
export function setUp(situation: Situation, decision: Decision, wishes: Wishes): Setup {
  const { serverIs, runs } = situation
  if (decision.choice === 'stdio' || decision.choice === 'shared-stdio')
    return onPipe(situation, decision, wishes)
  if (serverIs === 'url') return atAddress(situation, decision, wishes, [], [], situation.url as string, [])
  if (runs === 'local') return onThisMachine(situation, decision, wishes)
  return elsewhere(situation, decision, wishes)
}

function onPipe(situation: Situation, { choice }: Decision, wishes: Wishes): Setup {
  const { serverIs, state, url } = situation
  const { command, args } = wishes.launcher
  const shared = choice === 'shared-stdio'
  const words =
    serverIs === 'url'
      ? [command, ...args, 'connect', ...(shared ? ['--shared'] : []), url as string]
      : shared
        ? [
            command,
            ...args,
            'serve',
            '--stdio',
            '--shared',
            ...(state ? ['--isolation', 'session'] : []),
            '--',
            ...wishes.words,
          ]
        : wishes.words
  return {
    steps: [],
    add: [...addTo(situation, wishes), '--', ...words],
    notes: [
      ...(serverIs !== 'url' && !shared
        ? [
            `Where your client and the server are of different eras, or the server ends now and then, let your client start it through anyport: ${[command, ...args].join(' ')} serve --stdio -- COMMAND`,
          ]
        : []),
      ...(shared && state
        ? [
            '--isolation session gives each client a process of its own, which ends with it (docs/sharing.md).',
          ]
        : []),
    ],
  }
}

/** The client's part, where there is an address. `headers` are those of our own server. */
function atAddress(
  situation: Situation,
  { choice, relayed }: Decision,
  wishes: Wishes,
  before: readonly Step[],
  notes: readonly string[],
  url: string,
  headers: readonly string[],
): Setup {
  const sse = choice === 'http-sse'
  const withHeaders = headers.flatMap(header => ['--header', header])
  if (relayed) {
    const wanted = situation.speaks.includes('sse') && !situation.speaks.includes('http') ? '/sse' : '/mcp'
    const local = `http://127.0.0.1:${wishes.port}${wanted}`
    return {
      steps: [
        ...before,
        {
          title: 'On the machine of the client, lead to it',
          command: ['anyport', 'serve', '--port', `${wishes.port}`, ...withHeaders, url],
          serves: true,
        },
      ],
      add: [...addTo(situation, wishes), local],
      notes,
    }
  }
  if (!situation.speaks.includes('http') && !sse && wishes.clientId === undefined) {
    const { command, args } = wishes.launcher
    return {
      steps: before,
      add: [...addTo(situation, wishes), '--', command, ...args, 'connect', url, ...withHeaders],
      notes,
    }
  }
  return {
    steps: before,
    add: [...addTo(situation, wishes), ...withHeaders, url],
    notes,
  }
}

function onThisMachine(situation: Situation, decision: Decision, wishes: Wishes): Setup {
  const { port, words } = wishes
  const start: Step = {
    title: 'Start the server; it can be reached from this machine only',
    command: [
      'anyport',
      'serve',
      '--port',
      `${port}`,
      ...(situation.state ? ['--isolation', 'session'] : []),
      '--',
      ...words,
    ],
    serves: true,
  }
  const url = `http://127.0.0.1:${port}${decision.choice === 'http-sse' ? '/sse' : '/mcp'}`
  return atAddress(situation, decision, wishes, [start], [], url, [])
}

function elsewhere(situation: Situation, decision: Decision, wishes: Wishes): Setup {
  const { users, runs } = situation
  const { publicUrl, issuer, platform } = wishes
  const tokens = issuer !== undefined || users === 'public'
  const base = publicUrl.replace(/\/+$/, '')
  const url = `${base}${decision.choice === 'http-sse' ? '/sse' : '/mcp'}`
  const header = tokens ? [] : [`Authorization: Bearer \${${keyVariable(wishes.name)}}`]
  const code = runs === 'serverless' && platform !== 'container'
  const steps: Step[] = []
  if (!tokens)
    steps.push({
      title: code
        ? `Make a key for each who may call, and put what keys.json then holds into the variable ANYPORT_KEYS; the client has the key itself in ${keyVariable(wishes.name)}`
        : `Make a key for each who may call; the client has it in the variable ${keyVariable(wishes.name)}`,
      command: [
        'anyport',
        'keys',
        'create',
        users === 'me' ? 'me' : 'alice',
        ...(runs === 'serverless' ? ['--file', 'keys.json'] : []),
      ],
    })
  if (needsStateKey(situation, decision))
    steps.push({
      title: 'Make a secret for all of the processes, and give it to each as ANYPORT_STATE_KEY',
      command: ['openssl', 'rand', '-hex', '32'],
    })
  if (code)
    steps.push({
      title: platform === 'lambda' ? 'The function' : 'The module that the platform loads',
      code: serverlessCode({
        platform: platform === 'lambda' ? 'lambda' : 'fetch',
        streams: situation.streams,
        stateKey: needsStateKey(situation, decision),
        publicUrl: base,
        issuer: tokens ? (issuer ?? EXAMPLE_ISSUER) : undefined,
      }),
    })
  else steps.push(startElsewhere(situation, decision, wishes, tokens))
  return atAddress(
    situation,
    decision,
    wishes,
    steps,
    notesElsewhere(situation, decision, wishes, tokens),
    url,
    header,
  )
}

function startElsewhere(
  { users, runs, state, serverIs }: Situation,
  { choice }: Decision,
  { publicUrl, port, issuer, https, words }: Wishes,
  tokens: boolean,
): Step {
  const container = runs === 'serverless'
  const direct = container || https === 'anyport'
  return {
    title: container
      ? 'What the container starts; the platform speaks HTTPS before it'
      : https === 'anyport'
        ? `Start it${serverIs === 'sdk' ? ' (or serve it in its own process: docs/sdk.md)' : ''}`
        : `Start it behind the reverse proxy that speaks HTTPS and passes requests on to port ${port} of the same machine`,
    command: [
      'anyport',
      'serve',
      ...(direct ? ['--host', '0.0.0.0'] : []),
      '--port',
      `${port}`,
      '--public-url',
      publicUrl,
      ...(container
        ? []
        : direct
          ? ['--tls-cert', 'cert.pem', '--tls-key', 'key.pem']
          : ['--trust-proxy', '127.0.0.1']),
      ...(tokens
        ? ['--auth-issuer', issuer ?? EXAMPLE_ISSUER]
        : ['--keys', container ? 'keys.json' : 'default']),
      ...(users === 'public' ? ['--rate-limit', 'principal=20/s,100', '--max-concurrent', '20'] : []),
      ...(choice === 'stateless-http' ? ['--sessionless'] : []),
      ...(state && choice !== 'stateless-http' ? ['--isolation', 'session'] : []),
      '--',
      ...words,
    ],
    serves: true,
  }
}

function needsStateKey({ runs, asks, replicas }: Situation, { choice }: Decision): boolean {
  return asks && choice === 'stateless-http' && (runs === 'serverless' || replicas > 1)
}

function notesElsewhere(
  situation: Situation,
  { choice }: Decision,
  { issuer, https, client, clientId, platform, publicUrl }: Wishes,
  tokens: boolean,
): readonly string[] {
  const { runs, users, streams, asks, state, replicas, serverIs } = situation
  const code = runs === 'serverless' && platform !== 'container'
  const notes: string[] = []
  if (new URL(publicUrl).hostname.endsWith('example.com'))
    notes.push(`${publicUrl} stands for your own address: give it as --public-url.`)
  if (tokens && issuer === undefined)
    notes.push(
      `${EXAMPLE_ISSUER} stands for your authorization server: give it as --issuer. The public needs one, since keys are handed out by hand.`,
    )
  if (serverIs === 'command' && runs === 'serverless')
    notes.push(
      'Functions start no programs: what runs a command is a container that the platform starts on demand.',
    )
  if (state && choice === 'stateless-http')
    notes.push(
      'What the server keeps between calls has to be in a database, by the principal: memory ends with the instance.',
    )
  if (state && choice !== 'stateless-http')
    notes.push(
      'Modern clients have no sessions: the server tells them apart by who has authenticated (docs/eras.md).',
    )
  if (replicas > 1 && choice === 'streamable-http')
    notes.push('The load balancer must keep requests with the same Mcp-Session-Id at one replica.')
  if (asks && choice === 'stateless-http')
    notes.push(
      'Only modern clients can be asked there. The answer to a question of a legacy server must reach the process that waits for it; a modern server answers on any (docs/serverless.md).',
    )
  if (streams && platform === 'lambda' && runs === 'serverless')
    notes.push(
      'Only functions with response streaming send before the end of the answer: a function URL with RESPONSE_STREAM.',
    )
  if (streams && !code && https === 'proxy')
    notes.push('The proxy must not hold back event streams: nginx is told so, others have an option for it.')
  if (users !== 'me' && !code)
    notes.push('--audit FILE records who called what, --rules FILE says who may (docs/governing.md).')
  if (clientId === 'claude-desktop')
    notes.push(`${client.title} can also be given the address in its settings, as a connector.`)
  return notes
}

function addTo(
  { runs, users, serverIs }: Situation,
  { name, client, clientId, installed }: Wishes,
): string[] {
  const project = runs === 'local' && users === 'team' && serverIs !== 'url' && client.projectFiles.length > 0
  return [
    'anyport',
    'config',
    'add',
    name,
    ...(clientId === undefined ? [] : ['--client', clientId]),
    ...(project ? ['--scope', 'project'] : []),
    ...(installed ? ['--installed'] : []),
  ]
}

function keyVariable(name: string): string {
  return `${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_KEY`.replace(/^(?=\d)/, '_')
}
