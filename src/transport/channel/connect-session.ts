import type { Context } from '../../exchange/context.js'
import { Queue } from '../../exchange/queue.js'
import type { LossListener } from '../../legacy/losses.js'
import type { Session, SessionExchange } from '../../legacy/session.js'
import type { JSONRPCNotification, JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { errorResponse } from '../../protocol/message.js'
import { Calls, type CallsOptions } from './calls.js'
import type { Channel } from './channel.js'

/** Notifications that belong to no call and that nobody has pulled yet; the oldest are dropped first. */
const MAX_EVENTS = 1000

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
  const calls = new Calls(channel, {
    ...options,
    question: question => ask(calls, question, options.onLoss),
    stray: notification => {
      if (notification.method === 'notifications/cancelled') withdraw(calls, notification)
      else if (events.size < MAX_EVENTS) events.push(notification)
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
    deliver: (message: JSONRPCResponse | JSONRPCNotification) => calls.send(message),
    async *events(signal: AbortSignal) {
      const stop = () => events.close()
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      for (;;) {
        const step = await events.next()
        if (step.done) return
        yield step.value
      }
    },
    [Symbol.asyncDispose]: () => channel.close(),
  }
}

function ask(calls: Calls, question: JSONRPCRequest, onLoss: LossListener | undefined): void {
  const call = calls.onlyCandidate()
  if (call !== undefined) call.push(question)
  else {
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
