/** The body of one request of `node:http`, read with limits. */

import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import { bodyCut, bodyNotText, bodyTooLarge } from '../../exchange/http-body-errors.js'

/**
 * A body over the limit is read on for so long and so far, and dropped: a client that is cut off while it sends
 * sees a broken connection instead of our refusal.
 */
const DROP_TIME = 2_000
export const DROP_BYTES = 64 * 1024 * 1024

/** Where a request keeps its reader: listeners without closures leave nothing behind on a stream that stays open. */
const READER = Symbol('reader')

type Reading = IncomingMessage & { [READER]?: BodyReader | undefined }

interface BodyReader {
  readonly limit: number
  readonly resolve: (text: string) => void
  readonly reject: (error: Error) => void
  readonly onUnread: () => void
  first: Buffer | undefined
  more: Buffer[] | undefined
  length: number
  timer: NodeJS.Timeout | undefined
}

/** Reads the body once. `onUnread` is called where part of it is left in the connection. */
export function readText(incoming: IncomingMessage, limit: number, onUnread: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader: BodyReader = {
      limit,
      resolve,
      reject,
      onUnread,
      first: undefined,
      more: undefined,
      length: 0,
      timer: undefined,
    }
    ;(incoming as Reading)[READER] = reader
    incoming.on('data', onData)
    incoming.on('end', onEnd)
    incoming.on('error', onError)
  })
}

function onData(this: Reading, chunk: Buffer): void {
  const reader = this[READER]
  if (reader === undefined) return
  reader.length += chunk.byteLength
  if (reader.length > reader.limit) {
    reader.first = reader.more = undefined
    reader.timer ??= setTimeout(giveUp, DROP_TIME, this)
    if (reader.length > reader.limit + DROP_BYTES) giveUp(this)
  } else if (reader.first === undefined) reader.first = chunk
  else if (reader.more === undefined) reader.more = [reader.first, chunk]
  else reader.more.push(chunk)
}

function onEnd(this: Reading): void {
  const reader = done(this)
  if (reader === undefined) return
  const { first, more, length, limit, resolve, reject } = reader
  if (length > limit) reject(bodyTooLarge(limit))
  else if (first === undefined) resolve('')
  else {
    const bytes = more === undefined ? first : Buffer.concat(more, length)
    if (isUtf8(bytes)) resolve(bytes.toString())
    else reject(bodyNotText())
  }
}

function onError(this: Reading): void {
  done(this)?.reject(bodyCut())
}

function giveUp(incoming: Reading): void {
  const reader = done(incoming)
  if (reader === undefined) return
  reader.onUnread()
  incoming.pause()
  reader.reject(bodyTooLarge(reader.limit))
}

function done(incoming: Reading): BodyReader | undefined {
  const reader = incoming[READER]
  incoming[READER] = undefined
  clearTimeout(reader?.timer)
  return reader
}
