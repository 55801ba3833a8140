import type { Exchange, Handler } from '../../exchange/exchange.js'
import type { Calls } from './calls.js'

/**
 * A modern server at the far end of a channel, as a Handler. It needs no translation: ids, progress tokens and
 * subscription ids are the only things that change on the way, and {@link Calls} changes them.
 */
export function connectChannel(calls: Calls): Handler {
  calls.refuseQuestions()
  // A modern peer never asks, so what a call yields is notifications only.
  return (request, context) => calls.call(request, context) as Exchange
}
