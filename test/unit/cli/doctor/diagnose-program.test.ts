import { describe, expect, it } from 'vitest'
import { diagnoseProgram } from '../../../../src/cli/doctor/diagnose-program.js'
import type { ProgramFacts } from '../../../../src/cli/doctor/probe-program.js'
import type { Subject } from '../../../../src/cli/doctor/subject.js'
import { clientNamed } from '../../../../src/config/clients.js'
import { TransportError, type TransportFacts } from '../../../../src/exchange/errors.js'
import { RpcError } from '../../../../src/protocol/errors.js'

const file = 'claude_desktop_config.json'
const subject: Subject = {
  name: 'github',
  file,
  client: clientNamed('claude-desktop'),
  at: { file, line: 4, column: 5 },
  secrets: [],
  written: undefined,
  entry: undefined,
  disabled: false,
  findings: [],
}
const commandLine: Subject = { ...subject, name: 'server', file: undefined, client: undefined, at: undefined }

const health = {
  era: 'legacy',
  transport: 'stdio',
  protocolVersion: '2025-11-25',
  serverName: 'one',
  serverVersion: '1',
  milliseconds: 10,
  tools: 1,
  resources: 0,
  prompts: 0,
} as const

const healthy: ProgramFacts = {
  kind: 'program',
  command: 'npx',
  args: ['-y', 'some-server'],
  found: '/usr/bin/npx',
  inPath: true,
  launch: { file: 'npx', args: ['-y', 'some-server'], why: [] },
  node: { file: '/usr/bin/node', version: 'v22.1.0', unmet: undefined, better: undefined },
  stderr: [],
  noise: [],
  noiseCount: 0,
  outcome: { kind: 'healthy', health },
}

function failed(
  code: TransportError['code'],
  message: string,
  facts: TransportFacts = {},
  more: Partial<ProgramFacts> = {},
): ProgramFacts {
  const error = new TransportError(code, message, facts)
  return { ...healthy, ...more, outcome: { kind: 'failed', error, during: 'open' } }
}

const ended = (facts: TransportFacts, stderr: readonly string[] = []) =>
  failed('ERR_EXITED', 'npx ended', facts, { stderr })

function only(facts: ProgramFacts, of = subject) {
  const findings = diagnoseProgram(facts, of)
  expect(findings).toHaveLength(1)
  return findings[0]
}

it('finds nothing where all is well', () => {
  expect(diagnoseProgram(healthy, subject)).toEqual([])
})

describe('a command that cannot be started', () => {
  const missing = (command: string) =>
    failed(
      'ERR_SPAWN',
      `Cannot start ${command}: the command "${command}" was not found`,
      { cause: { code: 'ENOENT' } },
      {
        command,
        found: undefined,
        inPath: false,
        launch: { file: command, args: [], why: [] },
        node: undefined,
      },
    )

  it.each([
    ['uvx', 'Install uv'],
    ['npx', 'Install Node.js'],
    ['npxx', `Write "npx" into "command" in ${file}:4`],
    ['something-else', '"command -v something-else"'],
    ['./bin/server', `Correct the path in "command" in ${file}:4`],
  ])('%s: %s', (command, fix) => {
    expect(only(missing(command))).toMatchObject({
      code: 'DOCTOR_COMMAND_NOT_FOUND',
      severity: 'error',
      fix: expect.stringContaining(fix),
    })
  })

  it('is told of the command line, where there is no file', () => {
    expect(only(missing('npxx'), commandLine)?.fix).toBe('Write "npx" into the command behind --')
  })

  it('is there, and does not start', () => {
    const message = 'Cannot start npx: /usr/bin/npx is not executable; try chmod +x'
    expect(only(failed('ERR_SPAWN', message))).toMatchObject({
      code: 'DOCTOR_COMMAND_NOT_STARTED',
      fix: 'Run: chmod +x /usr/bin/npx',
      what: '/usr/bin/npx is not executable; try chmod +x',
    })
    const folder = failed('ERR_SPAWN', 'Cannot start npx: its working directory /x does not exist', {
      knob: '--cwd',
    })
    expect(only(folder)).toMatchObject({
      code: 'DOCTOR_COMMAND_NOT_STARTED',
      fix: `Correct the working directory, "cwd" in ${file}:4`,
    })
  })

  it('is found by anyport only', () => {
    const why = ['uvx is not in PATH; took /home/you/.local/bin/uvx']
    const launch = { file: '/home/you/.local/bin/uvx', args: [], why }
    expect(only({ ...healthy, command: 'uvx', inPath: false, launch })).toMatchObject({
      code: 'DOCTOR_COMMAND_NOT_FOUND',
      severity: 'warning',
      fix: `Write "/home/you/.local/bin/uvx" into "command" in ${file}:4`,
    })
  })
})

