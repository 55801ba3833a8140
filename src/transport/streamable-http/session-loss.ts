/**
 * Whether a server that refuses a request has lost the session it belongs to. A pure function of what came back.
 * Specification: 2025-11-25 basic/transports, "Session Management": 404, which not every server keeps to.
 */

import { HEADER_MISMATCH, UNSUPPORTED_VERSION } from '../../protocol/errors.js'
import type { JSONRPCErrorObject } from '../../protocol/message.js'

/** `perhaps`: another request of the session tells. */
export type SessionLoss = 'lost' | 'perhaps' | 'kept'

export interface SessionRefusal {
  /** The request carried a session id. */
  readonly session: boolean
  readonly status: number
  /** The error that the body holds, and whether it is about the very request, as its id says. */
  readonly error: JSONRPCErrorObject | undefined
  readonly named: boolean
  /** The body, where it holds no error. */
  readonly text: string
}

export function sessionLoss({ session, status, error, named, text }: SessionRefusal): SessionLoss {
  // Said by modern servers only: there are no sessions any more.
  if (error?.code === UNSUPPORTED_VERSION || error?.code === HEADER_MISMATCH) return 'lost'
  if (!session) return 'kept'
  const words = error?.message ?? text
  switch (status) {
    case 404:
      // Some servers answer an unknown method or resource so.
      return error !== undefined && named && !SESSION.test(words) ? 'kept' : 'lost'
    case 503:
      return 'perhaps'
    case 410:
      return 'lost'
    default:
      return (error !== undefined || status >= 400) && (SESSION.test(words) || NOT_BEGUN.test(words))
        ? 'perhaps'
        : 'kept'
  }
}

const SESSION = /\bsession/i
/** What a server says that takes the request for the first of a new session. */
const NOT_BEGUN = /\b(?:not|before|un)[ -]?(?:been )?initiali[sz]/i
