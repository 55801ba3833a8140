import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { runAnyport, stopAll } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'
import { markedProcesses } from '../unit/node/marked-processes.js'

const MAIN = fileURLToPath(new URL('../../dist/bin/anyport.js', import.meta.url))
const SERVER = fileURLToPath(new URL('../fixtures/processes/legacy-server.mjs', import.meta.url))
const COMMAND = ['--', process.execPath, SERVER]

afterEach(stopAll)

const json = (...options: string[]) =>
  runAnyport('serve', '--port', '0', '--log-format', 'json', '--env', 'MCP_TEST_MARK', ...options)

async function call(
  url: string,
  name: string,
  args: object,
): Promise<{ result?: { content: { text: string }[] } }> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': name,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: args, _meta: meta },
    }),
  })
  const body = await response.text()
  // A slow answer comes as an event stream.
  const data = body.split('\n').findLast(line => line.startsWith('data: {'))
  return JSON.parse(data?.slice(6) ?? body)
}

const textOf = (reply: Awaited<ReturnType<typeof call>>) => reply.result?.content[0]?.text

describe('anyport serve', () => {
  it('prints where it listens and a configuration to paste', async () => {
    const { stderr, stdout } = runAnyport('serve', '--port', '0', ...COMMAND)
    await until(() => stderr().includes('Ctrl+C stops it.'), 'the announcement')
    const url = /Streamable HTTP +(\S+)/.exec(stderr())?.[1] as string
    const configuration = JSON.parse(/\n( {2}\{[\s\S]*?\n {2}\})\n/.exec(stderr())?.[1] as string)
    expect(configuration).toEqual({ mcpServers: { legacy: { type: 'http', url } } })
    expect(stderr()).toContain(`HTTP+SSE         ${url.replace('/mcp', '/sse')}`)
    expect((await fetch(url.replace('/mcp', '/healthz'))).status).toBe(200)
    expect(stdout()).toBe('')
  })

  it('reports what the server says beside the protocol', async () => {
    const { event } = json('--protocol', 'legacy', ...COMMAND)
    expect(await event('server_stderr')).toMatchObject({ message: 'legacy-server: started' })
    expect(await event('server_noise')).toMatchObject({ kind: 'not-json', text: 'a banner on stdout' })
    expect(await event('server_ready')).toMatchObject({ era: 'legacy' })
  })

  it('gives the server what --env and --env-file say, and nothing that is not listed', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'anyport-')), '.env')
    writeFileSync(file, 'ONE=file\nTWO="from file"\n')
    process.env.ANYPORT_TEST_SECRET = 'secret'
    const { event } = json('--env', 'ONE=named', '--env-file', file, ...COMMAND)
    delete process.env.ANYPORT_TEST_SECRET
    const url = (await event('listening')).url as string
    expect(textOf(await call(url, 'env', { name: 'ONE' }))).toBe('named')
    expect(textOf(await call(url, 'env', { name: 'TWO' }))).toBe('from file')
    expect(textOf(await call(url, 'env', { name: 'PYTHONUNBUFFERED' }))).toBe('1')
    expect(textOf(await call(url, 'env', { name: 'ANYPORT_TEST_SECRET' }))).toBe('undefined')
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'on %s lets open calls finish, and leaves no process',
    async signal => {
      const { event, process: child, exited, mark } = json(...COMMAND)
      const url = (await event('listening')).url as string
      await event('server_ready')
      expect(markedProcesses(mark)).toHaveLength(2)
      const slow = call(url, 'wait', { milliseconds: 600 })
      await new Promise(resolve => setTimeout(resolve, 200))
      child.kill(signal)
      await event('draining')
      await expect(fetch(url)).rejects.toThrow()
      expect(textOf(await slow)).toBe('waited')
      expect(await exited).toBe(0)
      expect(markedProcesses(mark)).toEqual([])
    },
  )

  it('ends calls that do not finish within --drain-timeout', async () => {
    const { event, process: child, exited, mark } = json('--drain-timeout', '100ms', ...COMMAND)
    const url = (await event('listening')).url as string
    await event('server_ready')
    const slow = call(url, 'wait', { milliseconds: 60_000 }).catch(error => error)
    await new Promise(resolve => setTimeout(resolve, 200))
    child.kill('SIGTERM')
    await slow
    expect(await exited).toBe(0)
    expect(markedProcesses(mark)).toEqual([])
  })

  it('on a signal while it starts, leaves no process', async () => {
    const { exited, mark, process: child } = json(...COMMAND)
    // Ourselves and the server.
    await until(() => markedProcesses(mark).length === 2, 'the start of the server')
    child.kill('SIGTERM')
    expect(await exited).toBe(0)
    await until(() => markedProcesses(mark).length === 0, 'the end of the server')
  })

  it('on a second signal stops at once, and leaves no process', async () => {
    const { event, process: child, exited, mark } = json('--drain-timeout', '1h', ...COMMAND)
    const url = (await event('listening')).url as string
    await event('server_ready')
    const slow = call(url, 'wait', { milliseconds: 60_000 }).catch(error => error)
    await new Promise(resolve => setTimeout(resolve, 200))
    child.kill('SIGTERM')
    await event('draining')
    child.kill('SIGTERM')
    expect(await exited).toBe(143)
    await slow
    await until(() => markedProcesses(mark).length === 0, 'the end of the server')
  })

  it('on stdio answers its client, ends with it, and leaves no process', async () => {
    const {
      process: child,
      exited,
      mark,
      stdout,
    } = runAnyport('serve', '--stdio', '--env', 'MCP_TEST_MARK', ...COMMAND)
    const initialize = {
      jsonrpc: '2.0',
      id: 'i',
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'c', version: '1' } },
    }
    child.stdin?.write(`${JSON.stringify(initialize)}\n`)
    await until(() => stdout().endsWith('\n'), 'the answer')
    expect(JSON.parse(stdout())).toMatchObject({ id: 'i', result: { protocolVersion: '2025-06-18' } })
    child.stdin?.end()
    expect(await exited).toBe(0)
    expect(markedProcesses(mark)).toEqual([])
  })

  it.each([
    ['--socket', () => join(mkdtempSync(join(tmpdir(), 'anyport-')), 's'), 'socket:'],
    ['--tcp', () => '127.0.0.1:0', 'tcp://'],
  ])('with %s serves what another one puts on HTTP', async (option, address, scheme) => {
    const behind = runAnyport('serve', option, address(), '--log-format', 'json', ...COMMAND)
    const place = (await behind.event('listening')).url as string
    expect(place.startsWith(scheme)).toBe(true)
    const front = runAnyport('serve', '--port', '0', '--log-format', 'json', place)
    const url = (await front.event('listening')).url as string
    expect(textOf(await call(url, 'env', { name: 'PYTHONUTF8' }))).toBe('1')
  })
})

