/**
 * Requests over raw sockets to a running `anyport serve`: mutated heads and bodies, kept-alive connections, pipelining, sessions of other
 * clients, streams; and in between an honest client of each kind, which must always get its own right answers.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from '../test/fixtures/process-facts.mjs'
import { type HonestReport, honestClients } from './honest-clients.js'
import { mutateBytes, mutateJson, mutateText } from './mutate.js'
import { Random } from './random.js'
import { type RawReply, ReplyReader } from './reply-reader.js'

export interface LiveOptions {
  readonly seed: number
  readonly count: number
  readonly seconds?: number | undefined
  /** The folder of the package, built. */
  readonly root: string
}

export interface LiveReport extends HonestReport {
  readonly requests: number
  readonly milliseconds: number
  /** How many replies had each status. */
  readonly statuses: Readonly<Record<string, number>>
  readonly before: Facts
  readonly after: Facts
  readonly violations: readonly string[]
}

type Facts = ReturnType<typeof measure>

const SOCKETS = 12
/** A request that is whole has its reply by then. */
const HANGS_AFTER = 30_000
const SESSION_TTL = 2_000
/** MB that a process may have more than after its first requests: engines let heaps grow before they collect. */
const MAX_GROWTH = 60

export async function runLive({ seed, count, seconds, root }: LiveOptions): Promise<LiveReport> {
  const state = new State(seed, count, seconds)
  const server = await startServer(root, KINDS[seed % KINDS.length] as ServerKind, state)
  try {
    const began = performance.now()
    const honest = honestClients(new URL(server.paths.at(-1) as string, server.url).href, state.violations)
    const workers = Array.from({ length: SOCKETS }, () => work(server, state))
    const before = await factsOnceWarm(server.child, state)
    await Promise.all(workers)
    const milliseconds = performance.now() - began
    const report = await honest.stop()
    const after = await factsOnceQuiet(server.child, before)
    const grown = (['descriptors', 'processes'] as const).filter(what => after[what] > before[what])
    for (const what of grown) state.violations.push(`${what}: ${before[what]} have become ${after[what]}`)
    if (after.rss - before.rss > MAX_GROWTH)
      state.violations.push(`memory: ${before.rss} MB have become ${after.rss} MB`)
    await server.stop()
    return {
      ...report,
      requests: state.sent,
      milliseconds,
      statuses: state.statuses,
      before,
      after,
      violations: state.violations,
    }
  } finally {
    server.child.kill('SIGKILL')
  }
}

interface Server {
  readonly url: string
  readonly port: number
  /** Endpoints of Streamable HTTP; at the last one the tool has its own name. */
  readonly paths: readonly string[]
  readonly child: ChildProcess
  stop(): Promise<void>
}

class State {
  sent = 0
  /** The server has ended by itself. */
  isGone = false
  readonly statuses: Record<string, number> = {}
  readonly violations: string[] = []
  /** Sessions that are open or were, for requests that use those of others. */
  readonly sessions: string[] = ['none']
  /** Where HTTP+SSE clients post. */
  readonly posts: string[] = ['/messages?sessionId=none']
  readonly #until: number

  constructor(
    readonly seed: number,
    readonly count: number,
    seconds: number | undefined,
  ) {
    this.#until = seconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + seconds * 1_000
  }

  get over(): boolean {
    return this.isGone || this.sent >= this.count || Date.now() > this.#until || this.violations.length > 20
  }

  /** The last few only: a client that tries to be another one uses what it has seen. */
  remember(list: string[], value: string): void {
    list.push(value)
    if (list.length > 20) list.shift()
  }
}

/** What is behind: a server of one era, or a gateway with one of each, with rules, limits and an audit log. */
const KINDS = ['legacy', 'modern', 'gateway'] as const
type ServerKind = (typeof KINDS)[number]

async function startServer(root: string, kind: ServerKind, state: State): Promise<Server> {
  const program = (era: string) => [process.execPath, join(root, 'fuzz/server.mjs'), era]
  const folder = mkdtempSync(join(tmpdir(), 'anyport-fuzz-'))
  const behind =
    kind === 'gateway' ? gatewayIn(folder, program) : ['--protocol', kind, '--', ...program(kind)]
  const child = spawn(process.execPath, [join(root, 'dist/bin/anyport.js'), 'serve', ...OPTIONS, ...behind], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const exited = once(child, 'exit')
  let stopping = false
  let log = ''
  const url = new Promise<string>((resolve, reject) => {
    void exited.then(([code]) => reject(new Error(`anyport ended with ${code}: ${log.slice(-2_000)}`)))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-200_000)
      const found = /"url":"(http:[^"]+)"/.exec(log)?.[1]
      if (found !== undefined) resolve(found)
      if (/"level":"error"|\n\s+at .*\.js:\d+/.test(text))
        state.violations.push(`log: ${text.slice(0, 1_000)}`)
    })
  })
  void exited.then(([code, signal]) => {
    if (stopping) return
    state.isGone = true
    state.violations.push(`anyport ended with ${code ?? signal}: ${log.slice(-2_000)}`)
  })
  const found = await url
  return {
    url: found,
    port: Number(new URL(found).port),
    paths: kind === 'gateway' ? ['/mcp', '/servers/modern/mcp', '/servers/legacy/mcp'] : ['/mcp'],
    child,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      stopping = true
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000)
      const [code, signal] = await exited
      clearTimeout(late)
      rmSync(folder, { recursive: true, force: true })
      if (code !== 0) state.violations.push(`on SIGTERM it ended with ${code ?? signal}`)
    },
  }
}

