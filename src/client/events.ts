import type { Noise } from '../protocol/line-codec.js'
import type { Era, LegacyVersion } from '../protocol/versions.js'
import type { Dialect } from './opened.js'

/** What happens to a server: each change of its state, and what it writes beside the protocol. */
export type UpstreamEvent =
  /** Somebody needs it who has to wait: for the end of a backoff, or for a place among those that may run. */
  | { readonly type: 'waiting'; readonly for: 'backoff' | 'place'; readonly milliseconds: number }
  | { readonly type: 'starting'; readonly spare?: true }
  /** It answers, and took so many milliseconds. A spare one of the legacy era is asked nothing before it is taken. */
  | {
      readonly type: 'ready'
      readonly era: Era
      /** How it was found to speak; absent of a spare one. */
      readonly dialect?: Dialect
      /** The revision that a legacy one shook hands in. */
      readonly revision?: LegacyVersion
      readonly milliseconds: number
      readonly spare?: true
    }
  /** A spare one goes to a caller. */
  | { readonly type: 'taken' }
  /** It could not be started: how often in a row by now, and the milliseconds until the next attempt. */
  | {
      readonly type: 'failed'
      readonly error: Error
      readonly failures: number
      readonly retryIn: number
      readonly spare?: true
    }
  /** It failed or ended too often in a row: until it starts again, callers get this cause at once. */
  | {
      readonly type: 'given-up'
      readonly error: Error
      readonly failures: number
      readonly retryIn: number
    }
  /** Clients got an answer before it could give one: from memory, or a minimal one where nothing was remembered. */
  | { readonly type: 'answered-early'; readonly method: string; readonly from: 'memory' | 'nothing' }
  /** It offers something else than clients were told in its place; they hear of these changes. */
  | { readonly type: 'corrected'; readonly changes: readonly string[] }
  /** It ended, or closed the connection, although nobody asked for that. It lived for so many milliseconds. */
  | {
      readonly type: 'exited'
      readonly error: Error
      readonly milliseconds: number
      readonly spare?: true
    }
  /** A remote server has ended a session that had served; the next call begins another. */
  | { readonly type: 'session-lost'; readonly error: Error; readonly milliseconds: number }
  /** A connection was closed by us: nobody used it, its session ended, or others needed the room. */
  | { readonly type: 'stopped'; readonly reason: StopReason }
  /** A line that is no message was skipped: the how manieth of its kind (too large, or anything else). */
  | { readonly type: 'noise'; readonly noise: Noise; readonly count: number }

export type StopReason = 'idle' | 'session' | 'room'
