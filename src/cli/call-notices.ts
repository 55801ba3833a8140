/** What a server says while a call runs, a line each. */

import { printable } from '../exchange/printable.js'
import type { JSONRPCNotification } from '../protocol/message.js'
import { METHOD_MESSAGE, METHOD_PROGRESS } from '../protocol/methods.js'

/** Undefined for what is not for people. */
export function noticeOf({ method, params = {} }: JSONRPCNotification): string | undefined {
  if (method === METHOD_PROGRESS) {
    const { progress, total, message } = params
    const words = typeof message === 'string' && message !== '' ? ` ${printable(message)}` : ''
    // Below zero the server has not begun: what comes is a sign of life.
    if (typeof progress !== 'number' || progress < 0) return words === '' ? undefined : words.trimStart()
    return `${progress}${typeof total === 'number' ? `/${total}` : ''}${words}`
  }
  if (method !== METHOD_MESSAGE) return undefined
  const { level, logger, data } = params
  const name = typeof logger === 'string' && logger !== '' ? ` ${printable(logger)}` : ''
  const text = typeof data === 'string' ? data : JSON.stringify(data)
  return `[${printable(String(level))}]${name} ${printable(text ?? '')}`
}
