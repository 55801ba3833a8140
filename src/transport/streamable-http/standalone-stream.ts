/** The stream of what belongs to no call. Specification: 2025-11-25 basic/transports, "Listening for Messages from the Server". */

import type { Context } from '../../exchange/context.js'
import { delay } from '../../exchange/deadline.js'
import type { HttpAnswer } from '../../exchange/http-client.js'
import type { JSONRPCMessage } from '../../protocol/message.js'
import { type AnswerLimits, kindOf, readAnswer } from './answer.js'

export interface StandaloneStreamOptions {
  readonly limits: AnswerLimits
  /** Sends the GET. */
  readonly open: (lastEventId: string | undefined) => Promise<HttpAnswer>
  readonly message: (message: JSONRPCMessage) => void
  /** The stream stands. */
  readonly opened: () => void
  /** The server does not know the session any more. */
  readonly lost: () => void
}

/** How long a stream must have stood for its end to be the first failure again, in milliseconds. */
const STABLE = 5_000
const FIRST_WAIT = 250
const LONGEST_WAIT = 30_000

/**
 * Keeps the stream open until the context is cancelled: opens it again after it ended, behind the last event where events have
 * ids. Resolves early where the server has no such stream. Never rejects.
 */
export async function keepStandaloneStream(
  options: StandaloneStreamOptions,
  context: Context,
): Promise<void> {
  let lastEventId: string | undefined
  let retry: number | undefined
  let failures = 0
  let stood = false
  while (context.cancelled === undefined) {
    const since = performance.now()
    let heard = false
    try {
      const answer = await options.open(lastEventId)
      if (answer.status === 200 && kindOf(answer) === 'events') {
        stood = true
        options.opened()
        const end = await readToEnd(answer, options, () => {
          heard = true
        })
        lastEventId = end.lastEventId ?? lastEventId
        retry = end.retry ?? retry
      } else {
        answer.cancel()
        if (answer.status === 404 && stood) return options.lost()
        if (!mayHaveItLater(answer.status)) return
      }
    } catch {
      // The network, or a server that restarts: it is tried again.
    }
    if (heard || performance.now() - since >= STABLE) failures = 0
    const backoff = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** failures) * (0.5 + Math.random() / 2)
    failures += 1
    // "The client MUST respect the retry field."
    await delay(failures === 1 && retry !== undefined ? retry : Math.max(retry ?? 0, backoff), context)
  }
}

/** 405 says that there is no such stream, and servers say it in other ways. 409: the last one has not ended for the server. */
function mayHaveItLater(status: number): boolean {
  return status === 409 || status === 429 || (status >= 500 && status !== 501)
}

function readToEnd(
  answer: HttpAnswer,
  { limits, message }: StandaloneStreamOptions,
  onHeard: () => void,
): Promise<{ readonly lastEventId: string | undefined; readonly retry: number | undefined }> {
  return new Promise(resolve => {
    readAnswer(answer, 'events', limits, {
      message(value) {
        onHeard()
        message(value)
      },
      // What cannot be read is nobody's answer here.
      broken: () => {},
      ended: (_, reader) => resolve(reader),
    })
  })
}
