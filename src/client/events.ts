import type { Noise } from '../protocol/line-codec.js'
import type { Era } from '../protocol/versions.js'

/** What happens to a server: each change of its state, and what it writes beside the protocol. */
export type UpstreamEvent =
  | { readonly type: 'starting' }
  | { readonly type: 'ready'; readonly era: Era; readonly milliseconds: number }
  /** It could not be started: how often in a row by now, and the milliseconds until the next attempt. */
  | {
      readonly type: 'failed'
      readonly error: Error
      readonly failures: number
      readonly retryIn: number
    }
  /** It ended, or closed the connection, although nobody asked for that. It lived for so many milliseconds. */
  | { readonly type: 'exited'; readonly error: Error; readonly milliseconds: number }
  /** A remote server has ended a session that had served; the next call begins another. */
  | { readonly type: 'session-lost'; readonly error: Error; readonly milliseconds: number }
  /** A connection was closed by us: nobody used it, its session ended, or others needed the room. */
  | { readonly type: 'stopped'; readonly reason: StopReason }
  /** A line that is no message was skipped: the how manieth of its kind (too large, or anything else). */
  | { readonly type: 'noise'; readonly noise: Noise; readonly count: number }

export type StopReason = 'idle' | 'session' | 'room'
