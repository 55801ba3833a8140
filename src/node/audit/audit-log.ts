/** The audit log: lines of JSON in a file, written in groups, each of them chained to the one before. */

import { type FileHandle, open, rename, unlink } from 'node:fs/promises'
import type { AuditRecord, AuditSink, RefusalSummary } from '../../middleware/exchange/audit.js'
import { chainOf, seal } from './audit-chain.js'
import { claim } from './audit-claim.js'
import { endOf, fullFiles, type LogEnd, syncFolder } from './audit-files.js'
import { type AuditNote, encodeNote, encodeRecord } from './audit-line.js'
import { type Chunk, WaitingLines } from './waiting-lines.js'

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
  /** The last lines were not written to their end when the log was last in use. They were cut off: so many whole ones among them. */
  | { readonly type: 'audit-torn'; readonly bytes: number; readonly records: number }

export interface AuditLog extends AuditSink {
  summarise(summary: RefusalSummary): void
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
  let file: FileHandle | undefined
  try {
    file = await open(options.file, 'a+', 0o600)
    const end = await endOf(file, options.file)
    return new FileAuditLog(options, file, end, release)
  } catch (error) {
    await file?.close().catch(() => {})
    release()
    if (error instanceof TypeError) throw error
    throw new TypeError(`The audit log ${options.file} cannot be written: ${(error as Error).message}`)
  }
}

class FileAuditLog implements AuditLog {
  blocked: string | undefined
  readonly #options: AuditLogOptions
  readonly #maxPending: number
  readonly #maxSize: number
  readonly #release: () => void
  readonly #lines: WaitingLines
  #file: FileHandle
  #size: number
  /** Of the last line that waits or is written. */
  #sequence: number
  /** Of the last group that is written. */
  #chain: string
  /** Nothing is in the file yet that says what it follows. */
  #fresh: boolean
  /** A part of a group may stand behind the end. */
  #unclean = false
  #lost = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #writing: Promise<void> | undefined
  #failed = false
  #closed = false

  constructor(options: AuditLogOptions, file: FileHandle, end: LogEnd, release: () => void) {
    this.#options = options
    this.#maxPending = options.maxPending ?? 10_000
    this.#maxSize = options.maxSize ?? 100 * 1024 * 1024
    this.#lines = new WaitingLines(Math.min(MAX_GROUP, this.#maxSize))
    this.#file = file
    this.#size = end.size
    this.#sequence = end.sequence
    this.#chain = end.chain
    this.#fresh = end.size === 0 && end.sequence > 0
    this.#release = release
    const { torn } = end
    if (torn === undefined) return
    this.#note({ event: 'torn', ...torn })
    options.onEvent?.({ type: 'audit-torn', ...torn })
  }

  write(record: AuditRecord): Promise<void> | undefined {
    if (this.#closed) return undefined
    if (this.#lines.count >= this.#maxPending) {
      this.#lost++
      return undefined
    }
    const line = `{"seq":${++this.#sequence},${encodeRecord(record)}}`
    if (!this.#options.durable || this.#failed) {
      this.#lines.push(line)
      if (this.#timer === undefined) this.#later(this.#options.gather ?? 100)
      return undefined
    }
    return new Promise(resolve => {
      this.#lines.push(line, resolve)
      // What comes while a group is being written is the next group.
      void this.flush()
    })
  }

  summarise(summary: RefusalSummary): void {
    if (!this.#closed) this.#note(summary)
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#lines.count > 0 && !this.#closed)
        this.#later(this.#failed ? (this.#options.retry ?? 1_000) : 0)
    })
    return this.#writing
  }

  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush()
    if (this.#lines.count > 0) await this.flush()
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#file.close().catch(() => {})
    this.#release()
  }

  #note(note: AuditNote): void {
    this.#lines.push(`{"seq":${++this.#sequence},${encodeNote({ time: new Date().toISOString(), ...note })}}`)
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
    for (let chunk = this.#lines.first(); chunk !== undefined; chunk = this.#lines.first()) {
      try {
        await this.#writeGroup(chunk)
      } catch (error) {
        this.#fail(error as Error)
        chunk.tell()
        return
      }
      chunk.tell()
      this.#lines.dropFirst()
      if (this.#failed) this.#recover()
    }
  }

  /** May be repeated. */
  async #writeGroup({ bytes, used }: Chunk): Promise<void> {
    const { key, durable } = this.#options
    if (this.#unclean) await this.#clean()
    if (this.#size >= this.#maxSize) await this.#rotate()
    // In place of the last brace.
    let length = used - 1
    // So that it can be checked when the file before has been deleted.
    if (this.#fresh) length += bytes.write(`,"after":"${this.#chain}"`, length, 'latin1')
    bytes[length] = CLOSE_BRACE
    const chain = chainOf(this.#chain, bytes.subarray(0, length + 1), key)
    length += bytes.write(seal(chain), length, 'latin1')
    try {
      for (let at = 0; at < length; ) at += (await this.#file.write(bytes, at, length - at)).bytesWritten
      if (durable) await this.#file.datasync()
    } catch (error) {
      this.#unclean = true
      await this.#clean().catch(() => {})
      throw error
    }
    this.#fresh = false
    this.#size += length
    this.#chain = chain
  }

  async #clean(): Promise<void> {
    await this.#file.truncate(this.#size)
    this.#unclean = false
  }

  /** Full files are called `FILE.000001` and so on; the chain goes on in the next. */
  async #rotate(): Promise<void> {
    const { file, keep, durable } = this.#options
    const full = await fullFiles(file)
    const last = full.at(-1)
    const number = last === undefined ? 1 : Number(last.slice(-6)) + 1
    // Gone already where an earlier attempt got no further.
    await rename(file, `${file}.${String(number).padStart(6, '0')}`).catch(ignoreMissing)
    const next = await open(file, 'a+', 0o600)
    await this.#file.close()
    this.#file = next
    this.#size = 0
    this.#fresh = true
    if (durable) await syncFolder(file)
    if (keep === undefined) return
    const old = (await fullFiles(file)).slice(0, -keep || undefined)
    for (const path of old) await unlink(path)
  }

  #fail(error: Error): void {
    const { onFailure = 'block', onEvent, file } = this.#options
    // Its text names our file, which is none of the caller's business.
    if (onFailure === 'block' && !this.#failed)
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

/** Bytes of a group, but for one with a longer line: few enough for the last one to be found again at the end of a file. */
const MAX_GROUP = 256 * 1024
const CLOSE_BRACE = 0x7d

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
