/**
 * Replies that wait until an earlier one of their connection is complete: the client has sent several requests at once (RFC 9112,
 * section 9.3.2). Node tells them nothing when the connection closes.
 */

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

const QUEUED = Symbol('queued')

type Connection = Socket & { [QUEUED]?: Set<ServerResponse> | undefined }

/** Has a reply closed with its connection also while it waits. To be called once, before anything is written. */
export function closeWithConnection(outgoing: ServerResponse): void {
  // It is the first in line, and has the connection.
  if (outgoing.socket !== null) return
  const connection: Connection = outgoing.req.socket
  let queued = connection[QUEUED]
  if (queued === undefined) {
    queued = new Set()
    connection[QUEUED] = queued
    connection.once('close', closeQueued)
  }
  queued.add(outgoing)
  outgoing.once('socket', () => connection[QUEUED]?.delete(outgoing))
}

function closeQueued(this: Connection): void {
  const queued = this[QUEUED] ?? []
  this[QUEUED] = undefined
  for (const outgoing of queued) {
    outgoing.destroy()
    outgoing.emit('close')
  }
}
