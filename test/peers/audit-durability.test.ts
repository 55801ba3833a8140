import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auditLog } from '../../src/node/audit/audit-log.js'
import { verifyAudit } from '../../src/node/audit/verify-audit.js'
import { ranAnyport } from '../fixtures/run-anyport.js'
import { until } from '../fixtures/until.js'

const WRITER = fileURLToPath(new URL('../fixtures/audit-writer.mjs', import.meta.url))
const ECHO = [process.execPath, fileURLToPath(new URL('../fixtures/echo-server.mjs', import.meta.url))]

let folder = ''
let file = ''
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-durability-'))
  file = join(folder, 'audit.jsonl')
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** A process that writes all the time. `limit`: KiB that its files may have. */
async function writer(options: object = {}, limit?: number) {
  const words = [WRITER, file, JSON.stringify(options)]
  const child =
    limit === undefined
      ? spawn(process.execPath, words)
      : // The shell counts in blocks of 1 KiB or of 512 bytes: dash in the latter.
        spawn('sh', ['-c', `ulimit -f ${2 * limit}; exec "$0" "$@"`, process.execPath, ...words])
  children.push(child)
  let text = ''
  let errors = ''
  child.stdout?.setEncoding('utf8').on('data', chunk => {
    text += chunk
  })
  child.stderr?.setEncoding('utf8').on('data', chunk => {
    errors += chunk
  })
  const events = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line))
  const heard = (what: string) =>
    until(() => events().some(event => event.what === what), `${what}: ${errors}`)
  await heard('open')
  return {
    child,
    events,
    heard,
    async end(signal: NodeJS.Signals) {
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    },
  }
}

const size = () => statSync(file).size
const sequences = () =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line).seq)

describe('the audit log of a process', () => {
  it('that is killed while it writes goes on, and shows all that it has', async () => {
    for (let round = 0; round < 3; round++) {
      const from = round === 0 ? 0 : size()
      const { end } = await writer({ durable: round % 2 === 1 })
      await until(() => size() > from + 250_000, 'lines')
      await end('SIGKILL')
      // What was cut short is no secret, until the next start has put it in order.
      const { broken, records } = await verifyAudit(file)
      if (broken !== undefined) expect(broken.why).toMatch(/cut short|not a record/)
      expect(records).toBeGreaterThan(100)
      const log = await auditLog({ file })
      await log.close()
      expect((await verifyAudit(file)).broken).toBeUndefined()
    }
    const numbers = sequences()
    expect(numbers).toEqual(numbers.map((_, index) => index + 1))
  }, 60_000)

  it.skipIf(process.platform === 'win32')(
    'whose file may not grow writes no halves, and goes on when it may',
    async () => {
      const limit = 700
      const { child, heard, end } = await writer({ maxSize: 10_000_000 }, limit)
      await heard('audit-failed')
      expect(size()).toBeLessThanOrEqual(limit * 1024)
      expect(size()).toBeGreaterThan(100_000)
      const whole = await verifyAudit(file)
      expect(whole.broken).toBeUndefined()
      // Nobody was ended by the signal that comes with it.
      expect([child.exitCode, child.signalCode]).toEqual([null, null])
      await end('SIGTERM')
      const later = await writer()
      await until(() => size() > limit * 1024, 'more lines')
      await later.end('SIGTERM')
      const all = await verifyAudit(file)
      expect(all.broken).toBeUndefined()
      expect(all.records).toBeGreaterThan(whole.records)
    },
    60_000,
  )

  it('is written by no other one, library or command', async () => {
    const first = await writer()
    await expect(auditLog({ file })).rejects.toThrow(`belongs to process ${first.child.pid} on`)
    const { code, stderr } = await ranAnyport('serve', '--port', '0', '--audit', file, '--', ...ECHO)
    expect([code, stderr]).toEqual([2, expect.stringContaining(`belongs to process ${first.child.pid} on`)])
    await first.end('SIGKILL')
    const log = await auditLog({ file })
    await log.close()
    expect((await verifyAudit(file)).broken).toBeUndefined()
  }, 60_000)

  it('is turned over while it is written, and killed meanwhile', async () => {
    const { end } = await writer({ maxSize: 100_000, keep: 3 })
    await until(() => {
      try {
        return statSync(`${file}.000006`).size > 0
      } catch {
        return false
      }
    }, 'full files')
    await end('SIGKILL')
    const log = await auditLog({ file })
    await log.close()
    expect(await verifyAudit(file)).toMatchObject({ first: expect.any(Number), broken: undefined })
  }, 60_000)
})
