import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { descendantsOf } from '../fixtures/process-facts.mjs'
import { runAnyport } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { modernHeaders, modernMeta, post } from './raw-clients.js'
import { ANYPORT, type Anyport, startAnyport } from './start-anyport.js'

const SERVER = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]
const TALKATIVE = fileURLToPath(new URL('../fixtures/processes/talkative.mjs', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'anyport-secrets-'))
const audit = join(folder, 'audit.jsonl')

/** Each with its place, so that a failure says where it came from. */
const planted: string[] = []
function secret(place: string): string {
  const made = `planted-${place}-${randomBytes(8).toString('hex')}`
  planted.push(made)
  return made
}

let hostile: Server
let hostileUrl = ''
beforeAll(async () => {
  const answers = [401, 403, 404, 500, 200]
  let count = 0
  hostile = createServer((incoming, outgoing) => {
    const status = answers[count++ % answers.length] as number
    // What a server says of itself people want to read, but for what looks like a secret.
    const own = `password=${secret(`answer-${status}`)}`
    const given = `${incoming.url} ${incoming.headers.authorization} ${incoming.headers['x-remote']}`
    outgoing.writeHead(status, {
      'content-type': 'application/json',
      'www-authenticate': `Bearer error="invalid_token", error_description="${own}"`,
      'set-cookie': `session=${own}`,
    })
    outgoing.end(JSON.stringify({ error: `${own} ${given}`, jsonrpc: '2.0', id: 99, data: own }))
  })
  await once(hostile.listen(0, '127.0.0.1'), 'listening')
  hostileUrl = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`
})
afterAll(() => {
  hostile.close()
  hostile.closeAllConnections()
  rmSync(folder, { recursive: true, force: true })
})

/** What anybody on the machine sees of a process, and what its children were given. */
function seenOf(pid: number): string {
  const children = descendantsOf(pid)
  const titles = [pid, ...children].map(id => readFileSync(`/proc/${id}/cmdline`, 'latin1'))
  const environments = children.map(id => readFileSync(`/proc/${id}/environ`, 'latin1'))
  return [...titles, ...environments].join('\n')
}

function everythingIn(path: string): string {
  if (statSync(path).isDirectory())
    return readdirSync(path)
      .map(name => everythingIn(join(path, name)))
      .join('\n')
  return readFileSync(path, 'latin1')
}

function leaked(text: string): string[] {
  return planted.filter(one => text.includes(one) || text.includes(Buffer.from(one).toString('base64')))
}

/** Everything that a caller can say a secret with. */
async function ask(url: string, key: string): Promise<void> {
  const headersOf = (place: string): Record<string, string> => ({
    'x-api-key': key,
    cookie: `session=${secret(`${place}-cookie`)}`,
    'x-custom': secret(`${place}-header`),
    'proxy-authorization': `Basic ${secret(`${place}-proxy`)}`,
    'user-agent': secret(`${place}-agent`),
    referer: `https://x.example/?t=${secret(`${place}-referer`)}`,
  })
  const message = (method: string, params: object) => ({
    jsonrpc: '2.0',
    id: secret('id'),
    method,
    params: { ...params, _meta: modernMeta({ 'x.example/token': secret('meta') }) },
  })
  const tools = (await post(url, message('tools/list', {}), {
    ...headersOf('list'),
    ...modernHeaders(message('tools/list', {})),
  })) as {
    readonly messages: readonly {
      readonly result?: { readonly tools?: readonly { readonly name: string }[] }
    }[]
  }
  const names = tools.messages.flatMap(({ result }) => result?.tools?.map(({ name }) => name) ?? [])
  const echo = names.find(name => name.endsWith('echo')) ?? 'echo'
  const call = message('tools/call', {
    name: echo,
    arguments: { words: 'x', password: secret('password'), deep: { list: [{ apiKey: secret('deep') }] } },
  })
  await post(`${url}?token=${secret('query')}`, call, { ...headersOf('call'), ...modernHeaders(call) })
  // Refused in every way.
  const { 'x-api-key': _, ...nobody } = headersOf('nobody')
  await post(url, call, { ...nobody, ...modernHeaders(call) })
  await post(url, call, { ...nobody, authorization: `Bearer ${secret('bearer')}`, ...modernHeaders(call) })
  await post(url, call, { ...nobody, authorization: `Basic ${secret('basic')}`, ...modernHeaders(call) })
  const forged = `anyport_${key.split('_')[1]}_${randomBytes(32).toString('hex')}`
  planted.push(forged)
  await post(url, call, { ...nobody, 'x-api-key': forged, ...modernHeaders(call) })
  await post(url, `{"jsonrpc":"2.0","id":1,"secret":"${secret('malformed')}"`, headersOf('malformed'))
  await post(
    url,
    { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    {
      ...headersOf('session'),
      'mcp-session-id': secret('session'),
    },
  )
  await post(url, call, { ...headersOf('origin'), origin: 'https://evil.example', ...modernHeaders(call) })
  await post(`${url}/other?key=${secret('other-query')}`, call, headersOf('other'))
}