describe('a program that ends', () => {
  it.each([
    ['SIGKILL', { signal: 'SIGKILL' }, 'DOCTOR_KILLED', 137],
    ['137', { exitCode: 137 }, 'DOCTOR_KILLED', 137],
    ['1', { exitCode: 1 }, 'DOCTOR_EXITED', 1],
    ['0', { exitCode: 0 }, 'DOCTOR_EXITED', 0],
    ['SIGSEGV', { signal: 'SIGSEGV' }, 'DOCTOR_EXITED', 139],
    ['an unknown signal', { signal: 'SIGRTMIN' }, 'DOCTOR_EXITED', undefined],
  ])('with %s', (_name, facts, code, exitCode) => {
    const finding = only(ended(facts))
    expect([finding?.code, finding?.exitCode]).toEqual([code, exitCode])
  })

  it('for lack of memory, by its own words', () => {
    const words = ['FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory']
    expect(only(ended({ signal: 'SIGABRT' }, words))).toMatchObject({
      code: 'DOCTOR_OUT_OF_MEMORY',
      exitCode: 134,
      stderr: words,
    })
  })

  it.each([
    ["Error: Cannot find module '/srv/dist/index.js'", 'There is no file /srv/dist/index.js'],
    ["Error: Cannot find package 'zod' imported from /srv/index.js", 'the package zod is missing'],
    ["ModuleNotFoundError: No module named 'mcp.server'", 'Install the module mcp.server'],
    ['npm error code E404', `Correct the name of the package in "args" in ${file}:4`],
    ['Error: listen EADDRINUSE: address already in use :::3000', 'another port'],
    ['GITHUB_TOKEN environment variable is required', `Set GITHUB_TOKEN in "env" in ${file}:4`],
    ['Please set the SLACK_BOT_TOKEN', `Set SLACK_BOT_TOKEN in "env" in ${file}:4`],
    ['boom', 'Run it in a terminal, where it says the same: npx -y some-server'],
  ])('with the words %s', (line, fix) => {
    expect(only(ended({ exitCode: 1 }, ['starting', line]))).toMatchObject({
      code: 'DOCTOR_EXITED',
      fix: expect.stringContaining(fix),
      what: expect.stringContaining(line.slice(0, 60)),
    })
  })
})

it('a program that ends with a trace is quoted with its error', () => {
  const trace = [
    'node:internal/modules/cjs/loader:1207',
    '  throw err;',
    "Error: Cannot find module '/srv/a.js'",
    '    at Module._load (node:internal/modules/cjs/loader:1038:27) {',
    "  code: 'MODULE_NOT_FOUND',",
    '}',
    '',
    'Node.js v20.20.2',
  ]
  expect(only(ended({ exitCode: 1 }, trace))?.what).toBe(
    "It exited with code 1 before it answered: Error: Cannot find module '/srv/a.js'",
  )
  expect(only(ended({ exitCode: 2 }, ['usage: server [options]', '  --port']))?.what).toMatch(
    /: usage: server/,
  )
  expect(only(ended({ exitCode: 1 }, []))?.what).toBe(
    'It exited with code 1 before it answered, and wrote nothing to stderr',
  )
})

