/** The bytes of an open file in UTF-8, from wherever: as they are, or converted from UTF-16 as they are read. */

import type { FileHandle } from 'node:fs/promises'
import { isBinary, type Mark, markOf } from './encodings.js'
import { Refusal } from './refusal.js'

const CHUNK = 256 * 1024

export interface Head {
  readonly mark: Mark | undefined
  readonly binary: boolean
}

export async function headOf(handle: FileHandle): Promise<Head> {
  const head = Buffer.allocUnsafe(8192)
  const { bytesRead } = await handle.read(head, 0, head.length, 0)
  const bytes = head.subarray(0, bytesRead)
  return { mark: markOf(bytes), binary: isBinary(bytes) }
}

/** From the beginning to the end, without the mark. A chunk is valid until the next one is asked for. */
export async function* chunks(
  handle: FileHandle,
  mark: Mark | undefined,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(CHUNK)
  const wide = mark !== undefined && mark.encoding !== 'utf-8' ? new TextDecoder(mark.encoding) : undefined
  let position = mark?.length ?? 0
  while (true) {
    signal.throwIfAborted()
    const { bytesRead } = await handle.read(buffer, 0, CHUNK, position)
    position += bytesRead
    const bytes = buffer.subarray(0, bytesRead)
    if (wide === undefined) {
      if (bytesRead === 0) return
      yield bytes
    } else {
      const text = wide.decode(bytes, { stream: bytesRead > 0 })
      if (text !== '') yield Buffer.from(text)
      if (bytesRead === 0) return
    }
  }
}

/** Pieces at offsets that count in UTF-8 from behind the mark, in rising order; shorter ones where the file ends first. */
export async function pieces(
  handle: FileHandle,
  mark: Mark | undefined,
  wanted: readonly { readonly offset: number; readonly length: number }[],
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  if (mark === undefined || mark.encoding === 'utf-8')
    return await Promise.all(
      wanted.map(({ offset, length }) => piece(handle, offset + (mark?.length ?? 0), length)),
    )
  return await converted(handle, mark, wanted, signal)
}

async function piece(handle: FileHandle, offset: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}

async function converted(
  handle: FileHandle,
  mark: Mark,
  wanted: readonly { readonly offset: number; readonly length: number }[],
  signal: AbortSignal,
): Promise<readonly Buffer[]> {
  const found = wanted.map(({ length }) => ({ bytes: Buffer.alloc(length), filled: 0 }))
  const end = Math.max(...wanted.map(({ offset, length }) => offset + length), 0)
  let at = 0
  for await (const chunk of chunks(handle, mark, signal)) {
    for (const [index, { offset, length }] of wanted.entries()) {
      const from = Math.max(offset, at)
      const to = Math.min(offset + length, at + chunk.length)
      if (from >= to) continue
      const target = found[index] as { bytes: Buffer; filled: number }
      chunk.copy(target.bytes, from - offset, from - at, to - at)
      target.filled += to - from
    }
    at += chunk.length
    if (at >= end) break
    if (at > MAX_CONVERTED) throw new Refusal('The file is too long for UTF-16.')
  }
  return found.map(({ bytes, filled }) => bytes.subarray(0, filled))
}

const MAX_CONVERTED = 256 * 1024 * 1024
