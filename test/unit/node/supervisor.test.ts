import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { supervisorScript } from '../../../src/node/process/supervisor.js'
import { markedProcesses } from './marked-processes.js'

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/processes/${name}.mjs`, import.meta.url))
const started: ChildProcess[] = []

afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})

/** Ignores the end of its stdin, and SIGTERM; in a group of its own. */
async function stubborn(mark: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [fixture('stubborn')], {
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { MCP_TEST_MARK: mark },
  })
  started.push(child)
  await once(child.stdout!, 'data')
  return child
}

function supervise(proc?: string): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', supervisorScript(proc)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  started.push(shell)
  return shell
}

// It gives a group 2.5 s by itself, and where there is no /proc it starts a program at each look.
describe('the supervisor', { timeout: 30_000 }, () => {
  it.each([
    ['Linux', undefined],
    ['systems without /proc', '/no/such/folder'],
  ])('ends the groups that are left, after a moment, and then itself: %s', async (_, proc) => {
    const mark = crypto.randomUUID()
    const [left, released] = [await stubborn(mark), await stubborn(mark)]
    const shell = supervise(proc)
    shell.stdin!.write(`+ ${left.pid}\n+ ${released.pid}\n- ${released.pid}\n`)
    shell.stdin!.end()
    const began = performance.now()
    await once(left, 'exit')
    expect(left.signalCode).toBe('SIGKILL')
    expect(performance.now() - began).toBeGreaterThan(2_000)
    if (shell.exitCode === null) await once(shell, 'exit')
    expect(shell.exitCode).toBe(0)
    expect(markedProcesses(mark)).toEqual([released.pid])
  })

  it('lets a group end by itself', async () => {
    const polite = spawn(process.execPath, [fixture('echo-lines')], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    started.push(polite)
    const shell = supervise()
    shell.stdin!.end(`+ ${polite.pid}\n`)
    polite.stdin!.end()
    await Promise.all([once(polite, 'exit'), once(shell, 'exit')])
    expect([polite.exitCode, polite.signalCode]).toEqual([0, null])
  })

  it('leaves a group alone whose id has gone to a stranger', async () => {
    const mark = crypto.randomUUID()
    const child = await stubborn(mark)
    const proc = mkdtempSync(join(tmpdir(), 'anyport-proc-'))
    mkdirSync(join(proc, String(child.pid)))
    const begun = (ticks: number) =>
      writeFileSync(
        join(proc, String(child.pid), 'stat'),
        `${child.pid} (a) name) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ${ticks} 20 21\n`,
      )
    begun(100)
    const shell = supervise(proc)
    shell.stdin!.write(`+ ${child.pid}\n`)
    await new Promise(resolve => setTimeout(resolve, 200))
    begun(200)
    shell.stdin!.end()
    await once(shell, 'exit')
    expect(markedProcesses(mark)).toEqual([child.pid])
  })

  it('outlives the signals that end us', async () => {
    const mark = crypto.randomUUID()
    const child = await stubborn(mark)
    const shell = supervise()
    shell.stdin!.write(`+ ${child.pid}\n`)
    await new Promise(resolve => setTimeout(resolve, 200))
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const) shell.kill(signal)
    await new Promise(resolve => setTimeout(resolve, 200))
    expect(shell.exitCode).toBeNull()
    shell.stdin!.end()
    await once(child, 'exit')
    expect(markedProcesses(mark)).toEqual([])
  })
})
