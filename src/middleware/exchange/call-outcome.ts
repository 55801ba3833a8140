import type { Context } from '../../exchange/context.js'
import { TransportError } from '../../exchange/errors.js'
import { INSUFFICIENT_SCOPE, RATE_LIMITED, UNRECORDED } from '../../protocol/errors.js'
import type { JSONRPCRequest, JSONRPCResponse } from '../../protocol/message.js'
import { METHOD_CALL_TOOL, mayAsk } from '../../protocol/methods.js'
import { resultKey } from '../../protocol/raw-json.js'
import type { CallNotes } from './call-record.js'

/**
 * `ok`: answered. `tool-error`: the tool says that it failed. `error`: answered with an error, or failed on the way. `refused`: a
 * guard of ours let it go no further. `question`: the server asks back. `cancelled`: the caller left, or time ran out.
 */
export type CallOutcome = 'ok' | 'tool-error' | 'error' | 'refused' | 'question' | 'cancelled'

/** `error` is what was thrown, `code` that of the error which its caller sees. */
export function callOutcome(
  { method }: JSONRPCRequest,
  context: Context,
  notes: CallNotes,
  response: JSONRPCResponse | undefined,
  error: unknown,
  code: number | undefined,
): CallOutcome {
  if (notes.refusedBy !== undefined) return 'refused'
  if (code === RATE_LIMITED || code === INSUFFICIENT_SCOPE || code === UNRECORDED) return 'refused'
  if (error instanceof TransportError && error.code === 'ERR_CANCELLED') return 'cancelled'
  if (error !== undefined) return 'error'
  if (response === undefined || context.cancelled !== undefined) return 'cancelled'
  if ('error' in response) return 'error'
  if (mayAsk(method) && resultKey(response.result, 'resultType') === 'input_required') return 'question'
  return method === METHOD_CALL_TOOL && resultKey(response.result, 'isError') === true ? 'tool-error' : 'ok'
}
