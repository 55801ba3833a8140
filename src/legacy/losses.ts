/**
 * What cannot cross between the eras is dropped here, counted by kind, and told to whoever listens: nothing
 * is lost silently. The kinds are those of docs/eras.md.
 */

export type LossKind =
  | 'notification-outside-call'
  | 'notification-while-suspended'
  | 'log-without-owner'
  | 'question-outside-call'
  | 'roots-list-changed'
  | 'elicitation-complete'
  | 'sampling-rejected'

export type LossListener = (kind: LossKind, detail: string) => void

const counts = new Map<LossKind, number>()
const listeners = new Set<LossListener>()

export function noteLoss(kind: LossKind, detail: string): void {
  counts.set(kind, (counts.get(kind) ?? 0) + 1)
  for (const listener of listeners) listener(kind, detail)
}

/** How often each kind of loss happened in this process. */
export function lossCounts(): ReadonlyMap<LossKind, number> {
  return counts
}

/** Returns how to stop listening. */
export function onLoss(listener: LossListener): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
