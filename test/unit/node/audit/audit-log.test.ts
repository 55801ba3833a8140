import { createHash } from 'node:crypto'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AuditRecord } from '../../../../src/middleware/exchange/audit.js'
import { isoOf } from '../../../../src/middleware/exchange/iso-time.js'
import {
  type AuditEvent,
  type AuditLog,
  type AuditLogOptions,
  auditLog,
} from '../../../../src/node/audit/audit-log.js'
import { verifyAudit } from '../../../../src/node/audit/verify-audit.js'
import { until } from '../../../fixtures/until.js'

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

  it('shows what was changed within a group, and which lines are in it', async () => {
    const log = await open()
    for (const count of [5, 20, 1, 30]) {
      for (let index = 0; index < count; index++) log.write(record(`t${index}`))
      await log.flush()
    }
    await log.close()
    const all = lines()
    expect(all.map((line, index) => (line.includes('"chain"') ? index + 1 : 0)).filter(Boolean)).toEqual([
      5, 25, 26, 56,
    ])
    const verdict = async (changed: readonly string[]) => {
      writeFileSync(file, `${changed.join('\n')}\n`)
      return (await verifyAudit(file)).broken
    }
    expect(await verdict(all)).toBeUndefined()
    const group = { line: 6, why: expect.stringMatching(/^one of lines 6 to 25 was changed/) }
    for (const index of [5, 14, 24]) {
      const line = all[index] as string
      expect(await verdict(all.with(index, line.replace('"ok"', '"no"')))).toMatchObject(group)
      // Numbers that fit do not help.
      const between = (all[index - 1] as string).replace(/"seq":\d+/, `"seq":${index + 1}`)
      const moved = all.slice(index).map((text, at) => text.replace(/"seq":\d+/, `"seq":${index + 2 + at}`))
      expect(await verdict([...all.slice(0, index), between, ...moved])).toBeDefined()
      const closed = all
        .slice(index + 1)
        .map((text, at) => text.replace(/"seq":\d+/, `"seq":${index + 1 + at}`))
      expect(await verdict([...all.slice(0, index), ...closed])).toBeDefined()
    }
    const swapped = all
      .with(9, (all[10] as string).replace('"seq":11', '"seq":10'))
      .with(10, (all[9] as string).replace('"seq":10', '"seq":11'))
    expect(await verdict(swapped)).toMatchObject(group)
    // A group that is whole, put where another was.
    expect(await verdict([...all.slice(0, 5), ...all.slice(25)])).toMatchObject({ line: 6 })
    expect(await verdict(all.slice(0, 40))).toMatchObject({
      line: 27,
      why: expect.stringContaining('cut short'),
    })
    expect(await verdict([...all, (all[0] as string).replace('"seq":1', '"seq":57')])).toMatchObject({
      line: 57,
    })
  })

  it('goes on with a file of an earlier version, where each line has its own digest', async () => {
    let chain = '0'.repeat(64)
    let text = ''
    for (let index = 1; index <= 20; index++) {
      const body = `{"seq":${index},"time":"2026-01-01T00:00:00.000Z","target":"old \u00e9"}`
      chain = createHash('sha256').update(`${chain}\n${body}`).digest('hex')
      text += `${body.slice(0, -1)},"chain":"${chain}"}\n`
    }
    writeFileSync(file, text)
    expect(await verifyAudit(file)).toMatchObject({ records: 20, broken: undefined })
    const log = await open()
    for (let index = 0; index < 30; index++) log.write(record(`t${index}`))
    await log.close()
    expect(await verifyAudit(file)).toMatchObject({ records: 50, broken: undefined })
    writeFileSync(file, readFileSync(file, 'utf8').replace('"seq":9,"time":"2026', '"seq":9,"time":"2027'))
    expect((await verifyAudit(file)).broken).toMatchObject({ line: 9 })
  })

  it('the first group that is left is checked, too', async () => {
    const log = await open({ maxSize: 2_000, keep: 1, key: 'a key of sixteen characters' })
    for (let round = 0; round < 30; round++) {
      for (let index = 0; index < 7; index++) log.write(record(`t${index}`))
      await log.flush()
    }
    await log.close()
    const verdict = () => verifyAudit(file, 'a key of sixteen characters')
    expect(await verdict()).toMatchObject({ first: expect.any(Number), broken: undefined })
    const [oldest] = readdirSync(folder).filter(name => /\.\d{6}$/.test(name))
    const path = join(folder, oldest as string)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"ok"', '"no"'))
    expect((await verdict()).broken).toMatchObject({ file: path, line: 1 })
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
    const evil = `x\n{"seq":99}\r\u001b[2J\u202e\u2028\u0085\u{e0041}\ud800é","chain":"${'0'.repeat(64)}"}`
    const names = {
      principal: evil,
      address: evil,
      server: evil,
      method: evil,
      serverTarget: evil,
      era: evil,
    }
    const more = { reason: evil, refusedBy: evil, verb: evil, path: evil, arguments: { [evil]: evil } }
    log.write(record(evil, { session: 'the-session-id', ...names, ...more }))
    await log.close()
    const [line, ...others] = lines()
    expect(others).toEqual([])
    expect(line).toMatch(/^[ -~]*$/)
    expect(JSON.parse(line as string)).toMatchObject({ target: evil, ...names, ...more })
    expect(line).not.toContain('the-session-id')
    expect((await verifyAudit(file)).broken).toBeUndefined()
  })
})

