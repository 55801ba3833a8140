import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { TransportError } from '../../../src/exchange/errors.js'
import { type ChildStream, type SpawnOptions, spawnStream } from '../../../src/node/process/spawn.js'
import { nameOfCommand } from '../../../src/node/process/spawn-error.js'
import { until } from '../../fixtures/until.js'
import { markedProcesses } from './marked-processes.js'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/processes/${name}.mjs`, import.meta.url))

interface Running {
  readonly child: ChildStream
  readonly mark: string
  output(): string
  readonly closed: Promise<Error | undefined>
}

async function run(name: string, options: Partial<SpawnOptions> = {}): Promise<Running> {
  const mark = crypto.randomUUID()
  const child = await spawnStream({
    command: process.execPath,
    args: [fixture(name)],
    env: { MCP_TEST_MARK: mark },
    closeGrace: 150,
    killGrace: 200,
    ...options,
  })
  const chunks: Uint8Array[] = []
  const closed = new Promise<Error | undefined>(resolve =>
    child.listen({ data: chunk => chunks.push(chunk), closed: resolve }),
  )
  return { child, mark, output: () => Buffer.concat(chunks).toString(), closed }
}

describe('a child as a stream', () => {
  it('carries bytes both ways, several chunks in one write', async () => {
    const { child, output, closed, mark } = await run('echo-lines')
    child.write(['{"a":1}', '\n'])
    child.write([Buffer.from('{"b":'), '2}\n'])
    await until(() => output().includes('2}\n'), 'the echo')
    expect(output()).toBe('{"a":1}\n{"b":2}\n')
    await child.close()
    expect(await closed).toBeUndefined()
    expect(await child.exited).toEqual({ code: 0, signal: null })
    expect(markedProcesses(mark)).toEqual([])
  })

  it('tells a writer that the child does not read, and releases it at the end', async () => {
    const { child, output } = await run('deaf')
    await until(() => output() === 'ready\n', 'readiness')
    let writes = 0
    while (child.write(['x'.repeat(16 * 1024)])) expect(++writes).toBeLessThan(100)
    let drained = false
    const drain = child.drained().then(() => {
      drained = true
    })
    await new Promise(resolve => setTimeout(resolve, 50))
    expect(drained).toBe(false)
    await child.close()
    await drain
    expect(child.write(['after the end'])).toBe(true)
  })

  it('reads 5 MB of stderr and keeps the last lines', async () => {
    let lines = 0
    const { child, output } = await run('noisy-stderr', { onStderr: () => lines++ })
    child.write(['hello\n'])
    await until(() => output() === 'hello\n', 'the echo')
    expect(lines).toBeGreaterThan(40_000)
    expect(child.stderr().length).toBe(64)
    expect(child.stderr().join('').length).toBeLessThanOrEqual(16 * 1024)
    await child.close()
  })
})

describe('the end of a child', () => {
  it('that dies: what it wrote last is delivered, then the code and the reason', async () => {
    const { closed, output, child } = await run('dies')
    const error = (await closed) as TransportError
    expect(output()).toBe('last words\n')
    expect(error).toBeInstanceOf(TransportError)
    expect(error.code).toBe('ERR_EXITED')
    expect(error.message).toContain('exited with code 3: boom: no API key')
    expect(error.facts.exitCode).toBe(3)
    expect(error.facts.stderr).toEqual(['loading configuration', 'boom: no API key'])
    await child.close()
  })

  it('that is killed: the signal', async () => {
    const { child, closed, output } = await run('stubborn')
    await until(() => output() === 'ready\n', 'readiness')
    process.kill(child.pid, 'SIGKILL')
    const error = (await closed) as TransportError
    expect(error.facts.signal).toBe('SIGKILL')
    expect(error.facts.exitCode).toBeUndefined()
  })

  it('that closes its stdout: it counts as closed, and is ended', async () => {
    const { closed, mark } = await run('closes-stdout')
    expect(((await closed) as TransportError).code).toBe('ERR_CLOSED')
    await until(() => markedProcesses(mark).length === 0, 'its end')
  })

  it('that ignores its stdin and SIGTERM: it is killed', async () => {
    const { child, mark, closed, output } = await run('stubborn')
    await until(() => output() === 'ready\n', 'readiness')
    await child.close()
    expect(markedProcesses(mark)).toEqual([])
    expect(await closed).toBeUndefined()
    expect((await child.exited).signal).toBe('SIGKILL')
  })

  it('whose stubborn grandchild holds its pipes: both are gone', async () => {
    const { child, mark, output } = await run('stubborn-family')
    await until(() => output() === 'ready\n', 'the grandchild')
    expect(markedProcesses(mark)).toHaveLength(2)
    await child.close()
    expect(markedProcesses(mark)).toEqual([])
  })

  it('that dies and leaves a grandchild: the error comes soon, the grandchild goes', async () => {
    const { closed, mark, child } = await run('orphaning')
    const started = performance.now()
    await child.exited
    expect(((await closed) as TransportError).facts.exitCode).toBe(1)
    expect(performance.now() - started).toBeLessThan(2_000)
    await until(() => markedProcesses(mark).length === 0, 'the end of the grandchild')
  })
})

describe('a program that cannot be started', () => {
  const failure = (options: SpawnOptions) =>
    spawnStream(options).then(
      () => expect.unreachable(),
      error => error as TransportError,
    )

  it('is not in PATH', async () => {
    const error = await failure({
      command: 'no-such-program',
      args: ['--api-key', 'sesame'],
      env: { PATH: '/usr/bin' },
    })
    expect(error.code).toBe('ERR_SPAWN')
    expect(error.message).toBe(
      'Cannot start no-such-program --api-key ***: the command "no-such-program" was not found, neither in PATH nor where installers put programs; install it, or give its full path',
    )
    expect(error.facts.hop).toBe('no-such-program --api-key ***')
  })

  it('has no such folder to work in', async () => {
    const error = await failure({ command: process.execPath, cwd: '/no/such/folder' })
    expect(error.message).toContain('/no/such/folder does not exist')
    expect(error.facts.knob).toBe('--cwd')
  })

  it('is not executable, or names an interpreter that is missing', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'anyport-'))
    const plain = join(folder, 'plain')
    writeFileSync(plain, 'echo')
    expect((await failure({ command: plain })).message).toContain('is not executable')
    const script = join(folder, 'script')
    writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 })
    expect((await failure({ command: script })).message).toContain('/no/such/interpreter')
    expect((await failure({ command: join(folder, 'nothing') })).message).toContain('there is no file')
  })
})

describe('the name of a command', () => {
  it.each([
    [['-y', '@scope/server', '/some/folder'], 'npx -y @scope/server /some/folder'],
    [['--token', 'abc', '--port', '1'], 'npx --token *** --port 1'],
    [['--api-key=abc', 'API_KEY=abc'], 'npx --api-key=*** API_KEY=***'],
    [['--header', 'Authorization: Bearer x'], 'npx --header ***'],
    [['postgres://user:pass@host/db'], 'npx ***'],
    [['two words'], 'npx "two words"'],
  ])('%j', (args, name) => {
    expect(nameOfCommand('npx', args)).toBe(name)
  })
})
