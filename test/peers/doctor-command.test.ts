// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is what people write
/** Broken configurations, each as people write it and as servers are: `anyport doctor` names the cause of each, and no secret. */

import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { generate } from 'selfsigned'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startBadServer } from '../fixtures/doctor/http-servers.mjs'
import { markedProcesses } from '../unit/node/marked-processes.js'
import { type HttpServerProcess, startHttpServer, startSdkServer } from './sdk-http-servers.js'
import { ANYPORT, type Anyport, startAnyport } from './start-anyport.js'

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/doctor/${name}`, import.meta.url))
const installed = (name: string) => fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url))
const PROGRAM = fixture('program.mjs')
const EVERYTHING = installed('@modelcontextprotocol/server-everything/dist/index.js')
const SECRET = 'planted-7Hq2-in-the-configuration'
const mark = crypto.randomUUID()

// biome-ignore lint/suspicious/noExplicitAny: JSON as it came
type Json = any

interface Case {
  readonly name: string
  readonly code: string
  readonly severity?: 'warning'
  /** What the program does wrong. */
  readonly program?: string
  /** What the server at an address does wrong. */
  readonly way?: string
  readonly tls?: boolean
  readonly path?: string
  /** Takes all of its time. */
  readonly slow?: boolean
  /** Over the entry. */
  readonly entry?: object
  /** Default `mcp.json`, which has no owner. */
  readonly file?: string
  /** Default `mcpServers`. */
  readonly root?: string
  /** What stands in the line that is named; default the name of the server. */
  readonly at?: string
  readonly finding: object
}

const CASES: readonly Case[] = [
  {
    name: 'a command that is not there',
    code: 'DOCTOR_COMMAND_NOT_FOUND',
    program: 'serve',
    entry: { command: 'npxx' },
    finding: { fix: expect.stringContaining('"npx"'), command: expect.stringMatching(/^npxx /) },
  },
  {
    name: 'Node 14 first in PATH',
    code: 'DOCTOR_NODE_TOO_OLD',
    program: 'serve',
    entry: {
      command: 'node',
      env: { PATH: `${fixture('old-node')}:/usr/bin:/bin`, SECRET_OF_TEST: SECRET, MCP_TEST_MARK: mark },
    },
    finding: {
      what: expect.stringContaining('v14.21.3'),
      exitCode: 1,
      stderr: [expect.stringContaining('SyntaxError')],
    },
  },
  {
    name: 'exit code 1 and words on stderr',
    code: 'DOCTOR_EXITED',
    program: 'exit',
    finding: {
      exitCode: 1,
      what: expect.stringContaining('boom'),
      stderr: [expect.stringContaining('starting with ***'), 'boom'],
    },
  },
  {
    name: 'a banner on stdout',
    code: 'DOCTOR_STDOUT_NOISE',
    severity: 'warning',
    program: 'banner',
    finding: { what: expect.stringContaining('Server is running') },
  },
  {
    name: 'never an answer',
    code: 'DOCTOR_NO_ANSWER',
    program: 'silent',
    slow: true,
    finding: { stderr: [expect.stringContaining('starting')] },
  },
  {
    name: 'killed for memory',
    code: 'DOCTOR_KILLED',
    program: 'killed',
    finding: { exitCode: 137, signal: 'SIGKILL' },
  },
  {
    name: 'killed for memory within a shell',
    code: 'DOCTOR_KILLED',
    program: 'code-137',
    finding: { exitCode: 137, signal: null },
  },
  {
    name: '401 that says where to sign in',
    code: 'DOCTOR_SIGN_IN',
    way: 'sign-in',
    finding: { status: 401, fix: expect.stringMatching(/^anyport login http/) },
  },
  {
    name: '401 without resource_metadata',
    code: 'DOCTOR_NO_RESOURCE_METADATA',
    way: 'no-metadata',
    finding: { status: 401, fix: expect.stringContaining('Authorization') },
  },
  {
    name: '401 without resource_metadata, which is at the well-known address',
    code: 'DOCTOR_NO_RESOURCE_METADATA',
    way: 'unannounced-metadata',
    finding: { status: 401, fix: expect.stringContaining('anyport login') },
  },
  {
    name: 'metadata of another resource',
    code: 'DOCTOR_RESOURCE_MISMATCH',
    way: 'other-resource',
    finding: { status: 401, what: expect.stringContaining('https://internal.example.com/mcp') },
  },
  ...['404', '400', '503'].map(status => ({
    name: `a session that is forgotten at once, ${status}`,
    code: 'DOCTOR_SESSION_LOST',
    way: `forgets-${status}`,
    finding: { status: Number(status) },
  })),
  ...['400', '503'].map(status => ({
    name: `an unknown session, ${status}`,
    code: 'DOCTOR_STALE_SESSION',
    severity: 'warning' as const,
    way: `stale-${status}`,
    finding: { status: Number(status) },
  })),
  {
    name: '406',
    code: 'DOCTOR_NOT_ACCEPTABLE',
    way: 'strict-accept',
    finding: { status: 406, what: expect.stringContaining('Accept: text/event-stream, application/json') },
  },
  {
    name: 'HTTP+SSE that is configured as Streamable HTTP',
    code: 'DOCTOR_WRONG_TRANSPORT',
    way: 'sse',
    entry: { type: 'http' },
    file: '.cursor/mcp.json',
    finding: { fix: expect.stringMatching(/"type": "sse"|cannot speak/) },
  },
  {
    name: '421 to this host',
    code: 'DOCTOR_HOST_REFUSED',
    way: 'unknown-host',
    finding: { status: 421, fix: expect.stringContaining('--allow-host') },
  },
  {
    name: '403 to this host',
    code: 'DOCTOR_HOST_REFUSED',
    way: 'forbidden-host',
    finding: { status: 403, fix: expect.stringContaining('--allow-host') },
  },
  {
    name: 'a self-signed certificate',
    code: 'DOCTOR_TLS_SELF_SIGNED',
    way: 'healthy',
    tls: true,
    finding: { fix: expect.stringContaining('NODE_EXTRA_CA_CERTS') },
  },
  {
    name: 'a session id that web pages cannot read',
    code: 'DOCTOR_CORS',
    severity: 'warning',
    way: 'no-expose',
    finding: { fix: expect.stringContaining('Access-Control-Expose-Headers: Mcp-Session-Id') },
  },
  {
    name: 'a header that web pages may not send',
    code: 'DOCTOR_CORS',
    severity: 'warning',
    way: 'old-preflight',
    finding: { fix: expect.stringContaining('Access-Control-Allow-Headers: mcp-protocol-version') },
  },
  {
    name: 'a proxy that holds back event streams',
    code: 'DOCTOR_BUFFERED',
    way: 'buffered',
    slow: true,
    finding: { why: expect.stringContaining('nginx'), fix: expect.stringContaining('proxy_buffering off') },
  },
  {
    name: 'an address that never answers',
    code: 'DOCTOR_NO_ANSWER',
    way: 'silent',
    slow: true,
    finding: { what: expect.stringContaining('did not answer') },
  },
  {
    name: 'a variable that is not set',
    code: 'DOCTOR_VARIABLE_UNSET',
    program: 'serve',
    entry: { env: { SECRET_OF_TEST: SECRET, TOKEN: '${TOKEN_THAT_IS_NOT_SET}' } },
    at: '${TOKEN_THAT_IS_NOT_SET}',
    finding: { fix: expect.stringContaining('export TOKEN_THAT_IS_NOT_SET=') },
  },
  {
    name: 'a variable that the client does not replace',
    code: 'DOCTOR_VARIABLE_NOT_REPLACED',
    program: 'serve',
    entry: { env: { SECRET_OF_TEST: SECRET, TOKEN: '${TOKEN}' } },
    file: 'Claude/claude_desktop_config.json',
    finding: { what: expect.stringContaining('${TOKEN}') },
  },
  {
    name: 'a token that was never replaced, to an address',
    code: 'DOCTOR_TOKEN_REFUSED',
    way: 'wants-token',
    entry: { headers: { Authorization: `Bearer ${SECRET}`, 'X-Test': SECRET } },
    finding: { status: 401 },
  },
  {
    name: 'servers under the key of another client',
    code: 'DOCTOR_WRONG_ROOT_KEY',
    program: 'serve',
    file: 'Claude/claude_desktop_config.json',
    root: 'servers',
    at: '"servers"',
    finding: { fix: expect.stringContaining('Rename "servers" to "mcpServers"') },
  },
  {
    name: 'servers under a key with a slip',
    code: 'DOCTOR_WRONG_ROOT_KEY',
    program: 'serve',
    root: 'mcpServer',
    at: '"mcpServer"',
    finding: { fix: expect.stringContaining('Rename "mcpServer" to "mcpServers"') },
  },
  {
    name: 'an address at which there is another path',
    code: 'DOCTOR_WRONG_PATH',
    way: 'other-path',
    path: '/sse',
    finding: { fix: expect.stringMatching(/^Write http:\S+\/mcp into "url" in /) },
  },
]

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

const slug = (name: string) => name.replace(/\W+/g, '-')
let folder = ''
let home: Readonly<Record<string, string>> = {}
const closers: (() => void)[] = []
/** By the name of the case. */
const runs = new Map<string, Run & { readonly file: string }>()

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'anyport-doctor-'))
  home = {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, '.config'),
    XDG_STATE_HOME: join(folder, 'state'),
    XDG_CACHE_HOME: join(folder, 'cache'),
  }
  const { cert, private: key } = await generate([{ name: 'commonName', value: '127.0.0.1' }])
  // Those that can be in one file are: a start of anyport for each would be most of the work.
  const together = CASES.filter(({ file, root }) => file === undefined && root === undefined)
  const alone = CASES.filter(one => !together.includes(one)).map(one => [one])
  await Promise.all([together, ...alone].map(cases => runCases(cases, { cert, key })))
})
afterAll(() => {
  for (const close of closers) close()
  rmSync(folder, { recursive: true, force: true })
})

async function runCases(
  cases: readonly Case[],
  certificate: { readonly cert: string; readonly key: string },
): Promise<void> {
  const [{ name, file = 'mcp.json', root = 'mcpServers' }] = cases as [Case]
  const where = join(folder, slug(name), file)
  // Those that wait go first.
  const sorted = [...cases].sort((a, b) => Number(b.slow ?? false) - Number(a.slow ?? false))
  const servers = await Promise.all(
    sorted.map(async one => [slug(one.name), await entryOf(one, certificate)] as const),
  )
  mkdirSync(dirname(where), { recursive: true })
  writeFileSync(where, JSON.stringify({ [root]: Object.fromEntries(servers) }, undefined, 2))
  // Less than the limit of all, for machines that are slow themselves.
  const run = { ...(await doctor('--json', '--timeout', '7s', where)), file: where }
  for (const one of cases) runs.set(one.name, run)
}

async function entryOf(
  { program, way, tls, path, entry }: Case,
  certificate: { readonly cert: string; readonly key: string },
): Promise<object> {
  if (way === undefined)
    return {
      command: process.execPath,
      args: [PROGRAM, program, '--api-key', SECRET],
      env: { SECRET_OF_TEST: SECRET, MCP_TEST_MARK: mark },
      ...entry,
    }
  const { url, close } = await startBadServer(way, tls ? certificate : undefined)
  closers.push(close)
  return {
    url: `${url.replace('/mcp', path ?? '/mcp')}?key=${SECRET}`,
    headers: { 'X-Test': SECRET },
    ...entry,
  }
}

function doctor(...argv: string[]): Promise<Run> {
  const child = spawn(process.execPath, [ANYPORT, 'doctor', ...argv], { cwd: folder, env: home })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  return new Promise(done => child.on('close', code => done({ code, stdout, stderr })))
}

/** Where a text first stands in a file, as lines are counted. */
function lineOf(file: string, text: string): number {
  const content = readFileSync(file, 'utf8')
  return content.slice(0, content.indexOf(text)).split('\n').length
}

describe.each(CASES)('$name', ({ name, code, severity = 'error', at, finding }) => {
  it(`is ${code}, with its place and a fix, and without secrets`, () => {
    const run = runs.get(name)
    if (run === undefined) throw new Error('it did not run')
    const { file, stdout, stderr } = run
    expect(stderr).toBe('')
    const report: Json = JSON.parse(stdout)
    // What is wrong with the file as a whole has no name.
    const checks = report.checks.filter((check: Json) => check.server === slug(name) || check.server === null)
    const [first, ...more]: Json[] = checks.flatMap((check: Json) => check.findings)
    const line = lineOf(file, at ?? `"${slug(name)}"`)
    expect(first).toMatchObject({ code, severity, file, line, ...finding })
    expect(more).toEqual([])
    expect(first.docs).toBe(`docs/doctor.md#${code.toLowerCase()}`)
    for (const text of [first.what, first.why, first.fix, first.hop]) expect(text).toMatch(/\S/)
    expect([report.ok, run.code]).toEqual([false, 1])
    expect(`${stdout}${stderr}`).not.toContain(SECRET)
    expect(checks[0].milliseconds).toBeLessThan(10_000)
  })
})