function gatewayIn(folder: string, program: (era: string) => readonly string[]): readonly string[] {
  const write = (name: string, value: unknown) => {
    writeFileSync(join(folder, name), JSON.stringify(value))
    return join(folder, name)
  }
  const servers = ['legacy', 'modern'].map(era => {
    const [command, ...args] = program(era)
    return [era, { command, args }]
  })
  const rules = [{ allow: { servers: ['*'] } }, { deny: { tools: ['forbidden_*'] } }]
  return [
    ...['--config', write('mcp.json', { mcpServers: Object.fromEntries(servers) })],
    ...['--rules', write('rules.json', { rules }), '--audit', join(folder, 'audit.jsonl')],
  ]
}

/** One connection after the other, each for some requests. */
async function work(server: Server, state: State): Promise<void> {
  while (!state.over) {
    const socket = connect(server.port, '127.0.0.1')
    socket.on('error', () => {})
    // `once` would reject where the server resets the connection, as it may.
    const closed = new Promise(resolve => socket.once('close', resolve))
    const kind = new Random(state.seed, 'live/kind', state.sent).below(20)
    if (kind === 0) await ragged(socket, state, server.paths)
    else if (kind === 1) await sseClient(socket, state)
    else await wellFramed(socket, state, server.paths)
    socket.destroy()
    await closed
  }
}

/** Requests whose bodies are as long as they say: each must be answered. */
async function wellFramed(socket: Socket, state: State, paths: readonly string[]): Promise<void> {
  const reader = new ReplyReader(socket)
  for (let left = 200; left > 0 && !state.over; ) {
    const index = state.sent
    const random = new Random(state.seed, 'live', index)
    const pipelined = Array.from({ length: random.chance(0.2) ? 1 + random.below(6) : 1 }, () =>
      wholeRequest(random, state, paths),
    )
    state.sent += pipelined.length
    left -= pipelined.length
    socket.write(Buffer.concat(pipelined.map(({ bytes }) => bytes)))
    for (const { bytes, endless, head } of pipelined) {
      const reply = await reader.next({ endless, headOnly: head, timeout: HANGS_AFTER })
      if (reply === 'closed') return
      if (reply === 'late') {
        state.violations.push(
          `no reply after ${HANGS_AFTER} ms, seed ${state.seed} request ${index}: ${shown(bytes)}`,
        )
        return
      }
      judge(reply, bytes, index, state)
      if (reply.open || reply.headers.get('connection') === 'close') return
    }
  }
}

/** Anything at all. It may well be that more is waited for. */
async function ragged(socket: Socket, state: State, paths: readonly string[]): Promise<void> {
  const index = state.sent++
  const random = new Random(state.seed, 'live/ragged', index)
  const { bytes } = wholeRequest(random, state, paths)
  const text = mutateText(random, [bytes.toString('latin1'), bytes.toString('latin1').repeat(2)], FRAMING)
  const reader = new ReplyReader(socket)
  for (const piece of random.chance(0.5)
    ? [text]
    : [text.slice(0, text.length >> 1), text.slice(text.length >> 1)]) {
    socket.write(Buffer.from(piece, 'latin1'))
    await new Promise(resolve => setImmediate(resolve))
  }
  const reply = await reader.next({ endless: true, headOnly: text.startsWith('HEAD'), timeout: 50 })
  if (typeof reply !== 'string') judge(reply, Buffer.from(text, 'latin1'), index, state)
}

/** Opens a stream of HTTP+SSE, so that there is somebody to whose address can be posted. */
async function sseClient(socket: Socket, state: State): Promise<void> {
  state.sent++
  socket.write('GET /sse HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n')
  let text = ''
  socket.on('data', chunk => {
    text = (text + chunk.toString('latin1')).slice(-4_096)
    const found = /data: (\/messages\?\S+)/.exec(text)?.[1]
    if (found !== undefined && !state.posts.includes(found)) state.remember(state.posts, found)
  })
  await new Promise(resolve => setTimeout(resolve, 100))
}

