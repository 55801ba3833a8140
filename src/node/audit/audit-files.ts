/** The files of an audit log, and where its chain stands. */

import { readFileSync } from 'node:fs'
import { type FileHandle, open, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { CHAIN_START, sequenceOf, splitLine } from './audit-chain.js'

export interface LogEnd {
  /** Bytes up to the end of the last group. */
  readonly size: number
  readonly sequence: number
  readonly chain: string
  /** What stood behind it: a group that was not written to its end. */
  readonly torn: { readonly bytes: number; readonly records: number } | undefined
}

/** The full files of a log, oldest first. */
export async function fullFiles(file: string): Promise<readonly string[]> {
  const start = `${basename(file)}.`
  const names = await readdir(dirname(file))
  return names
    .filter(name => name.startsWith(start) && /^\d{6}$/.test(name.slice(start.length)))
    .sort()
    .map(name => join(dirname(file), name))
}

/** Where the chain stands. What is behind the last group is cut off. Throws `TypeError` for what is no audit log. */
export async function endOf(handle: FileHandle, file: string): Promise<LogEnd> {
  const { size } = await handle.stat()
  const length = Math.min(size, TAIL)
  const tail = Buffer.alloc(length)
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(tail, at, length - at, size - length + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  const last = lastGroup(tail)
  if (last === undefined && size > TAIL)
    throw new TypeError(`${file} is no audit log: its last lines are none of its records`)
  const kept = last?.end ?? 0
  const rest = tail.subarray(kept)
  if (rest.length > 0) {
    // A machine that lost its power may leave zeros.
    if (!beginsAsRecord(rest) && rest.some(byte => byte !== 0))
      throw new TypeError(`${file} is no audit log: its last line is not one of its records`)
    await handle.truncate(size - rest.length)
  }
  const torn = rest.length === 0 ? undefined : { bytes: rest.length, records: linesIn(rest) }
  if (last === undefined) return { size: 0, torn, ...(await beforeOf(file)) }
  return { size: size - rest.length, torn, ...linkOf(last.line, file) }
}

/** Makes a new name in a folder as durable as what is in its file. */
export async function syncFolder(file: string): Promise<void> {
  // Windows opens no folders, and needs no such thing.
  if (process.platform === 'win32') return
  const folder = await open(dirname(file), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** The longest group, and more. */
const TAIL = 16 * 1024 * 1024
const RECORD_START = '{"seq":1,"time":'

/** The last line that ends a group, and where it ends. */
function lastGroup(tail: Buffer): { readonly line: string; readonly end: number } | undefined {
  let end = tail.lastIndexOf(0x0a) + 1
  while (end > 0) {
    const start = end < 2 ? 0 : tail.lastIndexOf(0x0a, end - 2) + 1
    const line = tail.toString('utf8', start, end - 1)
    if (splitLine(line) !== undefined) return { line, end }
    end = start
  }
  return undefined
}

/** As far as it goes. */
function beginsAsRecord(rest: Buffer): boolean {
  const start = rest.toString('latin1', 0, 64).replace(/^(\{"seq":)\d+/, '$11')
  return start.startsWith(RECORD_START) || RECORD_START.startsWith(start)
}

function linesIn(bytes: Buffer): number {
  let count = 0
  for (let at = bytes.indexOf(0x0a); at >= 0; at = bytes.indexOf(0x0a, at + 1)) count++
  return count
}

/** An empty file goes on with the full one before it. */
async function beforeOf(file: string): Promise<Pick<LogEnd, 'sequence' | 'chain'>> {
  const last = (await fullFiles(file)).at(-1)
  if (last === undefined) return { sequence: 0, chain: CHAIN_START }
  return linkOf(readFileSync(last, 'utf8').trimEnd().split('\n').at(-1) ?? '', last)
}

function linkOf(line: string, file: string): Pick<LogEnd, 'sequence' | 'chain'> {
  const parts = splitLine(line)
  const sequence = parts && sequenceOf(parts.body)
  if (parts === undefined || sequence === undefined)
    throw new TypeError(`${file} is no audit log: its last line is not one of its records`)
  return { sequence, chain: parts.chain }
}
