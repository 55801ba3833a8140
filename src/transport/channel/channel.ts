/** A two-way pipe of whole messages: stdio, a socket, HTTP+SSE, or memory. */

import type { Noise } from '../../protocol/line-codec.js'
import type { JSONRPCMessage } from '../../protocol/message.js'

export interface ChannelListener {
  message(message: JSONRPCMessage): void
  /** Something that is no message, or a message over a limit; the channel stays usable. */
  noise?(noise: Noise): void
  /** The far side did not take a message, although the channel stands: where each message is a request of its own. */
  undelivered?(message: JSONRPCMessage, error: Error): void
  /** The far side takes nothing any more, though it may still be heard; `closed` follows. */
  ending?(): void
  /** Called once, last. An error says why where the end was not asked for. */
  closed(error?: Error): void
}

/** The program at the far side, where we have started it. */
export interface Program {
  readonly pid: number
  /** The last lines that it wrote to stderr. */
  stderr(): readonly string[]
}

export interface Channel {
  /** A person's name for it: the command, the address. */
  readonly name: string
  readonly program?: Program | undefined
  /** Starts delivery. Exactly one listener. */
  listen(listener: ChannelListener): void
  /**
   * Queues one message; what is queued in one turn of the event loop is written together. Returns false when
   * the far side is slow: the sender should wait for {@link drained}. Never throws; a dead channel drops.
   */
  send(message: JSONRPCMessage): boolean
  /** Resolves when the far side has caught up (at once if it has), or the channel closed. */
  drained(): Promise<void>
  /** Stops and resumes delivery, for backpressure from our side. */
  pause(): void
  resume(): void
  /** Writes what is queued, then closes. Resolves when the far side is gone (for a child: when it has ended). */
  close(): Promise<void>
}

export interface ByteListener {
  data(chunk: Uint8Array): void
  /** The far side takes nothing any more, though it may still be heard; `closed` follows. */
  ending?(): void
  closed(error?: Error): void
}

/** Bytes under a stdio-framed channel. `node/` makes them from pipes and sockets. */
export interface ByteStream {
  readonly name: string
  readonly program?: Program | undefined
  listen(listener: ByteListener): void
  /** Returns false when the far side is slow. */
  write(chunks: readonly (string | Uint8Array)[]): boolean
  drained(): Promise<void>
  pause(): void
  resume(): void
  close(): Promise<void>
}