interface WholeRequest {
  readonly bytes: Buffer
  /** Its reply may be a stream without an end. */
  readonly endless: boolean
  readonly head: boolean
}

function wholeRequest(random: Random, state: State, paths: readonly string[]): WholeRequest {
  const sse = random.chance(0.15)
  const method = random.chance(0.9)
    ? 'POST'
    : random.pick(['GET', 'DELETE', 'PUT', 'OPTIONS', 'HEAD', 'PATCH'])
  const target = sse
    ? random.pick(state.posts)
    : random.chance(0.95)
      ? random.pick(paths)
      : path(mutateText(random, PATHS, PATHS))
  const era = random.below(3)
  const message = random.pick(era === 0 ? MODERN : LEGACY)
  const json = random.chance(0.4)
    ? message
    : random.chance(0.1)
      ? `[${mutateJson(random, LEGACY, WORDS)},${mutateJson(random, LEGACY, WORDS)}]`
      : mutateJson(random, [message], WORDS)
  const body = Buffer.from(random.chance(0.85) ? json : mutateBytes(random, json))
  const headers: [string, string][] = [
    ['Host', 'localhost'],
    ['Content-Type', 'application/json'],
    ['Accept', 'application/json, text/event-stream'],
  ]
  if (era === 0) {
    headers.push(
      ['MCP-Protocol-Version', '2026-07-28'],
      ['Mcp-Method', /"method":"([^"]+)"/.exec(message)?.[1] ?? 'x'],
    )
    if (message.includes('"tools/call"')) headers.push(['Mcp-Name', 'echo'], ['Mcp-Param-Words', 'w'])
    if (message.includes('"resources/read"')) headers.push(['Mcp-Name', 'test://a'])
  } else {
    if (random.chance(0.8) && !message.includes('"initialize"'))
      headers.push(['Mcp-Session-Id', random.pick(state.sessions)])
    if (random.chance(0.5))
      headers.push([
        'MCP-Protocol-Version',
        random.pick(['2025-11-25', '2025-03-26', '2024-11-05', '2026-07-28', 'x']),
      ])
    if (random.chance(0.1)) headers.push(['Last-Event-ID', mutateText(random, ['a.0.1', '0'])])
  }
  if (random.chance(0.2)) {
    const at = 1 + random.below(headers.length - 1)
    const [name, value] = headers[at] as [string, string]
    const what = random.below(4)
    if (what === 0) headers.splice(at, 1)
    else if (what === 1) headers.push([name, mutateText(random, [value], HEADER_WORDS)])
    else if (what === 2) headers[at] = [name, mutateText(random, [value], HEADER_WORDS)]
    else headers.push([random.pick(HEADERS), mutateText(random, HEADER_WORDS, HEADER_WORDS)])
  }
  const chunked = random.chance(0.15)
  const lines = headers
    .map(([name, value]) => `${name}: ${headerValue(value)}`)
    // The parser of `node:http` takes no more, and says so with 431.
    .join('\r\n')
    .slice(0, 40_000)
  const framing = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`
  const head = Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines}\r\n${framing}\r\n\r\n`, 'latin1')
  const cut = random.below(body.length + 1)
  const sent = chunked
    ? Buffer.concat([
        ...[body.subarray(0, cut), body.subarray(cut)]
          .filter(piece => piece.length > 0)
          .map(piece =>
            Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]),
          ),
        Buffer.from('0\r\n\r\n'),
      ])
    : body
  const isGet = method === 'GET' || method === 'HEAD'
  return {
    bytes: Buffer.concat([head, sent]),
    endless: isGet || /listen|\\u/.test(json),
    head: method === 'HEAD',
  }
}

/** As a header can be: bytes without control characters. */
function headerValue(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those would be other headers
  return text.replace(/[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]/g, '')
}

function path(text: string): string {
  return `/${text.replace(/[^!-~]/g, '')}`
}

function judge(reply: RawReply, request: Buffer, index: number, state: State): void {
  const { status } = reply
  state.statuses[status] = (state.statuses[status] ?? 0) + 1
  const where = `seed ${state.seed} request ${index}: ${shown(request)} -> ${status} ${reply.text.slice(0, 500)}`
  // Busy is what it may be where callers want more than there is.
  const isBusy = status === 503 && reply.headers.get('retry-after') !== null && /-31003/.test(reply.text)
  if (status >= 500 && !isBusy) state.violations.push(`a status of ${status}, ${where}`)
  if (/"code":-32603/.test(reply.text)) state.violations.push(`an internal error, ${where}`)
  const session = reply.headers.get('mcp-session-id')
  if (session !== null) state.remember(state.sessions, session)
  if (reply.headers.get('content-type')?.startsWith('application/json') && reply.text !== '') {
    try {
      JSON.parse(reply.text)
    } catch {
      state.violations.push(`no JSON, ${where}`)
    }
  }
}