function newKey(file: string): string {
  const argv = [ANYPORT, 'keys', 'create', 'ann', '--file', file]
  const key = spawnSync(process.execPath, argv, { encoding: 'utf8' }).stdout.trim()
  planted.push(key, key.slice(-64))
  return key
}

const common = (place: string) => {
  const keys = join(folder, `${place}.keys.json`)
  return {
    key: newKey(keys),
    options: [
      ...['--log-level', 'debug', '--keys', keys, '--audit', audit, '--audit-arguments'],
      ...['--dashboard', '--dashboard-allow', 'ann', '--dashboard-arguments'],
      ...['--era-cache', join(folder, `${place}-eras`)],
    ],
    environment: {
      ANYPORT_STATE_KEY: secret(`${place}-state-key`),
      ANYPORT_AUDIT_KEY: secret(`${place}-audit-key`),
      GITHUB_TOKEN: secret(`${place}-environment`),
      AWS_SECRET_ACCESS_KEY: secret(`${place}-aws`),
      REMOTE_TOKEN: secret(`${place}-remote-token`),
      REMOTE_KEY: secret(`${place}-remote-key`),
    },
  }
}

/** All that the dashboard says, but for what is the same for everybody. */
async function dashboardOf(url: string, key: string): Promise<string> {
  const base = url.replace('/mcp', '/dashboard')
  const headers = { 'x-api-key': key }
  const status = await (await fetch(`${base}/status`, { headers })).text()
  const page = await (await fetch(base)).text()
  const leaving = new AbortController()
  const { body } = await fetch(`${base}/events`, { headers, signal: leaving.signal })
  let events = ''
  try {
    for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
      events += new TextDecoder().decode(chunk)
      if (/event: messages\n.*\n\n$/s.test(events)) break
    }
  } finally {
    leaving.abort()
  }
  // The test would see it.
  expect(JSON.parse(status).traffic.calls).toBeGreaterThan(0)
  expect(events).toContain('"outcome":"refused"')
  expect(page).toContain('<title>anyport dashboard</title>')
  return [status, events, page].join('\n')
}

/** Stops it, and returns all that it has written and shown. */
async function written(server: Anyport, key: string): Promise<string> {
  const seen = [seenOf(server.process.pid as number), await dashboardOf(server.url, key)].join('\n')
  await server.stop()
  const found = [seen, JSON.stringify(server.log), everythingIn(audit)].join('\n')
  rmSync(audit)
  return found
}

it.runIf(process.platform === 'linux')(
  'serve, in front of a program: what callers and our environment hold is written nowhere',
  async () => {
    const { key, options, environment } = common('program')
    const server = await startAnyport(SERVER, { options, environment })
    await ask(server.url, key)
    const text = await written(server, key)
    // The test would see it.
    expect(text).toContain('"outcome":"ok"')
    expect(text).toContain('[redacted]')
    expect(leaked(text)).toEqual([])
  },
  60_000,
)

it.runIf(process.platform === 'linux')(
  'serve, in front of servers at addresses that answer with all they were told',
  async () => {
    const { key, options, environment } = common('remote')
    const headers = [
      '--header',
      `Authorization: Bearer \${REMOTE_TOKEN}`,
      '--header',
      `x-remote: \${REMOTE_KEY}`,
    ]
    for (const transport of ['streamable-http']) {
      const server = await startAnyport([], {
        options: [...options, ...headers, '--transport', transport, '--lazy'],
        target: `${hostileUrl}/mcp`,
        environment,
        early: true,
      })
      for (let round = 0; round < 3; round++) await ask(server.url, key)
      const text = await written(server, key)
      expect(text).toContain('"outcome":"error"')
      expect(leaked(text)).toEqual([])
    }
  },
  60_000,
)