describe('when it goes wrong', () => {
  it('a line that was not written to its end is cut off, and that is on record', async () => {
    const log = await open()
    log.write(record('a'))
    await log.close()
    appendFileSync(file, '{"seq":2,"time":"2026')
    const events: AuditEvent[] = []
    const next = await open({ onEvent: event => events.push(event) })
    next.write(record('b'))
    await next.close()
    expect(events).toEqual([{ type: 'audit-torn', bytes: 21, records: 0 }])
    expect(lines().map(line => JSON.parse(line).event ?? JSON.parse(line).target)).toEqual(['a', 'torn', 'b'])
    expect((await verifyAudit(file)).broken).toBeUndefined()
  })

  it('wherever a write was cut short, the log goes on behind the last group that is whole', async () => {
    const log = await open()
    for (const count of [3, 4]) {
      for (let index = 0; index < count; index++) log.write(record(`t${index}`))
      await log.flush()
    }
    await log.close()
    const whole = readFileSync(file)
    const group = whole.indexOf('{"seq":4')
    for (let length = group; length < whole.length; length += 37) {
      writeFileSync(file, whole.subarray(0, length))
      const isTorn = length > group
      expect((await verifyAudit(file)).broken === undefined).toBe(!isTorn)
      const next = await auditLog({ file, gather: 1 })
      next.write(record('next'))
      await next.close()
      const events = lines().map(line => JSON.parse(line).event ?? JSON.parse(line).target)
      expect(events).toEqual(['t0', 't1', 't2', ...(isTorn ? ['torn'] : []), 'next'])
      expect(await verifyAudit(file)).toMatchObject({ broken: undefined })
      if (isTorn) expect(JSON.parse(lines()[3] as string).bytes).toBe(length - group)
    }
    writeFileSync(file, Buffer.concat([whole, Buffer.alloc(4_096)]))
    await (await auditLog({ file })).close()
    expect((await verifyAudit(file)).broken).toBeUndefined()
    // In the very first group.
    writeFileSync(file, whole.subarray(0, 100))
    const first = await auditLog({ file })
    await first.close()
    expect(await verifyAudit(file)).toMatchObject({ records: 1, broken: undefined })
  })

  it('what is no audit log is left as it is, with a line end or without', async () => {
    for (const text of ['some notes', 'some notes\n', '{"seq": 1, "of": "another program"}\n']) {
      writeFileSync(file, text)
      await expect(auditLog({ file })).rejects.toThrow(/is no audit log/)
      expect(readFileSync(file, 'utf8')).toBe(text)
    }
    const log = await open({ file: join(folder, 'other') })
    log.write(record('a'))
    await log.close()
    appendFileSync(join(folder, 'other'), 'junk\n')
    await expect(auditLog({ file: join(folder, 'other') })).rejects.toThrow(/is no audit log/)
  })

  it('a clock that goes backwards changes no order', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const log = await open()
      const times = []
      for (const now of [5_000, 5_000, 4_999.75, 0, 86_400_000]) {
        vi.setSystemTime(now)
        const time = isoOf(now)
        times.push(time)
        log.write(record('t', { time }))
      }
      await log.close()
      expect(times).toEqual([
        '1970-01-01T00:00:05.000Z',
        '1970-01-01T00:00:05.000Z',
        '1970-01-01T00:00:04.999Z',
        '1970-01-01T00:00:00.000Z',
        '1970-01-02T00:00:00.000Z',
      ])
      expect(lines().map(line => JSON.parse(line).seq)).toEqual([1, 2, 3, 4, 5])
      expect((await verifyAudit(file)).broken).toBeUndefined()
    } finally {
      vi.useRealTimers()
    }
  })

  it('files are full while calls go on: no line is lost, none is in two of them', async () => {
    const log = await open({ maxSize: 20_000, maxPending: 100_000, gather: 1 })
    let written = 0
    const writer = async () => {
      for (let index = 0; index < 400; index++) {
        log.write(record(`t${written++}`))
        if (index % 7 === 0) await new Promise(resolve => setImmediate(resolve))
      }
    }
    await Promise.all(Array.from({ length: 8 }, writer))
    await log.close()
    const files = readdirSync(folder).sort()
    expect(files.length).toBeGreaterThan(3)
    // The one in use comes first in this order.
    const all = [...files.slice(1), files[0] as string].flatMap(name => lines(join(folder, name)))
    expect(all.map(line => JSON.parse(line).target)).toEqual(Array.from({ length: 3_200 }, (_, n) => `t${n}`))
    expect(await verifyAudit(file)).toMatchObject({ records: 3_200, first: undefined, broken: undefined })
  })

  it('a record that is larger than any group is one all the same', async () => {
    const log = await open()
    log.write(record('before'))
    log.write(record('large', { principal: 'é'.repeat(200_000) }))
    log.write(record('after', { arguments: { text: 'x'.repeat(100_000) } }))
    await log.close()
    expect(lines().map(line => JSON.parse(line).target)).toEqual(['before', 'large', 'after'])
    expect(JSON.parse(lines()[1] as string).principal).toHaveLength(200_000)
    expect(JSON.parse(lines()[2] as string).arguments).toBe('[too large: 100011 characters]')
    const next = await open()
    next.write(record('next'))
    await next.close()
    expect(await verifyAudit(file)).toMatchObject({ records: 4, broken: undefined })
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
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1))
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
    // A process that has gone holds nothing, even if we have its number now, as in containers.
    for (const pid of [999_999_999, process.pid]) {
      const left = join(folder, `left-${pid}.jsonl`)
      writeFileSync(`${left}.lock`, `${pid} ${hostname()}`)
      logs.push(await auditLog({ file: left }))
    }
    // One that is just beginning does.
    const begun = join(folder, 'begun.jsonl')
    writeFileSync(`${begun}.lock`, '')
    await expect(auditLog({ file: begun })).rejects.toThrow(/starting/)
    const longAgo = new Date(Date.now() - 60_000)
    utimesSync(`${begun}.lock`, longAgo, longAgo)
    logs.push(await auditLog({ file: begun }))
  })
})
