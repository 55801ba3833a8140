/** A server at an address that does not work, as those see it who say why. */

import type { Finding } from './finding.js'
import type { RemoteFacts } from './probe-remote.js'
import type { Subject } from './subject.js'

export interface RemoteFailure {
  readonly facts: RemoteFacts
  readonly subject: Subject
  readonly status: number | undefined
  readonly message: string
}

export function common({ facts, status }: RemoteFailure, code: Finding['code']) {
  return {
    code,
    severity: 'error' as const,
    hop: facts.address,
    ...(status === undefined ? {} : { status }),
  }
}

/** What was answered, without the advice that is for those who have no doctor. */
export function answered({ message, status }: RemoteFailure): string {
  const [, line] = / answered (\d{3}[A-Za-z -]*)/.exec(message) ?? []
  const [, said] = / It said: (.*)$/s.exec(message) ?? []
  if (line === undefined) return message
  return `It answered ${line || status}${said === undefined ? '' : `, and said: ${said.trim()}`}`
}