describe('wrong use', () => {
  it.each([
    [[], 'What is to be served? Write: anyport serve -- COMMAND [ARGS...]'],
    [['node', 'x'], 'Put -- before the command: anyport serve [options] -- node x'],
    [['--prot', '1'], 'Unknown option --prot; did you mean --port?'],
    [
      ['--drain-timeout', '5', '--', 'x'],
      '--drain-timeout: the duration 5 has no unit; write for example 5s',
    ],
    [['--env-file', MAIN, '--', 'x'], `${MAIN}:2: expected KEY=VALUE`],
    [['--host', '0.0.0.0', '--', 'x'], 'or accept that with --allow-unauthenticated'],
    [['--path', '/sse', '--', 'x'], 'path, ssePath and messagesPath must differ'],
    [['--cwd', '/', 'socket:/x'], '--cwd is for a command; socket:/x runs already'],
    [['tcp://nowhere'], '"nowhere" is no address; write for example 127.0.0.1:4000'],
  ])('%j is said clearly, with exit code 2', async (argv, message) => {
    const { exited, stderr } = runAnyport('serve', ...argv)
    expect(await exited).toBe(2)
    await until(() => stderr().includes('Run "anyport help serve"'), stderr)
    expect(stderr()).toContain(`anyport: `)
    expect(stderr()).toContain(message)
    expect(stderr()).not.toContain('    at ')
  })

  it('a command that is not there ends with exit code 1', async () => {
    const { exited, stderr } = runAnyport('serve', '--port', '0', '--', 'no-such-program')
    expect(await exited).toBe(1)
    expect(stderr()).toBe(
      'anyport: Cannot start no-such-program: the command "no-such-program" was not found, neither in PATH nor where installers put programs; install it, or give its full path\n',
    )
  })

  it('a taken port is named with its option, and the server is not left behind', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const { exited, stderr, mark } = runAnyport(
      'serve',
      '--port',
      `${port}`,
      '--env',
      'MCP_TEST_MARK',
      ...COMMAND,
    )
    expect(await exited).toBe(1)
    expect(stderr()).toContain(`Port ${port} of 127.0.0.1 is already in use; choose another with --port`)
    await until(() => markedProcesses(mark).length === 0, 'the end of the server')
    other.close()
  })
})

it('anyport explains itself', async () => {
  const version = runAnyport('--version')
  expect(await version.exited).toBe(0)
  expect(version.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/)
  const help = runAnyport('serve', '--help')
  expect(await help.exited).toBe(0)
  for (const option of ['--port PORT', '--max-body SIZE', '--drain-timeout TIME', '(default 4MiB)']) {
    expect(help.stdout()).toContain(option)
  }
  const unknown = runAnyport('sevre')
  expect(await unknown.exited).toBe(2)
  expect(unknown.stderr()).toContain('Unknown command sevre; did you mean serve?')
})
