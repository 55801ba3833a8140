import type { Program } from '../transport/channel/channel.js'

/** What carries the calls to one opened server: a pipe, or requests over HTTP. */
export interface Link {
  /** What it leads to, where that is a program that we have started. */
  readonly program?: Program | undefined
  /** Calls that are open, subscriptions included. */
  readonly size: number
  /** A call is open that is no subscription. */
  readonly busy: boolean
  /** Nothing can be sent any more; what was said last may still come. */
  readonly closed: boolean
  /** The peer does not read as fast as we write: a call may have to wait before it is sent. */
  readonly behind: boolean
  /** The server's questions say which call they belong to, so that calls that may ask can share the link. */
  readonly exact?: boolean
  /** It has answered calls: its end is no failed start. Undefined where what ended was more than a link. */
  readonly worked?: boolean
  /** When a call was last opened, or known to run by whoever asks, in milliseconds. */
  lastUsed: number
  /** Called once when it has closed; an error says why where nobody asked for it. */
  onClosed: ((error: Error | undefined) => void) | undefined
  close(): Promise<void>
}
