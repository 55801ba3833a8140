/** The audit log: lines of JSON in a file, each chained to the one before, written in groups. */

import { createHash } from 'node:crypto'
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { AuditRecord, AuditSink } from '../../middleware/exchange/audit.js'
import { CHAIN_START, chainedLine, chainOf, splitLine } from './audit-chain.js'

export interface AuditLogOptions {
  readonly file: string
  /** What happens to calls that cannot be recorded, for example since the disk is full. Default `block`. */
  readonly onFailure?: 'block' | 'continue' | undefined
  /** Answers wait until their record is on the disk (`fdatasync`), a group of them at a time. Default false. */
  readonly durable?: boolean | undefined
  /** Bytes after which another file is begun. Default 100 MiB. */
  readonly maxSize?: number | undefined
  /** Full files that are kept; older ones are deleted. Default: all. */
  readonly keep?: number | undefined
  /** Makes the chain one that only its holder can make. Default: anybody who can write the file can. */
  readonly key?: string | undefined
  /** Records that wait to be written; those beyond are lost, and counted. Default 10,000. */
  readonly maxPending?: number | undefined
  /** Milliseconds for which records are gathered. Default 100; where answers wait for them, nothing is waited for. */
  readonly gather?: number | undefined
  /** Milliseconds until a write that failed is tried again. Default 1,000. */
  readonly retry?: number | undefined
  readonly onEvent?: ((event: AuditEvent) => void) | undefined
}

export type AuditEvent =
  /** Records cannot be written, and what happens to calls meanwhile. */
  | { readonly type: 'audit-failed'; readonly error: Error; readonly onFailure: 'block' | 'continue' }
  /** They can again; so many records were lost meanwhile. */
  | { readonly type: 'audit-recovered'; readonly lost: number }
  /** The last line was not written to its end when the log was last in use. It was cut off. */
  | { readonly type: 'audit-torn'; readonly bytes: number }

export interface AuditLog extends AuditSink {
  /** Writes what waits; resolves once it is written, or one more attempt has failed. */
  flush(): Promise<void>
  /** Writes what waits, and closes the file. */
  close(): Promise<void>
}

/**
 * Opens the file, or begins it; goes on with the chain that it ends with. Rejects with `TypeError` for a file that cannot be written,
 * is no audit log, or belongs to another process.
 */
export async function auditLog(options: AuditLogOptions): Promise<AuditLog> {
  const release = claim(`${options.file}.lock`)
  try {
    const file = await open(options.file, 'a+', 0o600)
    const end = await endOf(file, options)
    return new FileAuditLog(options, file, end, release)
  } catch (error) {
    release()
    if (error instanceof TypeError) throw error
    throw new TypeError(`The audit log ${options.file} cannot be written: ${(error as Error).message}`)
  }
}

interface Entry {
  readonly record:
    | AuditRecord
    | { readonly time: string; readonly event: string; readonly lost?: number; readonly bytes?: number }
  readonly written: (() => void) | undefined
}

interface End {
  readonly size: number
  readonly sequence: number
  readonly chain: string
  readonly torn: number
}

class FileAuditLog implements AuditLog {
  blocked: string | undefined
  readonly #options: AuditLogOptions
  readonly #release: () => void
  #file: FileHandle
  #size: number
  #sequence: number
  #chain: string
  #pending: Entry[] = []
  #lost = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #writing: Promise<void> | undefined
  #failed = false
  #closed = false

  constructor(options: AuditLogOptions, file: FileHandle, end: End, release: () => void) {
    this.#options = options
    this.#file = file
    this.#size = end.size
    this.#sequence = end.sequence
    this.#chain = end.chain
    this.#release = release
    if (end.torn > 0) {
      this.#note({ event: 'torn', bytes: end.torn })
      options.onEvent?.({ type: 'audit-torn', bytes: end.torn })
    }
  }