function shown(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1').slice(0, 1_500))
}

/** Nothing of a process that is gone: that is a violation by itself. */
function factsOf(child: ChildProcess): Facts {
  const gone = child.exitCode !== null || child.signalCode !== null
  return gone ? { rss: 0, descriptors: 0, processes: 0 } : measure(child.pid as number)
}

async function factsOnceWarm(child: ChildProcess, state: State): Promise<Facts> {
  while (!state.over && state.sent < state.count / 4) await new Promise(resolve => setTimeout(resolve, 50))
  return factsOf(child)
}

/** Sessions have expired, and what idles has ended. */
async function factsOnceQuiet(child: ChildProcess, before: Facts): Promise<Facts> {
  const until = Date.now() + 20_000
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, 250))
    const now = factsOf(child)
    const isQuiet =
      now.descriptors <= before.descriptors &&
      now.processes <= before.processes &&
      now.rss - before.rss <= MAX_GROWTH
    if (isQuiet || Date.now() > until) return now
  }
}

const OPTIONS =
  `--port 0 --log-format json --strict-start --session-ttl ${SESSION_TTL}ms --keep-alive 200ms --idle-timeout 2s --max-children 4 --max-body 256KiB`.split(
    ' ',
  )
const META =
  '"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}'
const MODERN = [
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"words":"w"},${META}}}`,
  `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo","arguments":{"words":"w"},${META.slice(0, -1)},"progressToken":7}}}`,
  `{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{${META}}}`,
  `{"jsonrpc":"2.0","id":3,"method":"server/discover","params":{${META}}}`,
  `{"jsonrpc":"2.0","id":4,"method":"resources/read","params":{"uri":"test://a",${META}}}`,
  `{"jsonrpc":"2.0","id":5,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},${META}}}`,
  `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1,${META}}}`,
]
const LEGACY = [
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}',
  '{"jsonrpc":"2.0","method":"notifications/initialized"}',
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"words":"w"},"_meta":{"progressToken":"p"}}}',
  '{"jsonrpc":"2.0","id":"b","method":"tools/call","params":{"name":"echo","arguments":{}}}',
  '{"jsonrpc":"2.0","id":2,"method":"tools/list"}',
  '{"jsonrpc":"2.0","id":3,"method":"resources/list","params":{"cursor":"x"}}',
  '{"jsonrpc":"2.0","id":4,"method":"ping"}',
  '{"jsonrpc":"2.0","id":5,"method":"logging/setLevel","params":{"level":"debug"}}',
  '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
  '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"p","progress":1}}',
  '{"jsonrpc":"2.0","id":9,"result":{}}',
  '{"jsonrpc":"2.0","id":9,"error":{"code":1,"message":"x"}}',
]
const WORDS = [
  '"id":',
  '"id":null',
  '"method":"__proto__"',
  '"method":"constructor"',
  '"params":',
  '"__proto__":',
  '"_meta":',
  '\\ud800',
  '9007199254740993',
  '1e400',
  '[',
  '{',
  '}',
  ',',
]
const HEADER_WORDS = [
  'application/json',
  'text/event-stream',
  '*/*',
  '2026-07-28',
  '2025-11-25',
  '=?base64?',
  '?=',
  ';q=0',
  ',',
  'charset=utf-16',
  'tools/list',
  'echo',
  '"',
  '%00',
  '..',
]
const HEADERS = [
  'Origin',
  'Host',
  'Authorization',
  'X-API-Key',
  'X-Forwarded-For',
  'Forwarded',
  'Expect',
  'Connection',
  'Content-Encoding',
  'Upgrade',
  'TE',
  'Accept',
  'Mcp-Session-Id',
  'Mcp-Method',
  'Mcp-Name',
  'Last-Event-ID',
  '__proto__',
  'constructor',
  'Cookie',
  'X'.repeat(200),
]
const PATHS = [
  'mcp',
  'sse',
  'messages',
  'messages?sessionId=x',
  'health',
  'ready',
  'servers/x/mcp',
  '.well-known/oauth-protected-resource/mcp',
  '../',
  '%2e%2e',
  '//',
  '?',
  '#',
  'http://localhost/mcp',
  '*',
  '__proto__',
  '%',
  '%zz',
]
const FRAMING = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Content-Length: -1\r\n',
  '0\r\n\r\n',
  'HTTP/1.0',
  'HTTP/2.0',
  'ffffffffffffffff\r\n',
  ' ',
  ':',
  '\0',
  'POST /mcp HTTP/1.1\r\n',
  'Expect: 100-continue\r\n',
]