describe('an old Node', () => {
  const unmet = { range: '>=20.19.0', source: 'most servers' }
  const node = { file: '/old/node', version: 'v14.21.3', unmet, better: '/new/bin' }

  it('is the cause of an end', () => {
    const facts = { ...ended({ exitCode: 1 }, ['SyntaxError: Unexpected token']), node }
    expect(only(facts)).toMatchObject({
      code: 'DOCTOR_NODE_TOO_OLD',
      severity: 'error',
      exitCode: 1,
      fix: `Write "PATH": "/new/bin:/usr/local/bin:/usr/bin:/bin" into "env" in ${file}:4`,
      stderr: ['SyntaxError: Unexpected token'],
    })
    expect(only({ ...facts, command: 'node' })?.fix).toBe(`Write "/new/bin/node" into "command" in ${file}:4`)
    expect(only({ ...facts, node: { ...node, better: undefined } })?.fix).toContain('Install a newer one')
  })

  it('is a warning where anyport has chosen another', () => {
    const why = ['the node in PATH (/old/node) is v14.21.3, which is too old; took Node v22.1.0']
    const launch = { file: '/new/bin/npx', args: [], why }
    expect(only({ ...healthy, node, launch })).toMatchObject({
      code: 'DOCTOR_NODE_TOO_OLD',
      severity: 'warning',
      why: expect.stringContaining('took Node v22.1.0'),
    })
  })

  it('is no cause where nothing was started, or a signal ended it', () => {
    expect(only({ ...ended({ signal: 'SIGKILL' }), node })?.code).toBe('DOCTOR_KILLED')
    expect(only({ ...failed('ERR_SPAWN', 'Cannot start npx: /x is a folder'), node })?.code).toBe(
      'DOCTOR_COMMAND_NOT_STARTED',
    )
  })
})

describe('a program that runs', () => {
  it('and says nothing', () => {
    const silent = failed('ERR_TIMEOUT', 'github did not answer within 6 s', { knob: '--timeout' })
    expect(only(silent)).toMatchObject({
      code: 'DOCTOR_NO_ANSWER',
      what: 'It runs, and did not answer within 6 s',
      fix: expect.stringContaining(`anyport doctor --timeout 60s --server github ${file}`),
    })
    expect(only(silent, commandLine)?.fix).toContain('anyport doctor --timeout 60s -- npx -y some-server')
  })

  it('and closes its stdout', () => {
    expect(only(failed('ERR_CLOSED', 'npx closed its stdout'))?.code).toBe('DOCTOR_STDOUT_CLOSED')
  })

  it('and writes what is no message', () => {
    const noise = [{ kind: 'not-json', text: 'Listening on stdio', byteLength: 18 }] as const
    const noisy = { ...healthy, noise, noiseCount: 500 }
    expect(only(noisy)).toMatchObject({
      code: 'DOCTOR_STDOUT_NOISE',
      severity: 'warning',
      what: expect.stringMatching(/500 lines .*"Listening on stdio"/),
    })
    const silent = { ...failed('ERR_TIMEOUT', 'github did not answer within 6 s'), noise, noiseCount: 1 }
    expect(diagnoseProgram(silent, subject).map(({ code, severity }) => [code, severity])).toEqual([
      ['DOCTOR_NO_ANSWER', 'error'],
      ['DOCTOR_STDOUT_NOISE', 'error'],
    ])
  })

  it('and refuses the handshake, or a list', () => {
    expect(only(failed('ERR_HANDSHAKE', 'The server refused initialize: no'))?.code).toBe('DOCTOR_HANDSHAKE')
    const error = new RpcError(-32603, 'database is locked')
    const list = { ...healthy, outcome: { kind: 'failed', error, during: 'tools/list' } } as const
    expect(only(list)).toMatchObject({
      code: 'DOCTOR_LIST_FAILED',
      what: 'It opens, and fails at tools/list: database is locked',
    })
    const late = new TransportError('ERR_TIMEOUT', 'github did not answer tools/list within 6 s')
    expect(only({ ...list, outcome: { kind: 'failed', error: late, during: 'tools/list' } })).toMatchObject({
      code: 'DOCTOR_NO_ANSWER',
      what: 'It opens, and gives no answer to tools/list',
    })
  })

  it('and fails in a way that nobody knows', () => {
    const outcome = { kind: 'failed', error: new Error('what?'), during: 'open' } as const
    expect(only({ ...healthy, outcome })).toMatchObject({ code: 'DOCTOR_FAILED', what: 'what?' })
    const wrong = {
      ...outcome,
      error: new TypeError('Cannot read the environment file .env: it does not exist'),
    }
    expect(only({ ...healthy, outcome: wrong })).toMatchObject({
      code: 'DOCTOR_CONFIG_FIELD',
      what: expect.stringContaining('.env'),
    })
  })
})
