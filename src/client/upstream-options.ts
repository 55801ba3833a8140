import type { FromSessionOptions } from '../legacy/from-session.js'
import type { Implementation } from '../protocol/meta.js'
import type { Era } from '../protocol/versions.js'
import type { Capacity } from './capacity.js'
import type { UpstreamEvent } from './events.js'
import type { FrontOptions } from './fast-front.js'
import type { Isolation } from './isolation-keys.js'
import type { Dialect } from './opened.js'

/** Remembers how servers speak, by their identity, so that a silent one costs its probe timeout once. */
export interface EraMemory {
  get(server: string): Dialect | undefined
  set(server: string, dialect: Dialect): void
}

export interface UpstreamOptions extends FromSessionOptions {
  /** The server's era: found out by a probe (`auto`, the default), or pinned. */
  readonly protocol?: 'auto' | Era
  /**
   * Who shares a connection to the server: callers of one principal (the default), each legacy session for
   * itself, or everybody.
   */
  readonly isolation?: Isolation
  /** What outlives this process of the servers' eras. Default: nothing. */
  readonly eras?: EraMemory
  readonly clientInfo?: Implementation
  /** How long the server may stay silent before it is taken for a legacy one, in milliseconds. Default 3,000. */
  readonly probeTimeout?: number
  /** How long the server may take to start and shake hands, in milliseconds. Default 60,000. */
  readonly startTimeout?: number
  /** How long the server may stay silent about a call, in milliseconds. Default 10 minutes. */
  readonly timeout?: number
  /** How long a call may take in all, in milliseconds. Default one hour. */
  readonly maxTimeout?: number
  /** How many connections calls that may ask get per caller, so that one question does not hold up the rest. Default 4. */
  readonly maxAskingConnections?: number
  /**
   * How many more they get while calls of theirs wait for the caller, so that a few questions which nobody answers hold up nothing.
   * Default 12.
   */
  readonly maxSuspendedConnections?: number
  /** How long a call waits for a busy connection before another one is opened, in milliseconds. Default 2,000. */
  readonly spillAfter?: number
  /**
   * How long a call that waits for its caller keeps its connection while others wait for one, in milliseconds; then it is given
   * up, longest first, and its retry is told to start anew. Default one minute.
   */
  readonly reclaimAfter?: number
  /** How many connections to it there may be in all, each a process of its own where it is a program. Default 256. */
  readonly maxConnections?: number
  /** How long callers wait for one of these to be free before they are told that it is busy, in milliseconds. Default 30,000. */
  readonly queueTimeout?: number
  /** How many connections more are kept open for those who come next. They count among `maxConnections`. Default 0. */
  readonly spares?: number
  /** The same over several servers, which share one of these. Default: no such limit. */
  readonly capacity?: Capacity
  /**
   * Milliseconds without a call after which a connection is closed, and its program ends; the next call starts it again.
   * Subscriptions do not count, and go on. 0 is never. Default: 30 minutes where each session has its own, else never,
   * because many servers keep something in memory that their next start does not have.
   */
  readonly idleTimeout?: number
  /** How many failures in a row callers wait out; then they get the cause at once, until an attempt succeeds. Default 5. */
  readonly maxRestarts?: number
  /**
   * How long calls wait for a remote server that has been reached before and cannot be now, since it may be restarting, in
   * milliseconds. Default 10,000.
   */
  readonly reconnectTimeout?: number
  /**
   * Answers clients who come before a program is up from what is remembered of it, and tells them later what has changed.
   * Default: they wait.
   */
  readonly front?: FrontOptions
  readonly onEvent?: (event: UpstreamEvent) => void
}