  write(record: AuditRecord): Promise<void> | undefined {
    if (this.#closed) return undefined
    if (this.#pending.length >= (this.#options.maxPending ?? 10_000)) {
      this.#lost++
      return undefined
    }
    if (!this.#options.durable || this.#failed) {
      this.#pending.push({ record, written: undefined })
      this.#later(this.#options.gather ?? 100)
      return undefined
    }
    return new Promise(resolve => {
      this.#pending.push({ record, written: resolve })
      // What comes while a group is being written is the next group.
      void this.flush()
    })
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#pending.length > 0 && !this.#closed)
        this.#later(this.#failed ? (this.#options.retry ?? 1_000) : 0)
    })
    return this.#writing
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush()
    if (this.#pending.length > 0) await this.flush()
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#file.close().catch(() => {})
    this.#release()
  }

  #note(what: { readonly event: string; readonly lost?: number; readonly bytes?: number }): void {
    this.#pending.unshift({ record: { time: new Date().toISOString(), ...what }, written: undefined })
    this.#later(0)
  }

  #later(milliseconds: number): void {
    if (this.#timer !== undefined || this.#writing !== undefined) return
    const wait = this.#failed ? Math.max(milliseconds, this.#options.retry ?? 1_000) : milliseconds
    this.#timer = setTimeout(() => void this.flush(), wait)
    // The close at our end writes what waits.
    this.#timer.unref()
  }

  async #writeAll(): Promise<void> {
    // Whoever writes in this turn belongs to the group.
    await Promise.resolve()
    while (this.#pending.length > 0) {
      const group = this.#pending.splice(0, GROUP)
      try {
        await this.#writeGroup(group)
      } catch (error) {
        this.#pending.unshift(...group.map(({ record }) => ({ record, written: undefined })))
        this.#fail(error as Error)
        for (const { written } of group) written?.()
        return
      }
      for (const { written } of group) written?.()
      if (this.#failed) this.#recover()
    }
  }

  async #writeGroup(group: readonly Entry[]): Promise<void> {
    const { maxSize = 100 * 1024 * 1024, key, durable } = this.#options
    if (this.#size >= maxSize) await this.#rotate()
    let sequence = this.#sequence
    let chain = this.#chain
    let text = ''
    for (const { record } of group) {
      const body = printable(`{"seq":${++sequence},${JSON.stringify(withoutSecrets(record)).slice(1)}`)
      chain = chainOf(chain, body, key)
      text += chainedLine(body, chain)
    }
    const bytes = Buffer.from(text)
    try {
      for (let at = 0; at < bytes.length; ) at += (await this.#file.write(bytes, at)).bytesWritten
      if (durable) await this.#file.datasync()
    } catch (error) {
      // A part of it may stand there.
      await this.#file.truncate(this.#size).catch(() => {})
      throw error
    }
    this.#size += bytes.length
    this.#sequence = sequence
    this.#chain = chain
  }

  /** Full files are called `FILE.000001` and so on; the chain goes on in the next. */
  async #rotate(): Promise<void> {
    const { file, keep } = this.#options
    const full = await fullFiles(file)
    const last = full.at(-1)
    const number = last === undefined ? 1 : Number(last.slice(-6)) + 1
    // Gone already where an earlier attempt got no further.
    await rename(file, `${file}.${String(number).padStart(6, '0')}`).catch(ignoreMissing)
    const next = await open(file, 'a+', 0o600)
    await this.#file.close()
    this.#file = next
    this.#size = 0
    if (keep === undefined) return
    const old = (await fullFiles(file)).slice(0, -keep || undefined)
    for (const path of old) await unlink(path)
  }

  #fail(error: Error): void {
    const { onFailure = 'block', onEvent, file } = this.#options
    // Its text names our file, which is none of the caller's business.
    if (onFailure === 'block')
      this.blocked = (error as NodeJS.ErrnoException).code ?? 'the log cannot be written'
    if (this.#failed) return
    this.#failed = true
    onEvent?.({
      type: 'audit-failed',
      error: new Error(`${file}: ${error.message}`, { cause: error }),
      onFailure,
    })
    // So that somebody tries again although no call comes.
    this.#later(0)
  }

  #recover(): void {
    this.#failed = false
    this.blocked = undefined
    const lost = this.#lost
    this.#lost = 0
    if (lost > 0) this.#note({ event: 'lost', lost })
    this.#options.onEvent?.({ type: 'audit-recovered', lost })
  }
}

