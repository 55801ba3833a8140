import type { Call } from '../../exchange/call.js'
import type { Context } from '../../exchange/context.js'
import { Queue } from '../../exchange/queue.js'
import type { LossListener } from '../../legacy/losses.js'
import type { Session, SessionExchange } from '../../legacy/session.js'
import type {
  JSONRPCNotification,
  JSONRPCRequest,
  JSONRPCResponse,
  RequestId,
} from '../../protocol/message.js'
import { errorResponse } from '../../protocol/message.js'
import { Calls, type CallsOptions } from './calls.js'
import type { Channel } from './channel.js'

/** Notifications that belong to no call and that nobody has pulled yet; the oldest are dropped first. */
const MAX_EVENTS = 1000
/** Open questions from which on it is looked whether their calls still are. */
const MAX_ASKED = 256

export interface ChannelSession extends Session {
  readonly calls: Calls
}

/**
 * A legacy server at the far end of a channel, as a Session. A shared pipe does not say which call a question
 * belongs to, so it is given to the one call that can have asked and refused where there are several: who
 * opens the connection takes care that calls that may ask run one at a time.
 */
export function connectSession(
  channel: Channel,
  options: Omit<CallsOptions, 'question' | 'stray'> & { readonly onLoss?: LossListener | undefined } = {},
): ChannelSession {
  const events = new Queue<JSONRPCNotification>()
  const asked = new Map<RequestId, Call>()
  const settle = (id: unknown) => {
    const call = asked.get(id as RequestId)
    if (call !== undefined && asked.delete(id as RequestId)) call.openQuestions -= 1
  }
  const calls = new Calls(channel, {
    ...options,
    question: question => ask(calls, question, asked, options.onLoss),
    stray: notification => {
      if (notification.method === 'notifications/cancelled') {
        settle(notification.params?.requestId)
        withdraw(calls, notification)
      } else if (events.size < MAX_EVENTS) events.push(notification)
      else options.onLoss?.('notification-outside-call', notification.method)
    },
    closed: error => {
      events.close()
      options.closed?.(error)
    },
  })
  return {
    calls,
    request: (request: JSONRPCRequest, context: Context) => calls.call(request, context) as SessionExchange,
    deliver: (message: JSONRPCResponse | JSONRPCNotification) => {
      if (!('method' in message)) settle(message.id)
      calls.send(message)
    },
    async *events(context: Context) {
      context.onCancel(() => events.close())
      for (;;) {
        const step = await events.next()
        if (step.done) return
        yield step.value
      }
    },
    [Symbol.asyncDispose]: () => channel.close(),
  }
}

function ask(
  calls: Calls,
  question: JSONRPCRequest,
  asked: Map<RequestId, Call>,
  onLoss: LossListener | undefined,
): void {
  const call = calls.onlyCandidate()
  if (call !== undefined) {
    // Those of calls that ended without their answers.
    if (asked.size >= MAX_ASKED) for (const [id, owner] of asked) if (owner.settled) asked.delete(id)
    if (!asked.has(question.id)) call.openQuestions += 1
    asked.set(question.id, call)
    call.push(question)
  } else {
    onLoss?.('question-outside-call', question.method)
    calls.send(
      errorResponse(question.id, {
        code: -32601,
        message: `${question.method} was asked outside of any call that it could belong to; ask while a call is open`,
      }),
    )
  }
}

/** The server takes a question back: its call gets to know. */
function withdraw(calls: Calls, notification: JSONRPCNotification): void {
  calls.onlyCandidate()?.push(notification)
}
