/** What is wrong with a server that answers, whatever carries its answers. */

import { TransportError } from '../../exchange/errors.js'
import { RpcError } from '../../protocol/errors.js'
import type { Outcome } from './examine.js'
import type { Finding } from './finding.js'

type Failed = Extract<Outcome, { kind: 'failed' }>

/** For failures that nothing more exact is known of. `hop` is who has failed. */
export function diagnoseAnswers({ error, during }: Failed, hop: string): Finding {
  const message = error instanceof Error ? error.message : String(error)
  const common = { severity: 'error' as const, hop }
  if (during !== 'open') {
    const isLate = error instanceof TransportError && error.code === 'ERR_TIMEOUT'
    return {
      ...common,
      code: isLate ? 'DOCTOR_NO_ANSWER' : 'DOCTOR_LIST_FAILED',
      what: `It opens, and ${isLate ? `gives no answer to ${during}` : `fails at ${during}: ${message}`}`,
      why: `Clients ask ${during} before anything else: they show a server without it, or none`,
      fix: 'Look into the log of the server: it got the question, and says there what went wrong',
    }
  }
  if (error instanceof RpcError || (error instanceof TransportError && error.code === 'ERR_HANDSHAKE'))
    return {
      ...common,
      code: 'DOCTOR_HANDSHAKE',
      what: message,
      why: 'It was understood, and no revision of the protocol was agreed on that both speak',
      fix: 'Update the server, or the SDK that it is built with',
    }
  return {
    ...common,
    code: 'DOCTOR_FAILED',
    what: message,
    why: 'This is none of the causes that anyport knows',
    fix: 'See docs/doctor.md for how to look closer: anyport serve --log-level debug shows each step',
  }
}