it('says no secret to people either', async () => {
  const names = ['exit code 1 and words on stderr', 'a banner on stdout', '403 to this host']
  const { file } = runs.get(names[0] as string) as { readonly file: string }
  const { stdout, stderr, code } = await doctor(...names.flatMap(name => ['--server', slug(name)]), file)
  expect([stderr, code]).toEqual(['', 1])
  expect(stdout).toContain('3 servers: 0 healthy, 2 errors, 1 warning')
  expect(stdout).toContain('***')
  expect(stdout).not.toContain(SECRET)
})

it('leaves no process behind', () => {
  expect(markedProcesses(mark)).toEqual([])
})

describe('servers that are well', () => {
  let http: HttpServerProcess
  let served: Anyport
  let modern: HttpServerProcess
  beforeAll(async () => {
    const port = String(20_000 + Math.floor(Math.random() * 20_000))
    http = await startHttpServer(
      [EVERYTHING, 'streamableHttp'],
      line => (/(listening|running) on port/i.test(line) ? `http://127.0.0.1:${port}/mcp` : undefined),
      { PORT: port },
    )
    served = await startAnyport([process.execPath, EVERYTHING, 'stdio'])
    modern = await startSdkServer('v2-modern')
  })
  afterAll(async () => {
    await http?.kill()
    await served?.stop()
    await modern?.kill()
  })

  it('are told with what they are and offer, and nothing is written', async () => {
    const file = join(folder, 'healthy.json')
    const mcpServers = {
      stdio: { command: process.execPath, args: [EVERYTHING, 'stdio'], env: { MCP_TEST_MARK: mark } },
      http: { url: served.url },
      sse: { url: served.sseUrl },
      modern: { url: modern.url },
      off: { command: 'nothing', disabled: true },
    }
    writeFileSync(file, JSON.stringify({ mcpServers }))
    const { stdout, stderr, code } = await doctor('--json', file)
    const report: Json = JSON.parse(stdout)
    const facts = Object.fromEntries(report.checks.map((check: Json) => [check.server, check]))
    expect(report.checks.flatMap((check: Json) => check.findings)).toEqual([])
    expect([stderr, code]).toEqual(['', 0])
    expect(report.summary).toEqual({ servers: 5, healthy: 4, skipped: 1, errors: 0, warnings: 0 })
    expect(facts.stdio.health).toMatchObject({
      era: 'legacy',
      transport: 'stdio',
      protocolVersion: '2025-11-25',
      serverName: expect.stringContaining('everything'),
      tools: expect.any(Number),
    })
    expect(facts.stdio.health.tools).toBeGreaterThan(5)
    // What anyport serves is modern, whatever it serves.
    expect(facts.http.health).toMatchObject({ era: 'modern', transport: 'streamable-http' })
    expect(facts.sse.health).toMatchObject({ era: 'legacy', transport: 'sse' })
    expect(facts.sse.health.tools).toBe(facts.stdio.health.tools)
    expect(facts.http.health.tools).toBe(facts.stdio.health.tools)
    expect(facts.modern.health).toMatchObject({
      era: 'modern',
      transport: 'streamable-http',
      protocolVersion: '2026-07-28',
    })
    expect(modern.ran).toEqual([])
    expect(markedProcesses(mark)).toEqual([])
    expect([existsSync(join(folder, 'cache')), existsSync(join(folder, 'state'))]).toEqual([false, false])
  })

  it('one server of a file, a command and an address, for people', async () => {
    const file = join(folder, 'healthy.json')
    const [one, command, address] = await Promise.all([
      doctor('--server', 'modern', file),
      doctor('--', process.execPath, PROGRAM, 'serve'),
      doctor(served.url),
    ])
    expect([one.code, command.code, address.code], one.stdout + command.stdout + address.stdout).toEqual([
      0, 0, 0,
    ])
    expect(one.stdout).toMatch(/✓ modern .*streamable-http, modern 2026-07-28, \d+ tools/)
    expect(one.stdout).not.toContain('\u001b')
    expect(command.stdout).toContain('fixture 1.0.0, stdio, legacy 2025-06-18, 1 tool, 0 resources')
    expect(address.stdout).toContain('1 server: 1 healthy')
  })

  it('but for one answer, which the specification wants to be 404: server-everything on HTTP', async () => {
    const { stdout, code } = await doctor('--json', http.url)
    const [{ health, findings }]: Json[] = JSON.parse(stdout).checks
    expect(health).toMatchObject({
      era: 'legacy',
      transport: 'streamable-http',
      protocolVersion: '2025-11-25',
    })
    expect(health.tools).toBeGreaterThan(5)
    expect(findings).toMatchObject([{ code: 'DOCTOR_STALE_SESSION', severity: 'warning', status: 400 }])
    expect(code).toBe(1)
  })
})

it('says what is wrong with the command line', async () => {
  const [file, both, name] = await Promise.all([
    doctor('nowhere.json'),
    doctor('--server', 'a', 'https://mcp.example.com'),
    doctor('npx'),
  ])
  expect([file.code, both.code, name.code]).toEqual([2, 2, 2])
  expect(file.stderr).toContain('There is no file nowhere.json')
  expect(both.stderr).toContain('--server is for the servers of files')
  expect(name.stderr).toContain('anyport doctor -- npx')
})