/** Records that are written at once: a few hundred kilobytes. */
const GROUP = 1_000

/** The full files of a log, oldest first. */
export async function fullFiles(file: string): Promise<readonly string[]> {
  const start = `${basename(file)}.`
  const names = await readdir(dirname(file))
  return names
    .filter(name => name.startsWith(start) && /^\d{6}$/.test(name.slice(start.length)))
    .sort()
    .map(name => join(dirname(file), name))
}

/** A session's id lets its holder in: a digest tells sessions apart as well. */
function withoutSecrets(record: Entry['record']): object {
  if (!('session' in record) || record.session === undefined) return record
  return { ...record, session: createHash('sha256').update(record.session).digest('hex').slice(0, 16) }
}

/** Characters that a terminal would obey, or show in another order, in names that callers made up. */
const TREACHEROUS = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/
const ALL_TREACHEROUS = new RegExp(TREACHEROUS, 'g')

function printable(json: string): string {
  if (!TREACHEROUS.test(json)) return json
  return json.replace(ALL_TREACHEROUS, found => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Where the chain stands. What is after the last line end was never written to its end. */
async function endOf(handle: FileHandle, { file }: AuditLogOptions): Promise<End> {
  const { size } = await handle.stat()
  const length = Math.min(size, TAIL)
  const tail = Buffer.alloc(length)
  await handle.read(tail, 0, length, size - length)
  const end = tail.lastIndexOf(0x0a) + 1
  const torn = length - end
  if (end === 0 && size > TAIL) throw new TypeError(`${file} is no audit log: its last line is too long`)
  if (torn > 0) await handle.truncate(size - torn)
  if (end === 0) return { size: 0, torn, ...(await beforeOf(file)) }
  const start = tail.subarray(0, end - 1).lastIndexOf(0x0a) + 1
  return { size: size - torn, torn, ...linkOf(tail.toString('utf8', start, end - 1), file) }
}

/** An empty file goes on with the full one before it. */
async function beforeOf(file: string): Promise<Pick<End, 'sequence' | 'chain'>> {
  const last = (await fullFiles(file)).at(-1)
  if (last === undefined) return { sequence: 0, chain: CHAIN_START }
  return linkOf(readFileSync(last, 'utf8').trimEnd().split('\n').at(-1) ?? '', last)
}

function linkOf(line: string, file: string): Pick<End, 'sequence' | 'chain'> {
  const parts = splitLine(line)
  if (parts === undefined)
    throw new TypeError(`${file} is no audit log: its last line is not one of its records`)
  return { sequence: (JSON.parse(parts.body) as { readonly seq: number }).seq, chain: parts.chain }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** The longest record, and more. */
const TAIL = 8 * 1024 * 1024

/** Two writers would break the chain. */
function claim(lock: string): () => void {
  for (let attempt = 0; ; attempt++) {
    try {
      const file = openSync(lock, 'wx', 0o600)
      writeSync(file, `${process.pid} ${hostname()}`)
      closeSync(file)
      return () => rmSync(lock, { force: true })
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EEXIST')
        throw new TypeError(`The audit log cannot be written: ${lock}: ${code ?? String(error)}`)
      const [pid, host] = readFileSync(lock, 'utf8').split(' ')
      if (attempt > 0 || host !== hostname() || isAlive(Number(pid)))
        throw new TypeError(
          `The audit log belongs to process ${pid} on ${host}; two cannot write one. Remove ${lock} if it has gone`,
        )
      rmSync(lock, { force: true })
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