it.runIf(process.platform === 'linux')(
  'serve, in front of a configuration with secrets of its own',
  async () => {
    const { key, options, environment } = common('gateway')
    const config = join(folder, 'mcp.json')
    const [command, ...args] = SERVER
    const own = secret('config-env')
    const file = {
      mcpServers: {
        program: {
          command,
          args,
          env: { API_KEY: own, OTHER: `\${GITHUB_TOKEN}`, MCP_TEST_MARK: `\${MCP_TEST_MARK}` },
        },
        remote: {
          url: `${hostileUrl}/mcp?key=${secret('config-url')}`,
          headers: { Authorization: `Bearer ${secret('config-header')}`, 'x-remote': `\${REMOTE_KEY}` },
        },
      },
    }
    writeFileSync(config, JSON.stringify(file))
    const server = await startAnyport([], {
      options,
      config,
      environment,
      early: true,
    })
    await until(() => server.log.some(line => JSON.stringify(line).includes('program')), 'the program')
    for (let round = 0; round < 3; round++) await ask(server.url, key)
    const children = descendantsOf(server.process.pid as number)
    const given = children.map(id => readFileSync(`/proc/${id}/environ`, 'latin1')).join('\n')
    const text = await written(server, key)
    // Its own it was given, and nobody else.
    expect(given).toContain(own)
    const everywhere = leaked(text.replace(given, '')).filter(
      one => one !== own && one !== environment.GITHUB_TOKEN,
    )
    expect(everywhere).toEqual([])
    expect(given).not.toContain(environment.REMOTE_KEY)
  },
  60_000,
)

it.runIf(process.platform === 'linux')(
  'the dashboard, in front of a program that says what it was given: on stderr, in errors, and when it ends',
  async () => {
    const { key, options, environment } = common('talkative')
    const own = secret('own')
    const argument = secret('argument')
    const server = await startAnyport(
      [process.execPath, TALKATIVE, '--api-key', argument, '--token', environment.REMOTE_KEY],
      { options: [...options, '--env', `OWN=${own}`, '--env', 'AWS_SECRET_ACCESS_KEY'], environment },
    )
    await ask(server.url, key)
    const dashboard = await dashboardOf(server.url, key)
    // It did say it.
    expect(JSON.stringify(server.log)).toContain(own)
    expect(JSON.parse(dashboard.split('\n')[0] as string)).toMatchObject({
      traffic: { errors: expect.any(Number), lastError: { message: expect.stringContaining('***') } },
      servers: [{ status: { stderr: expect.arrayContaining([expect.stringContaining('***')]) } }],
    })
    expect(leaked(dashboard)).toEqual([])
    await server.stop()
    rmSync(audit)
  },
  60_000,
)

it.runIf(process.platform === 'linux')(
  'connect, to a server at an address',
  async () => {
    const before = { ...process.env }
    const token = secret('connect-token')
    Object.assign(process.env, { REMOTE_TOKEN: token })
    const run = runAnyport(
      ...['connect', '--log-level', 'debug', '--log-format', 'json'],
      ...['--header', `Authorization: Bearer \${REMOTE_TOKEN}`, `${hostileUrl}/mcp`],
    )
    process.env = before
    const say = (message: object) =>
      run.process.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'c', version: '1' },
    }
    say({ id: 1, method: 'initialize', params })
    for (let id = 2; id < 8; id++)
      say({
        id,
        method: 'tools/call',
        params: { name: 'x', arguments: { token: secret('connect-argument') } },
      })
    run.process.stdin.write(`{"broken": "${secret('connect-line')}\n`)
    await until(() => run.records().length > 2 || run.stdout().split('\n').length > 4, 'answers')
    const seen = seenOf(run.process.pid as number)
    run.process.stdin.end()
    await run.exited
    expect(run.stderr()).not.toBe('')
    // What the server said itself its client may read (stdout); it is in no log.
    expect(leaked(`${run.stderr()}\n${seen}`)).toEqual([])
    expect(run.stdout()).not.toContain(token)
  },
  60_000,
)

it('there were more than 50 of them', () => {
  expect(new Set(planted).size).toBeGreaterThan(50)
})
