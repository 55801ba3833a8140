import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuditRecord } from '../../../../src/middleware/exchange/audit.js'
import {
  type AuditEvent,
  type AuditLog,
  type AuditLogOptions,
  auditLog,
} from '../../../../src/node/audit/audit-log.js'
import { verifyAudit } from '../../../../src/node/audit/verify-audit.js'
import { until } from '../../../fixtures/http-request.js'

const handles: FileHandle[] = vi.hoisted(() => [])
vi.mock('node:fs/promises', async original => {
  const actual = await original<typeof import('node:fs/promises')>()
  const open: typeof actual.open = async (...args) => {
    const handle = await actual.open(...args)
    handles.push(handle)
    return handle
  }
  return { ...actual, open }
})

let folder = ''
let file = ''
const logs: AuditLog[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'audit-'))
  file = join(folder, 'audit.jsonl')
})
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close()
  rmSync(folder, { recursive: true, force: true })
})

async function open(options: Partial<AuditLogOptions> = {}): Promise<AuditLog> {
  const log = await auditLog({ file, gather: 1, ...options })
  logs.push(log)
  return log
}

function record(target: string, more: Partial<AuditRecord> = {}): AuditRecord {
  return {
    time: '2026-01-01T00:00:00.000Z',
    binding: 'socket',
    method: 'tools/call',
    target,
    outcome: 'ok',
    duration: 1,
    ...more,
  }
}

const lines = (path = file) => readFileSync(path, 'utf8').trimEnd().split('\n')

describe('the chain', () => {
  it('fits what was written, also by the next process', async () => {
    const first = await open()
    for (let index = 0; index < 10; index++) first.write(record(`t${index}`))
    await first.close()
    const second = await open()
    second.write(record('later'))
    await second.close()
    expect(lines()).toHaveLength(11)
    expect(await verifyAudit(file)).toMatchObject({
      records: 11,
      first: undefined,
      broken: undefined,
      last: { sequence: 11 },
    })
  })

  it.each([
    ['a record that was changed', (all: string[]) => all.with(3, (all[3] as string).replace('t3', 'xx')), 1],
    ['a record that is missing', (all: string[]) => all.toSpliced(3, 1), 4],
    [
      'records in another order',
      (all: string[]) => all.toSpliced(3, 2, all[4] as string, all[3] as string),
      4,
    ],
    ['a line that is no record', (all: string[]) => all.with(5, '{}'), 6],
    ['an empty line', (all: string[]) => all.toSpliced(2, 0, ''), 3],
  ])('shows %s', async (_what, change, line) => {
    const log = await open()
    for (let index = 0; index < 8; index++) log.write(record(`t${index}`))
    await log.close()
    writeFileSync(file, `${change(lines()).join('\n')}\n`)
    expect((await verifyAudit(file)).broken).toMatchObject({ line })
  })

  it('with a key, nobody else can make one', async () => {
    const key = 'a key of sixteen characters'
    const log = await open({ key })
    log.write(record('a'))
    await log.close()
    expect((await verifyAudit(file, key)).broken).toBeUndefined()
    expect((await verifyAudit(file)).broken).toMatchObject({ line: 1 })
  })

  it('goes on over full files, and says where it begins when old ones are deleted', async () => {
    const log = await open({ maxSize: 2_000, keep: 2 })
    for (let index = 0; index < 60; index++) {
      log.write(record(`t${index}`))
      await log.flush()
    }
    await log.close()
    const full = readdirSync(folder).filter(name => /\.\d{6}$/.test(name))
    expect(full).toHaveLength(2)
    const verdict = await verifyAudit(file)
    expect(verdict.broken).toBeUndefined()
    expect(verdict.first).toBeGreaterThan(1)
    expect(verdict.last?.sequence).toBe(60)
    rmSync(join(folder, full[1] as string))
    expect((await verifyAudit(file)).broken?.why).toMatch(/number/)
  })
})

