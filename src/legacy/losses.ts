/** What cannot cross between the eras. It is never dropped silently: whoever gave an `onLoss` hears of each. */

/** The kinds of docs/eras.md, "What cannot cross". */
export type LossKind =
  | 'notification-outside-call'
  | 'notification-while-suspended'
  | 'log-without-owner'
  | 'question-outside-call'
  | 'roots-list-changed'
  | 'elicitation-complete'
  | 'sampling-rejected'
  | 'invalid-tool'

/** `detail` names what was lost: a method, the text of a refusal. It may come from a peer. */
export type LossListener = (kind: LossKind, detail: string) => void
