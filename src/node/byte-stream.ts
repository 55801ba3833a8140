/** Bytes over Node's streams: what pipes, sockets and our own standard streams have in common. */

import type { Writable } from 'node:stream'

/** Above this many bytes that the far side has not taken, writers are asked to wait. */
const HIGH_WATER = 64 * 1024
/** Below this many characters, joining strings is cheaper than writing them one by one. */
const JOIN_LIMIT = 64 * 1024

/** Writes several chunks as one write. Returns false when the far side is slow. Never throws. */
export function writeChunks(output: Writable, chunks: readonly (string | Uint8Array)[]): boolean {
  if (!output.writable) return true
  const text = joinSmall(chunks)
  if (text !== undefined) output.write(text, encodingOf(text))
  else if (chunks.length === 1) output.write(chunks[0])
  else {
    output.cork()
    for (const chunk of chunks) output.write(chunk)
    output.uncork()
  }
  // Not what write() returns: it counts bytes that the system has taken at once.
  return output.writableLength < HIGH_WATER
}

/** Resolves when the far side has caught up (at once if it has), or the stream closed. */
export function whenDrained(output: Writable): Promise<void> {
  if (!output.writable || !output.writableNeedDrain) return Promise.resolve()
  return new Promise(resolve => {
    const done = () => {
      output.off('drain', done)
      output.off('close', done)
      output.off('error', done)
      resolve()
    }
    output.on('drain', done)
    output.on('close', done)
    output.on('error', done)
  })
}

/** Ends a stream after what is queued; resolves when that is written, the stream failed, or time ran out. */
export function endWritable(output: Writable, timeout: number): Promise<void> {
  if (output.destroyed || output.writableFinished) return Promise.resolve()
  return new Promise(resolve => {
    const timer = setTimeout(resolve, timeout)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    output.once('close', done)
    output.once('error', done)
    output.end(done)
  })
}

/** As many bytes as characters: all are ASCII, and Latin-1 is written without looking at each again. */
function encodingOf(text: string): 'latin1' | 'utf8' {
  return Buffer.byteLength(text) === text.length ? 'latin1' : 'utf8'
}

function joinSmall(chunks: readonly (string | Uint8Array)[]): string | undefined {
  let length = 0
  for (const chunk of chunks) {
    if (typeof chunk !== 'string') return undefined
    length += chunk.length
  }
  if (length > JOIN_LIMIT) return undefined
  return chunks.length === 1 ? (chunks[0] as string) : chunks.join('')
}