describe('what is in a line', () => {
  it('is one line, whatever callers call things, and shows no session', async () => {
    const log = await open()
    const evil = 'x\n{"seq":99}\r\u001b[2J\u202e\u2028\u0085","chain":"y'
    log.write(record(evil, { session: 'the-session-id', principal: evil }))
    await log.close()
    const [line, ...others] = lines()
    expect(others).toEqual([])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/)
    expect(JSON.parse(line as string)).toMatchObject({ target: evil, principal: evil })
    expect(line).not.toContain('the-session-id')
    expect((await verifyAudit(file)).broken).toBeUndefined()
  })
})

describe('when it goes wrong', () => {
  it('a line that was not written to its end is cut off, and that is on record', async () => {
    const log = await open()
    log.write(record('a'))
    await log.close()
    appendFileSync(file, '{"seq":2,"half')
    const events: AuditEvent[] = []
    const next = await open({ onEvent: event => events.push(event) })
    next.write(record('b'))
    await next.close()
    expect(events).toEqual([{ type: 'audit-torn', bytes: 14, records: 0 }])
    expect(lines().map(line => JSON.parse(line).event ?? JSON.parse(line).target)).toEqual(['a', 'torn', 'b'])
    expect((await verifyAudit(file)).broken).toBeUndefined()
  })

  it.runIf(process.platform === 'linux')(
    'a full disk blocks calls, or does not, and is told once',
    async () => {
      for (const onFailure of ['block', 'continue'] as const) {
        const events: AuditEvent[] = []
        const full = join(folder, `full-${onFailure}`)
        symlinkSync('/dev/full', full)
        const log = await open({
          file: full,
          onFailure,
          onEvent: event => events.push(event),
          maxPending: 5,
          retry: 20,
        })
        for (let index = 0; index < 20; index++) {
          log.write(record(`t${index}`))
          await log.flush()
        }
        expect(log.blocked).toBe(onFailure === 'block' ? 'ENOSPC' : undefined)
        expect(events).toEqual([{ type: 'audit-failed', error: expect.any(Error), onFailure }])
        await log.close()
      }
    },
  )

  it('goes on when the disk has room again, and says how many were lost', async () => {
    const events: AuditEvent[] = []
    const log = await open({ maxPending: 3, retry: 10, onEvent: event => events.push(event) })
    const handle = handles.at(-1) as FileHandle
    const write = handle.write
    handle.write = () => Promise.reject(Object.assign(new Error('no space'), { code: 'ENOSPC' }))
    log.write(record('kept'))
    await log.flush()
    expect(log.blocked).toBe('ENOSPC')
    for (let index = 0; index < 5; index++) log.write(record(`t${index}`))
    handle.write = write
    await until(() => log.blocked === undefined, 'room')
    await log.flush()
    await log.close()
    expect(events.map(({ type }) => type)).toEqual(['audit-failed', 'audit-recovered'])
    const all = lines().map(line => JSON.parse(line))
    expect(all.map(({ target, event }) => target ?? event)).toEqual(
      expect.arrayContaining(['kept', 't0', 't1', 'lost']),
    )
    expect(all.find(({ event }) => event === 'lost').lost).toBe(3)
    expect((await verifyAudit(file)).broken).toBeUndefined()
  })

  it('durable: a write resolves when its line is in the file, many in one group', async () => {
    const log = await open({ durable: true })
    const handle = handles.at(-1) as FileHandle
    let syncs = 0
    const datasync = handle.datasync.bind(handle)
    handle.datasync = () => {
      syncs++
      return datasync()
    }
    await Promise.all(Array.from({ length: 200 }, (_, index) => log.write(record(`t${index}`))))
    expect(lines()).toHaveLength(200)
    expect(syncs).toBeLessThanOrEqual(2)
  })

  it('two writers are refused, and so is what is no audit log', async () => {
    await open()
    await expect(auditLog({ file })).rejects.toThrow(/belongs to process/)
    const other = join(folder, 'notes.txt')
    writeFileSync(other, 'some notes\n')
    await expect(auditLog({ file: other })).rejects.toThrow(/is no audit log/)
    await expect(auditLog({ file: join(folder, 'none', 'x') })).rejects.toThrow(TypeError)
    // A process that has gone holds nothing.
    const left = join(folder, 'left.jsonl')
    writeFileSync(`${left}.lock`, `999999999 ${(await import('node:os')).hostname()}`)
    logs.push(await auditLog({ file: left }))
  })
})
