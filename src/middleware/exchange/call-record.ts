import { type Context, contextKey } from '../../exchange/context.js'

/** What is learnt of a call on its way, for the record. */
export interface CallNotes {
  /** The server that the call reached, and what it calls the target. */
  server?: string
  target?: string
  /** The guard that refused it. */
  refusedBy?: string
  /** Why, in one word. */
  reason?: string
  /** Told once the call has ended, however it did. Whoever asks for that spares a layer of his own around the call. */
  onEnd?: (() => void) | undefined
}

export const CALL_NOTES = contextKey<CallNotes>('notes for the audit log')

/** Says which guard refused a call, and in one word why, where it has several reasons. */
export function noteRefusal(context: Context, guard: string, reason?: string): void {
  const notes = context.get(CALL_NOTES)
  if (notes === undefined) return
  notes.refusedBy = guard
  if (reason !== undefined) notes.reason = reason
}
